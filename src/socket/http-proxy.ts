/**
 * A SocketFactory whose TCP connections lead through an HTTP proxy (2.x proxy.c
 * establish_http_proxy_passthru()): CONNECT, log in as configured or as the proxy asks, then the
 * connection is the server's.
 *
 *   none, basic       one request
 *   auto, auto-nct    a request without login; after 407 a new connection that does what it asked for
 *   digest (by auto)  once more when the proxy calls its nonce stale
 *   ntlm, ntlm2       negotiate and authenticate on one connection
 *
 * NTLM that auto was asked for is version 2; 2.6 answers with version 1, 2.7 knows no other than 2.
 */
import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { ApiMisuseError, type Logger } from '../base/base.ts';
import { D_PROXY } from '../base/errlevel.ts';
import {
  basicAuthorization,
  challengeParameter,
  digestAuthorization,
  type ProxyChallenge,
  type ProxyCredentials,
  readProxyChallenge,
} from './http-auth.ts';
import {
  bodyBytes,
  type ConnectRequest,
  connectLines,
  type HttpHead,
  isChunked,
  readChunks,
  readHttpHead,
} from './http-message.ts';
import { NTLM_NEGOTIATE, readNtlmChallenge, writeNtlmAuthenticate, writeNtlmV1Authenticate } from './ntlm.ts';
import { openProxyTalk, type ProxyError, type ProxyTalk } from './proxy-stream.ts';
import type { ByteStream, SocketFactory, TcpConnect } from './socket.ts';

/** Login of a proxy: a method of 2.x's --http-proxy, digest being reached by auto alone. */
export type HttpProxyAuth = 'none' | 'basic' | 'ntlm' | 'ntlm2' | 'auto' | 'auto-nct';

export interface HttpProxyConfig extends ConnectRequest {
  readonly auth: HttpProxyAuth;
  /** Asked for when a login is needed. Its errors go to the caller of connectTcp(). */
  readonly credentials: () => Promise<ProxyCredentials>;
  readonly log: Logger;
}

const REASON = 'HTTP proxy error';
const BAD_STATUS = 'HTTP proxy returned bad status';
const ASKED = 'Proxy requires authentication';
/** First request, the one with a login, the one with a fresh nonce. */
const MAX_CONNECTIONS = 3;
const AUTHENTICATION_REQUIRED = 407;
const OK = 200;
/** Longest body of a refusal that is passed over on a connection that goes on. Ours. */
const MAX_BODY_BYTES = 1 << 20;

/** `connect.remote` of its connections is the proxy; the server is in `config`. UDP can't go this way. */
export function withHttpProxy(base: SocketFactory, config: HttpProxyConfig): SocketFactory {
  const open = (connect: TcpConnect, signal?: AbortSignal) => openTunnel(base, config, connect, signal);
  return {
    name: `http-proxy over ${base.name}`,
    openUdp: async () => {
      throw new ApiMisuseError('UDP does not go through an HTTP proxy');
    },
    connectTcp: async (connect, signal) => (await open(connect, signal)).toLink(),
    connectStream: open,
    listenTcp: (listen) => base.listenTcp(listen),
    resolve: (host, family, signal) => base.resolve(host, family, signal),
  };
}

async function openTunnel(
  base: SocketFactory,
  config: HttpProxyConfig,
  connect: TcpConnect,
  signal: AbortSignal | undefined,
): Promise<ByteStream> {
  const endMs = performance.now() + connect.timeoutMs;
  const login = new Login(config);
  for (let count = 1; ; count++) {
    const talk = await openProxyTalk(base, connect, { endMs, signal, reason: REASON, log: config.log });
    try {
      if (await login.request(talk)) return talk.stream;
      if (count === MAX_CONNECTIONS) throw talk.fail(BAD_STATUS);
    } catch (error) {
      talk.stream.close();
      throw error;
    } finally {
      talk.release();
    }
    talk.stream.close();
  }
}

/** What a request says beside connectLines(). */
interface LoginLines {
  /** Between the first line and the headers. */
  readonly first?: readonly string[];
  /** Behind the headers; never logged. */
  readonly last: readonly string[];
  /** Logged once the headers are. */
  readonly note?: string;
}

const METHOD_NAME = { basic: 'Basic', digest: 'Digest', ntlm: 'NTLM' } as const;
const KEEP_ALIVE = 'Proxy-Connection: Keep-Alive';
const authorization = (text: string): string => `Proxy-Authorization: ${text}`;

/** What was learned from one connection for the next. */
class Login {
  readonly #config: HttpProxyConfig;
  #challenge: ProxyChallenge | undefined;

  constructor(config: HttpProxyConfig) {
    this.#config = config;
  }

  /** Asks for the tunnel. False: the proxy wants a login, which the next connection will have. */
  async request(talk: ProxyTalk): Promise<boolean> {
    const method = this.#method;
    let head = await this.#ask(talk, await this.#loginLines(talk, method));
    if (head.status === AUTHENTICATION_REQUIRED) {
      this.#log(ASKED);
      if (method === 'ntlm') head = await this.#ask(talk, await this.#ntlmLines(talk, head));
    }
    if (head.status === OK) return true;
    if (head.status !== AUTHENTICATION_REQUIRED) throw talk.fail(BAD_STATUS);
    const refusal = this.#learn(talk, head);
    if (refusal !== undefined) throw refusal;
    return false;
  }

  get #method(): ProxyChallenge['method'] | 'none' {
    const { auth } = this.#config;
    if (this.#challenge !== undefined) return this.#challenge.method;
    if (auth === 'basic') return 'basic';
    return auth === 'ntlm' || auth === 'ntlm2' ? 'ntlm' : 'none';
  }

  async #ask(talk: ProxyTalk, { first = [], last, note }: LoginLines): Promise<HttpHead> {
    const [request = '', ...headers] = connectLines(this.#config);
    for (const line of [request, ...headers]) this.#log(`Send to HTTP proxy: '${line}'`);
    if (note !== undefined) this.#log(note);
    const lines = [request, ...first, ...headers, ...last];
    await talk.stream.write(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`));
    const head = await talk.answer('recv_line', readHttpHead);
    this.#log(`HTTP proxy returned: '${printable(head.statusLine)}'`);
    return head;
  }

  async #loginLines(talk: ProxyTalk, method: ProxyChallenge['method'] | 'none'): Promise<LoginLines> {
    if (method === 'none') return { last: [] };
    if (method === 'ntlm') {
      const note = 'Attempting NTLM Proxy-Authorization phase 1';
      return { last: [KEEP_ALIVE, authorization(`NTLM ${NTLM_NEGOTIATE}`)], note };
    }
    const credentials = await talk.within(() => this.#config.credentials());
    if (method === 'basic') {
      const note = 'Attempting Basic Proxy-Authorization';
      return { last: [authorization(basicAuthorization(credentials))], note };
    }
    this.#log(ASKED);
    const { host, port } = this.#config;
    const request = {
      method: 'CONNECT',
      uri: `${host}:${port}`,
      cnonce: randomBytes(8).toString('base64'),
    };
    const answer = digestAuthorization(this.#challenge!.text, credentials, request);
    if (answer === undefined) {
      throw talk.fail(
        'HTTP proxy: digest auth failed, malformed response from server: realm= or nonce= missing',
      );
    }
    return { last: [authorization(answer)] };
  }

  /** The second request of NTLM, on the same connection. */
  async #ntlmLines(talk: ProxyTalk, head: HttpHead): Promise<LoginLines> {
    const text = challenges(head).find(({ method, text }) => method === 'ntlm' && text !== '')?.text;
    const challenge = text === undefined ? undefined : readNtlmChallenge(text);
    if (challenge === undefined) {
      throw talk.fail('NTLM Proxy-Authorization phase 3 failed: received corrupted data from proxy server');
    }
    this.#log('Received NTLM Proxy-Authorization phase 2 response');
    await skipBody(talk, head);
    const credentials = await talk.within(() => this.#config.credentials());
    const login = { ...credentials, nonce: randomBytes(8), wallMs: Date.now() };
    const write = this.#config.auth === 'ntlm' ? writeNtlmV1Authenticate : writeNtlmAuthenticate;
    return {
      first: [KEEP_ALIVE],
      last: [authorization(`NTLM ${write(challenge, login)}`)],
      note: 'Attempting NTLM Proxy-Authorization phase 3',
    };
  }

  /** Notes what the proxy asks for; an error when there is no use in another try. */
  #learn(talk: ProxyTalk, head: HttpHead): ProxyError | undefined {
    const { auth } = this.#config;
    if (auth !== 'auto' && auth !== 'auto-nct') {
      return talk.fail(auth === 'none' ? 'HTTP proxy: no support for proxy authentication method' : ASKED);
    }
    const [challenge] = challenges(head);
    if (challenge === undefined) {
      return talk.fail('HTTP proxy: do not recognize the authentication method required by proxy');
    }
    if (auth === 'auto-nct' && challenge.method === 'basic') {
      return talk.fail(
        'HTTP proxy: support for basic auth and other cleartext proxy auth methods is disabled',
      );
    }
    const stale = challengeParameter(challenge.text, 'stale')?.toLowerCase() === 'true';
    if (this.#challenge !== undefined && !(challenge.method === 'digest' && stale)) {
      return talk.fail(BAD_STATUS);
    }
    const { method, text } = challenge;
    const line = `Proxy-Authenticate: ${METHOD_NAME[method]} ${text}`.trimEnd();
    this.#log(`PROXY AUTH ${method.toUpperCase()}: '${printable(line)}'`);
    if (method !== 'ntlm') this.#log(`HTTP proxy authenticate '${printable(text)}'`);
    this.#challenge = challenge;
    return undefined;
  }

  #log(text: string): void {
    this.#config.log.log(D_PROXY, text);
  }
}

/** What stands between a refusal and the next answer. */
async function skipBody(talk: ProxyTalk, head: HttpHead): Promise<void> {
  if (isChunked(head)) {
    await talk.answer('recv_line', readChunks);
    return;
  }
  const bytes = bodyBytes(head) ?? 0;
  if (bytes > MAX_BODY_BYTES || !(await talk.skip(bytes))) throw talk.fail(BAD_STATUS);
}

function challenges(head: HttpHead): ProxyChallenge[] {
  return head.headers.flatMap(([name, value]) => {
    const challenge = name === 'proxy-authenticate' ? readProxyChallenge(value) : undefined;
    return challenge === undefined ? [] : [challenge];
  });
}

/** A proxy's text may hold anything. */
function printable(text: string): string {
  return text.slice(0, 256).replace(/[^ -~]/g, '.');
}

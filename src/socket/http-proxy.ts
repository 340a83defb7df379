/**
 * A SocketFactory whose TCP connections lead through an HTTP proxy (2.x proxy.c
 * establish_http_proxy_passthru()): CONNECT, log in as configured or as the proxy asks, then the
 * connection is the server's.
 *
 *   none, basic       one request
 *   auto, auto-nct    a request without login; after 407 a new connection that does what it asked for
 *   digest (by auto)  once more when the proxy calls its nonce stale
 *   ntlm2             negotiate and authenticate on one connection
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
import { NTLM_NEGOTIATE, readNtlmChallenge, writeNtlmAuthenticate } from './ntlm.ts';
import { openProxyTalk, type ProxyError, type ProxyTalk } from './proxy-stream.ts';
import type { ByteStream, SocketFactory, TcpConnect } from './socket.ts';

/** Login of a proxy: a method of 2.x's --http-proxy, digest being reached by auto alone. */
export type HttpProxyAuth = 'none' | 'basic' | 'ntlm2' | 'auto' | 'auto-nct';

export interface HttpProxyConfig extends ConnectRequest {
  readonly auth: HttpProxyAuth;
  /** Asked for when a login is needed. Its errors go to the caller of connectTcp(). */
  readonly credentials: () => Promise<ProxyCredentials>;
  readonly log: Logger;
}

const REASON = 'HTTP proxy error';
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
    resolve: (host, family) => base.resolve(host, family),
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
    const talk = await openProxyTalk(base, connect, { endMs, signal, reason: REASON });
    try {
      if (await login.request(talk)) return talk.stream;
      if (count === MAX_CONNECTIONS) throw talk.fail('HTTP proxy returned bad status');
    } catch (error) {
      talk.stream.close();
      throw error;
    } finally {
      talk.release();
    }
    talk.stream.close();
  }
}

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
    if (method === 'ntlm' && head.status === AUTHENTICATION_REQUIRED) {
      head = await this.#ask(talk, await this.#ntlmLines(talk, head));
    }
    if (head.status === OK) return true;
    if (head.status !== AUTHENTICATION_REQUIRED) throw talk.fail('HTTP proxy returned bad status');
    this.#log('Proxy requires authentication');
    const refusal = this.#learn(talk, head);
    if (refusal !== undefined) throw refusal;
    return false;
  }

  get #method(): ProxyChallenge['method'] | 'none' {
    const { auth } = this.#config;
    if (this.#challenge !== undefined) return this.#challenge.method;
    if (auth === 'basic') return 'basic';
    return auth === 'ntlm2' ? 'ntlm' : 'none';
  }

  async #ask(talk: ProxyTalk, login: readonly string[]): Promise<HttpHead> {
    const lines = connectLines(this.#config, login);
    this.#log(`Send to HTTP proxy: '${lines[0]}'`);
    await talk.stream.write(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`));
    const head = await talk.answer('recv_line', readHttpHead);
    this.#log(`HTTP proxy returned: '${printable(head.statusLine)}'`);
    return head;
  }

  async #loginLines(talk: ProxyTalk, method: ProxyChallenge['method'] | 'none'): Promise<string[]> {
    if (method === 'none') return [];
    if (method === 'ntlm') {
      this.#log('Attempting NTLM Proxy-Authorization phase 1');
      return ['Proxy-Connection: Keep-Alive', `Proxy-Authorization: NTLM ${NTLM_NEGOTIATE}`];
    }
    const credentials = await this.#config.credentials();
    if (method === 'basic') {
      this.#log('Attempting Basic Proxy-Authorization');
      return [`Proxy-Authorization: ${basicAuthorization(credentials)}`];
    }
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
    return [`Proxy-Authorization: ${answer}`];
  }

  /** The second request of NTLM, on the same connection. */
  async #ntlmLines(talk: ProxyTalk, head: HttpHead): Promise<string[]> {
    const text = challenges(head).find(({ method, text }) => method === 'ntlm' && text !== '')?.text;
    const challenge = text === undefined ? undefined : readNtlmChallenge(text);
    if (challenge === undefined) {
      throw talk.fail('NTLM Proxy-Authorization phase 3 failed: received corrupted data from proxy server');
    }
    this.#log('Received NTLM Proxy-Authorization phase 2 response');
    await skipBody(talk, head);
    this.#log('Attempting NTLM Proxy-Authorization phase 3');
    const login = { ...(await this.#config.credentials()), nonce: randomBytes(8), wallMs: Date.now() };
    return [
      'Proxy-Connection: Keep-Alive',
      `Proxy-Authorization: NTLM ${writeNtlmAuthenticate(challenge, login)}`,
    ];
  }

  /** Notes what the proxy asks for; an error when there is no use in another try. */
  #learn(talk: ProxyTalk, head: HttpHead): ProxyError | undefined {
    const { auth } = this.#config;
    if (auth !== 'auto' && auth !== 'auto-nct') {
      return talk.fail(
        auth === 'none'
          ? 'HTTP proxy: no support for proxy authentication method'
          : 'HTTP proxy returned bad status',
      );
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
      return talk.fail('HTTP proxy returned bad status');
    }
    this.#log(`PROXY AUTH ${challenge.method.toUpperCase()}: '${printable(challenge.text)}'`);
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
  if (bytes > MAX_BODY_BYTES || !(await talk.skip(bytes))) throw talk.fail('HTTP proxy returned bad status');
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

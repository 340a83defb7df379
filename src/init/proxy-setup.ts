/**
 * From a profile's --http-proxy or --socks-proxy to the sockets that its connection uses (2.x init.c
 * init_proxy_dowork(), proxy.c get_user_pass_http(), socks.c): which host to dial, and logins, read once
 * and kept unless --auth-nocache says otherwise.
 */
import { type LinkAddress, type Logger, OpenVpnError } from '../base/base.ts';
import { M_INFO } from '../base/errlevel.ts';
import type { ConnectionEntry, HttpProxyOptions, Options } from '../options/options.ts';
import {
  type HttpProxyAuth,
  type ProxyCredentials,
  type SocketFactory,
  withHttpProxy,
  withSocksProxy,
} from '../socket/socket.ts';
import { readLogin } from './credentials.ts';
import { portOf } from './port.ts';
import type { AskQuestion } from './prompter.ts';

/** The host that is resolved and connected to: the proxy, or the server itself. */
export function dialledHost(ce: ConnectionEntry): { readonly host: string; readonly port: string } {
  const proxy = ce.httpProxy ?? ce.socksProxy;
  if (proxy !== undefined) return { host: proxy.server, port: proxy.port };
  return { host: ce.remote ?? '', port: ce.rport };
}

/** Logins of proxies, one object for the client's life. */
export class ProxyLogins {
  readonly #nocache: boolean;
  readonly #ask: AskQuestion;
  #http: ProxyCredentials | undefined;
  #socks: ProxyCredentials | undefined;

  constructor(options: Options, ask: AskQuestion) {
    this.#nocache = options.authNocache;
    this.#ask = ask;
  }

  /** Reads what a profile names before anything is dialled, as 2.x does. Rejects with OpenVpnError when it can't be read. */
  async prepare({ httpProxy }: ConnectionEntry): Promise<void> {
    if (httpProxy?.userPass ?? httpProxy?.authFile) await this.http(httpProxy!);
  }

  async http(proxy: HttpProxyOptions): Promise<ProxyCredentials> {
    const login = this.#http ?? (await readLogin(sourceOf(proxy), 'HTTP Proxy', this.#ask));
    this.#http = this.#nocache ? undefined : login;
    return login;
  }

  async socks(path: string): Promise<ProxyCredentials> {
    const source = path === 'stdin' ? 'prompt' : ({ kind: 'file', path } as const);
    const login = this.#socks ?? (await readLogin(source, 'SOCKS Proxy', this.#ask));
    this.#socks = this.#nocache ? undefined : login;
    return login;
  }
}

export interface ProxyParts {
  readonly ce: ConnectionEntry;
  readonly socket: SocketFactory;
  readonly logins: ProxyLogins;
  readonly log: Logger;
}

/** `parts.socket`, or sockets through the profile's proxy at `dialled`. Throws OpenVpnError for a bad method. */
export function profileSockets(parts: ProxyParts, dialled: LinkAddress): SocketFactory {
  const { ce, socket, logins, log } = parts;
  const { httpProxy, socksProxy } = ce;
  if (httpProxy !== undefined) {
    return withHttpProxy(socket, {
      ...httpProxy,
      host: ce.remote ?? '',
      port: ce.rport,
      auth: httpMethod(httpProxy.auth, log),
      credentials: () => logins.http(httpProxy),
      log,
    });
  }
  if (socksProxy === undefined) return socket;
  const { authFile } = socksProxy;
  return withSocksProxy(socket, {
    proxy: dialled,
    host: ce.remote ?? '',
    port: portOf(ce.rport),
    credentials: authFile === undefined ? undefined : () => logins.socks(authFile),
    timeoutMs: ce.connectTimeout * 1000,
    log,
  });
}

function httpMethod(text: string, log: Logger): HttpProxyAuth {
  switch (text) {
    case 'none':
    case 'basic':
    case 'ntlm2':
    case 'auto':
    case 'auto-nct':
      return text;
    case 'ntlm':
      log.log(M_INFO, 'NTLM v1 authentication is deprecated and will be removed in OpenVPN 2.7');
      return text;
    default:
      throw new OpenVpnError(`ERROR: unknown HTTP authentication method: '${text}'`);
  }
}

/** --http-proxy-user-pass goes before the file of --http-proxy. */
function sourceOf({ userPass, authFile }: HttpProxyOptions): NonNullable<Options['authUserPass']> {
  const source = userPass ?? authFile;
  return source === undefined || (source.kind === 'file' && source.path === 'stdin') ? 'prompt' : source;
}

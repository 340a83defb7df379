/**
 * A SocketFactory whose links lead through a SOCKS 5 proxy (2.x socks.c). TCP: CONNECT to the server by
 * name. UDP: UDP ASSOCIATE over a TCP connection that stays open beside the link; datagrams go to the
 * relay with a header that names the server (socks-link.ts).
 */
import { performance } from 'node:perf_hooks';
import { formatAddress, type LinkAddress, LinkError, type Logger } from '../base/base.ts';
import { M_INFO } from '../base/errlevel.ts';
import type { ProxyCredentials } from './http-auth.ts';
import { openProxyTalk, type ProxyTalk } from './proxy-stream.ts';
import type { ByteStream, Link, SocketFactory, TcpConnect, UdpBind } from './socket.ts';
import { SocksUdpLink } from './socks-link.ts';
import {
  readSocksLogin,
  readSocksMethod,
  readSocksReply,
  SOCKS_LOGIN,
  SOCKS_NO_LOGIN,
  SOCKS_UDP_ASSOCIATE,
  socksConnect,
  socksGreeting,
  socksLogin,
} from './socks-message.ts';

export interface SocksProxyConfig {
  readonly proxy: LinkAddress;
  /** The server, for CONNECT. */
  readonly host: string;
  readonly port: number;
  /** undefined = no login; the proxy must agree. */
  readonly credentials: (() => Promise<ProxyCredentials>) | undefined;
  /** For everything until a UDP link is there. */
  readonly timeoutMs: number;
  readonly log: Logger;
}

const REASON = 'socks-error';

/** `connect.remote` of its connections is not used: the proxy and the server are in `config`. */
export function withSocksProxy(base: SocketFactory, config: SocksProxyConfig): SocketFactory {
  const open = (connect: TcpConnect, signal?: AbortSignal) => openTunnel(base, config, connect, signal);
  return {
    name: `socks-proxy over ${base.name}`,
    openUdp: (bind, signal) => openAssociation(base, config, bind, signal),
    connectTcp: async (connect, signal) => (await open(connect, signal)).toLink(),
    connectStream: open,
    listenTcp: (listen) => base.listenTcp(listen),
    resolve: (host, family, signal) => base.resolve(host, family, signal),
  };
}

async function openTunnel(
  base: SocketFactory,
  config: SocksProxyConfig,
  connect: TcpConnect,
  signal: AbortSignal | undefined,
): Promise<ByteStream> {
  const endMs = performance.now() + connect.timeoutMs;
  const toProxy = { ...connect, remote: config.proxy };
  const talk = await openProxyTalk(base, toProxy, { endMs, signal, reason: REASON, log: config.log });
  return finish(talk, async () => {
    await greet(talk, config);
    await talk.stream.write(socksConnect(config.host, config.port));
    await talk.answer('recv_socks_reply', readSocksReply);
    return talk.stream;
  });
}

async function openAssociation(
  base: SocketFactory,
  config: SocksProxyConfig,
  bind: UdpBind,
  signal: AbortSignal | undefined,
): Promise<Link> {
  if (bind.family !== 4) throw new LinkError('SOCKS: UDP goes over IPv4 only');
  const { proxy, timeoutMs, log } = config;
  const endMs = performance.now() + timeoutMs;
  const connect = { remote: proxy, timeoutMs };
  const talk = await openProxyTalk(base, connect, { endMs, signal, reason: REASON, log });
  return finish(talk, async () => {
    await greet(talk, config);
    await talk.stream.write(SOCKS_UDP_ASSOCIATE);
    const relay = relayAddress(await talk.answer('recv_socks_reply', readSocksReply), proxy);
    if (relay === undefined) {
      throw talk.fail('recv_socks_reply: Socks proxy returned no IPv4 address for UDP');
    }
    log.log(M_INFO, `SOCKS proxy wants us to send UDP to ${formatAddress(relay)}`);
    return new SocksUdpLink(await base.openUdp(bind, signal), talk.stream, relay);
  });
}

/** Where UDP goes. A proxy that knows no address of its own says 0.0.0.0: it is where we reached it. */
function relayAddress(told: LinkAddress | undefined, proxy: LinkAddress): LinkAddress | undefined {
  if (told === undefined || told.port === 0) return undefined;
  if (told.address !== '0.0.0.0') return told;
  return proxy.family === 4 ? { ...proxy, port: told.port } : undefined;
}

/** Agrees on a method and logs in. */
async function greet(talk: ProxyTalk, { credentials }: SocksProxyConfig): Promise<void> {
  const method = credentials === undefined ? SOCKS_NO_LOGIN : SOCKS_LOGIN;
  await talk.stream.write(socksGreeting(method));
  await talk.answer('socks_handshake', (bytes) => readSocksMethod(bytes, method));
  if (credentials === undefined) return;
  const { username, password } = await talk.within(credentials);
  const login = socksLogin(username, password);
  if (login === undefined) {
    throw talk.fail('SOCKS username and/or password exceeds 255 characters.  Authentication not possible.');
  }
  await talk.stream.write(login);
  await talk.answer('socks_username_password_auth', readSocksLogin);
}

/** Closes the connection unless `work` makes something of it. */
async function finish<T>(talk: ProxyTalk, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    talk.stream.close();
    throw error;
  } finally {
    talk.release();
  }
}

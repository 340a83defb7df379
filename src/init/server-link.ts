/**
 * The sockets of a server (2.x link_socket_init_phase1() and 2 for listening sockets; 2.7 several of them):
 * each is bound before the device exists, so that an address in use leaves no device behind, and serves
 * once there is a MultiServer.
 */
import type { LinkAddress, Logger } from '../base/base.ts';
import { M_INFO } from '../base/errlevel.ts';
import { TcpAcceptor } from '../mtcp/mtcp.ts';
import { UdpReceiver } from '../mudp/mudp.ts';
import { type LinkProfile, type MultiServer, realAddressText } from '../multi/multi.ts';
import type { ConnectionEntry, Options } from '../options/options.ts';
import { type Link, type LinkListener, PortShare, type SocketFactory } from '../socket/socket.ts';
import { bindAddress, type Names, unresolved } from './local-bind.ts';
import { portOf } from './port.ts';
import { socketOptions, warnOfTos } from './socket-setup.ts';

export interface ServerLinkParts {
  readonly options: Options;
  readonly socket: SocketFactory;
  readonly names: Names;
  readonly portShare: PortShare | undefined;
  readonly log: Logger;
  /** What to call at the end, last first. */
  readonly closers: (() => void)[];
}

/** Makes bound sockets serve. */
export type Attach = (multi: MultiServer, maxPacketBytes: number) => void;

/** Opens the socket of one listenEntries() profile. Rejects with LinkError or OpenVpnError. */
export async function bindServerLink(
  parts: ServerLinkParts,
  profile: LinkProfile,
  ce: ConnectionEntry,
): Promise<Attach> {
  const { options, socket, names, portShare } = parts;
  const bind = {
    family: profile.family,
    ipv6Only: ce.bindIpv6Only,
    ...(ce.local !== undefined && { localAddress: await bindAddress(ce.local, profile.family, names) }),
    ...socketOptions(options, ce, parts.log),
    localPort: ce.lport === undefined ? 0 : portOf(ce.lport),
  };
  if (profile.link === 'udp') {
    const link = await socket.openUdp(bind);
    warnOfTos(options, link, parts.log);
    return attachUdp(parts, profile, ce, link);
  }
  const listener = await socket.listenTcp({
    ...bind,
    tcpNoDelay: options.tcpNodelay,
    queuePackets: options.tcpQueueLimit,
    ...(portShare && { screen: portShare.screen }),
  });
  return attachTcp(parts, profile, ce, listener);
}

/** The port share of a configuration; undefined without one. Rejects when its host can't be resolved. */
export async function createPortShare(
  options: Options,
  sockets: SocketFactory,
  names: Names,
  log: Logger,
): Promise<PortShare | undefined> {
  if (options.portShare === undefined) return undefined;
  const { host, port, journalDir } = options.portShare;
  const found = await names.resolve(host, 0);
  const target = found.find(({ family }) => family === 4) ?? found[0];
  if (target === undefined) throw unresolved(host);
  return new PortShare({
    sockets,
    target: { ...target, port: portOf(port) },
    journalDir,
    waitMs: options.handWindow * 1000,
    log,
    describe: realAddressText,
  });
}

function attachUdp(
  { closers, log }: ServerLinkParts,
  profile: LinkProfile,
  ce: ConnectionEntry,
  link: Link,
): Attach {
  const closer = (): void => link.close();
  closers.push(closer);
  return (multi, maxPacketBytes) => {
    closers.splice(closers.indexOf(closer), 1);
    const receiver = new UdpReceiver(multi, { link, profile }, maxPacketBytes);
    closers.push(() => receiver.close());
    logBound(log, `UDPv${profile.family}`, ce, link.local);
  };
}

function attachTcp(
  { closers, log }: ServerLinkParts,
  profile: LinkProfile,
  ce: ConnectionEntry,
  listener: LinkListener,
): Attach {
  closers.push(() => listener.close());
  const early: Link[] = [];
  listener.onConnection = (link) => early.push(link);
  return (multi, maxPacketBytes) => {
    new TcpAcceptor(multi, profile, listener, maxPacketBytes);
    for (const link of early) listener.onConnection(link);
    const family = listener.local.family === 4 ? '[AF_INET]' : '[AF_INET6]';
    const where = `${family}${ce.local ?? '[undef]'}:${listener.local.port}`;
    log.log(M_INFO, `Listening for incoming TCP connection on ${where}`);
    logBound(log, `TCPv${profile.family}_SERVER`, ce, listener.local);
  };
}

function logBound(log: Logger, name: string, ce: ConnectionEntry, local: LinkAddress): void {
  const family = local.family === 4 ? '[AF_INET]' : '[AF_INET6]';
  log.log(M_INFO, `${name} link local (bound): ${family}${ce.local ?? '[undef]'}:${local.port}`);
  log.log(M_INFO, `${name} link remote: [AF_UNSPEC]`);
}

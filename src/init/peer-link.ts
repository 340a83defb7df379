/**
 * The link of a client or point-to-point peer: it goes to an address (client-link.ts), or waits for a peer
 * that comes by itself (2.x socket.c phase2_tcp_server(), socket_listen_accept(); UDP without --remote).
 */
import { errnoText, formatAddress, type LinkAddress } from '../base/base.ts';
import { D_LINK_ERRORS, M_INFO, M_WARN } from '../base/errlevel.ts';
import { protoKind } from '../options/options.ts';
import type { Link, LinkListener } from '../socket/socket.ts';
import { type LinkParts, openClientLink } from './client-link.ts';
import type { ResolvedAddress } from './connection-list.ts';
import { bindAddress, bindFamily, namesUntil } from './local-bind.ts';
import { portOf } from './port.ts';
import { socketOptions, warnOfTos } from './socket-setup.ts';

/** An open link. `remote` is undefined until a peer without --remote shows up on UDP. */
export interface OpenLink {
  readonly link: Link;
  readonly family: 4 | 6;
  readonly remote: LinkAddress | undefined;
}

/**
 * Opens the link by way of `address`, or with --proto tcp-server and without an address for whoever comes.
 * Rejects as openClientLink() does; resolves undefined when a signal came first.
 */
export async function openLink(
  parts: LinkParts,
  address: ResolvedAddress | undefined,
): Promise<OpenLink | undefined> {
  if (protoKind(parts.ce.proto) === 'tcp-server') return acceptPeer(parts, address);
  if (!address) return awaitPeer(parts);
  const opened = await openClientLink(parts, address);
  return opened && { ...opened, family: opened.remote.family };
}

/** UDP without --remote: the first peer that authenticates. */
async function awaitPeer(parts: LinkParts): Promise<OpenLink> {
  const { ce, options, socket, log } = parts;
  const family = bindFamily(ce, log);
  const link = await socket.openUdp({ family, ...(await listenBind(parts, family)) });
  warnOfTos(options, link, log);
  logLink(parts, `UDPv${family}`, link.local, undefined);
  return { link, family, remote: undefined };
}

/** The first TCP connection, from --remote if there is one and no --float. */
async function acceptPeer(
  parts: LinkParts,
  expected: ResolvedAddress | undefined,
): Promise<OpenLink | undefined> {
  const { ce, options, socket, signals, log } = parts;
  const family = expected?.family ?? bindFamily(ce, log);
  const listener = await socket.listenTcp({
    family,
    localPort: 0,
    ...(await listenBind(parts, family)),
    tcpNoDelay: options.tcpNodelay,
  });
  log.log(M_INFO, `Listening for incoming TCP connection on ${whereText(parts, listener.local)}`);
  const link = await firstConnection(parts, listener, ce.float ? undefined : expected);
  listener.close();
  if (!link) return undefined;
  if (signals.pending || !link.remote) {
    link.close();
    return undefined;
  }
  log.log(M_INFO, `TCP connection established with ${formatAddress(link.remote)}`);
  logLink(parts, `TCPv${family}_SERVER`, listener.local, link.remote);
  return { link, family, remote: link.remote };
}

/** Resolves undefined when a signal comes first. Connections from elsewhere than `expected` are closed. */
function firstConnection(
  { signals, log }: LinkParts,
  listener: LinkListener,
  expected: ResolvedAddress | undefined,
): Promise<Link | undefined> {
  return new Promise((resolve) => {
    const unsubscribe = signals.subscribe(() => resolve(undefined), true);
    listener.onError = (error) => log.log(D_LINK_ERRORS, `TCP: accept() failed: ${errnoText(error)}`);
    listener.onConnection = (link) => {
      if (expected && link.remote?.address !== expected.address) {
        const from = link.remote ? formatAddress(link.remote) : '[undef]';
        log.log(M_WARN, `TCP NOTE: Rejected connection attempt from ${from} due to --remote setting`);
        link.close();
        return;
      }
      // One peer is all there is: others that came at the same time go.
      listener.onConnection = (late) => late.close();
      unsubscribe();
      resolve(link);
    };
  });
}

async function listenBind({ ce, options, socket, signals, log }: LinkParts, family: 4 | 6) {
  const names = namesUntil(signals, socket);
  return {
    ipv6Only: ce.bindIpv6Only,
    ...(ce.local !== undefined && { localAddress: await bindAddress(ce.local, family, names) }),
    ...(ce.lport !== undefined && { localPort: portOf(ce.lport) }),
    ...socketOptions(options, ce, log),
  };
}

function logLink(parts: LinkParts, name: string, local: LinkAddress, remote: LinkAddress | undefined): void {
  const { log } = parts;
  log.log(M_INFO, `${name} link local (bound): ${whereText(parts, local)}`);
  log.log(M_INFO, `${name} link remote: ${remote ? formatAddress(remote) : '[AF_UNSPEC]'}`);
}

function whereText({ ce }: LinkParts, { family, port }: LinkAddress): string {
  return `${family === 4 ? '[AF_INET]' : '[AF_INET6]'}${ce.local ?? '[undef]'}:${port}`;
}

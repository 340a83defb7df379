/**
 * From a connection profile to an open link (2.x link_socket_init_phase1() and 2, openvpn_getaddrinfo()
 * of socket.c): resolving with retries, binding, connecting, with 2.x's log lines.
 */
import { formatAddress, type LinkAddress, type Logger } from '../base/base.ts';
import { D_RESOLVE_ERRORS, M_INFO, M_NONFATAL } from '../base/errlevel.ts';
import { type ConnectionEntry, isTcp, type Options, protoFamily } from '../options/options.ts';
import type { Link, SocketFactory } from '../socket/socket.ts';
import type { ResolvedAddress } from './connection-list.ts';
import { portOf } from './port.ts';
import type { SignalState } from './sig.ts';

/** 2.x waits this long between failed look-ups. */
const RESOLVE_RETRY_MS = 5_000;

export interface LinkParts {
  readonly options: Options;
  readonly ce: ConnectionEntry;
  readonly socket: SocketFactory;
  readonly signals: SignalState;
  readonly log: Logger;
}

/** Addresses of the profile's remote; [] when a signal came or the name can't be resolved. */
export async function resolveRemote(
  parts: LinkParts,
  onlyProfile: boolean,
): Promise<readonly ResolvedAddress[]> {
  const { ce, options, socket, signals, log } = parts;
  const host = ce.remote ?? '';
  const endMs = onlyProfile ? options.resolvRetry * 1000 : 0;
  for (let waitedMs = 0; ; waitedMs += RESOLVE_RETRY_MS) {
    try {
      const found = await socket.resolve(host, protoFamily(ce.proto));
      if (found.length > 0) return found;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      log.log(D_RESOLVE_ERRORS, text.replace(`: ${host} (`, `: ${host}:${ce.rport} (`));
    }
    if (waitedMs >= endMs || (await signals.sleep(RESOLVE_RETRY_MS))) return [];
  }
}

/** Opens the link to one address. Rejects with LinkError; returns undefined when a signal came first. */
export async function openClientLink(
  parts: LinkParts,
  address: ResolvedAddress,
): Promise<{ link: Link; remote: LinkAddress } | undefined> {
  const { ce, options } = parts;
  const remote: LinkAddress = { ...address, port: portOf(ce.rport) };
  const local = localBind(ce);
  const buffers = {
    ...(options.sndbuf > 0 && { sndbuf: options.sndbuf }),
    ...(options.rcvbuf > 0 && { rcvbuf: options.rcvbuf }),
  };
  parts.log.log(M_INFO, `TCP/UDP: Preserving recently used remote address: ${formatAddress(remote)}`);
  const link = isTcp(ce.proto)
    ? await connect(parts, remote, { ...local, ...buffers })
    : await parts.socket.openUdp({ family: remote.family, ...local, ...buffers });
  if (!link) return undefined;
  logLink(parts, link, remote);
  return { link, remote };
}

async function connect(
  parts: LinkParts,
  remote: LinkAddress,
  local: { localAddress?: string; localPort?: number; sndbuf?: number; rcvbuf?: number },
): Promise<Link | undefined> {
  const { ce, options, socket, signals, log } = parts;
  log.log(M_INFO, `Attempting to establish TCP connection with ${formatAddress(remote)}`);
  const abort = signals.abortable();
  try {
    const link = await socket.connectTcp(
      { remote, timeoutMs: ce.connectTimeout * 1000, tcpNoDelay: options.tcpNodelay, ...local },
      abort.signal,
    );
    log.log(M_INFO, `TCP connection established with ${formatAddress(remote)}`);
    return link;
  } catch (error) {
    if (signals.pending) return undefined;
    const reason = error instanceof Error ? error.message : String(error);
    log.log(M_NONFATAL | M_INFO, `TCP: connect to ${formatAddress(remote)} failed: ${reason}`);
    throw error;
  } finally {
    abort.done();
  }
}

function localBind(ce: ConnectionEntry): { localAddress?: string; localPort?: number } {
  if (!ce.bindLocal) return {};
  return {
    ...(ce.local !== undefined && { localAddress: ce.local }),
    ...(ce.lport !== undefined && { localPort: portOf(ce.lport) }),
  };
}

function logLink(parts: LinkParts, link: Link, remote: LinkAddress): void {
  const { ce, log } = parts;
  const name = `${isTcp(ce.proto) ? 'TCP' : 'UDP'}v${remote.family}${isTcp(ce.proto) ? '_CLIENT' : ''}`;
  const bound = ce.bindLocal ? `(bound): ${boundText(ce, remote, link)}` : ': (not bound)';
  log.log(M_INFO, `${name} link local${ce.bindLocal ? ' ' : ''}${bound}`);
  log.log(M_INFO, `${name} link remote: ${formatAddress(remote)}`);
}

function boundText(ce: ConnectionEntry, remote: LinkAddress, link: Link): string {
  const family = remote.family === 4 ? '[AF_INET]' : '[AF_INET6]';
  return `${family}${ce.local ?? '[undef]'}:${link.local.port}`;
}

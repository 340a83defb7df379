/**
 * Where a socket is bound that waits for its peer (2.x socket.c resolve_bind_local(),
 * link_socket_init_phase1()): the family when only the local side is known, and the address of --local.
 */
import { LinkError, type Logger, OpenVpnError } from '../base/base.ts';
import { M_WARN } from '../base/errlevel.ts';
import { type ConnectionEntry, protoFamily } from '../options/options.ts';
import type { SocketFactory } from '../socket/socket.ts';
import type { SignalState } from './sig.ts';

/** 2.x: without a family in --proto and --local, IPv4. */
export function bindFamily(ce: ConnectionEntry, log: Logger): 4 | 6 {
  const asked = protoFamily(ce.proto);
  if (asked !== 0) return asked;
  if (ce.local?.includes(':')) return 6;
  if (ce.local === undefined) log.log(M_WARN, 'Could not determine IPv4/IPv6 protocol. Using AF_INET');
  return 4;
}

/** The part of a SocketFactory that knows names. */
export type Names = Pick<SocketFactory, 'resolve'>;

/** Look-ups that the next signal ends: they reject with an aborted LinkError then. */
export function namesUntil(signals: SignalState, sockets: Names): Names {
  return {
    resolve: (host, family) =>
      signals.until(
        (signal) => sockets.resolve(host, family, signal),
        (cause) => new LinkError(`RESOLVE: Cannot resolve host address: ${host}`, { cause }),
      ),
  };
}

/** The address that --local names. Throws OpenVpnError when it has none of the family. */
export async function bindAddress(local: string, family: 4 | 6, names: Names): Promise<string> {
  const [found] = await names.resolve(local, family);
  if (found) return found.address;
  throw unresolved(local);
}

/** The error for a host that has no address of the wanted kind. */
export function unresolved(host: string): OpenVpnError {
  return new OpenVpnError(`RESOLVE: Cannot resolve host address: ${host}`, 'ERR_OVPN_RESOLVE');
}

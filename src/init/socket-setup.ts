/**
 * Socket options from the configuration (2.x link_socket_init_phase1(), do_init_socket_phase2() of
 * socket.c), the same for client and server.
 */
import type { Logger } from '../base/base.ts';
import { M_INFO, M_WARN } from '../base/errlevel.ts';
import { type ConnectionEntry, isUdp, type Options } from '../options/options.ts';
import type { SocketOptions } from '../socket/socket.ts';

export function socketOptions(options: Options, ce: ConnectionEntry, log: Logger): SocketOptions {
  const { mark, bindDev, multihome } = options;
  if (bindDev !== undefined) log.log(M_INFO, `Using bind-dev ${bindDev}`);
  return {
    ...bufferOptions(options, log),
    ...(mark !== 0 && { mark }),
    ...(bindDev !== undefined && { bindDev }),
    ...(ce.mtuDisc && { mtuDisc: ce.mtuDisc }),
    ...(multihome && isUdp(ce.proto) && { multihome }),
  };
}

/** --sndbuf and --rcvbuf, which a server may push. */
export function bufferOptions({ sndbuf, rcvbuf }: Options, log: Logger): SocketOptions {
  return {
    ...(sndbuf > 0 && { sndbuf }),
    ...(rcvbuf > 0 && { rcvbuf }),
    warn: (text) => log.log(M_WARN, text),
  };
}

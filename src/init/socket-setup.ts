/**
 * Socket options from the configuration (2.x link_socket_init_phase1(), do_init_socket_phase2() of
 * socket.c), the same for client and server.
 */
import type { Logger } from '../base/base.ts';
import { D_OSBUF, M_INFO, M_WARN } from '../base/errlevel.ts';
import { type ConnectionEntry, isUdp, type Options } from '../options/options.ts';
import type { Link, SocketOptions } from '../socket/socket.ts';

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

/** Says when --passtos or TCP_NODELAY can't be done on this link. */
export function warnOfTos({ passtos, tcpNodelay }: Options, link: Link, log: Logger): void {
  if (tcpNodelay && link.transport === 'udp') log.log(M_WARN, 'NOTE: setsockopt TCP_NODELAY=1 failed');
  if (passtos && !link.setTos)
    log.log(M_WARN, 'NOTE: --passtos is ignored: this socket has no way to set it');
}

/** --sndbuf and --rcvbuf, which a server may push. */
export function bufferOptions({ sndbuf, rcvbuf }: Options, log: Logger): SocketOptions {
  return {
    ...(sndbuf > 0 && { sndbuf }),
    ...(rcvbuf > 0 && { rcvbuf }),
    warn: (text) => log.log(M_WARN, text),
    ...(log.enabled(D_OSBUF) && { onBuffers: (text) => log.log(D_OSBUF, text) }),
  };
}

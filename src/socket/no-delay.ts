/** TCP_NODELAY for a link that is open already (2.x socket.c link_socket_update_flags(), socket_set_tcp_nodelay()). */
import type { Logger } from '../base/base.ts';
import { M_WARN } from '../base/errlevel.ts';
import type { Link } from './socket.ts';

/** Sets it, or says that this link has no such thing. */
export function setNoDelay(link: Link, log: Logger): void {
  if (link.setNoDelay) link.setNoDelay();
  else log.log(M_WARN, 'NOTE: setsockopt TCP_NODELAY=1 failed');
}

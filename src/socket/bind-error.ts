/** 2.x's words for sockets that can't be bound (socket.c socket_bind()). */
import { errnoLine, LinkError } from '../base/base.ts';

/** The error of a failed bind(). `host` undefined = any address. */
export function bindError(
  family: 4 | 6,
  host: string | undefined,
  port: number,
  error: NodeJS.ErrnoException,
): LinkError {
  const where = `[AF_INET${family === 6 ? '6' : ''}]${host ?? '[undef]'}:${port}`;
  const what = `TCP/UDP: Socket bind failed on local address ${where}`;
  return new LinkError(errnoLine(what, error), { cause: error });
}

/**
 * Error texts as the C library prints them, for log lines that tools parse (2.x error.h M_ERRNO,
 * "TCP: connect to %s failed: %s"). Node carries libuv's texts, which are glibc's in lower case but
 * for a few.
 */
import { getSystemErrorMap } from 'node:util';
import { LinkError } from '../base/base.ts';

/** glibc texts that differ from libuv's by more than the first letter. */
const GLIBC_TEXTS: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: 'Cannot assign requested address',
  EAFNOSUPPORT: 'Address family not supported by protocol',
  EAI_AGAIN: 'Temporary failure in name resolution',
  ECONNABORTED: 'Software caused connection abort',
  EHOSTUNREACH: 'No route to host',
  EMFILE: 'Too many open files',
  EMSGSIZE: 'Message too long',
  ENETDOWN: 'Network is down',
  ENFILE: 'Too many open files in system',
  ENOBUFS: 'No buffer space available',
  ENOTFOUND: 'Name or service not known',
  ENOTSUP: 'Operation not supported',
};

/** strerror() or gai_strerror() of an error's `code`; the message of an error without one. */
export function errnoText(error: NodeJS.ErrnoException): string {
  const code = error.code ?? '';
  const special = GLIBC_TEXTS[code];
  if (special !== undefined) return special;
  for (const [name, text] of getSystemErrorMap().values()) {
    if (name === code) return text.charAt(0).toUpperCase() + text.slice(1);
  }
  return error.message;
}

/** `what: text (errno=n)`, 2.x's form of M_ERRNO. */
export function errnoLine(what: string, error: NodeJS.ErrnoException): string {
  const number = typeof error.errno === 'number' ? ` (errno=${Math.abs(error.errno)})` : '';
  return `${what}: ${errnoText(error)}${number}`;
}

/** 2.x's text for a failed bind(). `host` undefined = any address. */
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

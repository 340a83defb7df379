/**
 * Why an attempt of a client failed, as an error for whoever uses the library. 2.x tells the reason in its log and
 * in the name of a signal; here lines and signals are brought together: the first line that names a cause
 * wins over what follows from it.
 */
import { AuthFailedError, LinkError, type Logger, OpenVpnError, TlsError } from '../base/base.ts';
import { D_HANDSHAKE, levelOf } from '../base/errlevel.ts';
import type { LinkErrno } from '../socket/socket.ts';
import type { PendingSignal } from './sig.ts';

/** The peer's certificate was refused, and by what. */
const VERIFY_LINE =
  /^(VERIFY\b.*(\bERROR\b|is revoked)|Certificate does not have|TLS Error: .*certificate hash)/;
const TIMEOUT_LINE = /^TLS Error: TLS key negotiation failed to occur/;
/** What the TLS engine says, the peer's alerts among it. */
const ENGINE_LINE = /^OpenSSL: (.*?):?$/;

/** Anything else but what only says that it failed. */
const ERROR_LINE = /^TLS Error: (?!TLS (handshake failed|object))/;

/** Signals of ours that end a tunnel or an attempt without anything being wrong. */
const HARMLESS = new Set(['', 'restart', 'aborted', 'inactive', 'exit-with-notification', 'tun-abort']);
const UNREACHABLE = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'ENETDOWN', 'EHOSTDOWN', 'EADDRNOTAVAIL']);
const REFUSED = new Set(['ECONNREFUSED', 'EACCES', 'EPERM']);

/** What an attempt has met: the first of each, but the last error of the link. */
interface Seen {
  noted?: OpenVpnError;
  verify?: string;
  timeout?: string;
  engine?: string | undefined;
  error?: string;
  link?: LinkErrno;
  heard?: true;
}

export class Trouble {
  #seen: Seen = {};

  /** A new attempt begins. */
  begin(): void {
    this.#seen = {};
  }

  /** What the control channel says goes to `log`, and is remembered where it names a cause. */
  watch(log: Logger): Logger {
    return {
      enabled: (level) => levelOf(level) <= levelOf(D_HANDSHAKE) || log.enabled(level),
      log: (level, text) => {
        this.#read(text);
        log.log(level, text);
      },
      child: (prefix) => this.watch(log.child(prefix)),
    };
  }

  /** The attempt ends with this. */
  note(error: OpenVpnError): void {
    this.#seen.noted ??= error;
  }

  /** An error of a link that stays open, or the one that ended it. */
  noteLink(error: LinkErrno): void {
    this.#seen.link = error;
  }

  /** The server has answered. */
  noteContact(): void {
    this.#seen.heard = true;
  }

  /** The error behind a signal; undefined where nothing is wrong. */
  errorOf({ source, reason }: PendingSignal): OpenVpnError | undefined {
    if (source === 'hard' || HARMLESS.has(reason)) return undefined;
    if (this.#seen.noted) return this.#seen.noted;
    switch (reason) {
      case 'tls-error':
        return this.#tlsError();
      case 'server_poll':
        return this.#silence('Server poll timeout');
      case 'network-unreachable':
        return linkError('Network unreachable', this.#seen.link);
      case 'ping-restart':
      case 'ping-exit':
        return new LinkError(`Inactivity timeout (--${reason})`, {}, 'ERR_OVPN_TIMEOUT');
      case 'connection-reset':
        return new LinkError('Connection reset', this.#seen.link && { cause: this.#seen.link });
      default:
        return new OpenVpnError(reason);
    }
  }

  #tlsError(): OpenVpnError {
    if (this.#seen.verify !== undefined) return new TlsError(this.#seen.verify, {}, 'ERR_OVPN_TLS_VERIFY');
    if (this.#seen.engine !== undefined) return new TlsError(this.#seen.engine, {}, 'ERR_OVPN_TLS_HANDSHAKE');
    if (this.#seen.timeout !== undefined) return this.#silence(this.#seen.timeout);
    return new TlsError(this.#seen.error ?? 'TLS handshake failed', {}, 'ERR_OVPN_TLS_HANDSHAKE');
  }

  /** Nobody answered: because the network said that nobody can, or without any word. */
  #silence(text: string): OpenVpnError {
    const told = this.#seen.heard ? undefined : this.#seen.link;
    return told ? linkError(told.message, told) : new LinkError(text, {}, 'ERR_OVPN_TIMEOUT');
  }

  #read(text: string): void {
    if (VERIFY_LINE.test(text)) this.#seen.verify ??= text;
    else if (TIMEOUT_LINE.test(text)) this.#seen.timeout ??= text;
    else this.#seen.engine ??= ENGINE_LINE.exec(text)?.[1];
    if (ERROR_LINE.test(text)) this.#seen.error ??= text;
  }
}

/** A failed connection with the code of its cause. */
export function linkError(text: string, cause: LinkErrno | undefined): LinkError {
  const code = cause?.code ?? '';
  const options = cause === undefined ? {} : { cause };
  if (UNREACHABLE.has(code)) return new LinkError(text, options, 'ERR_OVPN_UNREACHABLE');
  if (REFUSED.has(code)) return new LinkError(text, options, 'ERR_OVPN_REFUSED');
  if (code === 'ETIMEDOUT') return new LinkError(text, options, 'ERR_OVPN_TIMEOUT');
  return new LinkError(text, options);
}

/** The server refused the login, in its words. */
export function authFailed(reason: string | undefined): AuthFailedError {
  const text = reason === undefined ? '' : `,${reason}`;
  return new AuthFailedError(`AUTH: Received control message: AUTH_FAILED${text}`, {
    ...(reason !== undefined && { reason }),
  });
}

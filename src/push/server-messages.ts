/**
 * Texts that a server sends about authentication (2.x push.c send_auth_failed(),
 * send_auth_pending_messages()). Lengths are bounded so that each message fits one TLS record.
 */

/** 2.x PUSH_BUNDLE_SIZE, NUL included. */
const MAX_MESSAGE_BYTES = 1024;

/** `AUTH_FAILED` or `AUTH_FAILED,<reason>`, cut to 1023 bytes as 2.x does. */
export function authFailedMessage(reason: string | undefined): string {
  const text = reason === undefined ? 'AUTH_FAILED' : `AUTH_FAILED,${reason}`;
  return cutBytes(text, MAX_MESSAGE_BYTES - 1);
}

/**
 * AUTH_PENDING and INFO_PRE for a login that goes on outside the tunnel.
 * @param extra what the client shows, e.g. `OPEN_URL:https://...`
 * @param keywords the client's IV_PROTO has AUTH_PENDING_KW.
 * @returns undefined when `extra` is too long.
 */
export function authPendingMessages(
  extra: string,
  timeoutSec: number,
  keywords: boolean,
): readonly [string, string] | undefined {
  const info = `INFO_PRE,${extra}`;
  if (Buffer.byteLength(info) >= MAX_MESSAGE_BYTES) return undefined;
  return [keywords ? `AUTH_PENDING,timeout ${Math.trunc(timeoutSec)}` : 'AUTH_PENDING', info];
}

/** Cuts on a character boundary. */
function cutBytes(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  let cut = '';
  let bytes = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxBytes) break;
    cut += character;
  }
  return cut;
}

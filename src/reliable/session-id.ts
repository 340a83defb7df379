/**
 * Session ids (2.x session_id.c): 8 random bytes per peer and session, never all zero.
 */

/** Length of a session id on the wire. */
export const SESSION_ID_BYTES = 8;

/** Whether the id at `at` is all zero, which means "not set" and is never valid on the wire. The caller has checked the bounds. */
export function isZeroSessionId(bytes: Uint8Array, at = 0): boolean {
  for (let i = at; i < at + SESSION_ID_BYTES; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** Log form as 2.x session_id_print() writes it: two groups of 8 hex digits, `65a0cf8c 4d1e2c8e`. */
export function sessionIdHex(sessionId: Uint8Array): string {
  let text = '';
  for (const [i, byte] of sessionId.entries()) {
    if (i > 0 && i % 4 === 0) text += ' ';
    text += byte.toString(16).padStart(2, '0');
  }
  return text;
}

/** Whether two session ids are equal. They travel in clear, so time is no secret here. */
export function sameSessionId(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** A new session id from the backend's random source. */
export function createSessionId(crypto: { randomBytes(length: number): Uint8Array }): Uint8Array {
  for (;;) {
    const sessionId = crypto.randomBytes(SESSION_ID_BYTES);
    if (!isZeroSessionId(sessionId)) return sessionId;
  }
}

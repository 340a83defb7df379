/**
 * Keys in PEM form (2.x crypto.c read_pem_key_file(), write_pem_key_file()): tls-crypt-v2 keys of servers
 * and clients, auth-token keys.
 *
 *   -----BEGIN <name>-----
 *   base64, 64 characters a line
 *   -----END <name>-----
 *
 * The first block of a file counts; text before it is passed over. Errors are CryptoErrors in 2.x's words.
 */
import { CryptoError } from '../base/base.ts';

export const TLS_CRYPT_V2_SERVER_KEY = 'OpenVPN tls-crypt-v2 server key';
export const TLS_CRYPT_V2_CLIENT_KEY = 'OpenVPN tls-crypt-v2 client key';
export const AUTH_TOKEN_KEY = 'OpenVPN auth-token server key';
/** Bytes of a server's key: one `cipher[64] || hmac[64]`. */
export const PEM_KEY_BYTES = 128;

const LINE_CHARACTERS = 64;
const BLOCK = /-----BEGIN ([^\r\n]*?)-----([^-]*)-----END ([^\r\n]*?)-----/;

/**
 * Bytes of the first PEM block, which must be called `name`. The result is the caller's to zero. Throws
 * CryptoError when there is none, it has another name, or it isn't base64.
 */
export function readPemKey(text: string, name: string): Uint8Array {
  const match = BLOCK.exec(text);
  const body = match?.[2]?.replace(/\s+/g, '');
  const good =
    match?.[1] === name &&
    match[3] === name &&
    body !== undefined &&
    body.length > 0 &&
    body.length % 4 === 0 &&
    /^[A-Za-z0-9+/]+={0,2}$/.test(body);
  if (!good) throw new CryptoError(`ERROR: ${name} pem decode failed`);
  return Uint8Array.from(Buffer.from(body, 'base64'));
}

/** The text of a key file, as OpenSSL's PEM writer lays it out. */
export function writePemKey(key: Uint8Array, name: string): string {
  const body = Buffer.from(key).toString('base64');
  const lines = [`-----BEGIN ${name}-----`];
  for (let at = 0; at < body.length; at += LINE_CHARACTERS) lines.push(body.slice(at, at + LINE_CHARACTERS));
  return `${[...lines, `-----END ${name}-----`].join('\n')}\n`;
}

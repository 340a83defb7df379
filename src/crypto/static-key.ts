/**
 * OpenVPN static keys: the text format of `--genkey secret`, and the 256-byte key2 that static keys,
 * tls-auth, tls-crypt and data keys all share (2.x crypto.c read_key_file(), write_key_file()).
 *
 *   -----BEGIN OpenVPN Static key V1-----     key2: K0.cipher[64] K0.hmac[64] K1.cipher[64] K1.hmac[64]
 *   16 lines of 32 hex digits                 A file with one key only (128 bytes) serves uses without
 *   -----END OpenVPN Static key V1-----       a key direction.
 *
 * Text before the header line is ignored, white space too; anything else between the markers is an
 * error. Errors are CryptoErrors in 2.x's words, since users search for them.
 */
import { CryptoError } from '../base/base.ts';
import type { KeyHalf } from './crypto.ts';

/** 256 bytes: two keys of `cipher[64] || hmac[64]`. */
export type Key2 = Uint8Array;

export const KEY2_BYTES = 256;
/** Bytes of one key: a cipher part and an hmac part. */
const KEY_BYTES = 128;
const PART_BYTES = 64;
const HEAD = '-----BEGIN OpenVPN Static key V1-----';
const FOOT = '-----END OpenVPN Static key V1-----';

export interface StaticKeySource {
  /** File name for messages; `[[INLINE]]` by default, as 2.x prints it. */
  readonly file?: string;
  /** Option that uses the key, e.g. `tls-auth`; for messages. */
  readonly option?: string;
  /** Keys that must be there: 2 by default, 1 when used without a key direction. */
  readonly keys?: 1 | 2;
}

/**
 * Reads a static key. With `keys: 1` the second key may be missing and is zero then. Throws
 * CryptoError with 2.x's text. The result is the caller's to zero.
 */
export function readStaticKey(text: string | Uint8Array, source: StaticKeySource = {}): Key2 {
  const file = source.file ?? '[[INLINE]]';
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  const key2 = new Uint8Array(KEY2_BYTES);
  try {
    const { count, footer } = scan(bytes, key2, file);
    const found = Math.floor(count / KEY_BYTES);
    const sizes = `(${count}/${KEY_BYTES}/${KEY2_BYTES} bytes found/min/max)`;
    if (found === 0) {
      throw new CryptoError(`Insufficient key material or header text not found in file '${file}' ${sizes}`);
    }
    if (!footer) throw new CryptoError(`Footer text not found in file '${file}' ${sizes}`);
    if (found < (source.keys ?? 2)) throw new CryptoError(tooFewKeys(file, source.option ?? 'secret', found));
    key2.fill(0, found * KEY_BYTES);
    return key2;
  } catch (error) {
    key2.fill(0);
    throw error;
  } finally {
    if (bytes !== text) bytes.fill(0);
  }
}

/** The text of a key file, byte for byte as 2.x writes it. `key2` is 256 bytes. */
export function writeStaticKey(key2: Key2): string {
  let text = `#\n# ${KEY2_BYTES * 8} bit OpenVPN static key\n#\n${HEAD}\n`;
  for (let at = 0; at < KEY2_BYTES; at += 16) {
    for (let i = at; i < at + 16; i++) text += key2[i]!.toString(16).padStart(2, '0');
    text += '\n';
  }
  return `${text}${FOOT}\n`;
}

/** The two keys of a key2 as views into it: zeroing the key2 zeroes them. */
export function keyHalves(key2: Key2): readonly [KeyHalf, KeyHalf] {
  return [halfAt(key2, 0), halfAt(key2, KEY_BYTES)];
}

function halfAt(key2: Key2, at: number): KeyHalf {
  return {
    cipher: key2.subarray(at, at + PART_BYTES),
    hmac: key2.subarray(at + PART_BYTES, at + KEY_BYTES),
  };
}

/** Fills `key2` from the lines between the markers; says how many bytes came and whether the footer did. */
function scan(bytes: Uint8Array, key2: Key2, file: string): { count: number; footer: boolean } {
  let state: 'before' | 'data' | 'after' = 'before';
  let nibbles = 0;
  let line = 0;
  for (let start = 0; start < bytes.length; ) {
    line++;
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    if (state === 'before') {
      if (startsWith(bytes, start, end, HEAD)) state = 'data';
    } else {
      if (bytes[start] === 0x2d && end > start) state = 'after';
      if (state === 'after' && startsWith(bytes, start, end, FOOT))
        return { count: nibbles >> 1, footer: true };
      if (state === 'data') nibbles = readHexLine(bytes, start, end, key2, nibbles, { line, file });
    }
    start = end + 1;
  }
  return { count: nibbles >> 1, footer: false };
}

/** Reads one line of hex digits behind `nibbles` earlier ones; a full key takes the rest unread. */
function readHexLine(
  bytes: Uint8Array,
  start: number,
  end: number,
  key2: Key2,
  nibbles: number,
  where: { line: number; file: string },
): number {
  let at = nibbles;
  for (let i = start; i < end && at < KEY2_BYTES * 2; i++) {
    const char = bytes[i]!;
    const digit = hexDigit(char);
    if (digit >= 0) {
      key2[at >> 1] = (key2[at >> 1]! << 4) | digit;
      at++;
    } else if (char !== 0x20 && (char < 0x09 || char > 0x0d)) {
      throw new CryptoError(badCharacter(char, where, at >> 1));
    }
  }
  return at;
}

function hexDigit(char: number): number {
  if (char >= 0x30 && char <= 0x39) return char - 0x30;
  const lower = char | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function startsWith(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start < text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false;
  return true;
}

function badCharacter(char: number, where: { line: number; file: string }, count: number): string {
  const printable = char >= 0x20 && char <= 0x7e;
  const what = printable
    ? `Non-Hex character ('${String.fromCharCode(char)}')`
    : `Non-Hex, unprintable character (0x${char.toString(16).padStart(2, '0')})`;
  const sizes = `(${count}/${KEY_BYTES}/${KEY2_BYTES} bytes found/min/max)`;
  return `${what} found at line ${where.line} in key file '${where.file}' ${sizes}`;
}

function tooFewKeys(file: string, option: string, found: number): string {
  return (
    `Key file '${file}' used in --${option} contains insufficient key material ` +
    `[keys found=${found} required=2] -- try generating a new key file with ` +
    `'openvpn --genkey secret [file]', or use the existing key file in bidirectional mode by ` +
    `specifying --${option} without a key direction parameter`
  );
}

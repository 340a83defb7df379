/**
 * Text that came as bytes and may have to leave as the same bytes: names, logins, options, messages. 2.x keeps bytes
 * and never asks what they mean; here they are strings. What is UTF-8 is decoded, a byte order mark included; every
 * other byte becomes the lone surrogate U+DC00 + byte (as Python's `surrogateescape` has it), which no UTF-8 text gives.
 * So two texts are equal when their bytes are, and bytesOfText() gives the bytes back. See docs/decisions/0023.
 */

const ESCAPE = 0xdc00;
/** An escaped byte, not the second half of a character beyond U+FFFF: with `u` those are one character. */
const ESCAPED = /[\udc80-\udcff]/u;
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
/** Code units of one String.fromCharCode(). */
const CHUNK = 4096;

/** Bytes as text; any bytes will do. */
export function textOfBytes(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return escapedText(bytes);
  }
}

/** The bytes that `text` was made of; of other text, its UTF-8. */
export function bytesOfText(text: string): Uint8Array {
  return ESCAPED.test(text) ? escapedBytes(text) : encoder.encode(text);
}

/** Whether `text` has bytes that aren't UTF-8. */
export function hasOtherBytes(text: string): boolean {
  return ESCAPED.test(text);
}

/** At most `max` bytes of `text`, cut as C cuts it: maybe within a character. */
export function cutText(text: string, max: number): string {
  // A character takes at most three bytes for each of its UTF-16 units, and at least one.
  if (text.length * 3 <= max) return text;
  const short = text.slice(0, max);
  const bytes = bytesOfText(short);
  return bytes.length <= max ? short : textOfBytes(bytes.subarray(0, max));
}

function escapedText(bytes: Uint8Array): string {
  const units = new Uint16Array(bytes.length);
  let count = 0;
  for (let at = 0; at < bytes.length; ) {
    const length = characterBytes(bytes, at);
    if (length === 0) {
      units[count++] = ESCAPE + bytes[at++]!;
      continue;
    }
    const code = codePoint(bytes, at, length);
    at += length;
    if (code >= 0x10000) {
      units[count++] = 0xd800 + ((code - 0x10000) >> 10);
      units[count++] = 0xdc00 + (code & 0x3ff);
    } else units[count++] = code;
  }
  let text = '';
  for (let at = 0; at < count; at += CHUNK)
    text += String.fromCharCode(...units.subarray(at, Math.min(count, at + CHUNK)));
  return text;
}

function escapedBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3);
  let end = 0;
  for (let at = 0; at < text.length; ) {
    const code = text.codePointAt(at)!;
    at += code >= 0x10000 ? 2 : 1;
    if (code < 0x80) bytes[end++] = code;
    else if (code >= ESCAPE + 0x80 && code <= ESCAPE + 0xff) bytes[end++] = code - ESCAPE;
    else end += encoder.encodeInto(String.fromCodePoint(code), bytes.subarray(end, end + 4)).written;
  }
  return bytes.slice(0, end);
}

/** Bytes of the UTF-8 character at `at` (RFC 3629); 0 when there is none. */
function characterBytes(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  const count = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (count === 0 || at + count > bytes.length) return 0;
  const second = bytes[at + 1]!;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i = 2; i < count; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return 0;
  return count;
}

function codePoint(bytes: Uint8Array, at: number, length: number): number {
  let code = length === 1 ? bytes[at]! : bytes[at]! & (0x7f >> length);
  for (let i = 1; i < length; i++) code = (code << 6) | (bytes[at + i]! & 0x3f);
  return code;
}

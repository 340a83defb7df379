/**
 * Text of ASN.1 strings as OpenSSL makes it, in both of its ways: for use (ASN1_STRING_to_UTF8(), by which 2.x takes
 * user names and what scripts see), which fails for what is no text, and for show (ASN1_STRING_print_ex() with the
 * flags of 2.x x509_get_subject()), which shows anything. Bytes of a UTF8String are not touched: see
 * base/byte-text.ts.
 */
import { textOfBytes } from '../base/base.ts';

const UTF8_STRING = 0x0c;
const BMP_STRING = 0x1e;
const UNIVERSAL_STRING = 0x1c;
/** Types of one byte a character, each taken as Latin-1: Numeric, Printable, T61, IA5, Visible, and the times. */
const LATIN1_STRINGS: ReadonlySet<number> = new Set([0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1a]);
/** Characters of one String.fromCharCode(). */
const CHUNK = 4096;

/**
 * The string's text, or undefined where it has none: no string at all, bad UTF-8, half a character, a surrogate. A NUL
 * is refused too; 2.x does that for mail addresses alone and ends other names at it, so that another name than the
 * authority signed would count.
 */
export function readAsn1Text(tag: number, bytes: Uint8Array): string | undefined {
  const text = decoded(tag, bytes);
  return text === undefined || text.includes('\0') || hasSurrogate(text) ? undefined : text;
}

/** The string as it is shown; of a type that isn't known, its bytes as Latin-1. */
export function shownAsn1Text(tag: number, bytes: Uint8Array): string {
  const text = decoded(tag, bytes) ?? latin1(bytes);
  return tag === UTF8_STRING ? text : text.replace(SURROGATES, '');
}

const SURROGATES = /[\ud800-\udfff]/gu;

/** As a byte that isn't UTF-8 is one, too. */
function hasSurrogate(text: string): boolean {
  return /[\ud800-\udfff]/u.test(text);
}

function decoded(tag: number, bytes: Uint8Array): string | undefined {
  if (tag === UTF8_STRING) return textOfBytes(bytes);
  if (tag === BMP_STRING) return wide(bytes, 2);
  if (tag === UNIVERSAL_STRING) return wide(bytes, 4);
  return LATIN1_STRINGS.has(tag) ? latin1(bytes) : undefined;
}

/** One code point for every `width` bytes; undefined when they don't divide or reach beyond Unicode. */
function wide(bytes: Uint8Array, width: 2 | 4): string | undefined {
  if (bytes.length % width !== 0) return undefined;
  const parts: string[] = [];
  let previous = 0;
  for (let at = 0; at < bytes.length; at += width) {
    let code = 0;
    for (let i = 0; i < width; i++) code = code * 256 + bytes[at + i]!;
    // Two halves that would make one character in UTF-16 are two errors here.
    if (code > 0x10ffff || (isHalf(previous, 0xd8) && isHalf(code, 0xdc))) return undefined;
    parts.push(String.fromCodePoint(code));
    previous = code;
  }
  return parts.join('');
}

function isHalf(code: number, top: number): boolean {
  return code >> 10 === top >> 2;
}

function latin1(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += CHUNK)
    text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return text;
}

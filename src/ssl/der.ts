/**
 * Reading of DER (X.690) as far as X.509 needs it: elements with single-byte tags and definite lengths. Every length
 * is checked against its parent before use; anything malformed gives undefined.
 */

export const INTEGER = 0x02;
export const BIT_STRING = 0x03;
export const OCTET_STRING = 0x04;
export const OID = 0x06;
export const SEQUENCE = 0x30;
export const SET = 0x31;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
export const CONTEXT_0 = 0xa0;
export const CONTEXT_3 = 0xa3;
/** Most elements read on one level: twice what fits into the longest chain that TLS takes, so that none of it is refused for that. */
const MAX_CHILDREN = 1 << 16;
/** Longest OID, content bytes; real ones have a dozen. */
const MAX_OID_BYTES = 64;

/** One element: its tag, where it starts, and where its content is. */
export interface Element {
  readonly tag: number;
  /** Position of the tag. */
  readonly at: number;
  readonly start: number;
  readonly end: number;
  readonly next: number;
}

/** The element at `at`, wholly inside `end`; single-byte tags and definite lengths only. */
export function element(der: Uint8Array, at: number, end: number, tag?: number): Element | undefined {
  if (at + 2 > end) return undefined;
  const found = der[at]!;
  if ((found & 0x1f) === 0x1f || (tag !== undefined && found !== tag)) return undefined;
  let length = der[at + 1]!;
  let start = at + 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count === 0 || count > 4 || start + count > end) return undefined;
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + der[start + i]!;
    start += count;
  }
  if (length > end - start) return undefined;
  return { tag: found, at, start, end: start + length, next: start + length };
}

/** All elements of a content, `max` at most. */
export function children(der: Uint8Array, start: number, end: number): Element[] | undefined {
  const list: Element[] = [];
  for (let at = start; at < end; ) {
    const next = element(der, at, end);
    if (!next || list.length >= MAX_CHILDREN) return undefined;
    list.push(next);
    at = next.next;
  }
  return list;
}

/** The OID at `start` as dotted text. */
export function oidAt(der: Uint8Array, start: number, end: number): string | undefined {
  const found = element(der, start, end, OID);
  return found && oidText(der.subarray(found.start, found.end));
}

/** Whether this is the content of an OID that oidText() can show. */
export function isOid(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes.length <= MAX_OID_BYTES && bytes[bytes.length - 1]! < 0x80;
}

/** An OID's content as dotted text. */
export function oidText(bytes: Uint8Array): string | undefined {
  if (!isOid(bytes)) return undefined;
  const arcs: bigint[] = [];
  let value = 0n;
  for (const byte of bytes) {
    value = (value << 7n) | BigInt(byte & 0x7f);
    if (byte >= 0x80) continue;
    if (arcs.length === 0) {
      const first = value < 40n ? 0n : value < 80n ? 1n : 2n;
      arcs.push(first, value - first * 40n);
    } else arcs.push(value);
    value = 0n;
  }
  return arcs.join('.');
}

/** Unix milliseconds of a UTCTime or GeneralizedTime. */
export function readTime(der: Uint8Array, time: Element): number | undefined {
  let text = '';
  for (const byte of der.subarray(time.start, Math.min(time.end, time.start + 32)))
    text += String.fromCharCode(byte);
  if (time.tag === UTC_TIME) text = `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}`;
  else if (time.tag !== GENERALIZED_TIME) return undefined;
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(?:\.\d+)?Z$/.exec(text);
  if (!match) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1).map((part) => Number(part ?? 0));
  const ms = Date.UTC(year!, month! - 1, day!, hour!, minute!, second!);
  return Number.isNaN(ms) ? undefined : ms;
}

/** First octet of a BIT STRING; 0 for an empty one. */
export function firstBits(der: Uint8Array, value: Element): number | undefined {
  const bits = element(der, value.start, value.end, BIT_STRING);
  if (!bits || bits.start === bits.end) return undefined;
  const unused = der[bits.start]!;
  if (unused > 7 || (unused > 0 && bits.end - bits.start < 2)) return undefined;
  return bits.end - bits.start > 1 ? der[bits.start + 1]! : 0;
}

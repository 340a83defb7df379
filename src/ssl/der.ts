/**
 * Reading of DER (X.690) as far as X.509 needs it: elements with single-byte tags and definite lengths. Every length
 * is checked against its parent before use; anything malformed gives undefined.
 */

export const BOOLEAN = 0x01;
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

/** The elements of a SEQUENCE that begins at `start`; undefined when there is none, or it is malformed. */
export function sequenceItems(der: Uint8Array, start: number, end: number): Element[] | undefined {
  const list = element(der, start, end, SEQUENCE);
  return list && children(der, list.start, list.end);
}

/** The OID at `start` as dotted text. */
export function oidAt(der: Uint8Array, start: number, end: number): string | undefined {
  const found = element(der, start, end, OID);
  return found && oidTextAt(der, found.start, found.end);
}

/** An OID's content as dotted text. */
export function oidText(bytes: Uint8Array): string | undefined {
  return oidTextAt(bytes, 0, bytes.length);
}

/** The same of a part of `der`. */
export function oidTextAt(der: Uint8Array, start: number, end: number): string | undefined {
  if (!isOid(der, start, end)) return undefined;
  let text = '';
  for (let at = start; at < end; ) {
    let last = at;
    while (der[last]! >= 0x80) last++;
    text += text === '' ? firstArcs(der, at, last) : `.${arcText(der, at, last)}`;
    at = last + 1;
  }
  return text;
}

/** Whether this is the content of an OID that can be shown. */
export function isOid(der: Uint8Array, start: number, end: number): boolean {
  return end > start && end - start <= MAX_OID_BYTES && der[end - 1]! < 0x80;
}

/** The first number of an OID's content holds two. */
function firstArcs(der: Uint8Array, at: number, last: number): string {
  if (at < last) return `2.${BigInt(arcText(der, at, last)) - 80n}`;
  const value = der[at]!;
  const first = value < 40 ? 0 : value < 80 ? 1 : 2;
  return `${first}.${value - first * 40}`;
}

/** Seven bits a byte; few numbers need more than a double holds exactly. */
function arcText(der: Uint8Array, at: number, last: number): string {
  if (last - at >= 7) return bigArc(der, at, last).toString();
  let value = 0;
  for (let i = at; i <= last; i++) value = value * 128 + (der[i]! & 0x7f);
  return value.toString();
}

function bigArc(der: Uint8Array, at: number, last: number): bigint {
  let value = 0n;
  for (let i = at; i <= last; i++) value = (value << 7n) | BigInt(der[i]! & 0x7f);
  return value;
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

/** Length of the prime of PEM Diffie-Hellman parameters, which is their first number; 0 when it can't be read. */
export function dhBits(pem: string): number {
  const der = Buffer.from(/-----BEGIN [^-]*-----([^-]*)-----END/.exec(pem)?.[1] ?? '', 'base64');
  const list = element(der, 0, der.length, SEQUENCE);
  const prime = list && element(der, list.start, list.end, INTEGER);
  if (!prime) return 0;
  const first = der.subarray(prime.start, prime.end).findIndex((byte) => byte !== 0);
  if (first < 0) return 0;
  const at = prime.start + first;
  return (prime.end - at) * 8 - (Math.clz32(der[at]!) - 24);
}

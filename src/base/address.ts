/**
 * Link addresses (2.x struct link_socket_actual, socket.h). Two forms: `LinkAddress` for control
 * code, and eight 32-bit words in `PacketBatch.addresses` for the data path:
 *
 *   [0] family: 4, 6, or 0 for "none"   [1] port   [2..5] address, big-endian words (IPv4 in [2])
 *   [6] IPv6 scope id                    [7] --multihome: LinkAddress.via, 0 = unknown
 */
import ipaddr from 'ipaddr.js';
import { ipv4ToNumber } from './ipv4.ts';

export type AddressFamily = 4 | 6;

export interface LinkAddress {
  readonly family: AddressFamily;
  /** Canonical text without scope, e.g. `192.0.2.7` or `2001:db8::1`. */
  readonly address: string;
  readonly port: number;
  readonly scopeId?: number;
  /**
   * --multihome: which of its own addresses the link was asked on, as the link counts them. What is sent to
   * this address leaves from there. No part of the address: comparisons leave it out.
   */
  readonly via?: number;
}

/** Words per packet in `PacketBatch.addresses`. */
export const ADDRESS_WORDS = 8;

/** Family and canonical text of an IP literal, or undefined. Strict: four decimal parts for IPv4. */
export function parseIp(text: string): { family: AddressFamily; address: string } | undefined {
  if (ipv4ToNumber(text) !== undefined) return { family: 4, address: text };
  if (!text.includes(':') || text.includes('%') || !ipaddr.IPv6.isValid(text)) return undefined;
  return { family: 6, address: formatIp(ipaddr.IPv6.parse(text).toByteArray()) };
}

/** 4 or 16 bytes of an IP literal, or undefined. */
export function parseIpBytes(text: string): Uint8Array | undefined {
  const ipv4 = ipv4ToNumber(text);
  if (ipv4 !== undefined) return Uint8Array.of(ipv4 >>> 24, ipv4 >>> 16, ipv4 >>> 8, ipv4);
  if (!text.includes(':') || text.includes('%') || !ipaddr.IPv6.isValid(text)) return undefined;
  return Uint8Array.from(ipaddr.IPv6.parse(text).toByteArray());
}

/** Text of 4 or 16 address bytes, as inet_ntop() prints it (RFC 5952; ::ffff:a.b.c.d for mapped). */
export function formatIp(bytes: ArrayLike<number>): string {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  const v6 = new ipaddr.IPv6(Array.from(bytes));
  if (v6.isIPv4MappedAddress()) return `::ffff:${v6.toIPv4Address().toString()}`;
  return v6.toRFC5952String();
}

/** Log form: `[AF_INET]192.0.2.7:1194` or `[AF_INET6]2001:db8::1:1194` (2.x print_sockaddr_ex). */
export function formatAddress(address: LinkAddress, options: { family?: boolean } = {}): string {
  const family = options.family === false ? '' : address.family === 4 ? '[AF_INET]' : '[AF_INET6]';
  return `${family}${address.address}:${address.port}`;
}

/** A string equal for equal (family, address, port). */
export function addressKey(address: LinkAddress): string {
  return `${address.family}/${address.address}/${address.port}`;
}

export function addressToWords(address: LinkAddress, words: Int32Array, slot: number): void {
  const base = slot * ADDRESS_WORDS;
  if (address instanceof ReceivedAddress) {
    for (let w = 0; w < ADDRESS_WORDS; w++) words[base + w] = address.words[w]!;
    return;
  }
  words[base] = address.family;
  words[base + 1] = address.port;
  const bytes = parseIpBytes(address.address);
  for (let w = 0; w < 4; w++) {
    const b = w * 4;
    words[base + 2 + w] =
      bytes && b < bytes.length
        ? (bytes[b]! << 24) | (bytes[b + 1]! << 16) | (bytes[b + 2]! << 8) | bytes[b + 3]!
        : 0;
  }
  words[base + 6] = address.scopeId ?? 0;
  words[base + 7] = address.via ?? 0;
}

export function addressFromWords(words: Int32Array, slot: number): LinkAddress {
  const base = slot * ADDRESS_WORDS;
  const family: AddressFamily = words[base] === 6 ? 6 : 4;
  const bytes: number[] = [];
  for (let w = 0; w < (family === 6 ? 4 : 1); w++) {
    const word = words[base + 2 + w]!;
    bytes.push(word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff);
  }
  const scopeId = words[base + 6]!;
  const plain = { family, address: formatIp(bytes), port: words[base + 1]! };
  const via = words[base + 7]!;
  if (!scopeId && !via) return plain;
  return { ...plain, ...(scopeId && { scopeId }), ...(via && { via }) };
}

/** The address of a packet that was received: as addressFromWords(), but its text is made when somebody asks for it. */
export function receivedAddress(words: Int32Array, slot: number): LinkAddress {
  return new ReceivedAddress(words, slot);
}

class ReceivedAddress implements LinkAddress {
  readonly words: Int32Array = new Int32Array(ADDRESS_WORDS);
  readonly family: AddressFamily;
  readonly port: number;
  readonly scopeId?: number;
  readonly via?: number;
  #text: string | undefined;

  constructor(words: Int32Array, slot: number) {
    const base = slot * ADDRESS_WORDS;
    for (let w = 0; w < ADDRESS_WORDS; w++) this.words[w] = words[base + w]!;
    this.family = words[base] === 6 ? 6 : 4;
    this.port = words[base + 1]!;
    if (words[base + 6] !== 0) this.scopeId = words[base + 6]!;
    if (words[base + 7] !== 0) this.via = words[base + 7]!;
  }

  get address(): string {
    this.#text ??= addressFromWords(this.words, 0).address;
    return this.#text;
  }
}

/** Whether family, address and port are the same; scope and `via` don't count. */
export function sameAddress(a: LinkAddress, b: LinkAddress): boolean {
  if (a === b) return true;
  if (a.family !== b.family || a.port !== b.port) return false;
  if (a instanceof ReceivedAddress && b instanceof ReceivedAddress)
    return sameAddressWords(a.words, 0, b.words, 0);
  return a.address === b.address;
}

/** Whether two slots hold the same family, port and address; scope and `via` don't count. */
export function sameAddressWords(a: Int32Array, aSlot: number, b: Int32Array, bSlot: number): boolean {
  const i = aSlot * ADDRESS_WORDS;
  const j = bSlot * ADDRESS_WORDS;
  return (
    a[i] === b[j] &&
    a[i + 1] === b[j + 1] &&
    a[i + 2] === b[j + 2] &&
    a[i + 3] === b[j + 3] &&
    a[i + 4] === b[j + 4] &&
    a[i + 5] === b[j + 5]
  );
}

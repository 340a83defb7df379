/**
 * Address arguments of options (2.x socket.c ip_or_dns_addr_safe(), get_ipv6_addr(); route.c
 * netmask_to_netbits()). IPv4 is computed on as an unsigned 32-bit number, IPv6 as 16 bytes.
 */
import { formatIp, ipv4FromNumber, netmaskOfPrefix, parseIpBytes } from '../base/base.ts';

/** Unsigned 32-bit value of a dotted quad, or undefined. Unlike base/'s ipv4ToNumber() with leading zeros, which mean nothing. */
export function dottedQuadToNumber(text: string): number | undefined {
  if (!isDottedQuad(text)) return undefined;
  return text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** Four decimal numbers 0..255, each of at most three digits. */
export function isDottedQuad(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split('.').every((part) => Number(part) < 256);
}

/** A dotted quad or, when names are allowed, letters, digits, dash and dot (1..255). */
export function isIpOrName(text: string, allowName: boolean): boolean {
  return isDottedQuad(text) || (allowName && /^[A-Za-z0-9.-]{1,255}$/.test(text));
}

/** An IPv6 literal without prefix length. */
export function isIpv6(text: string): boolean {
  return parseIpBytes(text)?.length === 16;
}

/** Gateway keywords of --route. */
export function isSpecialAddress(text: string): boolean {
  return text === 'vpn_gateway' || text === 'net_gateway' || text === 'remote_host';
}

/** `255.255.0.0 (/16)`, as 2.x writes netmasks in messages. */
export function describeNetmask(prefix: number): string {
  return `${ipv4FromNumber(netmaskOfPrefix(prefix))} (/${prefix})`;
}

/** 2.x's prefix length of an IPv6 address without one (socket.c get_addr_generic()). */
const DEFAULT_IPV6_BITS = 64;

export interface Ipv6Prefix {
  /** Canonical text. */
  readonly address: string;
  readonly bytes: Uint8Array;
  /** 64 when absent, whatever the address. */
  readonly netbits: number;
}

/** `address[/bits]`; undefined when either part is bad. */
export function parseIpv6Prefix(text: string): Ipv6Prefix | undefined {
  const [address = '', bits, ...rest] = text.split('/');
  const bytes = parseIpBytes(address);
  if (bytes?.length !== 16 || rest.length > 0) return undefined;
  const netbits = bits === undefined ? DEFAULT_IPV6_BITS : ipv6PrefixBits(bits);
  return netbits === undefined ? undefined : { address: formatIp(bytes), bytes, netbits };
}

/** What stands behind the slash, 0..128, or undefined. As by strtol(): nothing is 0, a sign and zeros may stand before. */
export function ipv6PrefixBits(text: string): number | undefined {
  if (!/^(\s*[+-]?\d+)?$/.test(text)) return undefined;
  const bits = Number(text);
  return bits >= 0 && bits <= 128 ? Math.abs(bits) : undefined;
}

/** Canonical text of the address `bytes` plus `add` (32-bit, with carry). */
export function addToIpv6(bytes: Uint8Array, add: number): string {
  const sum = Uint8Array.from(bytes);
  let carry = add;
  for (let i = 15; i >= 0 && carry > 0; i--) {
    carry += sum[i]!;
    sum[i] = carry & 255;
    carry = Math.floor(carry / 256);
  }
  return formatIp(sum);
}

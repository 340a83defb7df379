/**
 * IPv4 addresses as unsigned 32-bit numbers, and netmasks (2.x route.c, socket.c netmask_to_netbits2()).
 */
import { formatIp, parseIp, parseIpBytes } from '../base/base.ts';

/** Number of a dotted quad; undefined for anything else. */
export function ipv4ToNumber(text: string): number | undefined {
  if (parseIp(text)?.family !== 4) return undefined;
  const bytes = parseIpBytes(text)!;
  return ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0;
}

export function ipv4FromNumber(value: number): string {
  return formatIp([value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff]);
}

export function netmaskOfPrefix(prefix: number): number {
  return prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0;
}

/** Prefix length of a netmask such as 255.255.255.0; undefined when its bits have a hole. */
export function prefixOfNetmask(netmask: string): number | undefined {
  const value = ipv4ToNumber(netmask);
  if (value === undefined) return undefined;
  const prefix = Math.clz32(~value >>> 0);
  return netmaskOfPrefix(prefix) === value ? prefix : undefined;
}

/** Whether two addresses share a network of this prefix length. */
export function sameNetwork(a: number, b: number, prefix: number): boolean {
  return ((a ^ b) & netmaskOfPrefix(prefix)) === 0;
}

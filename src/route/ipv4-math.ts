/** Netmasks and networks of IPv4 (2.x route.c, socket.c netmask_to_netbits2()). */
import { ipv4ToNumber } from '../base/base.ts';

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

/**
 * IPv4 addresses and netmasks as unsigned 32-bit numbers (2.x in_addr_t in host order, route.c
 * netmask_to_netbits2()).
 */

/** Unsigned 32-bit number of a dotted quad without leading zeros; undefined for anything else. Read by hand, for lists have thousands. */
export function ipv4ToNumber(text: string): number | undefined {
  let value = 0;
  let octet = -1;
  let dots = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit >= 0 && digit <= 9) {
      if (octet === 0) return undefined;
      octet = octet < 0 ? digit : octet * 10 + digit;
      if (octet > 255) return undefined;
    } else {
      if (digit !== DOT || octet < 0 || ++dots > 3) return undefined;
      value = value * 256 + octet;
      octet = -1;
    }
  }
  return dots === 3 && octet >= 0 ? value * 256 + octet : undefined;
}

const DOT = '.'.charCodeAt(0) - 48;

/** Dotted quad of an unsigned 32-bit number. */
export function ipv4FromNumber(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 0xff}.${(value >>> 8) & 0xff}.${value & 0xff}`;
}

/** Netmask of a prefix length. */
export function netmaskOfPrefix(prefix: number): number {
  return prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0;
}

/** Prefix length of a netmask; undefined without one, or when its bits have a hole. */
export function prefixOfNetmask(netmask: number | undefined): number | undefined {
  if (netmask === undefined) return undefined;
  const prefix = Math.clz32(~netmask);
  return netmaskOfPrefix(prefix) === netmask >>> 0 ? prefix : undefined;
}

/** Whether two addresses share a network of this prefix length. */
export function sameNetwork(a: number, b: number, prefix: number): boolean {
  return ((a ^ b) & netmaskOfPrefix(prefix)) === 0;
}

/**
 * IPv4 addresses as unsigned 32-bit numbers, and netmasks (2.x route.c, socket.c netmask_to_netbits2()).
 */
/** Number of a dotted quad without leading zeros; undefined for anything else. Read by hand, for lists have thousands. */
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

export function ipv4FromNumber(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 0xff}.${(value >>> 8) & 0xff}.${value & 0xff}`;
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

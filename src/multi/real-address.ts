/**
 * How 2.x prints a client's transport address in prefixes and status files (mroute.c mroute_addr_print):
 * `192.0.2.7:1194`; IPv6 without its port; IPv4-mapped IPv6 as IPv4.
 */
import type { LinkAddress } from '../base/base.ts';

export function realAddressText(address: LinkAddress): string {
  if (address.family === 4) return `${address.address}:${address.port}`;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address.address);
  return mapped ? `${mapped[1]}:${address.port}` : address.address;
}

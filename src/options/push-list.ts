/** The list of options a server sends to one client (2.x push.c push_reset(), push_remove_option()). */
import type { Options } from './option-types.ts';

/**
 * Drops list entries that start with `prefix`. `ifconfig` and `ifconfig-ipv6` don't name entries but
 * switch off the generated line of that kind.
 */
export function pushRemove(options: Options, prefix: string): void {
  if (prefix === 'ifconfig') options.pushIfconfigBlocked = true;
  else if (prefix === 'ifconfig-ipv6') options.pushIfconfigIpv6Blocked = true;
  else options.push = options.push.filter((option) => !option.startsWith(prefix));
}

/** Forgets every option of the list. */
export function pushReset(options: Options): void {
  options.push = [];
}

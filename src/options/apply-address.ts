/**
 * Address arguments of options, with the lines that 2.x's resolver logs about bad ones before the
 * option itself complains (2.x socket.c getaddr(), get_ipv6_addr(), openvpn_getaddrinfo()). Nothing is
 * looked up here: a name counts as unknown.
 */
import { D_RESOLVE_ERRORS } from '../base/errlevel.ts';
import {
  dottedQuadToNumber,
  type Ipv6Prefix,
  ipv6PrefixBits,
  isDottedQuad,
  parseIpv6Prefix,
} from './addresses.ts';
import type { ApplyContext } from './option-row.ts';

/** Unsigned 32-bit value, or undefined with a log line. `resolve`: 2.x would look a name up. */
export function readIpv4(text: string, context: ApplyContext, resolve = false): number | undefined {
  const value = dottedQuadToNumber(text);
  if (value === undefined) logUnresolved(text, context, resolve);
  return value;
}

/** Whether all are IPv4 addresses other than 0.0.0.0, which 2.x takes for "no address". */
export function areUsableIpv4(texts: readonly string[], context: ApplyContext): boolean {
  return texts.map((text) => readIpv4(text, context)).every((value) => value !== undefined && value !== 0);
}

/** `address[/bits]`, or undefined with a log line. `fatalBits`: bad bits end parsing. */
export function readIpv6Prefix(
  text: string,
  context: ApplyContext,
  fatalBits = false,
): Ipv6Prefix | undefined {
  const slash = text.indexOf('/');
  const bits = slash < 0 ? undefined : text.slice(slash + 1);
  if (bits !== undefined && ipv6PrefixBits(bits) === undefined) {
    const problem = `IP prefix '${text}': invalid '/bits' spec (${bits})`;
    if (fatalBits) context.error(problem);
    else context.warn(problem);
    return undefined;
  }
  const prefix = parseIpv6Prefix(text);
  if (prefix === undefined) logUnresolved(slash < 0 ? text : text.slice(0, slash), context, true);
  return prefix;
}

/** The resolver's line about a text that is no address. */
export function logUnresolved(text: string, context: ApplyContext, resolve: boolean): void {
  const action = resolve ? 'resolve host' : 'parse IP';
  const reason = isDottedQuad(text)
    ? 'Address family for hostname not supported'
    : 'Name or service not known';
  context.log(D_RESOLVE_ERRORS, `RESOLVE: Cannot ${action} address: ${text}: (${reason})`);
}

/**
 * Which IPv4 networks this machine has routes to, so that quickstart takes none of them. Reads the text of
 * `ip -4 route show`; the default route counts as no network.
 */
import { ipv4ToNumber } from '../base/base.ts';

export interface Ipv4Network {
  /** Unsigned 32-bit. */
  readonly address: number;
  readonly prefix: number;
}

/** Networks and hosts of an `ip route` listing. */
export function parseRoutes(text: string): Ipv4Network[] {
  const networks: Ipv4Network[] = [];
  for (const line of text.split('\n')) {
    const match =
      /^(?:(?:unreachable|blackhole|prohibit|broadcast|local) )?(\d+\.\d+\.\d+\.\d+)(?:\/(\d+))?(?: |$)/.exec(
        line,
      );
    const address = match && ipv4ToNumber(match[1]!);
    if (match && address !== undefined && address !== null) {
      networks.push({ address, prefix: match[2] === undefined ? 32 : Number(match[2]) });
    }
  }
  return networks;
}

/** Whether `network/prefix` shares an address with one of them; halves of a redirected default don't count. */
export function overlapsAny(network: string, prefix: number, taken: readonly Ipv4Network[]): boolean {
  const own = ipv4ToNumber(network) ?? 0;
  return taken.some((other) => {
    if (other.prefix <= 1) return false;
    const shared = Math.min(prefix, other.prefix);
    return (own ^ other.address) >>> (32 - shared) === 0;
  });
}

/**
 * The file of --ifconfig-pool-persist (2.x ifconfig_pool_read(), ifconfig_pool_list() of pool.c), as pure
 * functions. One line a client, either address may be missing; lines of # and ; are comments:
 *
 *   name,10.8.0.4,fd00:8::1000
 */
import { parseIp } from '../base/base.ts';

export interface PoolPersistEntry {
  readonly commonName: string;
  /** Canonical text; in net30 the first address of the /30, as 2.x writes it. */
  readonly ipv4: string | undefined;
  readonly ipv6: string | undefined;
}

/** One line of the file, usable or not. */
export interface PoolPersistLine {
  /** As it stands there. */
  readonly text: string;
  readonly entry: PoolPersistEntry | undefined;
  /** 2.x's complaints about it. */
  readonly warnings: readonly string[];
}

/** Longest field that 2.x reads, bytes; more is cut by it and refused by us. */
const MAX_FIELD = 127;

/** All lines but comments and empty ones, in order. */
export function parsePoolPersist(text: string): PoolPersistLine[] {
  return text
    .split('\n')
    .map((line) => line.replace(/\r$/, ''))
    .filter((line) => line !== '' && !/^[#;]/.test(line))
    .map(parseLine);
}

function parseLine(text: string): PoolPersistLine {
  const [commonName = '', ip, ip6 = ''] = text.split(',');
  if (ip === undefined || commonName === '' || commonName.length > MAX_FIELD)
    return { text, entry: undefined, warnings: [] };
  const ipv4 = address(ip, 4);
  const ipv6 = address(ip6, 6);
  const warnings: string[] = [];
  if (ipv4 === 'bad') warnings.push(`pool: invalid IPv4 (${ip}) for CN=${commonName}`);
  if (ipv6 === 'bad') warnings.push(`pool: invalid IPv6 (${ip6}) for CN=${commonName}`);
  const entry = {
    commonName,
    ipv4: ipv4 === 'bad' ? undefined : ipv4,
    ipv6: ipv6 === 'bad' ? undefined : ipv6,
  };
  const usable = entry.ipv4 !== undefined || entry.ipv6 !== undefined;
  return { text, entry: usable ? entry : undefined, warnings };
}

/** The whole file for these entries. */
export function formatPoolPersist(entries: readonly PoolPersistEntry[]): string {
  return entries.map(({ commonName, ipv4, ipv6 }) => `${commonName},${ipv4 ?? ''},${ipv6 ?? ''}\n`).join('');
}

function address(text: string, family: 4 | 6): string | undefined | 'bad' {
  if (text === '') return undefined;
  const parsed = parseIp(text);
  return parsed?.family === family ? parsed.address : 'bad';
}

/**
 * Comparing the peer's options string with what it should be (2.x options.c options_cmp_equal(),
 * options_warning()). Differences are fatal with --opt-verify alone; 2.6 mentions them at verb 7 only.
 */

/** Items that 2.6 doesn't compare any more. */
const IGNORED = ['key-method ', 'keydir ', 'proto ', 'tun-ipv6', 'cipher '];
/** Items of a string that are looked at. */
const MAX_ITEMS = 64;

/** 2.x's warnings about `remote`, the peer's string, where `expected` says what it should be. */
export function compareOptions(expected: string, remote: string): string[] {
  if (expected === remote || remote === '') return [];
  const warnings: string[] = [];
  if (expected.slice(0, 2) !== remote.slice(0, 2)) {
    warnings.push('NOTE: Options consistency check may be skewed by version differences');
  }
  const ours = items(expected);
  const theirs = items(remote);
  for (const item of ours) {
    const other = theirs.find((candidate) => nameOf(candidate) === nameOf(item));
    if (other === undefined) warnings.push(missing(item, 'local', 'remote'));
    else if (!theirs.includes(item)) {
      warnings.push(`WARNING: '${nameOf(item)}' is used inconsistently, local='${item}', remote='${other}'`);
    }
  }
  for (const item of theirs) {
    if (!ours.some((candidate) => nameOf(candidate) === nameOf(item))) {
      warnings.push(missing(item, 'remote', 'local'));
    }
  }
  return warnings;
}

/** Whether `remote` is as it should be; strings of another version can't be compared. */
export function areConsistent(expected: string, remote: string): boolean {
  return expected.slice(0, 2) !== remote.slice(0, 2) || expected === remote;
}

/** Whether the peer's options string has a compression framing of any kind. */
export function usesCompression(options: string): boolean {
  return options.includes(',comp-lzo,');
}

/** Our options string without compression as it would be with: for --compress migrate (2.x ssl_util.c options_string_compat_lzo()). */
export function withCompLzo(options: string): string {
  const found = /,link-mtu (\d+),/.exec(options);
  const linkMtu = Number(found?.[1]);
  if (!found || linkMtu < 100 || linkMtu > 9900) return options;
  return `${options.replace(found[0], `,link-mtu ${linkMtu + 1},`)},comp-lzo`;
}

function items(options: string): string[] {
  const printable = options.replace(/[^\x20-\x7e]/g, '_');
  return printable
    .split(',', MAX_ITEMS)
    .filter(
      (item) => item !== '' && item !== 'tls-auth' && !IGNORED.some((prefix) => item.startsWith(prefix)),
    );
}

function nameOf(item: string): string {
  return item.split(' ', 1)[0]!;
}

function missing(item: string, here: string, there: string): string {
  return `WARNING: '${nameOf(item)}' is present in ${here} config but missing in ${there} config, ${here}='${item}'`;
}

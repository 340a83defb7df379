/**
 * Whether a prebuilt addon (scripts/prepack.mjs) fits the running node. It takes OpenSSL and libuv from it, whose
 * interfaces stay as they are within a major version and only grow: the running ones must not be older. A C library
 * without glibc is told here; one that is too old is told by the system's loader.
 */

/** Contents of built-for.json beside the addon. */
export interface PrebuiltNeeds {
  /** Version of N-API. */
  readonly napi: number;
  readonly openssl: string;
  readonly uv: string;
  /** The oldest glibc whose symbols suffice. */
  readonly glibc: string;
}

/** What runs: process.versions, and whether the C library is musl. */
export interface RunningNode {
  readonly napi: string | undefined;
  readonly openssl: string | undefined;
  readonly uv: string | undefined;
  readonly musl: boolean;
}

/** What doesn't fit, in one line; undefined when everything does. */
export function prebuiltMismatch(needs: PrebuiltNeeds, running: RunningNode): string | undefined {
  if (running.musl) return `it needs glibc ${needs.glibc} or newer, and this system's C library is musl`;
  if (!(Number(running.napi) >= needs.napi))
    return `it needs N-API ${needs.napi}, this node has ${running.napi}`;
  for (const [name, key] of [
    ['OpenSSL', 'openssl'],
    ['libuv', 'uv'],
  ] as const) {
    if (!isCompatible(running[key], needs[key]))
      return `it is for ${name} ${needs[key]} and later ones of that major version, this node has ${running[key] ?? 'none'}`;
  }
  return undefined;
}

function isCompatible(running: string | undefined, needed: string): boolean {
  const [major, minor] = numbers(running ?? '');
  const [neededMajor, neededMinor] = numbers(needed);
  return major !== undefined && major === neededMajor && (minor ?? 0) >= (neededMinor ?? 0);
}

function numbers(version: string): number[] {
  return (version.match(/\d+/g) ?? []).map(Number);
}

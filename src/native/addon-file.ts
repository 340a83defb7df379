/**
 * Where the addon's file is, and which one of several is used: the one built here, then the prebuilt one of the
 * package. Both lie two folders above this file in the source tree and in dist/ alike. In a bundle this file's place
 * says nothing: there the package is looked for as an import would find it, and the file beside the bundle.
 * OPENVPN_TS_ADDON names another file, and then no other one is tried.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { moduleFile, moduleRequire } from '../base/module-node.ts';
import { type PrebuiltNeeds, prebuiltMismatch } from './prebuilt.ts';

const NAME = 'openvpn_native.node';
const BUILT = join('build', 'Release', NAME);
const PREBUILT = join('prebuilds', `${process.platform}-${process.arch}`);
const MUSL_LOADER = '/lib/ld-musl-x86_64.so.1';
const GLIBC_LOADER = '/lib64/ld-linux-x86-64.so.2';

/** Either an addon or why there is none, in one line. */
export type LoadedAddon = { readonly addon: unknown } | { readonly reason: string };

/** Loads the first file that can be used. `mismatch` says in a few words why a loaded one can't be. */
export function loadAddonFile(mismatch: (addon: unknown) => string | undefined): LoadedAddon {
  const named = process.env.OPENVPN_TS_ADDON;
  if (named) {
    const loaded = load(resolve(named), mismatch);
    return 'addon' in loaded ? loaded : { reason: `${loaded.reason} (the file that OPENVPN_TS_ADDON names)` };
  }
  const own = resolve(dirname(moduleFile()), '..', '..');
  const inPackage = isPackage(own);
  const roots = inPackage ? [own] : bundleRoots();
  let reason: string | undefined;
  for (const { file, unfit } of candidates(roots)) {
    const loaded = unfit === undefined ? load(file, mismatch) : { reason: unfit };
    if ('addon' in loaded) return loaded;
    reason ??= loaded.reason;
  }
  if (reason !== undefined) return { reason: `${reason} (run: ${buildCommand(roots[0] ?? own)})` };
  if (inPackage) return { reason: `the C++ addon is not built (run: ${buildCommand(own)})` };
  return {
    reason: `the C++ addon is not found from a bundle: install openvpn-ts where the bundle runs, put ${NAME} beside it, or name that file in OPENVPN_TS_ADDON`,
  };
}

interface Candidate {
  readonly file: string;
  /** Why it must not be loaded. */
  readonly unfit: string | undefined;
}

/** Looked at one by one: most often the first will do. */
function* candidates(roots: readonly string[]): Generator<Candidate> {
  for (const root of roots) {
    for (const file of [join(root, BUILT), join(root, NAME)])
      if (existsSync(file)) yield { file, unfit: undefined };
    const folder = join(root, PREBUILT);
    const prebuilt = join(folder, NAME);
    if (existsSync(prebuilt)) yield { file: prebuilt, unfit: unfitReason(folder) };
  }
}

function unfitReason(folder: string): string | undefined {
  const needs = readNeeds(join(folder, 'built-for.json'));
  if (needs === undefined) return 'the prebuilt C++ addon does not say what it is for';
  const { napi, openssl, uv } = process.versions;
  const musl = existsSync(MUSL_LOADER) && !existsSync(GLIBC_LOADER);
  const why = prebuiltMismatch(needs, { napi, openssl, uv, musl });
  return why && `the prebuilt C++ addon does not fit: ${why}`;
}

function readNeeds(file: string): PrebuiltNeeds | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as PrebuiltNeeds;
  } catch {
    return undefined;
  }
}

function load(file: string, mismatch: (addon: unknown) => string | undefined): LoadedAddon {
  try {
    const addon: unknown = moduleRequire()(file);
    const why = mismatch(addon);
    return why === undefined ? { addon } : { reason: `the C++ addon is of another build (${why} differs)` };
  } catch (error) {
    return { reason: `the C++ addon does not load: ${(error as Error).message.split('\n', 1)[0]}` };
  }
}

/** Places to look at from a bundle, the bundle's own folder last. */
function bundleRoots(): string[] {
  const roots = [dirname(moduleFile())];
  try {
    roots.unshift(dirname(moduleRequire().resolve('openvpn-ts/package.json')));
  } catch {
    // Not installed there.
  }
  return roots;
}

function isPackage(folder: string): boolean {
  try {
    const { name } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: unknown };
    return name === 'openvpn-ts';
  } catch {
    return false;
  }
}

/** A packed package has no settings of tsc. */
function buildCommand(root: string): string {
  const isCheckout = existsSync(join(root, 'tsconfig.build.json'));
  return isCheckout
    ? 'node scripts/install.mjs'
    : 'npm rebuild openvpn-ts, which needs make, g++ and python3';
}

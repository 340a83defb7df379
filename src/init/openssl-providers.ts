/**
 * --providers (2.x crypto_openssl.c crypto_load_provider()): OpenSSL's `legacy` one for old ciphers and
 * digests, or others from files. The addon loads them into the OpenSSL that Node runs on, where they stay until
 * the process ends. Node has loaded `default` whatever is asked for, and `legacy` with --openssl-legacy-provider.
 */
import { getCiphers } from 'node:crypto';
import { loadNative, nativeMissingReason } from '../native/native.ts';

const loaded = new Set<string>(['default']);
/** One of the ciphers that only the legacy provider has. */
const LEGACY_CIPHER = 'bf-cbc';

/** Loads a provider once; returns undefined, or why that can't be done in OpenSSL's words, line by line. */
export function loadOpensslProvider(name: string): readonly string[] | undefined {
  if (loaded.has(name) || (name === 'legacy' && startedWithLegacy())) return undefined;
  const addon = loadNative();
  if (!addon) return [`provider ${name}: ${nativeMissingReason()}`];
  const problem = addon.loadProvider(name);
  if (problem !== undefined) return problem.split('\n');
  loaded.add(name);
  return undefined;
}

/** Node lists what was there at its start. */
function startedWithLegacy(): boolean {
  return getCiphers().includes(LEGACY_CIPHER);
}

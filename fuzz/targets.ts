/**
 * Finds the fuzz entries: each file of this folder that isn't part of the fuzzer exports a `target`
 * named like the file. Works on the sources and on their translation alike.
 */
import { readdirSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FuzzTarget } from './engine.ts';

/** Files of this folder without an entry. */
const OTHERS = new Set(['engine', 'guarded-slot', 'run', 'targets']);
const here = new URL('.', import.meta.url);
const ending = extname(new URL(import.meta.url).pathname);

/** Names of all entries. */
export function listTargets(): string[] {
  return readdirSync(fileURLToPath(here))
    .filter((file) => file.endsWith(ending) && !file.includes('.test.'))
    .map((file) => file.slice(0, -ending.length))
    .filter((name) => !OTHERS.has(name))
    .sort();
}

/** The entry of one file. Throws when the file has none or it is named otherwise. */
export async function loadTarget(name: string): Promise<FuzzTarget> {
  const module: { target?: FuzzTarget } = await import(new URL(`${name}${ending}`, here).href);
  if (module.target?.name !== name) throw new Error(`fuzz/${name} exports no target of that name`);
  return module.target;
}

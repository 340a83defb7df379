/** Finds the fuzz entries: every file of this folder that exports a `target`. */
import { readdirSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FuzzTarget } from './engine.ts';

/** Files of this folder without an entry. */
const OTHERS = new Set(['engine', 'run', 'targets']);

/** All entries by name. Works on the sources and on their translation alike. */
export async function loadTargets(): Promise<FuzzTarget[]> {
  const here = new URL('.', import.meta.url);
  const ending = extname(new URL(import.meta.url).pathname);
  const targets: FuzzTarget[] = [];
  for (const file of readdirSync(fileURLToPath(here)).sort()) {
    const name = file.slice(0, -ending.length);
    if (!file.endsWith(ending) || file.includes('.test.') || OTHERS.has(name)) continue;
    const module: { target?: FuzzTarget } = await import(new URL(file, here).href);
    if (module.target === undefined) throw new Error(`fuzz/${file} exports no target`);
    targets.push(module.target);
  }
  return targets;
}

/**
 * Results of a run in pieces (`--add`): they are kept in a file per peer that git ignores, each saved as it comes, so
 * that a piece may end at any moment. Removing the file begins anew.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Peer } from './peer.ts';
import { addResults, countResults } from './report.ts';
import type { TestResult } from './runner.ts';

export class KeptResults {
  readonly path: string;

  constructor(dir: string, peer: Peer) {
    this.path = join(dir, `${peer.title.replaceAll(' ', '-')}.json`);
  }

  /** What is kept; nothing when the file isn't there. */
  read(): TestResult[] {
    if (!existsSync(this.path)) return [];
    return (JSON.parse(readFileSync(this.path, 'utf8')) as { results: TestResult[] }).results;
  }

  add(result: TestResult, facts: object): void {
    writeResults(this.path, addResults(this.read(), [result]), facts);
  }
}

/** Writes results and facts of a run to `path`. */
export function writeResults(path: string, results: readonly TestResult[], facts: object): void {
  mkdirSync(dirname(path), { recursive: true });
  const body = { ...facts, counts: countResults(results), results };
  writeFileSync(path, `${JSON.stringify(body, undefined, 1)}\n`);
}

/**
 * Results of runs against one peer, in a file of its own that git ignores. A run starts the file anew, or adds to it
 * (`--add`): then every result is saved as it comes, so that a run in pieces may end at any moment.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Peer } from './peer.ts';
import { addResults, countResults } from './report.ts';
import type { TestResult } from './runner.ts';

export class KeptResults {
  readonly path: string;
  readonly #adds: boolean;

  /** @param adds whether earlier results stay */
  constructor(dir: string, peer: Peer, adds: boolean) {
    this.path = join(dir, `${peer.title.replaceAll(' ', '-')}.json`);
    this.#adds = adds;
  }

  /** What is kept; nothing when the file isn't there. */
  read(): TestResult[] {
    if (!existsSync(this.path)) return [];
    return (JSON.parse(readFileSync(this.path, 'utf8')) as { results: TestResult[] }).results;
  }

  /** Called with each result as it comes. */
  note(result: TestResult, facts: object): void {
    if (this.#adds) this.save([result], facts);
  }

  /** Saves the results of a run. Returns them, with the earlier ones when those stay. */
  save(results: readonly TestResult[], facts: object): TestResult[] {
    const all = addResults(this.#adds ? this.read() : [], results);
    writeResults(this.path, all, facts);
    return all;
  }
}

/** Writes results and facts of a run to `path`. */
export function writeResults(path: string, results: readonly TestResult[], facts: object): void {
  mkdirSync(dirname(path), { recursive: true });
  const body = { ...facts, counts: countResults(results), results };
  writeFileSync(path, `${JSON.stringify(body, undefined, 1)}\n`);
}

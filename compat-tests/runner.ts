/**
 * Runs compat tests: some at a time, each in its own bed with a time limit, and gathers the results.
 * A test fails by throwing; it is skipped by throwing Skipped. Logs of failed tests go to the results folder.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pkiFor } from '../test-kit/pki.ts';
import { patient } from '../test-kit/process.ts';
import { Bed, type Programs } from './bed.ts';
import type { TunnelOptions } from './config.ts';
import type { Pairing } from './pairing.ts';
import type { PeerLimits } from './peer.ts';

export interface CompatTest {
  readonly name: string;
  readonly group: 'matrix' | 'scenario';
  /** Row of docs/compatibility.md. */
  readonly feature: string;
  readonly pairing: Pairing;
  /** Peers it is for. */
  readonly limits: PeerLimits;
  readonly tunnel: TunnelOptions;
  readonly timeoutMs: number;
  /** Client namespaces; 1 when left out. */
  /** Runs only with --full. */
  readonly full?: boolean;
  readonly clients?: number | undefined;
  /** Whether most of its time goes by without work for the processor. */
  readonly waits: boolean;
  run(bed: Bed): Promise<void>;
}

export interface TestResult {
  readonly name: string;
  readonly group: CompatTest['group'];
  readonly feature: string;
  readonly pairing: Pairing;
  readonly tunnel: TunnelOptions;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly seconds: number;
  /** Why it failed or was skipped. */
  readonly detail?: string;
}

/** Thrown by a test that can't run on this machine. */
export class Skipped extends Error {}

export interface RunOptions {
  readonly jobs: number;
  readonly programs: Programs;
  /** Folder for logs of failed tests. */
  readonly resultsDir: string;
  /** Called as each test ends. */
  onResult(result: TestResult): void;
}

/**
 * Runs all tests, `jobs` at a time, long ones first. Beside every two of them runs one more that mostly waits.
 * Results come in the order of `tests`.
 */
export async function runTests(tests: readonly CompatTest[], options: RunOptions): Promise<TestResult[]> {
  const results = new Map<CompatTest, TestResult>();
  const queue = [...tests].sort((a, b) => b.timeoutMs - a.timeoutMs);
  const waiting = queue.filter((test) => test.waits);
  const busy = queue.filter((test) => !test.waits);
  const work = async (next: () => CompatTest | undefined) => {
    for (let test = next(); test; test = next()) {
      const result = await runTest(test, options);
      results.set(test, result);
      options.onResult(result);
    }
  };
  const lanes = Array.from({ length: options.jobs }, () => work(() => busy.shift() ?? waiting.shift()));
  const calmLanes = Array.from({ length: Math.floor(options.jobs / 2) }, () => work(() => waiting.shift()));
  await Promise.all([...lanes, ...calmLanes]);
  return tests.map((test) => results.get(test)!);
}

async function runTest(test: CompatTest, options: RunOptions): Promise<TestResult> {
  const { name, group, feature, pairing, tunnel } = test;
  const pki = await pkiFor(tunnel.key);
  const startedMs = Date.now();
  let outcome: TestResult['outcome'] = 'passed';
  let detail: string | undefined;
  let bed: Bed | undefined;
  try {
    bed = Bed.create(pairing, options.programs, tunnel, pki, { clients: test.clients ?? 1 });
    await withLimit(test.run(bed), patient(test.timeoutMs));
  } catch (error) {
    outcome = error instanceof Skipped ? 'skipped' : 'failed';
    detail = (error as Error).message;
    if (bed && outcome === 'failed') saveLogs(options.resultsDir, test, `${detail}\n\n${bed.logs()}`);
  } finally {
    await bed?.close();
  }
  const seconds = (Date.now() - startedMs) / 1_000;
  return {
    name,
    group,
    feature,
    pairing,
    tunnel,
    outcome,
    seconds,
    ...(detail === undefined ? {} : { detail }),
  };
}

async function withLimit(work: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`took longer than ${timeoutMs / 1_000} s`)), timeoutMs);
  });
  // After the limit the bed is closed under the test; what it says then is of no interest.
  work.catch(() => undefined);
  await Promise.race([work, limit]).finally(() => clearTimeout(timer));
}

function saveLogs(dir: string, test: CompatTest, text: string): void {
  mkdirSync(join(dir, 'logs'), { recursive: true });
  const file = `${test.pairing} ${test.name}`.replace(/[^\w.-]+/g, '_');
  writeFileSync(join(dir, 'logs', `${file}.log`), text);
}

/**
 * Runs compat tests, each in its own bed with a time limit, and gathers the results.
 * A test fails by throwing; it is skipped by throwing Skipped. Logs of failed tests go to the results folder.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createIdleMeter } from '../test-kit/idle-time.ts';
import { pkiFor } from '../test-kit/pki.ts';
import { patient } from '../test-kit/process.ts';
import { Bed, type Programs } from './bed.ts';
import type { TunnelOptions } from './config.ts';
import type { Pairing } from './pairing.ts';
import type { PeerLimits } from './peer.ts';
import { playAll } from './schedule.ts';

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
  /** Runs only with --full. */
  readonly full?: boolean;
  /** Client namespaces; 1 when left out. */
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
  /** Why it failed beside others, when it passed alone afterwards. */
  readonly unsteady?: string;
}

/** Limit of what is done around a test: its certificates, its bed and the bed's end. */
const AROUND_MS = 60_000;

/** Thrown by a test that can't run on this machine. */
export class Skipped extends Error {}

export interface RunOptions {
  /** Tests at a time: see schedule.ts. */
  readonly jobs: number;
  readonly mostJobs: number;
  readonly programs: Programs;
  /** Folder for logs of failed tests. */
  readonly resultsDir: string;
  /** Called as each test ends; `again` says that it failed and will be tried once more. */
  onResult(result: TestResult, again: boolean): void;
}

/** Runs all tests as schedule.ts says. Results come in the order of `tests`. */
export function runTests(tests: readonly CompatTest[], options: RunOptions): Promise<TestResult[]> {
  const { jobs, mostJobs, onResult } = options;
  const play = (test: CompatTest) => runTest(test, options);
  return playAll(tests, { jobs, mostJobs, idleShare: createIdleMeter(), onResult, play });
}

async function runTest(test: CompatTest, options: RunOptions): Promise<TestResult> {
  const { name, group, feature, pairing, tunnel } = test;
  const startedMs = Date.now();
  const end = await runInBed(test, options);
  return { name, group, feature, pairing, tunnel, ...end, seconds: (Date.now() - startedMs) / 1_000 };
}

async function runInBed(
  test: CompatTest,
  options: RunOptions,
): Promise<Pick<TestResult, 'outcome' | 'detail'>> {
  let end: Pick<TestResult, 'outcome' | 'detail'> = { outcome: 'passed' };
  let bed: Bed | undefined;
  try {
    const pki = await withLimit(pkiFor(test.tunnel.key), patient(AROUND_MS));
    bed = Bed.create(test.pairing, options.programs, test.tunnel, pki, { clients: test.clients ?? 1 });
    await withLimit(test.run(bed), patient(test.timeoutMs));
  } catch (error) {
    const { message: detail } = error as Error;
    end = { outcome: error instanceof Skipped ? 'skipped' : 'failed', detail };
    if (bed && end.outcome === 'failed') saveLogs(options.resultsDir, test, `${detail}\n\n${bed.logs()}`);
  }
  try {
    if (bed) await withLimit(bed.close(), patient(AROUND_MS));
  } catch (error) {
    const details = [end.detail, `removing the bed: ${(error as Error).message}`];
    end = { outcome: 'failed', detail: details.filter((text) => text !== undefined).join('\n') };
  }
  return end;
}

async function withLimit<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`took longer than ${timeoutMs / 1_000} s`)), timeoutMs);
  });
  // After the limit the bed is closed under the test; what it says then is of no interest.
  work.catch(() => undefined);
  return Promise.race([work, limit]).finally(() => clearTimeout(timer));
}

function saveLogs(dir: string, test: CompatTest, text: string): void {
  mkdirSync(join(dir, 'logs'), { recursive: true });
  const file = `${test.pairing} ${test.name}`.replace(/[^\w.-]+/g, '_');
  writeFileSync(join(dir, 'logs', `${file}.log`), text);
}

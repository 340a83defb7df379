/**
 * `npm run compat`: runs the matrix and the scenarios between two openvpn programs in network namespaces.
 * Exit code 0 when nothing failed, 1 otherwise, 2 on wrong use. Without root or a peer every test counts
 * as skipped, and the first and last line say so.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { namespacesUnavailable, sweepStaleNamespaces } from '../test-kit/netns.ts';
import { sweepTemporaryFolders } from '../test-kit/temporary.ts';
import { PAIRINGS } from './bed.ts';
import { matrixTests } from './matrix.ts';
import { countResults, resultLine, resultTables, writeDocs, writeJson } from './report.ts';
import { type CompatTest, runTests, type TestResult } from './runner.ts';
import { scenarioTests } from './scenarios/list.ts';

const USAGE = `usage: npm run compat -- [options]
  --peer PATH     reference program (default: openvpn of the system)
  --ours PATH     program under test (default: bin/openvpn)
  --filter WORD   only tests whose pairing or name holds all words given
  --group NAME    matrix or scenario
  --jobs N        tests at a time (default 3)
  --full          the full product instead of the pairwise design
  --list          names only
  --quiet         only failures and the closing line
  --write-docs    writes the tables into docs/compatibility.md
`;

const OPTIONS = {
  peer: { type: 'string', default: '/usr/sbin/openvpn' },
  ours: { type: 'string', default: 'bin/openvpn' },
  filter: { type: 'string', multiple: true },
  group: { type: 'string' },
  jobs: { type: 'string', default: '3' },
  full: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  quiet: { type: 'boolean', default: false },
  'write-docs': { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

const RESULTS_DIR = resolve('compat-tests/results');

process.exitCode = await main();

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) return 2;
  const tests = selectTests(options);
  if (options.list) {
    for (const test of tests) print(`${test.pairing}  ${test.name}`);
    return 0;
  }
  const programs = { ours: resolve(options.ours), peer: resolve(options.peer) };
  const obstacle =
    namespacesUnavailable() ?? missing(programs.peer, 'peer') ?? missing(programs.ours, 'our program');
  const results = obstacle === undefined ? await run(tests, programs, options) : skipAll(tests, obstacle);
  return report(results, programs, options);
}

type Options = NonNullable<ReturnType<typeof readOptions>>;

function readOptions() {
  try {
    const { values } = parseArgs({ options: OPTIONS, allowPositionals: false });
    const jobs = Number(values.jobs);
    if (values.help || !Number.isInteger(jobs) || jobs < 1) throw new Error('');
    return { ...values, jobs };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}`);
    return undefined;
  }
}

function selectTests(options: Options): CompatTest[] {
  const all = PAIRINGS.flatMap((pairing) => [
    ...matrixTests(pairing, options.full),
    ...scenarioTests(pairing),
  ]);
  return all.filter((test) => {
    const title = `${test.pairing} ${test.group} ${test.name}`;
    const inGroup = options.group === undefined || options.group === test.group;
    return inGroup && (options.filter ?? []).every((word) => title.includes(word));
  });
}

function run(
  tests: CompatTest[],
  programs: { ours: string; peer: string },
  options: Options,
): Promise<TestResult[]> {
  sweepTemporaryFolders();
  const stale = sweepStaleNamespaces();
  if (stale.length > 0) print(`removed stale namespaces: ${stale.join(' ')}`);
  const onResult = (result: TestResult) => {
    if (!options.quiet || result.outcome !== 'passed') print(resultLine(result));
  };
  return runTests(tests, { jobs: options.jobs, programs, resultsDir: RESULTS_DIR, onResult });
}

function skipAll(tests: readonly CompatTest[], why: string): TestResult[] {
  print(`SKIPPED: all ${tests.length} compat tests: ${why}`);
  return tests.map(({ name, group, pairing, tunnel }) => {
    return { name, group, pairing, tunnel, outcome: 'skipped', seconds: 0, detail: why };
  });
}

function report(results: TestResult[], programs: { ours: string; peer: string }, options: Options): number {
  const { passed, failed, skipped } = countResults(results);
  const peerVersion = versionOf(programs.peer);
  if (!options.quiet) print(`\n${resultTables(results)}\n`);
  const file = save(results, { peerVersion, oursVersion: versionOf(programs.ours) });
  if (options['write-docs']) writeDocs('docs/compatibility.md', results, peerVersion);
  print(`results: ${file}`);
  if (skipped > 0)
    print(`SKIPPED: ${skipped} compat tests: ${results.find((r) => r.outcome === 'skipped')?.detail}`);
  print(`compat: ${passed} passed, ${failed} failed, ${skipped} skipped`);
  return failed > 0 ? 1 : 0;
}

/** Results of an earlier run by another user may be in the way; that is no reason to fail. */
function save(results: TestResult[], facts: object): string {
  try {
    return writeJson(RESULTS_DIR, results, facts);
  } catch (error) {
    return `not written: ${(error as Error).message}`;
  }
}

function missing(path: string, what: string): string | undefined {
  try {
    accessSync(path, constants.X_OK);
    return undefined;
  } catch {
    return `${what} ${path} is missing or not executable`;
  }
}

function versionOf(path: string): string {
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 10_000 });
  return (stdout ?? '').split('\n')[0]?.split(' ').slice(0, 2).join(' ') || 'unknown';
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

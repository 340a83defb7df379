/**
 * `npm run compat`: runs the matrix and the scenarios between two openvpn programs in network namespaces.
 * Exit code 0 when nothing failed, 1 otherwise, 2 on wrong use. Without root or a peer every test counts
 * as skipped, and the first and last line say so.
 */
import { accessSync, appendFileSync, constants } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { namespacesUnavailable, sweepStaleNamespaces } from '../test-kit/netns.ts';
import { setPatience } from '../test-kit/process.ts';
import { sweepTemporaryFolders } from '../test-kit/temporary.ts';
import type { Programs } from './bed.ts';
import { KeptResults, writeResults } from './kept-results.ts';
import { matrixTests } from './matrix.ts';
import { PAIRINGS } from './pairing.ts';
import { fits, type Peer, playsIn, readPeer } from './peer.ts';
import { closingLines, journalLine, keyOf, resultLine, resultTables, writeDocs } from './report.ts';
import { type CompatTest, runTests, type TestResult } from './runner.ts';
import { scenarioTests } from './scenarios/list.ts';

/** Tests at a time, on a busy machine and on an idle one. Each waits more than it works, for answers and for timers of the protocol. */
const JOBS = Math.ceil(2.5 * availableParallelism());
const MOST_JOBS = 5 * availableParallelism();

const USAGE = `usage: npm run compat -- [options]
  --peer PATH     reference program (default: openvpn of the system)
  --ours PATH     program under test (default: bin/openvpn)
  --filter WORD   only tests whose pairing or name holds all words given
  --group NAME    matrix or scenario
  --jobs N        tests at a time (default ${JOBS} here, up to ${MOST_JOBS} while processors are idle)
  --full          the full product instead of the pairwise design
  --list          names only
  --quiet         only failures and the closing lines
  --journal FILE  adds a line to FILE for each result as it comes
  --add           keeps the results of earlier runs against this peer: a run in pieces
  --unpassed      the same, and only tests that have not passed before
  --patience N    multiplies the time limits, for a busy machine (default 1)
  --write-docs    writes the peer's column, and ours, into the tables of docs/compatibility.md
`;

const OPTIONS = {
  peer: { type: 'string', default: '/usr/sbin/openvpn' },
  ours: { type: 'string', default: 'bin/openvpn' },
  filter: { type: 'string', multiple: true },
  group: { type: 'string' },
  jobs: { type: 'string' },
  full: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  quiet: { type: 'boolean', default: false },
  journal: { type: 'string' },
  add: { type: 'boolean', default: false },
  unpassed: { type: 'boolean', default: false },
  patience: { type: 'string', default: '1' },
  'write-docs': { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

const RESULTS_DIR = resolve('compat-tests/results');

process.exitCode = await main();

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) return 2;
  const peer = resolve(options.peer);
  const programs = { ours: resolve(options.ours), peer, reference: readPeer(peer) };
  const kept = new KeptResults(RESULTS_DIR, programs.reference);
  const all = allTests(options, programs.reference);
  const wanted = all.filter(chooser(options, kept));
  const forPeer = (test: CompatTest) => fits(test.limits, programs.reference, test.pairing);
  const tests = wanted.filter(forPeer);
  if (options.list) {
    for (const test of tests) print(`${test.pairing}  ${test.name}`);
    return 0;
  }
  const facts = { peerVersion: programs.reference.title, oursVersion: readPeer(programs.ours).title };
  const obstacle =
    namespacesUnavailable() ?? missing(programs.peer, 'peer') ?? missing(programs.ours, 'our program');
  const adds = options.add || options.unpassed;
  const note = (result: TestResult) => {
    if (adds) kept.add(result, facts);
    if (options.journal !== undefined) appendFileSync(options.journal, journalLine(result));
  };
  const results =
    obstacle === undefined ? await run(tests, programs, options, note) : skipAll(tests, obstacle);
  print(`results: ${save(results, facts)}`);
  if (options['write-docs'])
    updateDocs(all.filter(forPeer), adds ? kept.read() : results, programs.reference, adds);
  return report(results, wanted.length - tests.length, options);
}

type Options = NonNullable<ReturnType<typeof readOptions>>;

function readOptions() {
  try {
    const { values } = parseArgs({ options: OPTIONS, allowPositionals: false });
    const jobs = Number(values.jobs ?? JOBS);
    const mostJobs = values.jobs === undefined ? MOST_JOBS : jobs;
    const patience = Number(values.patience);
    if (values.help || !Number.isInteger(jobs) || jobs < 1 || !(patience >= 1)) throw new Error('');
    return { ...values, jobs, mostJobs, patience };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}`);
    return undefined;
  }
}

function allTests(options: Options, peer: Peer): CompatTest[] {
  return PAIRINGS.filter((pairing) => playsIn(peer, pairing)).flatMap((pairing) => [
    ...matrixTests(pairing, options.full, peer),
    ...scenarioTests(pairing, options.full),
  ]);
}

/** Says of a test whether the command line asks for it. */
function chooser(options: Options, kept: KeptResults): (test: CompatTest) => boolean {
  const passed = options.unpassed ? kept.read().filter((result) => result.outcome === 'passed') : [];
  const known = new Set(passed.map(keyOf));
  return (test) => {
    const title = `${test.pairing} ${test.group} ${test.feature}: ${test.name}`;
    const inGroup = options.group === undefined || options.group === test.group;
    const isOpen = !known.has(keyOf(test));
    return inGroup && isOpen && (options.filter ?? []).every((word) => title.includes(word));
  };
}

function run(
  tests: CompatTest[],
  programs: Programs,
  options: Options,
  note: (result: TestResult) => void,
): Promise<TestResult[]> {
  setPatience(options.patience);
  sweepTemporaryFolders();
  const stale = sweepStaleNamespaces();
  if (stale.length > 0) print(`removed stale namespaces: ${stale.join(' ')}`);
  const onResult = (result: TestResult, again: boolean) => {
    note(result);
    if (!options.quiet || result.outcome !== 'passed') print(resultLine(result, again));
  };
  const { jobs, mostJobs } = options;
  return runTests(tests, { jobs, mostJobs, programs, resultsDir: RESULTS_DIR, onResult });
}

function skipAll(tests: readonly CompatTest[], why: string): TestResult[] {
  print(`SKIPPED: all ${tests.length} compat tests: ${why}`);
  return tests.map(({ name, group, feature, pairing, tunnel }) => {
    return { name, group, feature, pairing, tunnel, outcome: 'skipped', seconds: 0, detail: why };
  });
}

function report(results: readonly TestResult[], notForPeer: number, options: Options): number {
  if (!options.quiet) print(`\n${resultTables(results)}\n`);
  if (notForPeer > 0) print(`${notForPeer} cases are not for this peer`);
  const { lines, good } = closingLines(results);
  for (const line of lines) print(line);
  return good ? 0 : 1;
}

/** Results of another user may be in the way; that is no reason to fail. */
function save(results: readonly TestResult[], facts: object): string {
  try {
    const path = join(RESULTS_DIR, 'latest.json');
    writeResults(path, results, facts);
    return path;
  } catch (error) {
    return `not written: ${(error as Error).message}`;
  }
}

/** @param tests all that are for this peer, run or not */
function updateDocs(
  tests: readonly CompatTest[],
  results: readonly TestResult[],
  peer: Peer,
  inPieces: boolean,
): void {
  const path = 'docs/compatibility.md';
  const { written, missing: without } = writeDocs(path, tests, results, peer, inPieces);
  for (const column of written) print(`${path}: column "${column}" written`);
  for (const [column, count] of without)
    print(
      `${path}: column "${column}"${written.includes(column) ? '' : ' left'}: ${count} tests have no result`,
    );
}

function missing(path: string, what: string): string | undefined {
  try {
    accessSync(path, constants.X_OK);
    return undefined;
  } catch {
    return `${what} ${path} is missing or not executable`;
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

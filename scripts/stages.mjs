/**
 * The stages of `npm test` and `npm run check`, in their order. A stage returns how many of its tests
 * passed, failed and were skipped, and a text for those that didn't pass.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rules } from './lint-files.mjs';
import { runLimited, SKIPPED_EXIT } from './run-limited.mjs';
import { sanitize } from './sanitize.mjs';
import { root, setUp } from './setup.mjs';

const MINUTE_MS = 60_000;
/** Each start of Node, so each test file's, would read these certificates first: 60 ms of CPU for a system's list. */
const WITHOUT_CERTIFICATES = { NODE_EXTRA_CA_CERTS: undefined };

export const setUpStage = { name: 'set-up', run: async () => verdict(await setUp()) };

/** Quick looks at the sources, without running them. */
export const lintStages = [
  {
    name: 'format and lint (biome)',
    run: () => tool('@biomejs/biome', 'biome', ['check', '--error-on-warnings', '.']),
  },
  {
    name: 'format of native/ (clang-format)',
    run: () => tool('@wasm-fmt/clang-format', 'clang-format', ['--dry-run', '--Werror', ...nativeFiles()]),
  },
  { name: 'types (tsc)', run: () => tool('typescript', 'tsc', ['-p', 'tsconfig.json', '--noEmit']) },
  {
    name: 'floors (dependency-cruiser)',
    run: () => tool('dependency-cruiser', 'depcruise', floorArguments()),
  },
  { name: 'file sizes', run: async () => verdict(rules.sizes()) },
  { name: 'opening comments', run: async () => verdict(rules.headers()) },
  { name: 'port map', run: async () => verdict(rules.portMap()) },
  { name: 'lock file', run: async () => verdict(rules.lockFile()) },
];

export const unusedStage = {
  name: 'unused exports (knip)',
  run: () => tool('knip', 'knip', ['--no-progress']),
};

/** Unit tests; the long variant has a thousand seeds where the short one has a few. */
export function unitStage(long = false) {
  const env = { ...WITHOUT_CERTIFICATES, ...(long ? { OPENVPN_TS_LONG: '1' } : {}) };
  // Against endless loops only: each test has a limit of its own, and a busy machine must not reach this one.
  const limitMs = (long ? 240 : 60) * MINUTE_MS;
  return {
    name: 'unit, simulation, conformance (vitest)',
    run: () => vitestStage([binary('vitest', 'vitest'), 'run'], limitMs, env),
  };
}

/** Every fuzz entry for its time, one after the other; the unit stage runs all of them briefly. */
export function fuzzStage(secondsEach = 60) {
  const limitMs = fuzzEntries() * (secondsEach + 60) * 1_000;
  return {
    name: `fuzz entries, ${secondsEach} s each`,
    run: async () => {
      const args = ['scripts/tools.mjs', 'fuzz/run.ts', 'all', '--seconds', `${secondsEach}`];
      const result = await runLimited(process.execPath, args, { limitMs, echo: true });
      const counts = /^fuzz: (\d+) passed, (\d+) failed\s*$/m.exec(result.output);
      if (!counts) return verdict([result.timedOut ? 'time limit' : 'ended early'], 1);
      return { passed: Number(counts[1]), failed: Number(counts[2]), skipped: 0, text: '' };
    },
  };
}

/** The addon under sanitizers (scripts/sanitize.mjs). */
export const sanitizerStage = { name: 'the addon under ASan and UBSan', run: () => sanitize(60) };

export const nativeStage = {
  name: 'native backends in a namespace',
  run: () => vitestStage([join(root, 'scripts/native-tests.mjs')], 30 * MINUTE_MS, WITHOUT_CERTIFICATES),
};

/** The package that `npm pack` makes, installed as users do. Needs the npm registry. */
export const packageStage = {
  name: 'the packed package',
  run: () => {
    const config = ['--config', 'compat-tests/package/vitest.config.ts'];
    return vitestStage([binary('vitest', 'vitest'), 'run', ...config], 60 * MINUTE_MS);
  },
};

/** The compat tests; `extra` goes to compat-tests/main.ts. Without a limit: each of its tests has one. */
export function compatStage(extra = []) {
  return { name: 'compat tests against openvpn', run: () => compat(extra) };
}

function fuzzEntries() {
  return readdirSync(join(root, 'fuzz')).filter((file) => file.endsWith('.ts')).length;
}

function nativeFiles() {
  return readdirSync(join(root, 'native')).map((file) => join('native', file));
}

function floorArguments() {
  const folders = ['src', 'compat-tests', 'bench'].filter((folder) => existsSync(join(root, folder)));
  return [...folders, '--config', '.dependency-cruiser.cjs'];
}

/** Runs a tool of node_modules; its exit code is the verdict. */
async function tool(packageName, program, args) {
  const result = await runLimited(process.execPath, [binary(packageName, program), ...args], {
    limitMs: 30 * MINUTE_MS,
  });
  return result.code === 0 ? verdict([]) : verdict([lastLines(result)], 1);
}

async function vitestStage(command, limitMs, env = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'ovt-vitest-'));
  const file = join(dir, 'results.json');
  try {
    const report = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
    const result = await runLimited(process.execPath, [...command, ...report], { limitMs, env });
    if (result.code === SKIPPED_EXIT) return { passed: 0, failed: 0, skipped: 1, text: result.output.trim() };
    if (!existsSync(file)) return verdict([lastLines(result)], 1);
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(
      readFileSync(file, 'utf8'),
    );
    // A file that can't be loaded, or a stray error, fails the run without failing a test.
    const failed = Math.max(numFailedTests, result.code === 0 ? 0 : 1);
    const text = failed > 0 ? lastLines(result, 200) : '';
    return { passed: numPassedTests, failed, skipped: numPendingTests + numTodoTests, text };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function compat(extra) {
  const dir = mkdtempSync(join(tmpdir(), 'ovt-compat-'));
  const journal = join(dir, 'journal');
  try {
    const args = ['scripts/tools.mjs', 'compat-tests/main.ts', '--quiet', '--journal', journal, ...extra];
    const result = await runLimited(process.execPath, args, { echo: true, env: WITHOUT_CERTIFICATES });
    return compatVerdict(result, existsSync(journal) ? readFileSync(journal, 'utf8') : '');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The counts of the closing line. Where there is none, those of the journal: what was done counts, and the end is one failure. */
export function compatVerdict({ code, output }, journal) {
  const counts = /^compat: (\d+) passed, (\d+) failed, (\d+) skipped\s*$/m.exec(output);
  if (counts) {
    const [passed, failed, skipped] = counts.slice(1).map(Number);
    return { passed, failed, skipped, text: '' };
  }
  const outcomes = new Map(
    journal
      .split('\n')
      .filter((line) => line.endsWith(']'))
      .map((line) => JSON.parse(line)),
  );
  const count = (outcome) => [...outcomes.values()].filter((value) => value === outcome).length;
  const text = `the compat tests ended early (exit code ${code}): ${outcomes.size} results until then count`;
  return { passed: count('passed'), failed: count('failed') + 1, skipped: count('skipped'), text };
}

/** Counts a list of problems: none is one passed test. */
function verdict(problems, failed = problems.length) {
  return { passed: failed === 0 ? 1 : 0, failed, skipped: 0, text: problems.join('\n') };
}

function lastLines({ output, timedOut }, count = 60) {
  const lines = output.trim().split('\n').slice(-count);
  return [...lines, ...(timedOut ? ['(time limit)'] : [])].join('\n');
}

/** The JavaScript file behind a package's program, without npx and its start-up time. */
function binary(packageName, program) {
  const home = packageHome(packageName);
  const { bin } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  return join(home, typeof bin === 'string' ? bin : bin[program]);
}

function packageHome(packageName) {
  const paths = createRequire(join(root, 'package.json')).resolve.paths(packageName) ?? [];
  const found = paths
    .map((path) => join(path, packageName))
    .find((path) => existsSync(join(path, 'package.json')));
  if (found === undefined) throw new Error(`the package ${packageName} is not installed`);
  return found;
}

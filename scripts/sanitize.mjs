/**
 * Runs what touches the addon's memory with AddressSanitizer and UndefinedBehaviorSanitizer: a build of the addon of its
 * own in build-asan/, the vitest files that use it, the device tests (as root) and the fuzz entries that reach it. Node
 * itself is not instrumented, so the sanitizers' libraries are loaded ahead of it. Any report fails; reports are files
 * in build-asan/reports/. Leaks are not looked for: node ends without freeing everything.
 *
 *   node scripts/sanitize.mjs [--seconds N]     for each fuzz entry, 30 s by default
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { nodeDirectory, nodeGyp, sources } from './install.mjs';
import { isProgram, runTelling } from './progress.mjs';
import { runLimited, SKIPPED_EXIT } from './run-limited.mjs';
import { root } from './setup.mjs';
import { buildTools } from './tools.mjs';

const folder = join(root, 'build-asan');
const reports = join(folder, 'reports');
const product = join(folder, 'build/Release/openvpn_native.node');
const FLAGS = [
  '-fsanitize=address,undefined',
  '-fno-sanitize=vptr',
  '-fno-sanitize-recover=undefined',
  '-g',
  '-O1',
];
const FUZZ_ENTRIES = ['segments', 'tls-engine', 'data-packet', 'epoch-packet', 'live-session'];
const HOUR_MS = 3_600_000;

if (isProgram(import.meta.url)) {
  const { values } = parseArgs({ options: { seconds: { type: 'string', default: '30' } } });
  const { passed, failed, skipped, text } = await sanitize(Number(values.seconds));
  process.stdout.write(
    `${text === '' ? '' : `${text}\n`}sanitizers: ${passed} passed, ${failed} failed, ${skipped} skipped\n`,
  );
  process.exitCode = failed === 0 ? 0 : 1;
}

/** Builds and runs everything; each program that ran is one test. */
export async function sanitize(fuzzSeconds) {
  const problem = await build();
  if (problem !== undefined) return { passed: 0, failed: 1, skipped: 0, text: problem };
  emptyReports();
  const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
  const fuzz = await buildTools('fuzz/run.ts');
  const limits = ['--testTimeout=300000', '--hookTimeout=300000'];
  // ASan keeps what was freed, to find its use: how much memory a process holds says nothing then.
  const allButMemory = ['--testNamePattern', '^(?!.*keeps memory flat)'];
  const runs = [
    ['native suites', [vitest, 'run', ...limits, ...allButMemory, ...suites()]],
    ['native devices', ['scripts/native-tests.mjs', ...limits]],
    ...FUZZ_ENTRIES.map((name) => [`fuzz ${name}`, [fuzz, name, '--seconds', `${fuzzSeconds}`]]),
  ];
  const total = { passed: 0, failed: 0, skipped: 0, text: '' };
  for (const [name, args] of runs) {
    const outcome = await runOne(args);
    total[outcome.kind]++;
    process.stdout.write(`   ${name}: ${outcome.kind}\n`);
    if (outcome.kind !== 'passed') total.text += `${name}:\n${outcome.text}\n`;
  }
  return total;
}

async function runOne(args) {
  const result = await runLimited(process.execPath, args, { limitMs: HOUR_MS, env: environment() });
  // Node's own stacks make it warn of itself; what it finds says ERROR or runtime error.
  const found = readdirSync(reports)
    .map((name) => readFileSync(join(reports, name), 'utf8'))
    .filter((text) => /ERROR: \w+Sanitizer|runtime error:/.test(text));
  emptyReports();
  const text = [
    ...found.map((report) => report.slice(0, 6_000)),
    result.output.trim().split('\n').slice(-40).join('\n'),
  ];
  if (result.code === SKIPPED_EXIT && found.length === 0)
    return { kind: 'skipped', text: result.output.trim() };
  const good = result.code === 0 && found.length === 0;
  return { kind: good ? 'passed' : 'failed', text: text.join('\n') };
}

function emptyReports() {
  rmSync(reports, { recursive: true, force: true });
  mkdirSync(reports, { recursive: true });
}

/** The sanitizers' libraries must come first in a process that wasn't built with them. */
function environment() {
  const libraries = ['libasan.so', 'libubsan.so'].map((name) => {
    return spawnSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim();
  });
  // Programs that tests start inherit all this; the system's ip has an overlapping strncpy() of its own.
  const suppressions = join(folder, 'suppressions');
  writeFileSync(suppressions, 'interceptor_via_lib:bin/ip$\n');
  const options = `log_path=${join(reports, 'report')}:print_stacktrace=1:halt_on_error=1`;
  return {
    LD_PRELOAD: libraries.join(' '),
    ASAN_OPTIONS: `${options}:detect_leaks=0:suppressions=${suppressions}`,
    UBSAN_OPTIONS: options,
    OPENVPN_TS_ADDON: product,
  };
}

/** Unit tests that get the addon, by whatever way. */
function suites() {
  return readdirSync(join(root, 'src'), { recursive: true })
    .map((name) => join('src', String(name)))
    .filter((name) => name.endsWith('.test.ts'))
    .filter((name) => /addonForTests|-native\.ts'|loadNative/.test(readFileSync(join(root, name), 'utf8')));
}

/** Builds build-asan/ where a source is newer; returns what went wrong. */
async function build() {
  const newest = Math.max(...sources().map((path) => statSync(path).mtimeMs));
  if (existsSync(product) && statSync(product).mtimeMs > newest) return undefined;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"name":"build-asan","private":true}\n');
  writeFileSync(join(folder, 'binding.gyp'), sanitizedGyp());
  const nodeDir = nodeDirectory();
  const args = [nodeGyp(), 'rebuild', ...(nodeDir === undefined ? [] : [`--nodedir=${nodeDir}`])];
  const what = 'compiling the addon with sanitizers';
  const { status, stdout, stderr } = await runTelling(what, process.execPath, args, { cwd: folder });
  return status === 0
    ? undefined
    : `${what} failed:\n${`${stdout}${stderr}`.split('\n').slice(-30).join('\n')}`;
}

/** binding.gyp as seen from build-asan/, with the sanitizers. */
function sanitizedGyp() {
  const flags = FLAGS.map((flag) => `"${flag}"`).join(', ');
  return readFileSync(join(root, 'binding.gyp'), 'utf8')
    .replaceAll('"native/', '"../native/')
    .replace('"-O2"', flags)
    .replace('"ldflags": [', `"ldflags": [${flags}, `);
}

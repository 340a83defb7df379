/**
 * Runs the project's TypeScript tools (compat tests, bench, fuzz, examples) on Node 20, which can't read
 * TypeScript: translates their folders and test-kit/ file by file into node_modules/.cache and starts the asked
 * program there. Types are checked elsewhere (tsc in npm test); files are translated only when newer than their
 * translation, after the same set-up as npm start's. The tools load no product code: they start the product as a
 * program. Only fuzz/ and examples/ load it, and have src/ translated along.
 *
 *   node scripts/tools.mjs compat-tests/main.ts --filter udp
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { isProgram } from './progress.mjs';
import { root, setUp, TEST_PROGRAMS } from './setup.mjs';

const FOLDERS = ['test-kit', 'compat-tests', 'bench'];
const LOADS_PRODUCT = /^(fuzz|examples)\//;
const FOLDERS_WITH_PRODUCT = [...FOLDERS, 'fuzz', 'examples', 'src'];
/** Checkouts that share one node_modules have a folder each. */
const checkout = createHash('sha256').update(root).digest('hex').slice(0, 8);
const outRoot = join(root, 'node_modules', '.cache', `openvpn-ts-tools-${checkout}`);

/** Translates what is out of date and returns the path of the translated `entry`. */
export async function buildTools(entry) {
  const folders = LOADS_PRODUCT.test(entry) ? FOLDERS_WITH_PRODUCT : FOLDERS;
  const sources = folders.flatMap((folder) => listSources(join(root, folder)));
  const stale = sources.filter((source) => !isFresh(source, targetOf(source)));
  removeOrphans(folders, sources);
  if (stale.length > 0) {
    const { transformSync } = await import('rolldown/utils');
    for (const source of stale) translate(transformSync, source);
    writeWhole(join(outRoot, 'package.json'), '{"type":"module"}\n');
  }
  return targetOf(join(root, entry));
}

/** Starts a translated tool with inherited terminal and returns its exit code; signals are passed on. */
export async function runTool(entry, args) {
  const program = await buildTools(entry);
  // The translated sources are elsewhere than the addon.
  const addon = process.env.OPENVPN_TS_ADDON ?? join(root, 'build', 'Release', 'openvpn_native.node');
  const env = LOADS_PRODUCT.test(entry) ? { ...process.env, OPENVPN_TS_ADDON: addon } : process.env;
  const child = spawn(process.execPath, [program, ...args], { cwd: root, stdio: 'inherit', env });
  const forward = (signal) => child.kill(signal);
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', forward);
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => {
      process.off('SIGTERM', forward);
      resolve(signal ? 1 : (code ?? 1));
    });
  });
}

function translate(transformSync, source) {
  const { code, map, errors } = transformSync(source, readFileSync(source, 'utf8'), {
    target: 'es2022',
    sourcemap: true,
    typescript: { onlyRemoveTypeImports: true, rewriteImportExtensions: 'rewrite' },
  });
  const [first] = errors;
  if (first) throw new Error(`${source}: ${first.message}`);
  mkdirSync(dirname(targetOf(source)), { recursive: true });
  const encoded = Buffer.from(JSON.stringify(map)).toString('base64');
  writeWhole(targetOf(source), `${code}//# sourceMappingURL=data:application/json;base64,${encoded}\n`);
}

/** Another program, started at the same time, never reads half of it. */
function writeWhole(path, text) {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, text);
  renameSync(draft, path);
}

function targetOf(source) {
  return join(outRoot, relative(root, source)).replace(/\.ts$/, '.js');
}

function isFresh(source, target) {
  return existsSync(target) && statSync(target).mtimeMs >= statSync(source).mtimeMs;
}

function removeOrphans(folders, sources) {
  const wanted = new Set(sources.map(targetOf));
  for (const folder of folders) {
    for (const old of listFiles(join(outRoot, folder), '.js')) if (!wanted.has(old)) rmSync(old);
  }
}

function listSources(folder) {
  return listFiles(folder, '.ts').filter((path) => !path.endsWith('.test.ts'));
}

function listFiles(folder, ending) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((path) => path.endsWith(ending) && !path.includes(`${sep}results${sep}`));
}

/** fuzz/ and examples/ need nothing of the system. */
function programsOf(entry) {
  return LOADS_PRODUCT.test(entry) ? [] : TEST_PROGRAMS;
}

if (isProgram(import.meta.url)) {
  const [entry, ...args] = process.argv.slice(2);
  if (!entry) {
    process.stderr.write('usage: node scripts/tools.mjs FOLDER/main.ts [ARGUMENTS]\n');
    process.exit(2);
  }
  for (const problem of await setUp(programsOf(entry))) process.stderr.write(`${problem}\n`);
  process.exitCode = await runTool(entry, args);
}

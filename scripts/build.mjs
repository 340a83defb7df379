/**
 * Compiles src/ into dist/ with tsc (npm's prepare step), joins the modules of the program `openvpn` into one
 * file, and keeps V8's code for it: it starts in a third of the time (docs/decisions/0018-one-file-to-start.md). An
 * installed package comes with dist/ and without typescript: then there is nothing to do. Output goes to
 * a folder beside dist/ and takes its place at the end, so programs started meanwhile find the old one whole.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { provideCode } from './code-cache.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const next = join(root, 'dist-next');
const tsc = findCompiler();

if (tsc !== undefined) await build(tsc);
else if (!existsSync(dist)) {
  console.error('openvpn-ts: dist/ is missing, and so is typescript to build it (run: npm install)');
  process.exitCode = 1;
}

/** A type error fails the build, but what tsc emitted is taken over all the same. */
async function build(tsc) {
  rmSync(next, { recursive: true, force: true });
  const args = [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', next];
  const run = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (existsSync(next)) {
    await joinModules('cli/openvpn');
    provideCode(join(next, 'cli/openvpn.cjs'));
    rmSync(dist, { recursive: true, force: true });
    renameSync(next, dist);
  }
  process.exitCode = run.status ?? 1;
}

/**
 * Replaces tsc's file of a program by one that holds its modules too, with their sources in its source map. It is
 * CommonJS: V8's code can be kept for that, and Node's loader of ES modules need not start.
 */
async function joinModules(program) {
  const { rolldown } = await import('rolldown');
  const bundle = await rolldown({
    input: join(root, 'src', `${program}.ts`),
    platform: 'node',
    // The one package that every start needs. The others are for some starts only.
    external: (name) => /^[^./]/.test(name) && name !== 'ipaddr.js',
    plugins: [{ name: 'ascii', renderChunk: (code) => ({ code: toAscii(code), map: null }) }],
  });
  await bundle.write({
    file: join(next, `${program}.cjs`),
    format: 'cjs',
    sourcemap: true,
    codeSplitting: false,
    banner: licenceComment('ipaddr.js'),
  });
  await bundle.close();
  for (const ending of ['.js', '.js.map', '.d.ts']) rmSync(join(next, `${program}${ending}`));
}

/** One letter beyond ASCII would make V8 keep the whole text with two bytes for each letter. */
function toAscii(code) {
  return code.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The terms of a package whose code goes into a file of ours. */
function licenceComment(name) {
  const text = readFileSync(join(root, 'node_modules', name, 'LICENSE'), 'utf8').trim();
  return `/*\nContains ${name}:\n\n${text}\n*/`;
}

function findCompiler() {
  try {
    return createRequire(import.meta.url).resolve('typescript/bin/tsc');
  } catch {
    return undefined;
  }
}

/**
 * Compiles src/ into dist/ with tsc (npm's prepare step). An installed package comes with dist/ and
 * without typescript: then there is nothing to do. Output goes to a folder beside dist/ and takes its
 * place at the end, so programs started meanwhile find the old one whole.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const next = join(root, 'dist-next');
const tsc = findCompiler();

if (tsc !== undefined) compile(tsc);
else if (!existsSync(dist)) {
  console.error('openvpn-ts: dist/ is missing, and so is typescript to build it (run: npm install)');
  process.exitCode = 1;
}

/** A type error fails the build, but what tsc emitted is taken over all the same. */
function compile(tsc) {
  rmSync(next, { recursive: true, force: true });
  const args = [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', next];
  const run = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (existsSync(next)) {
    rmSync(dist, { recursive: true, force: true });
    renameSync(next, dist);
  }
  process.exitCode = run.status ?? 1;
}

function findCompiler() {
  try {
    return createRequire(import.meta.url).resolve('typescript/bin/tsc');
  } catch {
    return undefined;
  }
}

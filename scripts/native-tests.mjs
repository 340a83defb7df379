/**
 * Runs compat-tests/native/ (real TUN devices, real back-pressure) in a network namespace made for it:
 * needs root and iproute2. Exit code 77 says that this machine can't, and why.
 */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SKIPPED_EXIT } from './run-limited.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const namespace = `ovpnt-${process.pid}`;

process.exitCode = run();

function run() {
  if (process.getuid?.() !== 0) return skip('needs root for network namespaces');
  const made = spawnSync('ip', ['netns', 'add', namespace], { encoding: 'utf8' });
  if (made.error) return skip('needs the program ip (Debian package iproute2)');
  if (made.status !== 0) return skip(`can't make a network namespace: ${made.stderr.trim()}`);
  try {
    const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
    const args = ['netns', 'exec', namespace, process.execPath, vitest, 'run'];
    args.push('--config', 'compat-tests/native/vitest.config.ts', ...process.argv.slice(2));
    const env = { ...process.env, OPENVPN_TS_NAMESPACE: namespace };
    return spawnSync('ip', args, { cwd: root, stdio: 'inherit', env }).status ?? 1;
  } finally {
    spawnSync('ip', ['netns', 'del', namespace]);
  }
}

function skip(reason) {
  console.log(`native device tests skipped: ${reason}`);
  return SKIPPED_EXIT;
}

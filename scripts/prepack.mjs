/**
 * Puts a prebuilt addon into the package that `npm pack` makes (npm's prepack step), and with --clean takes it out of
 * the checkout again (postpack). Made on Linux only; elsewhere the package has none, and users compile.
 *
 *   prebuilds/linux-x64/openvpn_native.node, and built-for.json: what it needs to run (src/native/prebuilt.ts)
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, 'prebuilds');
const file = join(root, 'build/Release/openvpn_native.node');

rmSync(folder, { recursive: true, force: true });
if (!process.argv.includes('--clean')) pack();

function pack() {
  run('scripts/build.mjs');
  const { glibcVersionRuntime } = process.report.getReport().header;
  if (process.platform !== 'linux' || glibcVersionRuntime === undefined) {
    console.error('openvpn-ts: packed without a prebuilt addon: that is made on Linux with glibc');
    return;
  }
  run('scripts/install.mjs', { OPENVPN_TS_REQUIRE_NATIVE: '1' });
  const target = join(folder, `${process.platform}-${process.arch}`);
  mkdirSync(target, { recursive: true });
  copyFileSync(file, join(target, 'openvpn_native.node'));
  const { openssl, uv } = process.versions;
  const needs = { napi: napiVersion(), openssl, uv, glibc: neededGlibc() };
  writeFileSync(join(target, 'built-for.json'), `${JSON.stringify(needs)}\n`);
}

function run(script, env = {}) {
  const args = [join(root, script)];
  // npm puts what this prints before the package's name on standard output: standard error is for that.
  const { status } = spawnSync(process.execPath, args, {
    stdio: ['ignore', 2, 2],
    env: { ...process.env, ...env },
  });
  if (status !== 0) process.exit(1);
}

/** Version of N-API that the sources ask for. */
function napiVersion() {
  return Number(/NAPI_VERSION=(\d+)/.exec(readFileSync(join(root, 'binding.gyp'), 'utf8'))[1]);
}

/** The newest version of glibc's symbols that the addon uses. */
function neededGlibc() {
  const versions = [...readFileSync(file, 'latin1').matchAll(/GLIBC_(\d+)\.(\d+)/g)].map(
    ([, major, minor]) => [Number(major), Number(minor)],
  );
  versions.sort(([majorA, minorA], [majorB, minorB]) => majorA - majorB || minorA - minorB);
  return versions.at(-1).join('.');
}

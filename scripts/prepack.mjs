/**
 * Puts a prebuilt addon into the package that `npm pack` makes (npm's prepack step), and with --clean takes it out of
 * the checkout again (postpack). Made on Linux only; elsewhere the package has none, and users compile. dist/ is not
 * made here: npm runs prepare (scripts/build.mjs) after this and before it lists the files.
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
  const { glibcVersionRuntime } = process.report.getReport().header;
  if (process.platform !== 'linux' || glibcVersionRuntime === undefined) {
    console.error('openvpn-ts: packed without a prebuilt addon: that is made on Linux with glibc');
    return;
  }
  provideAddon();
  const target = join(folder, `${process.platform}-${process.arch}`);
  mkdirSync(target, { recursive: true });
  copyFileSync(file, join(target, 'openvpn_native.node'));
  const { openssl, uv } = process.versions;
  const needs = { napi: napiVersion(), openssl, uv, glibc: neededGlibc() };
  writeFileSync(join(target, 'built-for.json'), `${JSON.stringify(needs)}\n`);
}

function provideAddon() {
  // npm puts what this prints before the package's name on standard output: standard error is for that.
  const { status } = spawnSync(process.execPath, [join(root, 'scripts/install.mjs')], {
    stdio: ['ignore', 2, 2],
    env: { ...process.env, OPENVPN_TS_REQUIRE_NATIVE: '1' },
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

/**
 * All set-up on a fresh machine, in the order things need each other: npm packages, the C++ addon, dist/,
 * and Debian's packages when root on a Debian-like system. What can't be done is told and left out: the
 * tests that need it count as skipped.
 *
 *   node scripts/setup.mjs            everything
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { missingBuildPackages, nodeDirectory } from './install.mjs';
import { isProgram, runTelling } from './progress.mjs';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Program to the Debian package that brings it. */
const PROGRAMS = {
  openvpn: 'openvpn',
  iperf3: 'iperf3',
  nft: 'nftables',
  ip: 'iproute2',
  ping: 'iputils-ping',
  ethtool: 'ethtool',
  openssl: 'openssl',
  nginx: 'nginx-light',
  tinyproxy: 'tinyproxy-bin',
  squid: 'squid-openssl',
  microsocks: 'microsocks',
  danted: 'dante-server',
};

/** What `npm start` needs of the system; the tests need all of PROGRAMS. */
export const START_PROGRAMS = ['ip', 'ping'];
export const TEST_PROGRAMS = Object.keys(PROGRAMS);

/** For node-gyp: a file per processor at a time. A package's user, whose memory may be small, decides this himself. */
const ALL_PROCESSORS = { JOBS: 'max' };

/** Does the set-up. Returns what failed, one text each; an empty list is success. `programs` are those of PROGRAMS that are needed. */
export async function setUp(programs = TEST_PROGRAMS) {
  const problems = [];
  for (const step of [npmPackages, compression, addon, compiled, () => systemPrograms(programs)]) {
    const problem = await step();
    if (problem !== undefined) problems.push(problem);
  }
  return problems;
}

async function npmPackages() {
  const marker = join(root, 'node_modules', '.package-lock.json');
  const lock = join(root, 'package-lock.json');
  if (existsSync(marker) && statSync(marker).mtimeMs >= statSync(lock).mtimeMs) return undefined;
  tell('installing npm packages');
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  return run('npm', args, 'installing npm packages');
}

/** `npm ci` above runs no scripts of packages: lzo and lz4 are built here. Without them compression is refused. */
async function compression() {
  // Loading decides: lz4 comes with binaries of another system in its build folder.
  const names = ['lzo', 'lz4'].filter((name) => existsSync(join(root, 'node_modules', name)) && !loads(name));
  if (names.length === 0) return undefined;
  const nodeDir = nodeDirectory();
  const headers = nodeDir === undefined ? {} : { npm_config_nodedir: nodeDir };
  const env = { ...headers, ...ALL_PROCESSORS, ...process.env };
  const what = `set-up: compiling ${names.join(' and ')}`;
  const { status } = await runTelling(what, 'npm', ['rebuild', ...names], { cwd: root, env });
  if (status !== 0) tell(`not built: ${names.join(' ')} (tests of compression will fail)`);
  return undefined;
}

function loads(name) {
  return spawnSync(process.execPath, ['-e', `require('${name}')`], { cwd: root }).status === 0;
}

/** The addon's script knows by itself whether there is something to do, and shows how far it is. */
async function addon() {
  const missing = missingBuildPackages();
  if (missing.length > 0) await installPackages(missing);
  const script = join(root, 'scripts', 'install.mjs');
  const env = { ...ALL_PROCESSORS, ...process.env };
  const { status } = spawnSync(process.execPath, [script], { cwd: root, stdio: ['ignore', 2, 2], env });
  return status === 0 ? undefined : 'building the C++ addon failed';
}

async function compiled() {
  const dist = join(root, 'dist');
  if (existsSync(dist) && newest(dist) >= newest(join(root, 'src'))) return undefined;
  return run(process.execPath, [join(root, 'scripts', 'build.mjs')], 'compiling src/ to dist/');
}

async function systemPrograms(programs) {
  const missing = () => programs.filter((name) => !isInPath(name));
  if (missing().length > 0) await installPackages(missing().map((name) => PROGRAMS[name]));
  if (missing().length > 0) tell(`not installed: ${missing().join(' ')} (what needs them is left out)`);
  return undefined;
}

/** Installs Debian packages, when root on such a system, without starting their servers. */
export async function installPackages(packages, isRoot = process.getuid?.() === 0) {
  if (!isRoot || !isInPath('apt-get')) return;
  tell(`installing Debian packages: ${packages.join(' ')}`);
  const shims = serviceShims();
  const path = `${shims}:${process.env.PATH}`;
  // For scripts that call systemctl by themselves: it then keeps from talking to the system's manager.
  const env = { ...process.env, PATH: path, DEBIAN_FRONTEND: 'noninteractive', SYSTEMD_OFFLINE: '1' };
  try {
    await runTelling('set-up: apt-get update', 'apt-get', ['-qq', 'update'], { env });
    const args = ['-qq', '-y', 'install', '--no-install-recommends', ...packages];
    const { status, stderr } = await runTelling('set-up: apt-get install', 'apt-get', args, { env });
    if (status !== 0) tell(`apt-get failed: ${stderr.trim().split('\n').at(-1)}`);
  } finally {
    rmSync(shims, { recursive: true, force: true });
  }
}

/**
 * A folder for the front of PATH in which the programs that packages start their servers with do nothing. The system's own
 * policy (/usr/sbin/policy-rc.d) is left alone (docs/decisions/0020-packages-without-services.md).
 */
function serviceShims() {
  const folder = mkdtempSync(join(tmpdir(), 'ovt-apt-'));
  const nothing = '#!/bin/sh\nexit 0\n';
  for (const name of ['invoke-rc.d', 'deb-systemd-invoke', 'service'])
    writeFileSync(join(folder, name), nothing, { mode: 0o755 });
  return folder;
}

function isInPath(name) {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];
  return folders.some((folder) => existsSync(join(folder, name)));
}

/** Time of the newest file below a folder. */
function newest(folder) {
  const times = readdirSync(folder, { recursive: true }).map((name) => statSync(join(folder, name)).mtimeMs);
  return Math.max(0, ...times);
}

async function run(file, args, what) {
  const { status, stdout, stderr } = await runTelling(`set-up: ${what}`, file, args, { cwd: root });
  if (status === 0) {
    if (stderr.trim() !== '') tell(stderr.trim());
    return undefined;
  }
  const text = `${stdout}${stderr}`.trim();
  return `${what} failed:\n${text.split('\n').slice(-30).join('\n')}`;
}

function tell(text) {
  process.stderr.write(`set-up: ${text}\n`);
}

if (isProgram(import.meta.url)) {
  const problems = await setUp();
  for (const problem of problems) tell(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
}

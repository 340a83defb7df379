/**
 * All set-up on a fresh machine, in the order things need each other: npm packages, the C++ addon, dist/,
 * and Debian's packages when root on a Debian-like system. What can't be done is told and left out: the
 * tests that need it count as skipped.
 *
 *   node scripts/setup.mjs            everything
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

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

/** Does the set-up. Returns what failed, one text each; an empty list is success. */
export function setUp() {
  return [npmPackages(), compression(), addon(), compiled(), ...systemPrograms()].filter(
    (problem) => problem !== undefined,
  );
}

/** Programs of PROGRAMS that are not there. */
export function missingPrograms() {
  return Object.keys(PROGRAMS).filter((name) => !isInPath(name));
}

function npmPackages() {
  const marker = join(root, 'node_modules', '.package-lock.json');
  const lock = join(root, 'package-lock.json');
  if (existsSync(marker) && statSync(marker).mtimeMs >= statSync(lock).mtimeMs) return undefined;
  tell('installing npm packages');
  return run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], 'npm ci');
}

/** `npm ci` above runs no scripts of packages: lzo and lz4 are built here. Without them compression is refused. */
function compression() {
  // Loading decides: lz4 comes with binaries of another system in its build folder.
  const names = ['lzo', 'lz4'].filter((name) => existsSync(join(root, 'node_modules', name)) && !loads(name));
  if (names.length === 0) return undefined;
  const nodeDir = dirname(dirname(process.execPath));
  const headers = existsSync(join(nodeDir, 'include/node/node_api.h')) ? { npm_config_nodedir: nodeDir } : {};
  const result = spawnSync('npm', ['rebuild', ...names], {
    cwd: root,
    encoding: 'utf8',
    env: { ...headers, ...process.env },
  });
  if (result.status !== 0) tell(`not built: ${names.join(' ')} (tests of compression will fail)`);
  return undefined;
}

function loads(name) {
  return spawnSync(process.execPath, ['-e', `require('${name}')`], { cwd: root }).status === 0;
}

/** The addon's script knows by itself whether there is something to do. */
function addon() {
  const script = join(root, 'scripts', 'install.mjs');
  return run(process.execPath, [script], 'building the C++ addon');
}

function compiled() {
  const dist = join(root, 'dist');
  if (existsSync(dist) && newest(dist) >= newest(join(root, 'src'))) return undefined;
  tell('compiling src/ to dist/');
  return run(process.execPath, [join(root, 'scripts', 'build.mjs')], 'compiling src/');
}

function systemPrograms() {
  const wanted = missingPrograms();
  if (wanted.length === 0) return [];
  const packages = wanted.map((name) => PROGRAMS[name]);
  if (process.getuid?.() === 0 && isInPath('apt-get')) {
    tell(`installing Debian packages: ${packages.join(' ')}`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const quiet = { env, stdio: 'ignore' };
    withoutServices(() => {
      spawnSync('apt-get', ['-qq', 'update'], quiet);
      spawnSync('apt-get', ['-qq', '-y', 'install', '--no-install-recommends', ...packages], quiet);
    });
  }
  const missing = missingPrograms();
  if (missing.length > 0) tell(`not installed: ${missing.join(' ')} (tests that need them are skipped)`);
  return [];
}

/** Debian's packages start their servers unless this policy forbids it; one that is there stays. */
function withoutServices(install) {
  const policy = '/usr/sbin/policy-rc.d';
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    install();
  } finally {
    if (ours) rmSync(policy);
  }
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

function run(file, args, what) {
  const result = spawnSync(file, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (result.status === 0) {
    if (result.stderr.trim() !== '') tell(result.stderr.trim());
    return undefined;
  }
  const text = `${result.stdout ?? ''}${result.stderr ?? ''}${result.error ?? ''}`.trim();
  return `${what} failed:\n${text.split('\n').slice(-30).join('\n')}`;
}

function tell(text) {
  process.stderr.write(`set-up: ${text}\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const problems = setUp();
  for (const problem of problems) tell(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
}

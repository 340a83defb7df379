/**
 * Builds the C++ addon (npm's install step). Links nothing and downloads nothing: the headers are those
 * beside the running node, the libraries are the ones inside it. Where it can't be built the TypeScript
 * backends serve, so that is no failure, unless CI=true or OPENVPN_TS_REQUIRE_NATIVE=1 says so.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const product = join(root, 'build/Release/openvpn_native.node');
const stamp = join(root, 'build/Release/built-for');
/** What a build depends on besides the sources: the headers belong to one version of node. */
const builtFor = `${process.version} ${process.arch}\n`;
const TOOLS = { make: ['make'], 'g++': ['g++', 'c++', 'clang++'], python3: ['python3'] };

const problem = build();
if (problem !== undefined) {
  const required = process.env.CI === 'true' || process.env.OPENVPN_TS_REQUIRE_NATIVE === '1';
  const end = required
    ? 'and it is required here.'
    : 'so the slower TypeScript backends serve and TUN devices cannot be opened.';
  console.error(`openvpn-ts: the C++ addon was not built: ${problem}; ${end}`);
  if (required) process.exitCode = 1;
}

/** Builds if needed; returns what went wrong, or undefined. */
function build() {
  if (process.platform !== 'linux') return `it is for Linux, not ${process.platform}`;
  if (isCurrent()) return undefined;
  let missing = missingTools();
  if (missing.length > 0 && installDebian(missing)) missing = missingTools();
  if (missing.length > 0) return `${missing.join(', ')} missing`;
  const nodeDir = nodeDirectory();
  if (nodeDir === undefined) return `node's headers (include/node beside ${process.execPath}) missing`;
  let gyp;
  try {
    gyp = require.resolve('node-gyp/bin/node-gyp.js');
  } catch {
    return 'the package node-gyp missing';
  }
  const run = spawnSync(process.execPath, [gyp, 'rebuild', `--nodedir=${nodeDir}`], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (run.status !== 0) {
    mkdirSync(join(root, 'build'), { recursive: true });
    writeFileSync(join(root, 'build/install.log'), `${run.stdout}${run.stderr}`);
    return `the compiler failed (${firstError(`${run.stdout}${run.stderr}`)}; see build/install.log)`;
  }
  writeFileSync(stamp, builtFor);
  return undefined;
}

/** Whether the addon is there, for this node, and newer than every source. */
function isCurrent() {
  if (!existsSync(product) || !existsSync(stamp) || readFileSync(stamp, 'utf8') !== builtFor) return false;
  const builtAt = statSync(stamp).mtimeMs;
  const sources = readdirSync(join(root, 'native')).map((name) => join(root, 'native', name));
  return [join(root, 'binding.gyp'), ...sources].every((path) => statSync(path).mtimeMs < builtAt);
}

function missingTools() {
  return Object.keys(TOOLS).filter((tool) => !TOOLS[tool].some(runs));
}

function runs(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** Installs Debian's packages of the same names as the tools, when root on such a system. */
function installDebian(packages) {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return false;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    execFileSync('apt-get', ['-qq', 'update'], { stdio: 'ignore', env });
    execFileSync('apt-get', ['-qq', '-y', 'install', '--no-install-recommends', ...packages], {
      stdio: 'ignore',
      env,
    });
    return true;
  } catch {
    return false;
  }
}

/** The directory whose include/node holds the running node's headers. */
function nodeDirectory() {
  const candidates = [resolve(dirname(process.execPath), '..'), process.env.npm_config_nodedir];
  return candidates.find((path) => path && existsSync(join(path, 'include/node/node_api.h')));
}

function firstError(output) {
  const line = output.split('\n').find((text) => /error/i.test(text)) ?? 'no message';
  return line.trim().slice(0, 200);
}

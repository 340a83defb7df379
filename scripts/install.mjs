/**
 * Sees that there are V8's code for the program, once that is built, and a C++ addon (npm's install step). In an
 * installed package that is the prebuilt one where it fits this node and C library, otherwise and in a checkout it is
 * compiled. Links nothing, downloads nothing and installs nothing on the system: the headers are those beside the
 * running node, the libraries are the ones inside it. Where it can't be built the TypeScript backends serve, so that
 * is no failure, unless CI=true or OPENVPN_TS_REQUIRE_NATIVE=1 says so.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { provideCode } from './code-cache.mjs';
import { isProgram, runTelling } from './progress.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const product = join(root, 'build/Release/openvpn_native.node');
const stamp = join(root, 'build/Release/built-for');
/** What a build depends on besides the sources: the headers belong to one version of node. */
const builtFor = `${process.version} ${process.arch}\n`;
const TOOLS = { make: ['make'], 'g++': ['g++', 'c++', 'clang++'], python3: ['python3'] };

if (isProgram(import.meta.url)) {
  provideCode(join(root, 'dist/cli/openvpn.cjs'));
  const problem = await provide();
  if (problem !== undefined) {
    const required = process.env.CI === 'true' || process.env.OPENVPN_TS_REQUIRE_NATIVE === '1';
    console.error(
      `openvpn-ts: the C++ addon was not built: ${problem}${required ? '; it is required here' : ''}.`,
    );
    if (required) process.exitCode = 1;
    else console.error(consequences());
  }
}

/** Debian's packages that have the names of the tools that a build would need and doesn't find; none where nothing is to be built. */
export function missingBuildPackages() {
  return process.platform === 'linux' && !isCurrent() ? missingTools() : [];
}

/** Builds if needed; returns what went wrong, or undefined. */
async function provide() {
  if (process.platform !== 'linux') return `it is for Linux, not ${process.platform}`;
  if (!isCheckout()) {
    const why = whyNoneLoads();
    if (why === undefined) return undefined;
    console.error(`openvpn-ts: ${why.replace(/ \(run: .*\)$/, '')}: building it`);
  } else if (isCurrent()) return undefined;
  const missing = missingTools();
  if (missing.length > 0) return `${missing.join(', ')} missing`;
  const nodeDir = nodeDirectory();
  if (nodeDir === undefined) return `node's headers (include/node beside ${process.execPath}) missing`;
  const gyp = nodeGyp();
  if (gyp === undefined) return 'node-gyp missing, which comes with npm (run: npm rebuild openvpn-ts)';
  return compile(gyp, nodeDir);
}

async function compile(gyp, nodeDir) {
  const args = [gyp, 'rebuild', `--nodedir=${nodeDir}`];
  const { status, stdout, stderr } = await runTelling(
    'openvpn-ts: compiling the C++ addon',
    process.execPath,
    args,
    {
      cwd: root,
      detail: filesDone,
    },
  );
  if (status !== 0) {
    mkdirSync(join(root, 'build'), { recursive: true });
    writeFileSync(join(root, 'build/install.log'), `${stdout}${stderr}`);
    return `the compiler failed (${firstError(`${stdout}${stderr}`)}; see build/install.log)`;
  }
  writeFileSync(stamp, builtFor);
  return undefined;
}

/** make names each file as it begins it. */
function filesDone(output) {
  const begun = output.match(/^\s*CXX\(target\)/gm)?.length ?? 0;
  return begun === 0 ? '' : `file ${begun} of ${sources().filter((path) => path.endsWith('.cc')).length}`;
}

/** A packed package has no settings of tsc. */
function isCheckout() {
  return existsSync(join(root, 'tsconfig.build.json'));
}

/** Asks the package's own loader, in a process of its own: why no addon that is there can be used; undefined when one can. */
function whyNoneLoads() {
  const loader = pathToFileURL(join(root, 'dist/native/native.js')).href;
  const script = `const { nativeMissingReason } = await import(${JSON.stringify(loader)});
    process.stdout.write(nativeMissingReason() ?? '')`;
  const env = { ...process.env };
  delete env.OPENVPN_TS_NATIVE;
  const args = ['--input-type=module', '-e', script];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env });
  if (status === 0) return stdout === '' ? undefined : stdout;
  return `the C++ addon does not load: ${firstError(stderr)}`;
}

/** Whether the addon is there, for this node, and newer than every source. */
function isCurrent() {
  if (!existsSync(product) || !existsSync(stamp) || readFileSync(stamp, 'utf8') !== builtFor) return false;
  const builtAt = statSync(stamp).mtimeMs;
  return sources().every((path) => statSync(path).mtimeMs < builtAt);
}

/** What the addon is made of, with its build file. */
export function sources() {
  const files = readdirSync(join(root, 'native')).map((name) => join(root, 'native', name));
  return [join(root, 'binding.gyp'), ...files];
}

function missingTools() {
  return Object.keys(TOOLS).filter((tool) => !TOOLS[tool].some(runs));
}

function runs(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** A checkout's own, or npm's: npm names it to install scripts, and keeps it beside itself. */
export function nodeGyp() {
  const modules = resolve(dirname(process.execPath), '../lib/node_modules');
  const candidates = [
    process.env.npm_config_node_gyp,
    join(modules, 'npm/node_modules/node-gyp/bin/node-gyp.js'),
  ];
  try {
    candidates.unshift(createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js'));
  } catch {
    // An installed package brings none.
  }
  return candidates.find((path) => path && existsSync(path));
}

/** The directory whose include/node holds the running node's headers. */
export function nodeDirectory() {
  const candidates = [resolve(dirname(process.execPath), '..'), process.env.npm_config_nodedir];
  return candidates.find((path) => path && existsSync(join(path, 'include/node/node_api.h')));
}

function firstError(output) {
  const line = output.split('\n').find((text) => /error/i.test(text)) ?? 'no message';
  return line.trim().slice(0, 200);
}

function consequences() {
  const again = isCheckout() ? 'node scripts/install.mjs' : 'npm rebuild openvpn-ts';
  return `  Without it sockets, crypto and TLS go through Node's own modules, slower, and no TUN device can be opened: the
  program openvpn then works with "dev null" only, the library with a tun of its caller's (see createTunPair).
  To build it later: install make, g++ and python3, then ${again}.`;
}

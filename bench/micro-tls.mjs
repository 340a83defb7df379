/**
 * Micro benchmark of the TLS engines, in this process and over memory: handshakes per second of CPU time (both
 * ends and all threads, so a server alone does more), and resident memory for each idle session of a server. Needs a build
 * (node scripts/install.mjs, node scripts/build.mjs) and openssl for the certificates. Engines take turns;
 * only ratios inside a round say something.
 *
 *   node bench/micro-tls.mjs [handshakes per round, 200] [rounds, 5] [idle sessions, 400]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadNative } from '../dist/native/native.js';
import { createNativeSsl } from '../dist/ssl/ssl-native.js';
import { createNodeSsl } from '../dist/ssl/ssl-node.js';

const ENGINES = { node: createNodeSsl, native: () => createNativeSsl(loadNative()) };
const [mode, ...numbers] =
  process.argv[2] === 'idle' ? process.argv.slice(2) : ['compare', ...process.argv.slice(2)];

if (mode === 'idle') console.log(await idleKib(numbers[0], numbers[1], Number(numbers[2])));
else await compare(...[200, 5, 400].map((standard, i) => Number(numbers[i] ?? standard)));

async function compare(handshakes, rounds, sessions) {
  console.log(`node ${process.version}, OpenSSL ${process.versions.openssl}`);
  const dir = mkdtempSync(join(tmpdir(), 'ovpn-tls-bench-'));
  try {
    for (const kind of ['ec', 'rsa']) {
      makeCertificates(join(dir, kind), kind);
      await compareSpeed(join(dir, kind), kind, handshakes, rounds);
    }
    for (let round = 0; round < Math.min(rounds, 3); round++) {
      const kib = Object.keys(ENGINES).map(
        (engine) => `${engine} ${idleInChild(engine, join(dir, 'rsa'), sessions)}`,
      );
      console.log(`KiB of resident memory for each of ${sessions} idle server sessions: ${kib.join(', ')}`);
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function compareSpeed(base, kind, handshakes, rounds) {
  await speed('node', base, 20);
  await speed('native', base, 20);
  const ratios = [];
  for (let round = 0; round < rounds; round++) {
    const byNode = await speed('node', base, handshakes);
    const byNative = await speed('native', base, handshakes);
    ratios.push(byNative / byNode);
    console.log(
      `${kind}: node ${byNode.toFixed(0)}, native ${byNative.toFixed(0)} handshakes per CPU second`,
    );
  }
  ratios.sort((a, b) => a - b);
  console.log(`${kind}: native / node ${ratios[rounds >> 1].toFixed(2)} (median)`);
}

async function speed(engine, base, count) {
  const contexts = createContexts(engine, base);
  const start = process.cpuUsage();
  for (let i = 0; i < count; i++) {
    const [server, client] = await connect(contexts);
    server.close();
    client.close();
  }
  const { user, system } = process.cpuUsage(start);
  return count / ((user + system) / 1e6);
}

function idleInChild(engine, base, sessions) {
  const self = fileURLToPath(import.meta.url);
  const args = ['--expose-gc', self, 'idle', engine, base, String(sessions)];
  return execFileSync(process.execPath, args, { encoding: 'utf8' }).trim();
}

/** Growth of this process for each session; the clients are gone by then. */
async function idleKib(engine, base, sessions) {
  const contexts = createContexts(engine, base);
  for (let i = 0; i < 20; i++) for (const end of await connect(contexts)) end.close();
  const before = await settledRss();
  const kept = [];
  for (let i = 0; i < sessions; i++) {
    const [server, client] = await connect(contexts);
    server.peerChain();
    client.close();
    kept.push(server);
  }
  const kib = (await settledRss()) - before;
  return (kib / kept.length).toFixed(1);
}

async function settledRss() {
  for (let i = 0; i < 5; i++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return process.memoryUsage.rss() / 1024;
}

function createContexts(engine, base) {
  const read = (name) => readFileSync(`${base}-${name}`, 'utf8');
  const own = { ca: [read('cert')], cert: read('cert'), key: read('key') };
  const backend = ENGINES[engine]();
  return {
    server: backend.createContext({ role: 'server', requestCert: true, ...own }),
    client: backend.createContext({ role: 'client', requestCert: false, ...own }),
  };
}

/** Shakes hands, as TLS 1.3 with a certificate on each side. */
async function connect(contexts) {
  const server = contexts.server.createSession(() => undefined);
  const client = contexts.client.createSession(() => undefined);
  while (!server.handshakeDone || !client.handshakeDone) {
    const busy = [move(client, server), move(server, client)].includes(true);
    if (!busy) await new Promise((resolve) => setImmediate(resolve));
  }
  return [server, client];
}

function move(from, to) {
  let busy = false;
  for (let bytes = from.readCiphertext(); bytes; bytes = from.readCiphertext()) {
    to.writeCiphertext(bytes);
    busy = true;
  }
  return busy;
}

function makeCertificates(base, kind) {
  const key =
    kind === 'rsa' ? ['-newkey', 'rsa:2048'] : ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const files = ['-keyout', `${base}-key`, '-out', `${base}-cert`];
  execFileSync('openssl', ['req', '-x509', ...key, '-nodes', '-subj', '/CN=bench', '-days', '1', ...files], {
    stdio: 'pipe',
  });
}

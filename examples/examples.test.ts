/** Runs the examples as they are, with a PKI of their own, on loopback and without root. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildTools } from '../scripts/tools.mjs';
import { openQuickstart, writeLocalProfile } from '../src/cli/quickstart-files.ts';
import { createTunPair, type TunnelOptions } from '../src/index.ts';
import { freeUdpPort } from '../test-kit/free-port.ts';
import { runProgram } from '../test-kit/process.ts';
import { runClient } from './client.ts';
import { runPair } from './in-memory-pair.ts';
import { startServer, statusText } from './server-with-logins.ts';

const HANDS_OFF = '\nifconfig-noexec\nroute-noexec\n';
const memory: TunnelOptions = { tun: { name: 'memory', open: () => createTunPair().device } };

let dir: string;
let serverText: string;
let clientText: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ovpn-examples-'));
  const files = await openQuickstart(join(dir, 'quickstart'), [], await freeUdpPort());
  serverText = readFileSync(files.serverConf, 'utf8');
  clientText = readFileSync(writeLocalProfile(files, '127.0.0.1'), 'utf8');
});
afterAll(() => rmSync(dir, { recursive: true }));

describe('a device in memory that nobody reads', () => {
  it('lets the process end after stop(), and seldom wakes it before', async () => {
    writeFileSync(join(dir, 'server.conf'), serverText + HANDS_OFF);
    writeFileSync(join(dir, 'client.ovpn'), clientText + HANDS_OFF);
    const program = await runWithLibrary(UNREAD_PAIR);
    expect(program.ended?.code, program.tail()).toBe(0);
    const counts = program.lines.flatMap((line) => /: (\d+) wakes/.exec(line)?.slice(1).map(Number) ?? []);
    const [unread, stopped] = counts;
    // The programs' own start takes some turns; a device that asks again and again takes each of them.
    expect(unread).toBeLessThan(TURNS / 2);
    expect(stopped).toBe(0);
  }, 60_000);
});

it('a packet on a device in memory wakes a process that has nothing to do for long', async () => {
  const program = await runWithLibrary(IDLE_PAIR);
  expect(program.ended?.code, program.tail()).toBe(0);
  const waitedMs = Number(/^read after (\d+) ms$/m.exec(program.lines.join('\n'))?.[1]);
  expect(waitedMs).toBeLessThan(IDLE_MS / 2);
}, 60_000);

/** Runs JavaScript that finds the library's address and a folder among its arguments, in a process of its own. */
async function runWithLibrary(text: string) {
  const library = join(dirname(await buildTools('examples/in-memory-pair.ts')), '../src/index.js');
  const args = [text, pathToFileURL(library).href, dir];
  return runProgram({ name: 'pair', argv: [process.execPath, '--input-type=module', '-e', ...args] }, 15_000);
}

const IDLE_MS = 8_000;

const IDLE_PAIR = `
  const { createTunPair, PacketBatch } = await import(process.argv[1]);
  const { device, system } = createTunPair();
  const batch = new PacketBatch(1);
  const alarm = setTimeout(() => undefined, ${IDLE_MS});
  let writtenMs = 0;
  device.onReadable = () => {
    console.log('read after ' + Math.round(performance.now() - writtenMs) + ' ms');
    device.readBatch(batch);
    clearTimeout(alarm);
  };
  setTimeout(() => {
    batch.push(Buffer.alloc(20, 0x45));
    system.writeBatch(batch, 0, 1);
    writtenMs = performance.now();
  }, 50);
`;

const TURNS = 50;

/**
 * Brings a pair up whose devices both hold packets that nobody reads, and counts turns of the event loop that
 * were asked for: while it is up, and from stop() to the end of the process.
 */
const UNREAD_PAIR = `
  import { readFileSync } from 'node:fs';
  const [library, dir] = process.argv.slice(1);
  const { createClient, createServer, createTunPair, PacketBatch, parseConfig } = await import(library);
  const read = (name) => parseConfig(readFileSync(dir + '/' + name, 'utf8'));
  const pairs = [];
  const tun = { name: 'memory', open: () => { const pair = createTunPair(); pairs.push(pair); return pair.device; } };
  const server = createServer(read('server.conf'), { tun });
  const client = createClient(read('client.ovpn'), { tun });
  await server.start();
  await client.start();
  const batch = new PacketBatch(1);
  batch.push(Buffer.from('45000014000000004000fd000a0000010a000002'.replace(/ /g, ''), 'hex'));
  let wakes = 0;
  const immediate = globalThis.setImmediate;
  globalThis.setImmediate = (...args) => { wakes++; return immediate(...args); };
  const post = MessagePort.prototype.postMessage;
  MessagePort.prototype.postMessage = function (...args) { wakes++; return post.apply(this, args); };
  for (const { device } of pairs) device.writeBatch(batch, 0, 1);
  for (let turn = 0; turn < ${TURNS}; turn++) await new Promise((resolve) => immediate(resolve));
  console.log('unread: ' + wakes + ' wakes');
  await client.stop();
  await server.stop();
  wakes = 0;
  process.on('exit', () => console.log('stopped: ' + wakes + ' wakes'));
`;

describe('examples', () => {
  it('in-memory-pair carries a packet from one device to the other', async () => {
    const lines: string[] = [];
    expect(await runPair(serverText, clientText, (line) => lines.push(line))).toBe(
      'hello through the tunnel',
    );
    expect(lines).toContain('client: CONNECTED');
    expect(lines.at(-1)).toMatch(/^client: EXITING|got: hello/);
  });

  it('server-with-logins lets in who has the password, and client tells how it goes', async () => {
    const lines: string[] = [];
    const print = (line: string): void => void lines.push(line);
    const check = (name: string, password: string): boolean => `${name}:${password}` === 'anna:correct horse';
    const server = await startServer(serverText + HANDS_OFF, check, print, memory);
    try {
      const never = new AbortController().signal;
      expect(await runClient(`${clientText}${HANDS_OFF}${login('wrong')}`, print, never, memory)).toBe(1);
      expect(lines).toContain('login of anna: refused');
      expect(statusText(server)).not.toContain('anna at');

      const stop = new AbortController();
      const up = (line: string): void => {
        print(line);
        if (line !== 'up') return;
        print(statusText(server));
        stop.abort();
      };
      expect(
        await runClient(`${clientText}${HANDS_OFF}${login('correct horse')}`, up, stop.signal, memory),
      ).toBe(0);
    } finally {
      await server.stop();
    }
    expect(lines).toContain('login of anna: accepted');
    expect(lines.some((line) => /anna at 10\.\S+ \(\d+ B in, \d+ B out\)/.test(line))).toBe(true);
    expect(lines.slice(-2)).toEqual(['ended', 'ended']);
  });
});

function login(password: string): string {
  return `<auth-user-pass>\nanna\n${password}\n</auth-user-pass>\n`;
}

/** Telling OpenVPN from other protocols by the first bytes, and passing the others on. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { type LinkAddress, MemoryLogger, PacketBatch } from '../base/base.ts';
import { isOpenVpnStart } from './port-share.ts';
import { type Link, PortShare } from './socket.ts';
import { createNodeSockets } from './socket-factory-node.ts';

const base = createNodeSockets();
const opened: { close(): void }[] = [];

afterEach(() => {
  for (const thing of opened.splice(0)) thing.close();
});

describe('isOpenVpnStart', () => {
  it.each([
    ['', undefined],
    ['00', undefined],
    ['000d', false],
    ['000e', true],
    ['00ff', true],
    ['0100', false],
    ['000e38', true],
    ['00ff38', true],
    ['010038', false],
    ['000d38', false],
    ['000e40', false],
    ['014f50', false],
    ['015050', true],
    ['04fe50', true],
    ['04ff50', false],
    ['160301', false],
    ['474554', false],
  ])('%s: %s', (bytes, verdict) => {
    expect(isOpenVpnStart(Buffer.from(bytes, 'hex'))).toBe(verdict);
  });

  it('looks at three bytes and no more', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 3, maxLength: 20 }), (bytes) => {
        expect(isOpenVpnStart(bytes)).toBe(isOpenVpnStart(bytes.subarray(0, 3)));
      }),
    );
  });
});

describe('PortShare', () => {
  it('keeps a connection that speaks OpenVPN, its first packet whole', async () => {
    const { port, links } = await share();
    const client = dial(port);
    const packet = Buffer.concat([Buffer.of(0, 14, 0x38), Buffer.alloc(13, 7)]);
    client.write(packet.subarray(0, 1));
    await tick(20);
    client.write(packet.subarray(1));
    await until(() => links.length === 1);
    const batch = new PacketBatch(4);
    await until(() => links[0]!.recvBatch(batch) > 0);
    expect(batch.packet(0)).toEqual(packet.subarray(2));
  });

  it('passes everything else on, both ways and whole', async () => {
    const { port, links, log } = await share((socket) => {
      socket.on('data', (data) => socket.write(data));
    });
    const client = dial(port);
    const sent = Buffer.alloc(500_000, 'GET / HTTP/1.1\r\n');
    const got: Buffer[] = [];
    client.on('data', (data) => got.push(data));
    client.write(sent);
    await until(() => got.reduce((sum, { length }) => sum + length, 0) === sent.length);
    expect(Buffer.concat(got).equals(sent)).toBe(true);
    expect(links).toHaveLength(0);
    expect(log.lines.join('\n')).toContain('Non-OpenVPN client protocol detected');
  });

  it('keeps a journal of where connections come from while they live', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'ovpn-journal-'));
    const ports: number[] = [];
    const { port } = await share((socket) => {
      ports.push(socket.remotePort!);
      socket.on('data', () => socket.write('hello'));
    }, dir);
    const client = dial(port);
    client.write('GET / HTTP/1.1\r\n\r\n');
    await new Promise((resolve) => client.once('data', resolve));
    const [name] = readdirSync(dir);
    expect(name).toBe(`[AF_INET]127.0.0.1:${ports[0]}`);
    expect(readFileSync(join(dir, name!), 'utf8')).toBe(`[AF_INET]127.0.0.1:${client.localPort}`);
    client.destroy();
    await until(() => readdirSync(dir).length === 0);
    rmSync(dir, { recursive: true });
  });

  it('closes what it can not pass on, and what says nothing', async () => {
    const refused = await share(undefined, undefined, 60);
    for (const first of ['GET / HTTP/1.1\r\n\r\n', undefined]) {
      const client = dial(refused.port);
      if (first !== undefined) client.write(first);
      await new Promise((resolve) => client.once('close', resolve));
    }
    expect(refused.links).toHaveLength(0);
  });
});

/** A listener with a port share; without `serve` nobody listens at its target. */
async function share(serve?: (socket: Socket) => void, journalDir?: string, waitMs = 5000) {
  const server = createServer(serve);
  server.on('connection', (socket) => socket.on('error', () => undefined));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: targetPort } = server.address() as { port: number };
  if (serve === undefined) server.close();
  else opened.push(server);
  const log = new MemoryLogger();
  const target: LinkAddress = { family: 4, address: '127.0.0.1', port: targetPort };
  const describe = ({ address, port }: LinkAddress) => `${address}:${port}`;
  const portShare = new PortShare({ sockets: base, target, journalDir, waitMs, log, describe });
  const { screen } = portShare;
  const listener = await base.listenTcp({ family: 4, localAddress: '127.0.0.1', localPort: 0, screen });
  const links: Link[] = [];
  listener.onConnection = (link) => links.push(link);
  opened.push(listener, portShare, { close: () => links.forEach((link) => void link.close()) });
  return { port: listener.local.port, links, log };
}

function dial(port: number): Socket {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  socket.on('error', () => undefined);
  opened.push({ close: () => socket.destroy() });
  return socket;
}

function tick(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function until(done: () => boolean): Promise<void> {
  const endMs = performance.now() + 5000;
  while (!done()) {
    if (performance.now() > endMs) throw new Error('waited too long');
    await tick(2);
  }
}

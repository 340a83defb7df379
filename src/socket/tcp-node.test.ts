/** What TCP links do with peers that speak raw bytes: partial frames, bad lengths, resets, half reads. */
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { PacketBatch } from '../base/base.ts';
import { tick } from './link.conformance.ts';
import type { Link } from './socket.ts';
import { listenTcpNode } from './tcp-node.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

describe('tcp-node', () => {
  it('puts frames together from single bytes', async () => {
    const { raw, link } = await rawPeer();
    const got = drain(link);
    for (const byte of Buffer.from('0003aabbcc0001dd', 'hex')) {
      raw.write(Uint8Array.of(byte));
      await tick();
    }
    await until(() => got.length === 2);
    expect(got).toEqual(['aabbcc', 'dd']);
  });

  it('ends the connection on a length of 0 and tells 2.x words, behind good packets', async () => {
    const { raw, link } = await rawPeer();
    const got = drain(link);
    const errors: (NodeJS.ErrnoException | undefined)[] = [];
    link.onClose = (error) => errors.push(error);
    raw.on('error', () => undefined);
    raw.write(Buffer.from('0001aa0000', 'hex'));
    await until(() => errors.length === 1);
    expect(got).toEqual(['aa']);
    expect(errors[0]?.message).toMatch(/^WARNING: Bad encapsulated packet length from peer \(0\)/);
    await until(() => raw.destroyed || raw.readableEnded);
  });

  it('finds a bad length before any good packet came', async () => {
    const { raw, link } = await rawPeer();
    drain(link);
    let code: string | undefined;
    link.onClose = (error) => {
      code = error?.code;
    };
    raw.on('error', () => undefined);
    raw.write('GET / HTTP/1.1\r\n\r\n');
    await until(() => code !== undefined);
    expect(code).toBe('EBADMSG');
  });

  it('tells a reset as ECONNRESET', async () => {
    const { raw, link } = await rawPeer();
    drain(link);
    let error: NodeJS.ErrnoException | undefined;
    link.onClose = (reason) => {
      error = reason;
    };
    raw.resetAndDestroy();
    await until(() => error !== undefined);
    expect(error?.code).toBe('ECONNRESET');
  });

  it('stops reading from the kernel while its owner does not read', async () => {
    const { raw, link } = await rawPeer();
    const frame = Buffer.alloc(2 + 1000, 1);
    frame.writeUInt16BE(1000, 0);
    const burst = Buffer.concat(Array(1000).fill(frame));
    let written = 0;
    while (written < 40 && raw.writableLength < burst.length * 2) {
      raw.write(burst);
      written++;
      for (let i = 0; i < 20; i++) await tick();
    }
    expect(raw.writableLength).toBeGreaterThan(0);
    let count = 0;
    const batch = new PacketBatch(64);
    link.onReadable = () => {
      while (link.recvBatch(batch) > 0) count += batch.count;
    };
    link.onReadable();
    await until(() => count === written * 1000);
    expect(link.dropped).toBe(0);
  });

  it('has room again after a queue of packets so small that Node never says drain', async () => {
    const { raw, link } = await rawPeer();
    raw.pause();
    let writable = 0;
    link.onWritable = () => writable++;
    const batch = new PacketBatch(64);
    for (let i = 0; i < 64; i++) batch.push(new Uint8Array(20));
    let writes = 0;
    while (link.sendBatch(batch, 0, 64) === 64) if (++writes % 256 === 0) await tick();
    raw.resume();
    await until(() => writable > 0);
    expect(link.sendBatch(batch, 0, 64)).toBe(64);
  });

  it('takes control packets behind a full queue, but not without end', async () => {
    const { raw, link } = await rawPeer();
    raw.pause();
    const batch = new PacketBatch(64);
    for (let i = 0; i < 64; i++) batch.push(new Uint8Array(1500));
    while (link.sendBatch(batch, 0, 64) === 64);
    let taken = 0;
    while (taken < 1000 && link.send(new Uint8Array(100), link.remote!)) taken++;
    expect(taken).toBeGreaterThanOrEqual(32);
    expect(taken).toBeLessThan(200);
    expect(link.sendBatch(batch, 0, 64)).toBe(0);
  });

  it('sends what it took before close()', async () => {
    const { raw, link } = await rawPeer();
    const chunks: Buffer[] = [];
    let ended = false;
    raw.on('data', (chunk) => chunks.push(chunk));
    raw.on('end', () => {
      ended = true;
    });
    const batch = new PacketBatch(64);
    for (let i = 0; i < 64; i++) batch.push(new Uint8Array(1500).fill(i));
    expect(link.sendBatch(batch, 0, 64)).toBe(64);
    link.close();
    await until(() => ended);
    expect(Buffer.concat(chunks)).toHaveLength(64 * 1502);
  });
});

async function rawPeer(): Promise<{ raw: Socket; link: Link }> {
  const listener = await listenTcpNode({ family: 4, localAddress: '127.0.0.1', localPort: 0 });
  const accepted = new Promise<Link>((resolve) => {
    listener.onConnection = resolve;
  });
  const raw = connect({ host: '127.0.0.1', port: listener.local.port, noDelay: true });
  const link = await accepted;
  listener.close();
  cleanups.push(
    () => raw.destroy(),
    () => link.close(),
  );
  return { raw, link };
}

function drain(link: Link): string[] {
  const got: string[] = [];
  const batch = new PacketBatch(8);
  link.onReadable = () => {
    while (link.recvBatch(batch) > 0) {
      for (let slot = 0; slot < batch.count; slot++) got.push(batch.packet(slot).toString('hex'));
    }
  };
  return got;
}

async function until(done: () => boolean): Promise<void> {
  const deadline = Date.now() + 8000;
  while (!done()) {
    if (Date.now() > deadline) throw new Error(`still waiting for ${done}`);
    await tick();
  }
}

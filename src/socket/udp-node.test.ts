/** What UDP links over node:dgram do beyond the conformance suite: bounds, errors, scopes. */
import { afterEach, describe, expect, it } from 'vitest';
import { ADDRESS_WORDS, PacketBatch } from '../base/base.ts';
import { AddressCache, splitScope } from './address-cache.ts';
import { tick } from './link.conformance.ts';
import type { Link } from './socket.ts';
import { openUdpNode } from './udp-node.ts';

const links: Link[] = [];
afterEach(() => {
  for (const link of links.splice(0)) link.close();
});

describe('udp-node', () => {
  it('keeps at most 1024 datagrams for an owner that does not read, and counts the rest', async () => {
    const [a, b] = [await open(), await open()];
    for (let i = 0; i < 1500; i++) {
      expect(a.send(Buffer.from([i >> 8, i & 0xff]), b.local)).toBe(true);
      if (i % 50 === 49) for (let turn = 0; turn < 3; turn++) await tick();
    }
    await until(() => b.dropped === 1500 - 1024);
    const batch = new PacketBatch(100);
    let next = 0;
    while (b.recvBatch(batch) > 0) {
      for (let i = 0; i < batch.count; i++) expect(batch.packet(i).readUInt16BE(0)).toBe(next++);
    }
    expect(next).toBe(1024);
  });

  it('drops and counts empty datagrams', async () => {
    const [a, b] = [await open(), await open()];
    const batch = new PacketBatch(1);
    const { createSocket } = await import('node:dgram');
    const raw = createSocket('udp4');
    raw.send(Buffer.alloc(0), b.local.port, b.local.address);
    await until(() => b.dropped === 1);
    expect(b.recvBatch(batch)).toBe(0);
    raw.close();
    expect(a.dropped).toBe(0);
  });

  it('reports a datagram that is too long and goes on', async () => {
    const [a, b] = [await open(), await open()];
    const errors: string[] = [];
    a.onError = (error) => errors.push(error.code ?? '');
    a.send(new Uint8Array(70_000), b.local);
    a.send(new Uint8Array(10), b.local);
    await until(() => errors.length > 0);
    expect(errors).toEqual(['EMSGSIZE']);
    const batch = new PacketBatch(1);
    await until(() => b.recvBatch(batch) === 1);
    expect(batch.lengths[0]).toBe(10);
  });

  it('takes packets without a port or of the other family without harm', async () => {
    const a = await open();
    expect(a.send(new Uint8Array(5), { family: 6, address: '::1', port: 9 })).toBe(false);
    const batch = new PacketBatch(2);
    batch.push(new Uint8Array(5));
    batch.push(new Uint8Array(5));
    batch.addresses.fill(0);
    batch.addresses[ADDRESS_WORDS] = 6;
    batch.addresses[ADDRESS_WORDS + 1] = 9;
    expect(a.sendBatch(batch, 0, 2)).toBe(2);
    await tick();
  });
});

describe('address cache', () => {
  it('turns hosts into words and back, scope included', () => {
    const cache = new AddressCache();
    const words = new Int32Array(3 * ADDRESS_WORDS);
    cache.toWords('192.0.2.7', 4, 1194, words, 0);
    cache.toWords('2001:db8::1', 6, 443, words, 1);
    cache.toWords('fe80::1%999999', 6, 1, words, 2);
    expect([0, 1, 2].map((slot) => cache.toHost(words, slot))).toEqual([
      '192.0.2.7',
      '2001:db8::1',
      'fe80::1%999999',
    ]);
    expect([words[1], words[ADDRESS_WORDS + 1], words[2 * ADDRESS_WORDS + 6]]).toEqual([1194, 443, 999999]);
    cache.toWords('192.0.2.7', 4, 99, words, 2);
    expect([words[2 * ADDRESS_WORDS + 1], words[2 * ADDRESS_WORDS + 6]]).toEqual([99, 0]);
    expect(splitScope('fe80::1%nosuch0')).toEqual({ address: 'fe80::1', scopeId: 0 });
  });
});

async function open(): Promise<Link> {
  const link = await openUdpNode({ family: 4, localAddress: '127.0.0.1' });
  links.push(link);
  return link;
}

async function until(done: () => boolean): Promise<void> {
  const deadline = Date.now() + 8000;
  while (!done()) {
    if (Date.now() > deadline) throw new Error(`still waiting for ${done}`);
    await tick();
  }
}

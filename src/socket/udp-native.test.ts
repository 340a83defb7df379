/** The conformance suite over the addon's UDP, and what it does beyond: whole batches, ICMP errors, bounds, life. */
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { openDescriptors } from '../../test-kit/descriptors.ts';
import { addonForTests, countWakes } from '../../test-kit/native-addon.ts';
import {
  ADDRESS_WORDS,
  addressFromWords,
  addressToWords,
  type LinkAddress,
  PACKET_HEADROOM,
  PACKET_TAILROOM,
  PacketBatch,
} from '../base/base.ts';
import { NATIVE_ERROR_WORDS, NATIVE_READABLE, NATIVE_WRITABLE, type NativeAddon } from '../native/native.ts';
import { socketFactoryConformance } from './link.conformance.ts';
import type { Link, UdpBind } from './socket.ts';
import { createNodeSockets } from './socket-factory-node.ts';
import { createNativeSockets, openUdpNative } from './udp-native.ts';

const addon = addonForTests();
const MISUSE = expect.objectContaining({ code: 'ERR_OVPN_API_MISUSE' });
const links: Link[] = [];
afterEach(() => {
  for (const link of links.splice(0)) link.close();
});

socketFactoryConformance('native', () => createNativeSockets(addon, createNodeSockets()), {
  udpReportsRefused: true,
});

describe('udp-native readiness', () => {
  it('wakes nobody before somebody reads, and tells of what waits then', async () => {
    const counting = countWakes(addon, 'Udp');
    const link = openUdpNative(counting.addon, { family: 4, localAddress: '127.0.0.1' });
    links.push(link);
    const sender = open();
    sender.send(Buffer.from('hello'), link.local);
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(counting.wakes).toBe(0);
    expect((await receive(link, 1)).map(({ packet }) => String(packet))).toEqual(['hello']);
    expect(counting.wakes).toBeGreaterThan(0);
  });
});

describe('udp-native batches', () => {
  it('carries random batches between two sockets, addresses included', async () => {
    const [a, b] = [open(), open()];
    const property = fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 0, maxLength: 1600 }), { minLength: 1, maxLength: 70 }),
      async (packets) => {
        const batch = new PacketBatch(packets.length);
        for (const packet of packets) addressToWords(b.local, batch.addresses, batch.push(packet));
        expect(a.sendBatch(batch, 0, batch.count)).toBe(batch.count);
        const sent = packets.filter((packet) => packet.length > 0).map(hex);
        const got = await receive(b, sent.length);
        expect(got.map(({ packet }) => hex(packet))).toEqual(sent);
        for (const { from } of got) expect(from).toEqual(a.local);
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });

  it('sends 64 datagrams with one system call and receives them with two', async () => {
    const words = new Int32Array(ADDRESS_WORDS);
    addressToWords({ family: 4, address: '127.0.0.1', port: 0 }, words, 0);
    const errors = new Int32Array(NATIVE_ERROR_WORDS);
    const udp = new addon.Udp(words, false, 0, 0, errors, () => undefined, false);
    const batch = new PacketBatch(64);
    for (let i = 0; i < 64; i++) batch.push(new Uint8Array(100).fill(i));
    udp.localAddress(words);
    for (let i = 0; i < 64; i++) batch.addresses.set(words, i * ADDRESS_WORDS);
    const { slab, slotSize, offsets, lengths, addresses } = batch;
    expect(udp.sendBatch(slab, slotSize, offsets, lengths, addresses, 0, 64)).toBe(64);
    expect(udp.syscalls).toBe(1);
    const recv = () =>
      udp.recvBatch(slab, slotSize, PACKET_HEADROOM, PACKET_TAILROOM, offsets, lengths, addresses, 64);
    expect([recv(), recv()]).toEqual([64, 0]);
    expect(udp.syscalls).toBe(3);
    expect([...batch.packet(63)]).toEqual(new Array(100).fill(63));
    udp.close();
  });

  it('drops datagrams that are empty or longer than a slot, keeping those around them', async () => {
    const [a, b] = [open(), open()];
    const big = new PacketBatch(4, 4000);
    for (const size of [10, 3000, 20, 3000]) addressToWords(b.local, big.addresses, big.push(fill(size)));
    a.sendBatch(big, 0, 4);
    a.send(fill(30), b.local);
    const got = await receive(b, 3, new PacketBatch(8, 1600));
    expect(got.map(({ packet }) => hex(packet))).toEqual([10, 20, 30].map((size) => hex(fill(size))));
    expect(b.dropped).toBe(2);
  });

  it('skips a slot that cannot be sent and sends the rest', async () => {
    const [a, b] = [open(), open()];
    const errors: (string | undefined)[] = [];
    a.onError = (error) => errors.push(error.code);
    const batch = new PacketBatch(5, 65_535);
    const to: LinkAddress[] = [
      b.local,
      { family: 6, address: '::1', port: 9 },
      b.local,
      { ...b.local, port: 0 },
      b.local,
    ];
    for (const [i, address] of to.entries()) {
      addressToWords(address, batch.addresses, batch.push(fill(i === 2 ? 65_530 : 50 + i)));
    }
    expect(a.sendBatch(batch, 0, 5)).toBe(5);
    const got = await receive(b, 2);
    expect(got.map(({ packet }) => packet.length)).toEqual([50, 54]);
    expect(errors).toEqual(['EAFNOSUPPORT', 'EMSGSIZE', 'EINVAL']);
  });

  it('watches for room after a short send, and says once that there is some', () => {
    const polls: number[] = [];
    let ready: (events: number) => void = () => undefined;
    class BusyUdp {
      readonly fd = 3;
      constructor(...args: unknown[]) {
        ready = args[5] as typeof ready;
      }
      poll(events: number): void {
        polls.push(events);
      }
      sendBatch(...args: unknown[]): number {
        return 7 - (args[5] as number);
      }
      localAddress(): void {}
      close(): void {}
    }
    const link = openUdpNative({ ...addon, Udp: BusyUdp } as unknown as NativeAddon, { family: 4 });
    let writable = 0;
    link.onWritable = () => writable++;
    link.onReadable = () => undefined;
    const batch = new PacketBatch(10);
    expect(link.sendBatch(batch, 0, 7)).toBe(7);
    expect(link.sendBatch(batch, 2, 10)).toBe(5);
    ready(NATIVE_WRITABLE);
    expect(writable).toBe(1);
    expect(polls).toEqual([NATIVE_READABLE, NATIVE_READABLE | NATIVE_WRITABLE, NATIVE_READABLE]);
  });
});

describe('udp-native offload', () => {
  /** Lengths of packets and the socket (0 or 1) each goes to. */
  const mixtures: [string, [number, number][]][] = [
    ['one run', new Array(60).fill([1400, 0])],
    ['a run with a shorter end', [...new Array(20).fill([1300, 0]), [7, 0]]],
    [
      'a longer packet behind shorter ones',
      [
        [100, 0],
        [100, 0],
        [200, 0],
        [200, 0],
        [100, 0],
      ],
    ],
    ['runs of two peers', [...new Array(10).fill([900, 0]), ...new Array(10).fill([900, 1])]],
    ['two peers by turns', Array.from({ length: 20 }, (_, i) => [500, i % 2] as [number, number])],
    ['more than fits one message', new Array(120).fill([1450, 0])],
    ['many small packets', new Array(128).fill([20, 0])],
    [
      'empty slots in between',
      [
        [300, 0],
        [0, 0],
        [300, 0],
        [0, 0],
        [300, 0],
      ],
    ],
  ];
  for (const [what, parts] of mixtures) {
    for (const [sends, receives] of [
      [true, true],
      [true, false],
      [false, true],
    ] as const) {
      it(`keeps packets apart: ${what}, offload ${sends ? 'on' : 'off'} to ${receives ? 'on' : 'off'}`, async () => {
        const a = open({}, sends);
        const peers = [open({ rcvbuf: 1 << 20 }, receives), open({ rcvbuf: 1 << 20 }, receives)];
        const batch = new PacketBatch(parts.length);
        for (const [i, [size, peer]] of parts.entries()) {
          addressToWords(peers[peer]!.local, batch.addresses, batch.push(Buffer.alloc(size, i)));
        }
        const sent = [0, 1].map((peer) => contents(batch, (slot) => parts[slot]![1] === peer));
        expect(a.sendBatch(batch, 0, batch.count)).toBe(batch.count);
        for (const peer of [0, 1]) {
          const got = await receive(peers[peer]!, sent[peer]!.length, new PacketBatch(16));
          expect(got.map(({ packet }) => hex(packet))).toEqual(sent[peer]);
          for (const { from } of got) expect(from).toEqual(a.local);
        }
      });
    }
  }

  it('works over IPv6, and to a mapped peer', async () => {
    const a = open({ family: 6, localAddress: '::' });
    for (const peer of [open({ family: 6, localAddress: '::1' }), open()]) {
      const batch = new PacketBatch(30);
      for (let i = 0; i < 30; i++)
        addressToWords(peer.local, batch.addresses, batch.push(Buffer.alloc(1200, i)));
      expect(a.sendBatch(batch, 0, 30)).toBe(30);
      const got = await receive(peer, 30);
      expect(got.map(({ packet }) => hex(packet))).toEqual(contents(batch, () => true));
    }
  });

  it('announces again what one call of recvBatch left waiting', async () => {
    const [a, b] = [open(), open()];
    const batch = new PacketBatch(40);
    for (let i = 0; i < 40; i++) addressToWords(b.local, batch.addresses, batch.push(Buffer.alloc(1000, i)));
    const into = new PacketBatch(3);
    const got: number[] = [];
    b.onReadable = () => {
      const count = b.recvBatch(into);
      for (let slot = 0; slot < count; slot++) got.push(into.packet(slot)[0]!);
    };
    a.sendBatch(batch, 0, 40);
    await until(() => got.length === 40);
    expect(got).toEqual(Array.from({ length: 40 }, (_, i) => i));
  });

  it('forgets what waits when it is closed', async () => {
    const [a, b] = [open(), open()];
    const batch = new PacketBatch(40);
    for (let i = 0; i < 40; i++) addressToWords(b.local, batch.addresses, batch.push(Buffer.alloc(1000, i)));
    let calls = 0;
    b.onReadable = () => {
      calls++;
      b.recvBatch(new PacketBatch(3));
      b.close();
    };
    a.sendBatch(batch, 0, 40);
    await until(() => calls > 0);
    await turns(20);
    expect(calls).toBe(1);
  });

  it('sends 64 equal datagrams as two messages of one system call', () => {
    const words = new Int32Array(ADDRESS_WORDS);
    addressToWords({ family: 4, address: '127.0.0.1', port: 0 }, words, 0);
    const udp = new addon.Udp(words, false, 0, 0, new Int32Array(NATIVE_ERROR_WORDS), () => undefined, true);
    udp.localAddress(words);
    const batch = new PacketBatch(64);
    for (let i = 0; i < 64; i++)
      batch.addresses.set(words, batch.push(Buffer.alloc(1400, i)) * ADDRESS_WORDS);
    const { slab, slotSize, offsets, lengths, addresses } = batch;
    expect(udp.sendBatch(slab, slotSize, offsets, lengths, addresses, 0, 64)).toBe(64);
    expect([udp.syscalls, udp.pending]).toEqual([1, false]);
    const receiveSome = (limit: number) =>
      udp.recvBatch(slab, slotSize, PACKET_HEADROOM, PACKET_TAILROOM, offsets, lengths, addresses, limit);
    expect([receiveSome(10), udp.pending]).toEqual([10, true]);
    expect([receiveSome(54), udp.pending, receiveSome(64)]).toEqual([54, false, 0]);
    udp.close();
  });
});

describe('udp-native errors', () => {
  it('reports a refused port in the words of 2.x, once a second at most, and stays usable', async () => {
    const [a, b, gone] = [open(), open(), open()];
    gone.close();
    const errors: NodeJS.ErrnoException[] = [];
    a.onError = (error) => errors.push(error);
    for (let i = 0; i < 20; i++) {
      a.send(fill(10), gone.local);
      await turns(3);
    }
    expect(errors.map((error) => error.code)).toEqual(['ECONNREFUSED']);
    expect(errors[0]!.message).toMatch(
      /^(read|write) UDPv4 \[ECONNREFUSED\]: Connection refused \(fd=\d+,code=111\)$/,
    );
    expect(a.send(fill(11), b.local)).toBe(true);
    expect((await receive(b, 1))[0]!.packet.length).toBe(11);
  });

  it('loses no packet of a batch to the ICMP error of another peer', async () => {
    const [a, b, gone] = [open(), open({ rcvbuf: 1 << 20 }), open()];
    gone.close();
    const batch = new PacketBatch(60);
    for (let i = 0; i < 60; i++) {
      addressToWords(i % 3 === 1 ? gone.local : b.local, batch.addresses, batch.push(fill(20 + i)));
    }
    const expected = batch.count - 20;
    for (let round = 0; round < 10; round++) {
      expect(a.sendBatch(batch, 0, 60)).toBe(60);
      expect(await receive(b, expected)).toHaveLength(expected);
    }
  });

  it('does not spin when nobody reads the error', async () => {
    const [a, gone] = [open(), open()];
    gone.close();
    let calls = 0;
    a.onReadable = () => calls++;
    a.send(fill(10), gone.local);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(calls).toBeLessThan(10);
  });

  it('fails to bind in the words of 2.x', () => {
    const first = open();
    const bind = { localAddress: '127.0.0.1', localPort: first.local.port };
    expect(() => open(bind)).toThrow(
      expect.objectContaining({
        name: 'LinkError',
        message: `TCP/UDP: Socket bind failed on local address [AF_INET]127.0.0.1:${first.local.port}: Address already in use (errno=98)`,
        cause: expect.objectContaining({ code: 'EADDRINUSE' }),
      }),
    );
  });

  it('refuses arrays that do not fit together', () => {
    const words = new Int32Array(ADDRESS_WORDS);
    expect(() => new addon.Udp(words, false, 0, 0, words, () => undefined, true)).toThrow(MISUSE);
    words[0] = 4;
    const udp = new addon.Udp(words, false, 0, 0, new Int32Array(1), () => undefined, true);
    const { slab, slotSize, offsets, lengths, addresses } = new PacketBatch(4);
    lengths.fill(10);
    const short = addresses.subarray(0, 3 * ADDRESS_WORDS);
    expect(() => udp.sendBatch(slab, slotSize, offsets, lengths, short, 0, 4)).toThrow(MISUSE);
    expect(() => udp.recvBatch(slab, slotSize, 128, 64, offsets, lengths, short, 4)).toThrow(MISUSE);
    expect(() => udp.recvBatch(slab, slotSize, -1, 64, offsets, lengths, addresses, 4)).toThrow(MISUSE);
    expect(() => udp.recvBatch(slab, slotSize, slotSize, 64, offsets, lengths, addresses, 4)).toThrow(MISUSE);
    expect(() => udp.recvBatch(slab, slotSize + 1, 128, 64, offsets, lengths, addresses, 4)).toThrow(MISUSE);
    offsets[1] = -1;
    expect(() => udp.sendBatch(slab, slotSize, offsets, lengths, addresses, 0, 4)).toThrow(MISUSE);
    expect(() => udp.send(new Uint8Array(1), words.subarray(1))).toThrow(MISUSE);
    expect(() => udp.poll(8)).toThrow(MISUSE);
    udp.close();
    udp.close();
    expect(udp.fd).toBe(-1);
    expect(() => udp.poll(1)).toThrow(MISUSE);
    expect(() => udp.send(new Uint8Array(1), words)).toThrow(MISUSE);
  });
});

describe('udp-native addresses', () => {
  it('keeps an IPv4 peer of a dual-stack socket a mapped family 6 address', async () => {
    const server = open({ family: 6, localAddress: '::' });
    const client = open();
    client.send(fill(5), { family: 4, address: '127.0.0.1', port: server.local.port });
    const [got] = await receive(server, 1);
    expect(got!.from).toEqual({ family: 6, address: '::ffff:127.0.0.1', port: client.local.port });
    expect(server.send(fill(6), got!.from)).toBe(true);
    expect(server.send(fill(7), client.local)).toBe(true);
    expect((await receive(client, 2)).map(({ packet }) => packet.length)).toEqual([6, 7]);
  });

  it('refuses mapped peers with ipv6Only', async () => {
    const server = open({ family: 6, localAddress: '::', ipv6Only: true });
    const v4 = open();
    const v6 = open({ family: 6, localAddress: '::1' });
    v4.send(fill(5), { family: 4, address: '127.0.0.1', port: server.local.port });
    v6.send(fill(6), { family: 6, address: '::1', port: server.local.port });
    const got = await receive(server, 1);
    expect(got.map(({ from }) => from)).toEqual([v6.local]);
  });
});

describe('udp-native life', () => {
  it('leaks no descriptor over many opens and closes, in and out of callbacks', async () => {
    const before = openDescriptors(/^socket:/);
    for (let round = 0; round < 100; round++) {
      const [a, b] = [open(), open()];
      b.onReadable = () => {
        b.close();
        a.close();
      };
      for (let i = 0; i < 5; i++) a.send(fill(10), b.local);
      if (round % 3 === 0) b.close();
      await turns(2);
      a.close();
      b.close();
    }
    await turns(5);
    expect(openDescriptors(/^socket:/)).toBe(before);
  });

  it('calls nothing after close()', async () => {
    const [a, b] = [open(), open()];
    let calls = 0;
    b.onReadable = () => calls++;
    b.onError = () => calls++;
    a.send(fill(10), b.local);
    b.close();
    await turns(20);
    expect(calls).toBe(0);
    expect(b.sendBatch(new PacketBatch(1), 0, 1)).toBe(1);
    expect(b.recvBatch(new PacketBatch(1))).toBe(0);
    expect(b.send(fill(1), a.local)).toBe(false);
  });

  it('lets a worker end with sockets still open and watched', async () => {
    const before = openDescriptors(/^socket:/);
    const code = `
      const addon = require(process.env.ADDON);
      const words = new Int32Array(8); words[0] = 4;
      globalThis.sockets = Array.from({ length: 20 }, () => new addon.Udp(words, false, 0, 0, new Int32Array(49), () => {}, true));
      sockets.forEach((socket, i) => socket.poll(1 + i % 3));
      require('node:worker_threads').parentPort.postMessage('open');
    `;
    const path = new URL('../../build/Release/openvpn_native.node', import.meta.url).pathname;
    for (let round = 0; round < 5; round++) {
      const worker = new Worker(code, { eval: true, env: { ADDON: path } });
      await new Promise((resolve) => worker.once('message', resolve));
      expect(await worker.terminate()).toBe(1);
    }
    expect(openDescriptors(/^socket:/)).toBe(before);
  });

  it('reports an exception of onReadable as uncaught and goes on', async () => {
    const [a, b] = [open(), open()];
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const uncaught: unknown[] = [];
    process.once('uncaughtException', (error) => uncaught.push(error));
    let calls = 0;
    b.onReadable = () => {
      calls++;
      if (calls === 1) throw new Error('from onReadable');
      b.recvBatch(new PacketBatch(8));
    };
    a.send(fill(10), b.local);
    await until(() => calls >= 2);
    for (const listener of listeners) process.on('uncaughtException', listener);
    expect(uncaught).toEqual([expect.objectContaining({ message: 'from onReadable' })]);
  });
});

function contents(batch: PacketBatch, which: (slot: number) => boolean): string[] {
  const slots = Array.from({ length: batch.count }, (_, slot) => slot);
  return slots
    .filter((slot) => which(slot) && batch.lengths[slot]! > 0)
    .map((slot) => hex(batch.packet(slot)));
}

function open(bind: Partial<UdpBind> = {}, offload = true): Link {
  const link = openUdpNative(addon, { family: 4, localAddress: '127.0.0.1', ...bind }, { offload });
  links.push(link);
  return link;
}

async function receive(
  link: Link,
  count: number,
  batch = new PacketBatch(64, 1700),
): Promise<{ packet: Buffer; from: LinkAddress }[]> {
  const got: { packet: Buffer; from: LinkAddress }[] = [];
  link.onReadable = () => {
    while (link.recvBatch(batch) > 0) {
      for (let slot = 0; slot < batch.count; slot++) {
        expect(batch.offsets[slot]).toBe(slot * batch.slotSize + PACKET_HEADROOM);
        got.push({ packet: Buffer.from(batch.packet(slot)), from: addressFromWords(batch.addresses, slot) });
      }
    }
  };
  await until(() => got.length >= count);
  return got;
}

function fill(length: number): Buffer {
  return Buffer.alloc(length, length & 0xff);
}

function hex(data: Uint8Array): string {
  return Buffer.from(data).toString('hex');
}

async function until(done: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!done() && performance.now() < deadline) await turns(1);
  expect(done()).toBe(true);
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

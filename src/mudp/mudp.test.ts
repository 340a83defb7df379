/** Strangers' packets up to their drop: no text of an address is made, nothing is kept, nothing allocated. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { addonForTests } from '../../test-kit/native-addon.ts';
import { ADDRESS_WORDS, ManualClock, MemoryLogger, nullLogger, type PacketBatch } from '../base/base.ts';
import { type CryptoBackend, digestInfo } from '../crypto/crypto.ts';
import { createNativeCrypto } from '../crypto/crypto-native.ts';
import { createNodeCrypto } from '../crypto/crypto-node.ts';
import type { BoundLink, MultiServer } from '../multi/multi.ts';
import {
  type ControlWrap,
  createNoWrap,
  createTlsAuthWrap,
  createTlsCryptWrap,
  InitialRateLimit,
  TlsCryptV2ServerKey,
  withClientKeys,
} from '../reliable/reliable.ts';
import { UdpReceiver } from './mudp.ts';

const texts = vi.hoisted(() => ({ made: 0 }));

vi.mock('ipaddr.js', async (original) => {
  const { default: ipaddr } = await original<{ default: { IPv6: new (bytes: number[]) => object } }>();
  class IPv6 extends ipaddr.IPv6 {
    constructor(bytes: number[]) {
      super(bytes);
      texts.made++;
    }
  }
  return { default: { ...ipaddr, IPv6 } };
});

const BATCH = 64;
const PACKETS = 20_000;
const node = createNodeCrypto();

/** First bytes that lead to every kind of drop: data, all control opcodes, bad key ids, opcodes that don't exist. */
const KINDS = [0x30, 0x48, 0x38, 0x20, 0x28, 0x40, 0x50, 0x58, 0x3a, 0x08, 0xf8, 0x18];

beforeEach(() => {
  texts.made = 0;
});
afterEach(() => vi.restoreAllMocks());

const WRAPS: readonly (readonly [string, (crypto: CryptoBackend) => ControlWrap])[] = [
  ['no wrap', () => createNoWrap()],
  [
    'tls-auth',
    (crypto) => createTlsAuthWrap({ key2: key2(), direction: 0, digest: digestInfo('SHA1')!, crypto }),
  ],
  ['tls-crypt', (crypto) => createTlsCryptWrap({ key2: key2(), role: 'server', crypto })],
  [
    'tls-crypt-v2',
    (crypto) =>
      withClientKeys(
        createTlsCryptWrap({ key2: key2(), role: 'server', crypto }),
        new TlsCryptV2ServerKey({ key: new Uint8Array(128).fill(5), crypto }),
      ),
  ],
];

describe('a packet of a stranger over IPv6', () => {
  for (const [name, createWrap] of WRAPS) {
    it(`is dropped without a text of its address (${name})`, () => {
      const world = createWorld(createWrap(node), nullLogger);
      world.arrive(1_000);
      expect(world.receiver.drops.data + world.receiver.drops.control).toBe(1_000);
      expect(texts.made).toBe(0);
    });
  }

  it('has its address in the log where that is written', () => {
    const log = new MemoryLogger(15);
    createWorld(createNoWrap(), log).arrive(KINDS.length);
    expect(log.lines.join('\n')).toContain('[AF_INET6]2001:db8::');
    expect(texts.made).toBeGreaterThan(0);
  });
});

describe('a packet of a stranger', () => {
  const native = createNativeCrypto(addonForTests(), node);
  for (const [name, createWrap] of WRAPS) {
    it(`leaves nothing on the heap (${name})`, () => {
      const world = createWorld(createWrap(native), nullLogger);
      world.arrive(PACKETS);
      setFlagsFromString('--expose-gc');
      const collect = runInNewContext('gc') as () => void;
      const rounds = Array.from({ length: 5 }, () => {
        collect();
        const before = process.memoryUsage().heapUsed;
        world.arrive(PACKETS);
        return process.memoryUsage().heapUsed - before;
      });
      expect(Math.min(...rounds.map(Math.abs)) / PACKETS).toBeLessThan(16);
    });
  }
});

describe('a flood', () => {
  it.each([
    [3, 3],
    [0, 16],
  ])('gives others their turn: batches of %i ms, %i at a time', async (batchMs, batches) => {
    const world = createWorld(createNoWrap(), nullLogger, batchMs);
    expect(world.arriveTogether(20 * BATCH)).toBe((20 - batches) * BATCH);
    // What is left needs nobody to say that it is there.
    await vi.waitFor(() => expect(world.left()).toBe(0));
    expect(world.receiver.drops.data + world.receiver.drops.control).toBe(20 * BATCH);
  });
});

function key2(): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, i) => i);
}

/** A receiver whose link gives packets of strangers, and a server without clients. */
function createWorld(wrap: ControlWrap, log: typeof nullLogger, batchMs = 0) {
  let left = 0;
  const clock = new ManualClock();
  const link = {
    transport: 'udp' as const,
    batchSize: BATCH,
    onReadable: () => undefined,
    recvBatch: (batch: PacketBatch) => {
      const count = Math.min(left, BATCH);
      for (let slot = 0; slot < count; slot++) fillSlot(batch, slot, left - slot);
      left -= count;
      batch.count = count;
      clock.advance(batchMs);
      return count;
    },
    send: () => true,
    close: () => undefined,
  };
  const server = {
    config: {
      options: { handWindow: 60 },
      crypto: node,
      log,
      clock,
      tun: { writeBatch: () => 0 },
    },
    initialRate: new InitialRateLimit(0, 10, nullLogger),
    connectRate: { admit: () => true },
    shuttingDown: false,
    addLink: () => undefined,
    removeLink: () => undefined,
    byPeerId: () => undefined,
    byWords: () => undefined,
    io: { flush: () => undefined },
  };
  const bound = { link, profile: { wrap } };
  const receiver = new UdpReceiver(server as unknown as MultiServer, bound as unknown as BoundLink, 1600);
  const arrive = (count: number) => {
    left = count;
    while (left > 0) link.onReadable();
  };
  /** All at once; what is left after the first turn. */
  const arriveTogether = (count: number) => {
    left = count;
    link.onReadable();
    return left;
  };
  return { receiver, arrive, arriveTogether, left: () => left };
}

function fillSlot(batch: PacketBatch, slot: number, seed: number): void {
  const at = slot * batch.slotSize + 128;
  const length = 20 + (seed % 500);
  batch.offsets[slot] = at;
  batch.lengths[slot] = length;
  batch.slab.fill(seed & 0xff, at, at + length);
  batch.slab[at] = KINDS[seed % KINDS.length]!;
  // A length that a wrapped key could have.
  batch.slab[at + length - 2] = 1;
  batch.slab[at + length - 1] = 0x40;
  const base = slot * ADDRESS_WORDS;
  batch.addresses.fill(0, base, base + ADDRESS_WORDS);
  batch.addresses[base] = 6;
  batch.addresses[base + 1] = 1 + (seed & 0x7fff);
  batch.addresses[base + 2] = 0x20010db8;
  batch.addresses[base + 5] = seed;
}

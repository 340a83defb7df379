/**
 * Epoch data keys over a CryptoBackend: key schedule and packets of real peers (test-kit/vectors.json
 * `epoch`, `data_packets`), and the moves between epochs.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PacketBatch } from '../base/base.ts';
import type { CipherInfo, CryptoBackend, DataKeySpec, EpochKeys, EpochKeysSpec, KeyHalf } from './crypto.ts';
import {
  aeadUsageLimit,
  cipherInfo,
  createEpochKeys,
  FUTURE_EPOCHS,
  keyHalves,
  OPEN_AUTH_FAILED,
  OPEN_BAD_EPOCH,
  OPEN_OK,
  OPEN_TOO_SHORT,
  REPLAY_SEEN,
  REPLAY_TOO_OLD,
} from './crypto.ts';
import { EpochSchedule, expandLabel } from './epoch-schedule.ts';
import { batchOf, bytes, hex } from './samples.conformance.ts';

interface EpochPacket {
  readonly packet: string;
  readonly payload: string;
}
interface EpochCase {
  readonly peer: string;
  readonly cipher: string;
  readonly epoch: number;
  readonly key2: string;
  readonly derived: Record<'c2s' | 's2c', Record<'E1' | 'epoch_key' | 'data_key' | 'data_iv', string>>;
  readonly c2s: EpochPacket;
  readonly s2c: EpochPacket;
}

interface Sample {
  readonly packet: string;
  readonly payload: string;
}

interface Vectors {
  readonly epoch: {
    readonly cases: readonly EpochCase[];
    readonly labels: Readonly<Record<'next_epoch_text' | 'key_text' | 'iv_text' | 'prefix_text', string>>;
    readonly window: { readonly accepted: string };
  };
  readonly data_packets: readonly {
    readonly name: string;
    readonly peer: string;
    readonly cipher: string;
    readonly key2: string;
    readonly c2s: Sample;
    readonly s2c: readonly Sample[];
  }[];
}

const vectors: Vectors = JSON.parse(
  readFileSync(new URL('../../test-kit/vectors.json', import.meta.url), 'utf8'),
);

const GCM = cipherInfo('AES-256-GCM')!;
const WINDOW = { replayWindow: 64, replaySec: 15 };
/** For a test of some hundred thousand derivations: seconds, and minutes under sanitizers on a busy machine. */
const LIMIT_MS = 300_000;

/** Runs all checks against the backend that `create` makes. */
export function epochConformance(name: string, create: () => CryptoBackend): void {
  describe(`${name}: epoch data keys`, () => {
    const crypto = create();
    knownAnswers(crypto);
    moves(crypto);
    replay(crypto);
    badInput(crypto);
  });
}

function knownAnswers(crypto: CryptoBackend): void {
  for (const vector of vectors.epoch.cases) {
    const cipher = cipherInfo(vector.cipher)!;
    const halves = keyHalves(bytes(vector.key2));
    for (const [index, direction] of (['c2s', 's2c'] as const).entries()) {
      it(`epoch ${vector.epoch} of ${vector.cipher} with ${vector.peer}, ${direction}`, () => {
        const schedule = new EpochSchedule(crypto, cipher, halves[index]!);
        schedule.advanceTo(vector.epoch);
        const key = schedule.dataKey();
        const { data_key, data_iv } = vector.derived[direction];
        expect([hex(key.cipher), hex(key.hmac)]).toEqual([data_key, data_iv]);

        checkSample(crypto, schedule, cipher, vector[direction]);
      });
    }
  }

  for (const { name, peer, key2, c2s, s2c, ...vector } of vectors.data_packets) {
    if (!name.startsWith('epoch')) continue;
    it(`packets of session ${name} with ${peer}`, () => {
      const cipher = cipherInfo(vector.cipher)!;
      const halves = keyHalves(bytes(key2));
      for (const [half, sample] of [
        [halves[0], c2s] as const,
        ...s2c.map((one) => [halves[1], one] as const),
      ]) {
        const schedule = new EpochSchedule(crypto, cipher, half);
        schedule.advanceTo(Buffer.from(sample.packet, 'hex').readUInt16BE(4));
        checkSample(crypto, schedule, cipher, sample);
      }
    });
  }

  it('has the labels and the window of 2.7', () => {
    const { labels, window, cases } = vectors.epoch;
    const { E1, data_key, data_iv } = cases[0]!.derived.c2s;
    const expand = (label: string, length: number) => hex(expandLabel(crypto, bytes(E1), label, length));
    expect(expand(labels.key_text, 32)).toBe(data_key);
    expect(expand(labels.iv_text, 12)).toBe(data_iv);
    const later = cases.find(({ epoch }) => epoch === 2)!.derived.c2s;
    const next = expandLabel(crypto, bytes(later.E1), labels.next_epoch_text, 32);
    expect(hex(next)).toBe(later.epoch_key);
    expect(window.accepted).toBe(`current+1..current+${FUTURE_EPOCHS}`);
  });
}

/** A packet of a real peer opens, and is what sealing its payload gives. */
function checkSample(
  crypto: CryptoBackend,
  schedule: EpochSchedule,
  cipher: CipherInfo,
  { packet, payload }: Sample,
): void {
  const wire = bytes(packet);
  const head = Buffer.from(wire);
  const { epoch } = schedule;
  const spec = { cipher, key: schedule.dataKey(), keyId: head[0]! & 7, peerId: head.readUIntBE(1, 3), epoch };
  const opened = batchOf(wire);
  crypto.createOpeningKey(spec).openBatch(opened, 0, 1);
  expect([opened.status[0], hex(opened.packet(0))]).toEqual([OPEN_OK, payload]);
  expect(opened.packetTimes[0]).toBe(head.readUInt32BE(4));
  expect(opened.packetIds[0]).toBe(head.readUInt32BE(8));
  const sealed = batchOf(bytes(payload));
  const firstPacketId = head.readUIntBE(6, 6);
  expect(crypto.createSealingKey({ ...spec, firstPacketId }).sealBatch(sealed, 0, 1)).toBe(1);
  expect(hex(sealed.packet(0))).toBe(packet);
}

function moves(crypto: CryptoBackend): void {
  it('starts at epoch 1 and counts from 1', () => {
    const { client, server } = pair(crypto);
    const wire = sealed(client, 1);
    expect(hex(wire.subarray(0, 12))).toBe('4b0000050001000000000001');
    expect(openOne(server, wire)).toBe(OPEN_OK);
    expect([client.seal.headBytes, client.seal.tailBytes, client.seal.epoch]).toEqual([12, 16, 1]);
  });

  it('moves to the next epoch when the limit is reached, and the peer follows both ways', () => {
    const moves: number[] = [];
    const limited = { ...crypto, usageLimit: () => 40 };
    const { client, server } = pair(limited, {}, { onPeerEpoch: (epoch) => moves.push(epoch) });
    let last = 1;
    for (let i = 0; i < 200; i++) {
      const wire = sealed(client, 100);
      const epoch = wire.readUInt16BE(4);
      expect(epoch - last).toBeLessThanOrEqual(1);
      last = epoch;
      expect(openOne(server, wire)).toBe(OPEN_OK);
      expect(server.seal.epoch).toBeGreaterThanOrEqual(epoch);
      const answer = sealed(server, 1);
      expect(openOne(client, answer)).toBe(OPEN_OK);
    }
    expect(last).toBeGreaterThan(20);
    expect(moves).toEqual(Array.from({ length: last - 1 }, (_, i) => i + 2));
  });

  it('pushes a peer that overuses its key to the next epoch', () => {
    const { client } = pair(crypto);
    const { server } = pair({ ...crypto, usageLimit: () => 40 });
    for (let i = 0; i < 10; i++) expect(openOne(server, sealed(client, 100))).toBe(OPEN_OK);
    expect(client.seal.epoch).toBe(1);
    expect(openOne(client, sealed(server, 1))).toBe(OPEN_OK);
    expect([server.seal.epoch, client.seal.epoch]).toEqual([2, 2]);
  });

  it('stops the key of one epoch at counter 2^48-1', () => {
    const spec = { cipher: GCM, key: half(0), keyId: 0, peerId: 0, epoch: 1, firstPacketId: 2 ** 48 - 1 };
    const seal = crypto.createSealingKey(spec);
    const batch = new PacketBatch(2);
    for (let i = 0; i < 2; i++) batch.push(Buffer.alloc(20, i));
    expect(seal.sealBatch(batch, 0, 2)).toBe(1);
    expect(hex(batch.packet(0).subarray(4, 12))).toBe('0001ffffffffffff');
    expect(seal.nextPacketId).toBe(2 ** 48);
    expect(seal.sealBatch(batch, 1, 2)).toBe(0);
  });

  it('takes the retiring, the current and the next epochs, and no others', () => {
    // 2.7 and 2.8 were seen to do the same: current 6 drops 11 and 5 - 1, takes 2 when 2 retires.
    const { server } = pair(crypto);
    const at = epochSealers(crypto);
    const status = (epoch: number): number => openOne(server, at(epoch));
    expect(status(2)).toBe(OPEN_OK);
    expect(status(6)).toBe(OPEN_OK);
    expect(status(6 + FUTURE_EPOCHS + 1)).toBe(OPEN_BAD_EPOCH);
    expect(status(5)).toBe(OPEN_BAD_EPOCH);
    expect(status(1)).toBe(OPEN_BAD_EPOCH);
    expect(status(2)).toBe(OPEN_OK);
    expect(status(6 + FUTURE_EPOCHS)).toBe(OPEN_OK);
    expect(status(2)).toBe(OPEN_BAD_EPOCH);
    expect(status(6)).toBe(OPEN_OK);
    expect(server.seal.epoch).toBe(10);
  });

  it('makes the keys of later epochs when the first packet of one comes', () => {
    let made = 0;
    const counting: CryptoBackend = Object.assign(Object.create(crypto), {
      createOpeningKey: (spec: DataKeySpec) => {
        made++;
        return crypto.createOpeningKey(spec);
      },
    });
    const { client, server } = pair(counting);
    made = 0;
    expect(openOne(server, sealed(client, 1))).toBe(OPEN_OK);
    expect(made).toBe(0);
    const at = epochSealers(crypto);
    expect(openOne(server, at(2 + FUTURE_EPOCHS))).toBe(OPEN_BAD_EPOCH);
    expect(made).toBe(0);
    expect(openOne(server, at(2))).toBe(OPEN_OK);
    expect(openOne(server, at(2 + FUTURE_EPOCHS))).toBe(OPEN_OK);
    expect(made).toBe(FUTURE_EPOCHS + 1);
  });

  it('does not move for a packet of a future epoch that does not authenticate', () => {
    const { client, server } = pair(crypto);
    const wire = epochSealers(crypto)(3);
    wire[20]! ^= 1;
    expect(openOne(server, wire)).toBe(OPEN_AUTH_FAILED);
    expect(server.seal.epoch).toBe(1);
    expect(server.open.failures).toBe(1);
    expect(openOne(server, sealed(client, 5))).toBe(OPEN_OK);
  });

  it('opens a batch that crosses epochs, bad packets among them', () => {
    const { server } = pair(crypto);
    const at = epochSealers(crypto);
    const batch = new PacketBatch(6);
    for (const packet of [at(1), at(3), Buffer.alloc(5, 0x4b), at(1), at(9), at(3)]) batch.push(packet);
    server.open.openBatch(batch, 0, 6);
    const expected = [OPEN_OK, OPEN_OK, OPEN_TOO_SHORT, OPEN_OK, OPEN_BAD_EPOCH, OPEN_OK];
    expect([...batch.status]).toEqual(expected);
    expect([...batch.lengths].map((length) => length > 0)).toEqual([true, true, false, true, false, true]);
  });

  it(
    'takes no future epochs close to the last one, and seals none behind it',
    () => {
      const peer = pair(crypto).server;
      const at = epochSealers(crypto);
      for (let epoch = 1; epoch < 65530; epoch += FUTURE_EPOCHS) {
        expect(openOne(peer, at(Math.min(epoch + FUTURE_EPOCHS, 65530)))).toBe(OPEN_OK);
      }
      expect(openOne(peer, at(65531))).toBe(OPEN_BAD_EPOCH);
      expect(peer.seal.epoch).toBe(65530);
    },
    LIMIT_MS,
  );

  it('knows no limit for ChaCha20-Poly1305', () => {
    expect(aeadUsageLimit(cipherInfo('CHACHA20-POLY1305')!)).toBe(0);
    expect(aeadUsageLimit(GCM)).toBe(2 ** 36 - 1);
    expect(aeadUsageLimit(cipherInfo('AES-256-CBC')!)).toBe(0);
  });
}

function replay(crypto: CryptoBackend): void {
  it('has a replay window per epoch', () => {
    const { server } = pair(crypto);
    const check = (epoch: number, counter: number): number =>
      server.replay.check(counter % 2 ** 32, 0, ((epoch << 16) | Math.floor(counter / 2 ** 32)) >>> 0);
    expect(check(1, 1)).toBe(0);
    expect(check(1, 1)).toBe(REPLAY_SEEN);
    expect(check(1, 2 ** 40)).toBe(0);
    expect(check(1, 2 ** 40 - 64)).toBe(REPLAY_TOO_OLD);
    expect(check(1, 2 ** 40 - 63)).toBe(0);
    expect(check(3, 1)).toBe(0);
    expect(check(1, 2 ** 40 + 1)).toBe(0);
    expect(check(2, 1)).toBe(REPLAY_TOO_OLD);
    expect(check(0xffff, 1)).toBe(0);
    expect(check(1, 2 ** 40 + 2)).toBe(REPLAY_TOO_OLD);
    expect(check(3, 2)).toBe(0);
    expect(server.replay.highest).toBe(1);
  });
}

function badInput(crypto: CryptoBackend): void {
  it('refuses other ciphers, missing peer ids and epochs out of range', () => {
    const good = { cipher: GCM, key: half(0), keyId: 0, peerId: 5, epoch: 1 };
    const bad = [
      { ...good, peerId: -1 },
      { ...good, epoch: 0 },
      { ...good, epoch: 65536 },
      { ...good, keyId: 8 },
      { ...good, key: { ...half(0), hmac: new Uint8Array(11) } },
    ];
    for (const spec of bad) expect(() => crypto.createSealingKey(spec)).toThrow();
    expect(() => pair(crypto, { cipher: cipherInfo('AES-256-CBC')! })).toThrow('is not an AEAD cipher');
  });

  it('never opens random bytes', () => {
    const { server } = pair(crypto);
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        fc.integer({ min: 0, max: 8 }),
        (packet, epoch) => {
          packet[0] = 0x48;
          if (packet.length > 5) packet.set([0, epoch], 4);
          return openOne(server, Buffer.from(packet)) !== OPEN_OK;
        },
      ),
      { numRuns: 300 },
    );
    expect(server.seal.epoch).toBe(1);
  });

  it('throws when used after destroy()', () => {
    const { client } = pair(crypto);
    client.seal.destroy();
    client.open.destroy();
    expect(() => client.seal.sealBatch(batchOf(Buffer.alloc(5)), 0, 1)).toThrow();
    expect(() =>
      openOne(client, Buffer.from('4b000005000100000000000100000000000000000000000000000000', 'hex')),
    ).toThrow();
  });
}

/** Two ends of one key; `client` and `server` change their specs. */
function pair(
  crypto: CryptoBackend,
  client: Partial<EpochKeysSpec> = {},
  server: Partial<EpochKeysSpec> = client,
): { client: EpochKeys; server: EpochKeys } {
  const common = { cipher: GCM, keyId: 3, peerId: 5, ...WINDOW };
  return {
    client: createEpochKeys(crypto, { ...common, sealHalf: half(0), openHalf: half(1), ...client }),
    server: createEpochKeys(crypto, { ...common, sealHalf: half(1), openHalf: half(0), ...server }),
  };
}

/** Packets of the client's direction in any epoch, with fresh counters. */
function epochSealers(crypto: CryptoBackend): (epoch: number) => Buffer {
  let counter = 100;
  let schedule = new EpochSchedule(crypto, GCM, half(0));
  return (epoch) => {
    if (epoch < schedule.epoch) schedule = new EpochSchedule(crypto, GCM, half(0));
    schedule.advanceTo(epoch);
    const spec = { cipher: GCM, key: schedule.dataKey(), keyId: 3, peerId: 5, epoch };
    const batch = batchOf(Buffer.alloc(40, epoch));
    crypto.createSealingKey({ ...spec, firstPacketId: counter++ }).sealBatch(batch, 0, 1);
    return Buffer.from(batch.packet(0));
  };
}

function sealed(keys: EpochKeys, length: number): Buffer {
  const batch = batchOf(Buffer.alloc(length, 7));
  expect(keys.seal.sealBatch(batch, 0, 1)).toBe(1);
  return Buffer.from(batch.packet(0));
}

function openOne(keys: EpochKeys, packet: Buffer): number {
  const batch = batchOf(packet);
  keys.open.openBatch(batch, 0, 1);
  return batch.status[0]!;
}

function half(index: 0 | 1): KeyHalf {
  return {
    cipher: Uint8Array.from({ length: 64 }, (_, i) => i * 7 + index),
    hmac: Uint8Array.from({ length: 64 }, (_, i) => i * 5 + index),
  };
}

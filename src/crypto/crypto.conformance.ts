/**
 * What every CryptoBackend must do; a backend is done when this suite passes (style of
 * libp2p/interface-compliance-tests). Known answers come from test-kit/vectors.json: packets that real
 * OpenVPN 2.4 to 2.8 peers sent or accepted.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PACKET_HEADROOM, PacketBatch } from '../base/base.ts';
import type { CipherInfo, CryptoBackend, DataKeySpec } from './crypto.ts';
import {
  AEAD_CIPHERS,
  allDigests,
  cipherInfo,
  keyHalves,
  OPEN_AUTH_FAILED,
  OPEN_OK,
  OPEN_TOO_SHORT,
  prf,
  tls1Prf,
} from './crypto.ts';
import { batchOf, bytes, fill, hex, sealOne, testKey } from './samples.conformance.ts';

interface Vectors {
  readonly data_packets: readonly {
    readonly name: string;
    readonly peer: string;
    readonly cipher: string;
    readonly key2: string;
    readonly c2s: { readonly packet: string; readonly payload: string };
    readonly s2c: readonly { readonly packet: string; readonly payload: string }[];
  }[];
  readonly prf_key_expansion: readonly Record<string, string>[];
  readonly ekm_split: readonly {
    readonly name: string;
    readonly ekm: string;
    readonly keys: readonly { readonly cipher: string; readonly hmac: string }[];
  }[];
}

const vectors: Vectors = JSON.parse(
  readFileSync(new URL('../../test-kit/vectors.json', import.meta.url), 'utf8'),
);

const MAX_PACKET_ID = 0xffff_ffff;

/** Runs all checks against the backend that `create` makes. */
export function cryptoConformance(name: string, create: () => CryptoBackend): void {
  describe(`${name}: CryptoBackend`, () => {
    const crypto = create();
    const ciphers = AEAD_CIPHERS.map((cipher) => cipherInfo(cipher)!).filter((info) =>
      crypto.supportsCipher(info),
    );

    it('supports the default data ciphers and AES-192-GCM', () => {
      const names = ciphers.map((info) => info.name);
      expect(names).toEqual(
        expect.arrayContaining(['AES-128-GCM', 'AES-192-GCM', 'AES-256-GCM', 'CHACHA20-POLY1305']),
      );
    });

    it('refuses a key for a cipher that it does not support', () => {
      const info = { ...cipherInfo('none')!, name: 'ROT13' };
      expect(crypto.supportsCipher(info)).toBe(false);
      expect(() => crypto.createSealingKey({ ...specOf(ciphers[0]!), cipher: info })).toThrow();
      expect(() => crypto.createOpeningKey({ ...specOf(ciphers[0]!), cipher: info })).toThrow();
    });

    knownAnswers(crypto);
    primitives(crypto);
    for (const cipher of ciphers) dataKeys(crypto, cipher);
    batches(crypto);
    exhaustion(crypto);
    badInput(crypto);
    properties(crypto, ciphers);
  });
}

function knownAnswers(crypto: CryptoBackend): void {
  describe('packets of real peers', () => {
    for (const vector of aeadVectors()) {
      const cipher = cipherInfo(vector.cipher)!;
      const [k0, k1] = keyHalves(bytes(vector.key2));
      const directions = [
        { dir: 'c2s', key: k0, ...vector.c2s },
        ...vector.s2c.map((sample) => ({ dir: 's2c', key: k1, ...sample })),
      ];
      for (const { dir, key, packet, payload } of directions) {
        it(`opens and seals ${vector.name} with ${vector.peer}, ${dir}`, () => {
          const wire = bytes(packet);
          const header = readHeader(wire);
          const opened = batchOf(wire);
          crypto.createOpeningKey({ cipher, key, keyId: 0, peerId: -1 }).openBatch(opened, 0, 1);
          expect(opened.status[0]).toBe(OPEN_OK);
          expect(opened.packetIds[0]).toBe(header.packetId);
          expect(hex(opened.packet(0))).toBe(payload);

          const spec = { cipher, key, ...header, firstPacketId: header.packetId };
          const sealed = batchOf(bytes(payload));
          expect(crypto.createSealingKey(spec).sealBatch(sealed, 0, 1)).toBe(1);
          expect(hex(sealed.packet(0))).toBe(packet);
        });
      }
    }

    for (const vector of vectors.prf_key_expansion) {
      it(`derives the key of session ${vector.name} with ${vector.peer}`, () => {
        const seed = [Buffer.from('OpenVPN master secret'), bytes(vector.client_random1!)];
        seed.push(bytes(vector.server_random1!));
        expect(hex(tls1Prf(crypto, bytes(vector.pre_master!), seed, 48))).toBe(vector.master);
        const key2 = prf(crypto, {
          preMaster: bytes(vector.pre_master!),
          clientRandom1: bytes(vector.client_random1!),
          clientRandom2: bytes(vector.client_random2!),
          serverRandom1: bytes(vector.server_random1!),
          serverRandom2: bytes(vector.server_random2!),
          clientSessionId: bytes(vector.client_sid!),
          serverSessionId: bytes(vector.server_sid!),
        });
        expect(hex(key2)).toBe(vector.key2);
      });
    }

    for (const vector of vectors.ekm_split) {
      it(`splits the exported key material of ${vector.name}`, () => {
        const halves = keyHalves(bytes(vector.ekm));
        expect(halves.map((half) => ({ cipher: hex(half.cipher), hmac: hex(half.hmac) }))).toEqual(
          vector.keys,
        );
      });
    }
  });
}

function primitives(crypto: CryptoBackend): void {
  describe('primitives', () => {
    it('computes HMAC over the concatenated parts (RFC 2202, RFC 4231 case 2)', () => {
      const key = Buffer.from('Jefe');
      const parts = [Buffer.from('what do ya want '), Buffer.alloc(0), Buffer.from('for nothing?')];
      expect(hex(crypto.hmac('MD5', key, ...parts))).toBe('750c783e6ab0b503eaa86e310a5db738');
      expect(hex(crypto.hmac('SHA1', key, ...parts))).toBe('effcdf6ae5eb2fa2d27416d5f184df9c259a7c79');
      expect(hex(crypto.hmac('SHA256', key, ...parts))).toBe(
        '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
      );
    });

    it('hashes the concatenated parts (FIPS 180 "abc")', () => {
      const parts = [Buffer.from('a'), Buffer.from('bc')];
      expect(hex(crypto.hash('SHA1', ...parts))).toBe('a9993e364706816aba3e25717850c26c9cd0d89d');
      expect(hex(crypto.hash('MD5', ...parts))).toBe('900150983cd24fb0d6963f7d28e17f72');
    });

    it('runs AES-256-CTR both ways (SP 800-38A F.5.5), also in place', () => {
      const key = crypto.createCtrKey(
        bytes('603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4'),
      );
      const plain = '6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51ff';
      const packet = bytes(`f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff${plain}`);
      const out = new Uint8Array(40);
      key.apply(packet, 0, 16, packet.length, out, 5);
      expect(hex(out.subarray(5, 37))).toBe(
        '601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5',
      );
      expect(hex(packet.subarray(16))).toBe(plain);
      key.apply(packet, 0, 16, packet.length, packet, 16);
      expect(hex(packet.subarray(16))).toBe(hex(out.subarray(5, 38)));
      key.apply(packet, 0, 16, packet.length, packet, 16);
      expect(hex(packet.subarray(16))).toBe(plain);
      key.apply(packet, 0, 16, 16, out, 40);
      key.destroy();
    });

    it('computes an HMAC over ranges again and again, and compares with all or the start of it', () => {
      for (const { name } of allDigests()) {
        const secret = Buffer.from('Jefe');
        const key = crypto.createMacKey(name, secret);
        const packet = Buffer.alloc(200, 7);
        const [first, second, third] = [
          packet.subarray(150),
          packet.subarray(80, 90),
          packet.subarray(90, 91),
        ];
        const expected = crypto.hmac(name, secret, first, second, third);
        expect(key.bytes, name).toBe(expected.length);
        for (const tagBytes of [expected.length, 8]) {
          key.write(packet, 3, tagBytes, 150, 200, 80, 90, 90, 91);
          expect(hex(packet.subarray(3, 3 + tagBytes))).toBe(hex(expected.subarray(0, tagBytes)));
          expect(key.matches(packet, 3, tagBytes, 150, 200, 80, 90, 90, 91)).toBe(true);
          packet[3]! ^= 0x80;
          expect(key.matches(packet, 3, tagBytes, 150, 200, 80, 90, 90, 91)).toBe(false);
        }
        key.write(packet, 3, 8, 0, 0, 0, 0, 0, 0);
        expect(hex(packet.subarray(3, 11))).toBe(hex(crypto.hmac(name, secret).subarray(0, 8)));
        key.destroy();
      }
      for (let i = 0; i < 2; i++)
        expect(() => crypto.createMacKey('NO-SUCH-DIGEST', new Uint8Array(8))).toThrow('digest');
      const empty = crypto.createMacKey('SHA256', new Uint8Array(0));
      const packet = Buffer.alloc(64);
      empty.write(packet, 0, 32, 32, 64, 0, 0, 0, 0);
      expect(hex(packet.subarray(0, 32))).toBe(
        hex(crypto.hmac('SHA256', new Uint8Array(0), packet.subarray(32))),
      );
    });

    it('makes random bytes of the length asked', () => {
      expect(crypto.randomBytes(0)).toHaveLength(0);
      expect(crypto.randomBytes(32)).toHaveLength(32);
      expect(hex(crypto.randomBytes(16))).not.toBe(hex(crypto.randomBytes(16)));
    });

    it('compares bytes, lengths included', () => {
      expect(crypto.equal(bytes('0102'), bytes('0102'))).toBe(true);
      expect(crypto.equal(bytes('0102'), bytes('0103'))).toBe(false);
      expect(crypto.equal(bytes('0102'), bytes('010203'))).toBe(false);
      expect(crypto.equal(new Uint8Array(0), new Uint8Array(0))).toBe(true);
    });
  });
}

function dataKeys(crypto: CryptoBackend, cipher: CipherInfo): void {
  describe(`data keys of ${cipher.name}`, () => {
    for (const peerId of [-1, 0, 5, 0xff_fffe]) {
      it(`brings every length 1..1600 through with peer id ${peerId}`, () => {
        const spec = specOf(cipher, { peerId, keyId: 3 });
        const seal = crypto.createSealingKey(spec);
        const open = crypto.createOpeningKey(spec);
        const batch = new PacketBatch(64);
        for (let from = 1; from <= 1600; from += 64) {
          batch.clear();
          for (let length = from; length < from + 64 && length <= 1600; length++) batch.push(fill(length));
          expect(seal.sealBatch(batch, 0, batch.count)).toBe(batch.count);
          open.openBatch(batch, 0, batch.count);
          for (let slot = 0; slot < batch.count; slot++) {
            expect(batch.status[slot]).toBe(OPEN_OK);
            expect(batch.packetIds[slot]).toBe(from + slot);
            expect(batch.packet(slot).equals(fill(from + slot))).toBe(true);
            expect(batch.offsets[slot]).toBe(slot * batch.slotSize + PACKET_HEADROOM);
          }
        }
        expect(open.failures).toBe(0);
      });
    }

    it('writes opcode, key id, peer id and packet id into the head', () => {
      const v2 = sealOne(crypto, specOf(cipher, { peerId: 0x0a0b0c, keyId: 5 }), fill(10));
      expect(hex(v2.subarray(0, 8))).toBe('4d0a0b0c00000001');
      expect(v2).toHaveLength(4 + 4 + 16 + 10);
      const undefinedId = sealOne(crypto, specOf(cipher, { peerId: 0xff_ffff }), fill(1));
      expect(hex(undefinedId.subarray(0, 8))).toBe('48ffffff00000001');
      const v1 = sealOne(crypto, specOf(cipher, { peerId: -1, keyId: 7 }), fill(10));
      expect(hex(v1.subarray(0, 5))).toBe('3700000001');
      expect(v1).toHaveLength(1 + 4 + 16 + 10);
    });

    it('says how much it adds', () => {
      expect(crypto.createSealingKey(specOf(cipher, { peerId: 1 }))).toMatchObject({
        headBytes: 24,
        tailBytes: 0,
        nextPacketId: 1,
      });
      expect(crypto.createSealingKey(specOf(cipher, { peerId: -1 }))).toMatchObject({ headBytes: 21 });
    });

    it('finds a change of any bit that is authenticated', () => {
      for (const peerId of [-1, 9]) {
        const spec = specOf(cipher, { peerId });
        const packet = sealOne(crypto, spec, fill(37));
        const open = crypto.createOpeningKey(spec);
        // P_DATA_V1 doesn't authenticate its first byte.
        const first = peerId < 0 ? 1 : 0;
        for (let at = first; at < packet.length; at++) {
          for (let bit = 0; bit < 8; bit++) {
            const bad = batchOf(packet);
            bad.slab[bad.offsets[0]! + at]! ^= 1 << bit;
            open.openBatch(bad, 0, 1);
            expect([at, bit, bad.status[0] === OPEN_OK, bad.lengths[0]]).toEqual([at, bit, false, 0]);
          }
        }
        expect(open.failures).toBeGreaterThan(packet.length);
      }
    });

    it('drops what is too short to hold a byte of payload', () => {
      for (const [peerId, opcode] of [
        [-1, 0x30],
        [9, 0x48],
      ] as const) {
        const open = crypto.createOpeningKey(specOf(cipher, { peerId }));
        const head = peerId < 0 ? 21 : 24;
        for (let length = 1; length <= head; length++) {
          const packet = fill(length);
          packet[0] = opcode;
          const batch = batchOf(packet);
          open.openBatch(batch, 0, 1);
          expect([length, batch.status[0], batch.lengths[0]]).toEqual([length, OPEN_TOO_SHORT, 0]);
        }
        expect(open.failures).toBe(0);
      }
    });

    it('drops every truncation of a good packet', () => {
      const spec = specOf(cipher);
      const packet = sealOne(crypto, spec, fill(40));
      const open = crypto.createOpeningKey(spec);
      for (let length = 1; length < packet.length; length++) {
        const batch = batchOf(packet.subarray(0, length));
        open.openBatch(batch, 0, 1);
        expect([length, batch.status[0] === OPEN_OK, batch.lengths[0]]).toEqual([length, false, 0]);
      }
    });

    it('does not open with another cipher key or another implicit iv', () => {
      const spec = specOf(cipher);
      const packet = sealOne(crypto, spec, fill(64));
      for (const [part, at] of [
        ['cipher', 0],
        ['cipher', cipher.keyBytes - 1],
        ['hmac', 0],
        ['hmac', 7],
      ] as const) {
        const key = { cipher: spec.key.cipher.slice(), hmac: spec.key.hmac.slice() };
        key[part][at]! ^= 1;
        const open = crypto.createOpeningKey({ ...spec, key });
        const batch = batchOf(packet);
        open.openBatch(batch, 0, 1);
        expect([batch.status[0], batch.lengths[0], open.failures]).toEqual([OPEN_AUTH_FAILED, 0, 1]);
      }
    });

    it('uses of the key what the cipher needs and no more', () => {
      const spec = specOf(cipher);
      const key = { cipher: spec.key.cipher.slice(), hmac: spec.key.hmac.slice() };
      key.cipher.fill(0, cipher.keyBytes);
      key.hmac.fill(0, 8);
      const batch = batchOf(sealOne(crypto, spec, fill(64)));
      crypto.createOpeningKey({ ...spec, key }).openBatch(batch, 0, 1);
      expect(batch.status[0]).toBe(OPEN_OK);
    });

    it('keeps its own copy of the key material', () => {
      const spec = specOf(cipher);
      const seal = crypto.createSealingKey(spec);
      const open = crypto.createOpeningKey(spec);
      spec.key.cipher.fill(0);
      spec.key.hmac.fill(0);
      const batch = batchOf(fill(20));
      seal.sealBatch(batch, 0, 1);
      open.openBatch(batch, 0, 1);
      expect(hex(batch.packet(0))).toBe(hex(fill(20)));
    });

    it('throws when used after destroy(), which may be called twice', () => {
      const seal = crypto.createSealingKey(specOf(cipher));
      const open = crypto.createOpeningKey(specOf(cipher));
      for (const key of [seal, open, seal, open]) key.destroy();
      const batch = batchOf(fill(20));
      expect(() => seal.sealBatch(batch, 0, 1)).toThrow();
      expect(() => open.openBatch(batch, 0, 1)).toThrow();
      expect(hex(batch.packet(0))).toBe(hex(fill(20)));
    });
  });
}

function batches(crypto: CryptoBackend): void {
  describe('batches', () => {
    const spec = specOf(cipherInfo('AES-256-GCM')!);

    it('handles only the slots asked and writes nowhere else', () => {
      const batch = new PacketBatch(8, 200);
      batch.slab.fill(0xa5);
      for (let i = 0; i < 8; i++) batch.push(fill(200));
      const before = Buffer.from(batch.slab);
      const seal = crypto.createSealingKey(spec);
      expect(seal.sealBatch(batch, 3, 5)).toBe(2);
      expect(seal.nextPacketId).toBe(3);
      for (let slot = 0; slot < 8; slot++) {
        const sealed = slot === 3 || slot === 4;
        expect(batch.lengths[slot]).toBe(sealed ? 224 : 200);
        const start = slot * batch.slotSize;
        const from = sealed ? start + PACKET_HEADROOM - 24 : start + batch.slotSize;
        const to = sealed ? start + PACKET_HEADROOM + 200 : start + batch.slotSize;
        expect(batch.slab.subarray(start, from).equals(before.subarray(start, from))).toBe(true);
        const next = start + batch.slotSize;
        expect(batch.slab.subarray(to, next).equals(before.subarray(to, next))).toBe(true);
      }
      const wire = Buffer.from(batch.slab);
      crypto.createOpeningKey(spec).openBatch(batch, 3, 4);
      expect(hex(batch.packet(3))).toBe(hex(fill(200)));
      expect(batch.lengths[4]).toBe(224);
      const end3 = 4 * batch.slotSize;
      expect(batch.slab.subarray(end3).equals(wire.subarray(end3))).toBe(true);
      expect(batch.slab.subarray(0, 3 * batch.slotSize).equals(wire.subarray(0, 3 * batch.slotSize))).toBe(
        true,
      );
    });

    it('passes over slots of length 0 without using up an id', () => {
      const batch = new PacketBatch(3);
      for (let i = 0; i < 3; i++) batch.push(fill(50));
      batch.lengths[1] = 0;
      const offset = batch.offsets[1];
      expect(crypto.createSealingKey(spec).sealBatch(batch, 0, 3)).toBe(3);
      expect([batch.lengths[1], batch.offsets[1]]).toEqual([0, offset]);
      batch.status[1] = 77;
      crypto.createOpeningKey(spec).openBatch(batch, 0, 3);
      expect([batch.lengths[1], batch.status[1]]).toEqual([0, 77]);
      expect([batch.packetIds[0], batch.packetIds[2]]).toEqual([1, 2]);
    });

    it('opens V1 and V2 packets of one key side by side, the bad one alone being lost', () => {
      const cipher = spec.cipher;
      const batch = new PacketBatch(3);
      batch.push(sealOne(crypto, specOf(cipher, { peerId: -1 }), fill(30)));
      batch.push(sealOne(crypto, specOf(cipher, { peerId: 4 }), fill(31)));
      batch.push(sealOne(crypto, specOf(cipher, { peerId: 4 }), fill(32)));
      batch.slab[batch.offsets[1]! + 30]! ^= 1;
      crypto.createOpeningKey(spec).openBatch(batch, 0, 3);
      expect([...batch.status]).toEqual([OPEN_OK, OPEN_AUTH_FAILED, OPEN_OK]);
      expect([...batch.lengths]).toEqual([30, 0, 32]);
      expect(hex(batch.packet(2))).toBe(hex(fill(32)));
    });

    it('drops a packet without headroom instead of writing into the slot before', () => {
      const batch = new PacketBatch(2, 200);
      batch.push(fill(200));
      batch.push(fill(200));
      batch.offsets[1] = batch.slotSize + 10;
      const before = Buffer.from(batch.slab);
      expect(crypto.createSealingKey(spec).sealBatch(batch, 1, 2)).toBe(1);
      expect(batch.lengths[1]).toBe(0);
      expect(batch.slab.equals(before)).toBe(true);
    });

    it('accepts an empty range', () => {
      const batch = new PacketBatch(1);
      expect(crypto.createSealingKey(spec).sealBatch(batch, 0, 0)).toBe(0);
      crypto.createOpeningKey(spec).openBatch(batch, 0, 0);
    });
  });
}

function exhaustion(crypto: CryptoBackend): void {
  describe('packet ids', () => {
    const cipher = cipherInfo('AES-128-GCM')!;

    it('uses the last id 2^32-1 and then stops for good', () => {
      const seal = crypto.createSealingKey(specOf(cipher, { firstPacketId: MAX_PACKET_ID - 1 }));
      const batch = new PacketBatch(4);
      for (let i = 0; i < 4; i++) batch.push(fill(20));
      expect(seal.sealBatch(batch, 0, 4)).toBe(2);
      expect([...batch.lengths]).toEqual([44, 44, 20, 20]);
      expect(hex(batch.packet(1).subarray(4, 8))).toBe('ffffffff');
      expect(hex(batch.packet(2))).toBe(hex(fill(20)));
      expect(seal.nextPacketId).toBe(MAX_PACKET_ID + 1);
      expect(seal.sealBatch(batch, 2, 4)).toBe(0);
    });

    it('opens id 2^32-1 and id 2^31', () => {
      for (const firstPacketId of [0x8000_0000, MAX_PACKET_ID]) {
        const spec = specOf(cipher, { firstPacketId });
        const batch = batchOf(sealOne(crypto, spec, fill(20)));
        crypto.createOpeningKey(spec).openBatch(batch, 0, 1);
        expect([batch.status[0], batch.packetIds[0]]).toEqual([OPEN_OK, firstPacketId]);
      }
    });
  });
}

function badInput(crypto: CryptoBackend): void {
  it('refuses key material that is too short and ids out of range', () => {
    const cipher = cipherInfo('AES-256-GCM')!;
    const good = specOf(cipher);
    const bad: DataKeySpec[] = [
      { ...good, key: { ...good.key, cipher: new Uint8Array(31) } },
      { ...good, key: { ...good.key, hmac: new Uint8Array(7) } },
      { ...good, keyId: 8 },
      { ...good, peerId: 0x100_0000 },
    ];
    for (const spec of bad) expect(() => crypto.createSealingKey(spec)).toThrow();
  });
}

function properties(crypto: CryptoBackend, ciphers: readonly CipherInfo[]): void {
  it('never opens random bytes, and never writes outside of their slot', () => {
    const open = crypto.createOpeningKey(specOf(ciphers[0]!));
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (packet) => {
        const batch = new PacketBatch(3, 300);
        batch.slab.fill(0x5a);
        batch.push(fill(1));
        batch.push(packet);
        batch.push(fill(1));
        const before = Buffer.from(batch.slab);
        open.openBatch(batch, 1, 2);
        const { slotSize } = batch;
        return (
          batch.lengths[1] === 0 &&
          batch.status[1] !== OPEN_OK &&
          batch.slab.subarray(0, slotSize).equals(before.subarray(0, slotSize)) &&
          batch.slab.subarray(2 * slotSize).equals(before.subarray(2 * slotSize))
        );
      }),
      { numRuns: 300 },
    );
  });

  it('opens what it sealed, at any offset, key id, peer id and packet id', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...ciphers),
        fc.uint8Array({ minLength: 1, maxLength: 1500 }),
        fc.integer({ min: 24, max: 190 }),
        fc.integer({ min: 0, max: 7 }),
        fc.integer({ min: -1, max: 0xff_ffff }),
        fc.integer({ min: 1, max: MAX_PACKET_ID }),
        (cipher, payload, headroom, keyId, peerId, firstPacketId) => {
          const spec = specOf(cipher, { keyId, peerId, firstPacketId });
          const batch = new PacketBatch(1);
          batch.count = 1;
          batch.offsets[0] = headroom;
          batch.lengths[0] = payload.length;
          batch.slab.set(payload, headroom);
          crypto.createSealingKey(spec).sealBatch(batch, 0, 1);
          crypto.createOpeningKey(spec).openBatch(batch, 0, 1);
          expect(batch.packet(0).equals(payload)).toBe(true);
          expect(batch.packetIds[0]).toBe(firstPacketId);
        },
      ),
      { numRuns: 200 },
    );
  });
}

/** AEAD packets in the classic layout; epoch packets have another one. */
function aeadVectors(): Vectors['data_packets'] {
  return vectors.data_packets.filter(
    (vector) => cipherInfo(vector.cipher)?.mode === 'aead' && !vector.name.startsWith('epoch'),
  );
}

function specOf(cipher: CipherInfo, over: Partial<DataKeySpec> = {}): DataKeySpec {
  return { cipher, key: testKey(), keyId: 0, peerId: 0, ...over };
}

function readHeader(packet: Uint8Array): { keyId: number; peerId: number; packetId: number } {
  const view = Buffer.from(packet);
  const isV2 = view[0]! >>> 3 === 9;
  return {
    keyId: view[0]! & 7,
    peerId: isV2 ? view.readUIntBE(1, 3) : -1,
    packetId: view.readUInt32BE(isV2 ? 4 : 1),
  };
}

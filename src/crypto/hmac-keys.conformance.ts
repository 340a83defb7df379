/**
 * What every CryptoBackend must do with ciphers other than AEAD: CBC, CFB, OFB and none, with any digest,
 * in TLS mode and with static keys. Known answers: packets that real peers sent or accepted
 * (test-kit/vectors.json `data_packets`, `static_key_packets`).
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PACKET_HEADROOM, PACKET_TAILROOM, PacketBatch } from '../base/base.ts';
import type { CipherInfo, CryptoBackend, DataKeySpec, DigestInfo } from './crypto.ts';
import {
  allCiphers,
  allDigests,
  cipherInfo,
  digestInfo,
  keyHalves,
  OPEN_AUTH_FAILED,
  OPEN_BAD_CIPHERTEXT,
  OPEN_NO_HMAC,
  OPEN_NO_IV,
  OPEN_NO_PACKET_ID,
  OPEN_OK,
  OPEN_TOO_SHORT,
} from './crypto.ts';
import { batchOf, bytes, fill, hex, sealOne, testKey } from './samples.conformance.ts';

interface Sample {
  readonly packet: string;
  readonly payload: string;
}
interface Vectors {
  readonly data_packets: readonly {
    readonly name: string;
    readonly cipher: string;
    readonly auth: string | null;
    readonly key2: string;
    readonly c2s: Sample;
    readonly s2c: readonly Sample[];
  }[];
  readonly static_key_file: { readonly key: string };
  readonly static_key_packets: readonly {
    readonly peer: string;
    readonly cipher: string;
    readonly auth: string;
    readonly our_key_direction: 0 | 1 | null;
    readonly to_peer: Sample;
    readonly from_peer: readonly (Sample & { readonly packet_id: string; readonly time: string })[];
  }[];
}

const vectors: Vectors = JSON.parse(
  readFileSync(new URL('../../test-kit/vectors.json', import.meta.url), 'utf8'),
);

const NOW = 0x6b03_3c60;
const SHA256 = digestInfo('SHA256')!;

/** Runs all checks against the backend that `create` makes. */
export function hmacKeyConformance(name: string, create: () => CryptoBackend): void {
  describe(`${name}: data keys with HMAC`, () => {
    const crypto = create();
    const ciphers = allCiphers(true).filter((cipher) => cipher.mode !== 'aead');
    const usable = [...ciphers, cipherInfo('none')!].filter((cipher) => crypto.supportsCipher(cipher));

    it('supports CBC, CFB and OFB of AES, Camellia, ARIA and triple DES, and none', () => {
      const names = usable.map((cipher) => cipher.name);
      const wanted = ['AES-256', 'AES-128', 'CAMELLIA-256', 'ARIA-192', 'DES-EDE3'];
      for (const family of wanted) {
        expect(names).toEqual(expect.arrayContaining(['CBC', 'CFB', 'OFB'].map((m) => `${family}-${m}`)));
      }
      expect(names).toContain('none');
    });

    tlsAnswers(crypto);
    staticAnswers(crypto);
    for (const cipher of usable) roundTrips(crypto, cipher);
    for (const digest of allDigests(true)) if (crypto.supportsDigest(digest)) digests(crypto, digest);
    longIds(crypto);
    badPackets(crypto);
    properties(crypto, usable);
  });
}

function tlsAnswers(crypto: CryptoBackend): void {
  for (const vector of vectors.data_packets.filter((entry) => cipherInfo(entry.cipher)!.mode !== 'aead')) {
    const cipher = cipherInfo(vector.cipher)!;
    const [k0, k1] = keyHalves(bytes(vector.key2));
    const samples = [{ key: k0, ...vector.c2s }, ...vector.s2c.map((sample) => ({ key: k1, ...sample }))];
    for (const [index, { key, packet, payload }] of samples.entries()) {
      it(`opens and seals packet ${index} of session ${vector.name}`, () => {
        const wire = bytes(packet);
        const peerId = wire[0]! >>> 3 === 9 ? 0 : -1;
        const spec = { cipher, ...withDigest(vector.auth), key, keyId: 0, peerId };
        checkSample(crypto, spec, packet, payload);
      });
    }
  }
}

function staticAnswers(crypto: CryptoBackend): void {
  const halves = keyHalves(bytes(vectors.static_key_file.key));
  for (const [index, vector] of vectors.static_key_packets.entries()) {
    const direction = vector.our_key_direction;
    const common = {
      cipher: cipherInfo(vector.cipher)!,
      ...withDigest(vector.auth),
      keyId: 0,
      peerId: -1,
      headerless: true,
    };
    it(`opens and seals static key packets of tunnel ${index} (${vector.cipher}, ${vector.auth})`, () => {
      const sealKey = halves[direction ?? 0];
      const openKey = halves[direction === null ? 0 : 1 - direction]!;
      checkSample(crypto, { ...common, key: sealKey }, vector.to_peer.packet, vector.to_peer.payload);
      for (const sample of vector.from_peer) {
        const batch = checkSample(crypto, { ...common, key: openKey }, sample.packet, sample.payload);
        expect(batch.packetIds[0]).toBe(Number.parseInt(sample.packet_id, 16));
        expect(batch.packetTimes[0]).toBe(Number.parseInt(sample.time, 16));
      }
    });
  }
}

/** The packet opens to the payload; the payload seals to the packet, but for the random IV of CBC. */
function checkSample(crypto: CryptoBackend, spec: DataKeySpec, packet: string, payload: string): PacketBatch {
  const withTime = { ...spec, wallSec: () => NOW };
  const open = crypto.createOpeningKey(withTime);
  const opened = batchOf(bytes(packet));
  open.openBatch(opened, 0, 1);
  expect([opened.status[0], hex(opened.packet(0))]).toEqual([OPEN_OK, payload]);
  const firstPacketId = opened.packetIds[0]!;
  const wallSec = (): number => (open.wideIds ? opened.packetTimes[0]! : NOW);
  const sealed = batchOf(bytes(payload));
  const seal = crypto.createSealingKey({ ...spec, firstPacketId, wallSec });
  expect(seal.sealBatch(sealed, 0, 1)).toBe(1);
  if (spec.cipher.mode === 'cbc') {
    expect(sealed.lengths[0]).toBe(packet.length / 2);
    crypto.createOpeningKey(withTime).openBatch(sealed, 0, 1);
    expect(hex(sealed.packet(0))).toBe(payload);
  } else expect(hex(sealed.packet(0))).toBe(packet);
  return opened;
}

function roundTrips(crypto: CryptoBackend, cipher: CipherInfo): void {
  describe(`data keys of ${cipher.name}`, () => {
    const headerless = cipher.mode === 'cbc' || cipher.mode === 'none' ? [false, true] : [false];
    for (const bare of headerless) {
      it(`brings every length through${bare ? ' without header' : ''}, and says how much it adds`, () => {
        const spec = specOf(cipher, { peerId: bare ? -1 : 5, headerless: bare });
        const seal = crypto.createSealingKey(spec);
        const open = crypto.createOpeningKey(spec);
        const batch = new PacketBatch(40);
        for (let length = 1; length <= 40; length++) batch.push(fill(length));
        expect(seal.sealBatch(batch, 0, 40)).toBe(40);
        for (let slot = 0; slot < 40; slot++) {
          const added = batch.lengths[slot]! - (slot + 1);
          expect(added).toBeGreaterThanOrEqual(seal.headBytes);
          expect(added).toBeLessThanOrEqual(seal.headBytes + seal.tailBytes);
          expect(batch.offsets[slot]).toBe(slot * batch.slotSize + PACKET_HEADROOM - seal.headBytes);
        }
        open.openBatch(batch, 0, 40);
        const wide = bare || cipher.mode === 'cfb' || cipher.mode === 'ofb';
        expect(open.wideIds ?? false).toBe(wide);
        for (let slot = 0; slot < 40; slot++) {
          expect([batch.status[slot], batch.packetIds[slot]]).toEqual([OPEN_OK, slot + 1]);
          if (wide) expect(batch.packetTimes[slot]).toBe(NOW);
          expect(batch.packet(slot).equals(fill(slot + 1))).toBe(true);
        }
        expect(seal.nextPacketId).toBe(41);
      });
    }

    it('finds a change of any byte that is authenticated', () => {
      const spec = specOf(cipher);
      const packet = sealOne(crypto, spec, fill(37));
      const open = crypto.createOpeningKey(spec);
      for (let at = 4; at < packet.length; at++) {
        const bad = batchOf(packet);
        bad.slab[bad.offsets[0]! + at]! ^= 0x10;
        open.openBatch(bad, 0, 1);
        expect([at, bad.status[0], bad.lengths[0]]).toEqual([at, OPEN_AUTH_FAILED, 0]);
      }
      expect(open.failures).toBe(packet.length - 4);
    });
  });
}

function digests(crypto: CryptoBackend, digest: DigestInfo): void {
  it(`authenticates with ${digest.name}`, () => {
    for (const name of ['AES-128-CBC', 'AES-256-CFB', 'none']) {
      const spec = specOf(cipherInfo(name)!, { digest });
      const packet = sealOne(crypto, spec, fill(33));
      const good = batchOf(packet);
      crypto.createOpeningKey(spec).openBatch(good, 0, 1);
      expect(hex(good.packet(0))).toBe(hex(fill(33)));
      const hmac = spec.key.hmac.slice();
      hmac[digest.bytes - 1]! ^= 1;
      const other = batchOf(packet);
      crypto.createOpeningKey({ ...spec, key: { ...spec.key, hmac } }).openBatch(other, 0, 1);
      expect([name, other.status[0]]).toEqual([name, OPEN_AUTH_FAILED]);
    }
  });
}

function longIds(crypto: CryptoBackend): void {
  const cipher = cipherInfo('AES-128-OFB')!;

  it('starts over with a new time when long ids run out, and stops while time stands still', () => {
    let now = NOW;
    const firstPacketId = 0xffff_ffff;
    const seal = crypto.createSealingKey(specOf(cipher, { firstPacketId, wallSec: () => now }));
    const batch = new PacketBatch(3);
    for (let i = 0; i < 3; i++) batch.push(fill(20));
    expect(seal.sealBatch(batch, 0, 3)).toBe(1);
    expect(seal.sealBatch(batch, 1, 3)).toBe(0);
    now++;
    expect(seal.sealBatch(batch, 1, 3)).toBe(2);
    crypto.createOpeningKey(specOf(cipher)).openBatch(batch, 0, 3);
    expect([...batch.packetIds]).toEqual([0xffff_ffff, 1, 2]);
    expect([...batch.packetTimes]).toEqual([NOW, NOW + 1, NOW + 1]);
  });

  it('stops for good when short ids run out', () => {
    const spec = specOf(cipherInfo('AES-128-CBC')!, { firstPacketId: 0xffff_ffff });
    const seal = crypto.createSealingKey(spec);
    const batch = new PacketBatch(2);
    for (let i = 0; i < 2; i++) batch.push(fill(20));
    expect(seal.sealBatch(batch, 0, 2)).toBe(1);
    expect(seal.nextPacketId).toBe(2 ** 32);
    expect(seal.sealBatch(batch, 1, 2)).toBe(0);
  });

  it('refuses stream and AEAD ciphers without header', () => {
    for (const name of ['AES-256-GCM', 'AES-256-CFB', 'AES-256-OFB']) {
      const spec = specOf(cipherInfo(name)!, { headerless: true, peerId: -1 });
      expect(() => crypto.createSealingKey(spec)).toThrow(`Cipher '${name}' mode not supported`);
      expect(() => crypto.createOpeningKey(spec)).toThrow(`Cipher '${name}' mode not supported`);
    }
  });
}

function badPackets(crypto: CryptoBackend): void {
  it('tells what a short packet lacks', () => {
    const statusOf = (spec: DataKeySpec, packet: Uint8Array): number => {
      const batch = batchOf(packet);
      crypto.createOpeningKey(spec).openBatch(batch, 0, 1);
      expect(batch.lengths[0]).toBe(0);
      return batch.status[0]!;
    };
    const head = [0x48, 0, 0, 0];
    const cbc = cipherInfo('AES-128-CBC')!;
    expect(statusOf(specOf(cbc), Uint8Array.of(...head, 1, 2))).toBe(OPEN_NO_HMAC);
    const noAuth = { cipher: cbc, key: testKey(), keyId: 0, peerId: 0 };
    expect(statusOf(noAuth, Uint8Array.of(...head, 1, 2))).toBe(OPEN_NO_IV);
    expect(statusOf(noAuth, Uint8Array.of(...head, ...fill(16)))).toBe(OPEN_TOO_SHORT);
    expect(statusOf(noAuth, Uint8Array.of(...head, ...fill(20)))).toBe(OPEN_BAD_CIPHERTEXT);
    expect(statusOf(noAuth, Uint8Array.of(0x48))).toBe(OPEN_TOO_SHORT);
    const stream = { ...noAuth, cipher: cipherInfo('AES-128-OFB')!, wallSec: () => NOW };
    expect(statusOf(stream, Uint8Array.of(...head, ...fill(15)))).toBe(OPEN_NO_IV);
    expect(statusOf(stream, Uint8Array.of(...head, ...fill(16)))).toBe(OPEN_TOO_SHORT);
    const plain = { ...noAuth, cipher: cipherInfo('none')! };
    expect(statusOf(plain, Uint8Array.of(...head, 1, 2, 3))).toBe(OPEN_NO_PACKET_ID);
  });

  it('drops a packet without room before or behind it instead of writing outside of its slot', () => {
    const spec = specOf(cipherInfo('AES-128-CBC')!);
    const batch = new PacketBatch(3, 200);
    for (let i = 0; i < 3; i++) batch.push(fill(200));
    batch.offsets[1] = batch.slotSize + 10;
    batch.offsets[2] = 3 * batch.slotSize - 205;
    const before = Buffer.from(batch.slab);
    expect(crypto.createSealingKey(spec).sealBatch(batch, 1, 3)).toBe(2);
    expect([batch.lengths[1], batch.lengths[2]]).toEqual([0, 0]);
    expect(batch.slab.equals(before)).toBe(true);
    expect(PACKET_TAILROOM).toBeGreaterThanOrEqual(crypto.createSealingKey(spec).tailBytes);
  });

  it('throws when used after destroy()', () => {
    for (const name of ['AES-128-CBC', 'AES-128-CFB', 'none']) {
      const spec = specOf(cipherInfo(name)!);
      const seal = crypto.createSealingKey(spec);
      const open = crypto.createOpeningKey(spec);
      for (const key of [seal, open, seal, open]) key.destroy();
      expect(() => seal.sealBatch(batchOf(fill(5)), 0, 1)).toThrow();
      expect(() => open.openBatch(batchOf(fill(5)), 0, 1)).toThrow();
    }
  });
}

function properties(crypto: CryptoBackend, ciphers: readonly CipherInfo[]): void {
  it('never opens random bytes with an HMAC, and never writes outside of their slot', () => {
    const keys = ciphers.map((cipher) => crypto.createOpeningKey(specOf(cipher)));
    const bare = crypto.createOpeningKey(
      specOf(cipherInfo('AES-256-CBC')!, { headerless: true, peerId: -1 }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...keys, bare),
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        (open, packet) => {
          const { batch, before } = guarded(packet);
          open.openBatch(batch, 1, 2);
          return batch.lengths[1] === 0 && batch.status[1] !== OPEN_OK && untouched(batch, before);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('takes random bytes without HMAC without throwing or writing outside of their slot', () => {
    const keys = ciphers.map((cipher) =>
      crypto.createOpeningKey({ cipher, key: testKey(), keyId: 0, peerId: 0, wallSec: () => NOW }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...keys),
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        (open, packet) => {
          const { batch, before } = guarded(packet);
          open.openBatch(batch, 1, 2);
          return (batch.status[1] === OPEN_OK || batch.lengths[1] === 0) && untouched(batch, before);
        },
      ),
      { numRuns: 400 },
    );
  });
}

function guarded(packet: Uint8Array): { batch: PacketBatch; before: Buffer } {
  const batch = new PacketBatch(3, 300);
  batch.slab.fill(0x5a);
  batch.push(fill(1));
  batch.push(packet);
  batch.push(fill(1));
  return { batch, before: Buffer.from(batch.slab) };
}

function untouched(batch: PacketBatch, before: Buffer): boolean {
  const { slab, slotSize } = batch;
  const first = slab.subarray(0, slotSize).equals(before.subarray(0, slotSize));
  return first && slab.subarray(2 * slotSize).equals(before.subarray(2 * slotSize));
}

function withDigest(auth: string | null): { digest?: DigestInfo } {
  const digest = auth === null || auth === 'none' ? undefined : digestInfo(auth);
  return digest ? { digest } : {};
}

function specOf(cipher: CipherInfo, over: Partial<DataKeySpec> = {}): DataKeySpec {
  return { cipher, digest: SHA256, key: testKey(), keyId: 0, peerId: 0, wallSec: () => NOW, ...over };
}

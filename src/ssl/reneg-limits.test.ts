/** When a key must be replaced: time, bytes, packets, ids and epochs near their end, worn out AEAD keys. */
import { describe, expect, it } from 'vitest';
import { MemoryLogger } from '../base/base.ts';
import { cipherInfo, PacketIdRec } from '../crypto/crypto.ts';
import { RenegotiationLimits } from './reneg-limits.ts';
import type { DataChannelParams, DataKeys, TlsMultiConfig } from './ssl.ts';

const MIB = 1024 * 1024;
const HALF_DAY_MS = 43_200_000;

describe('RenegotiationLimits', () => {
  it('looks at age, bytes and packets', () => {
    expect(reached({ renegMs: 10_000 }, {}, 9_999)).toBe(false);
    expect(reached({ renegMs: 10_000 }, {}, 10_000)).toBe(true);
    expect(reached({ renegBytes: 1000 }, { bytes: 999 })).toBe(false);
    expect(reached({ renegBytes: 1000 }, { bytes: 1000 })).toBe(true);
    expect(reached({ renegPackets: 10 }, { packets: 10 })).toBe(true);
    expect(reached({}, { bytes: 2 ** 50, packets: 2 ** 40 }, HALF_DAY_MS)).toBe(false);
  });

  it('gives small blocks 64 MiB unless reneg-bytes was set, and warns', () => {
    const log = new MemoryLogger();
    expect(reached({ log }, { bytes: 64 * MIB }, 0, 'DES-EDE3-CBC')).toBe(true);
    expect(log.lines[0]).toBe(
      'WARNING: cipher with small block size in use, reducing reneg-bytes to 64MB to mitigate SWEET32 attacks.',
    );
    expect(reached({}, { bytes: 64 * MIB - 1 }, 0, 'DES-EDE3-CBC')).toBe(false);
    expect(reached({ renegBytes: 0 }, { bytes: 2 ** 40 }, 0, 'DES-EDE3-CBC')).toBe(false);
    expect(reached({ renegBytes: 2 ** 33 }, { bytes: 64 * MIB }, 0, 'BF-CBC')).toBe(false);
    expect(reached({}, { bytes: 2 ** 40 }, 0, 'AES-128-CBC')).toBe(false);
  });

  it('replaces a key whose packet ids near their end', () => {
    expect(reached({}, seal(0xfeff_ffff))).toBe(false);
    expect(reached({}, seal(0xff00_0000))).toBe(true);
  });

  it('replaces a GCM key at seven eighths of what either direction may do', () => {
    const limit = 7 * 2 ** 33 - 1;
    expect(reached({}, { sealedBlocks: limit - 100, ...seal(101) })).toBe(false);
    expect(reached({}, { sealedBlocks: limit - 100, ...seal(102) })).toBe(true);
    expect(reached({}, { openedBlocks: limit + 1 })).toBe(true);
    const worn = { sealedBlocks: 2 ** 40, openedBlocks: 2 ** 40 };
    expect(reached({}, worn, 0, 'CHACHA20-POLY1305')).toBe(false);
    expect(reached({}, worn, 0, 'AES-256-CBC')).toBe(false);
  });

  it('replaces a key that saw 2^35 forgeries', () => {
    expect(reached({}, { open: { ...OPEN, failures: 2 ** 35 } })).toBe(false);
    expect(reached({}, { open: { ...OPEN, failures: 2 ** 35 + 1 } })).toBe(true);
  });

  it('leaves epochs to themselves until they near their end', () => {
    const worn = { sealedBlocks: 2 ** 40, open: { ...OPEN, failures: 2 ** 36 } };
    expect(reached({}, { ...worn, seal: { ...SEAL, epoch: 0xefff, nextPacketId: 2 ** 40 } })).toBe(false);
    expect(reached({}, { ...worn, seal: { ...SEAL, epoch: 0xf000 } })).toBe(true);
  });

  it('looks more often where bytes or packets count', () => {
    const far = new RenegotiationLimits(config({}));
    far.reached(keys({}), 0, 1000);
    const close = new RenegotiationLimits(config({ renegBytes: 10 }));
    close.reached(keys({}), 0, 1000);
    expect([far.nextTimeout(0), close.nextTimeout(0)]).toEqual([301_000, 2_000]);
  });
});

const SEAL: DataKeys['seal'] = {
  headBytes: 24,
  tailBytes: 0,
  nextPacketId: 1,
  sealBatch: () => 0,
  destroy: () => undefined,
};
const OPEN: DataKeys['open'] = { failures: 0, openBatch: () => undefined, destroy: () => undefined };

function seal(nextPacketId: number): Partial<DataKeys> {
  return { seal: { ...SEAL, nextPacketId } };
}

function keys(over: Partial<DataKeys>): DataKeys {
  const counters = { bytes: 0, packets: 0, sealedBlocks: 0, openedBlocks: 0 };
  return { keyId: 0, seal: SEAL, open: OPEN, replay: new PacketIdRec(), ...counters, ...over };
}

function config(over: Partial<TlsMultiConfig>): TlsMultiConfig {
  const limits = { renegMs: 0, renegBytes: -1, renegPackets: 0, log: new MemoryLogger() };
  return { crypto: {}, ...limits, ...over } as TlsMultiConfig;
}

function reached(
  over: Partial<TlsMultiConfig>,
  used: Partial<DataKeys>,
  ageMs = 0,
  cipher = 'AES-256-GCM',
): boolean {
  const limits = new RenegotiationLimits(config(over));
  const epoch = used.seal?.epoch !== undefined;
  limits.handleParams({ cipher: cipherInfo(cipher)!, epoch } as DataChannelParams);
  return limits.reached(keys(used), 0, ageMs);
}

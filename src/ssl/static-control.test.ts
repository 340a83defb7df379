/** Peers without TLS: keys from a file in both directions, none at all, and no control channel in between. */
import { describe, expect, it } from 'vitest';
import { MemoryLogger, PacketBatch } from '../base/base.ts';
import { cipherInfo, digestInfo, OPEN_AUTH_FAILED, OPEN_OK } from '../crypto/crypto.ts';
import { createNodeCrypto } from '../crypto/crypto-node.ts';
import type { TlsMulti } from './ssl.ts';
import { createPlainControl, createStaticControl, type StaticKeysConfig } from './static-control.ts';

const KEY2 = Uint8Array.from({ length: 256 }, (_, i) => (i * 31 + 7) & 0xff);

describe('createStaticControl', () => {
  it('seals with one half and opens with the other, as the direction says', () => {
    expect(status(create({ direction: 0 }), create({ direction: 1 }))).toBe(OPEN_OK);
    expect(status(create({ direction: 1 }), create({ direction: 0 }))).toBe(OPEN_OK);
    expect(status(create({}), create({}))).toBe(OPEN_OK);
    expect(status(create({ direction: 0 }), create({ direction: 0 }))).toBe(OPEN_AUTH_FAILED);
    expect(status(create({ direction: 1 }), create({}))).toBe(OPEN_AUTH_FAILED);
  });

  it('says what it uses, as 2.x does, unless it said so before', () => {
    const log = new MemoryLogger(4);
    create({ log });
    expect(log.lines).toEqual([
      "Outgoing Static Key Encryption: Cipher 'AES-256-CBC' initialized with 256 bit key",
      "Outgoing Static Key Encryption: Using 160 bit message hash 'SHA1' for HMAC authentication",
      "Incoming Static Key Encryption: Cipher 'AES-256-CBC' initialized with 256 bit key",
      "Incoming Static Key Encryption: Using 160 bit message hash 'SHA1' for HMAC authentication",
    ]);
  });

  it('warns of ciphers and digests that protect nothing', () => {
    const log = new MemoryLogger(4);
    create({ cipher: cipherInfo('none')!, digest: undefined, log });
    expect(log.lines[0]).toMatch(/^\*{7} WARNING \*{7}: '--cipher none' was specified\./);
    expect(log.lines[1]).toMatch(/^\*{7} WARNING \*{7}: '--auth none' was specified\./);
  });

  it('refuses stream and AEAD ciphers', () => {
    for (const name of ['AES-256-GCM', 'AES-256-OFB']) {
      expect(() => create({ cipher: cipherInfo(name)! })).toThrow(`Cipher '${name}' mode not supported`);
    }
  });

  it('has keys from the first to the last moment, and no control channel', () => {
    const control = create({});
    control.start(0);
    expect(control.pollTransmit()).toBeUndefined();
    expect(control.pollEvent()).toBeUndefined();
    expect(control.nextTimeout()).toBeUndefined();
    expect(control.sendMessage('EXIT', 0)).toBe(false);
    expect(control.params).toMatchObject({ headerless: true, peerId: -1, ccExit: false });
    expect(control.sealKeys(0)).toBe(control.openKeys(5));
    control.close();
    expect([control.sealKeys(0), control.openKeys(0)]).toEqual([undefined, undefined]);
  });
});

describe('createPlainControl', () => {
  it('passes packets as they are', () => {
    const control = createPlainControl(cipherInfo('none')!);
    const batch = new PacketBatch(1);
    batch.push(Uint8Array.of(1, 2, 3));
    const keys = control.sealKeys(0)!;
    expect(keys.seal.sealBatch(batch, 0, 1)).toBe(1);
    keys.open.openBatch(batch, 0, 1);
    expect([...batch.packet(0)]).toEqual([1, 2, 3]);
    expect([batch.status[0], keys.replay.check(0, 0), keys.replay.check(0, 0)]).toEqual([OPEN_OK, 0, 0]);
  });
});

function create(over: Partial<StaticKeysConfig>): TlsMulti {
  return createStaticControl({
    crypto: createNodeCrypto(),
    cipher: cipherInfo('AES-256-CBC')!,
    digest: digestInfo('SHA1'),
    key2: KEY2,
    direction: undefined,
    replayWindow: 64,
    replaySec: 15,
    wallSec: () => 1_800_000_000,
    ...over,
  });
}

function status(from: TlsMulti, to: TlsMulti): number {
  const batch = new PacketBatch(1);
  batch.push(Buffer.from('a packet'));
  from.sealKeys(0)!.seal.sealBatch(batch, 0, 1);
  to.openKeys(0)!.open.openBatch(batch, 0, 1);
  return batch.status[0]!;
}

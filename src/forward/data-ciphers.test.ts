/** The pipeline with ciphers that aren't AEAD, without header, and in epoch format. */
import { describe, expect, it } from 'vitest';
import { TUN_FRAME } from '../../test-kit/frames.ts';
import { MemoryLogger, PacketBatch } from '../base/base.ts';
import { cipherInfo, createEpochKeys, digestInfo, type KeyHalf, keyHalves } from '../crypto/crypto.ts';
import { createNodeCrypto } from '../crypto/crypto-node.ts';
import { createStaticControl, type DataChannelParams, type DataKeys } from '../ssl/ssl.ts';
import { createDataChannel, newLinkCounters } from './data-channel.ts';
import type { DataChannel, DataKeySource } from './forward.ts';
import { OFF_TIMERS } from './ping.ts';

const crypto = createNodeCrypto();
const KEY2 = Uint8Array.from({ length: 256 }, (_, i) => (i * 31 + 7) & 0xff);
const WALL_SEC = 1_800_000_000;

describe('DataChannel without header', () => {
  it('takes every packet for data, whatever its first byte', () => {
    const { a, b } = staticPair();
    const batch = new PacketBatch(64);
    for (let i = 0; i < 64; i++) batch.push(ipv4Packet(60 + i));
    expect(a.channel.seal(batch, 0, 64, 0)).toBe(64);
    const firsts = new Set(Array.from({ length: 64 }, (_, slot) => batch.packet(slot)[0]));
    expect(firsts.size).toBeGreaterThan(30);
    b.channel.open(batch, 0, 64, 0);
    expect(b.channel.authenticated).toBe(64);
    expect([...batch.lengths]).toEqual(Array.from({ length: 64 }, (_, i) => 60 + i));
  });

  it('drops replays and earlier times in the words of 2.x', () => {
    const { a, b } = staticPair();
    const batch = new PacketBatch(2);
    batch.push(ipv4Packet(60));
    a.channel.seal(batch, 0, 1, 0);
    batch.pushFrom(batch, 0);
    b.channel.open(batch, 0, 2, 0);
    expect(b.channel.counters.dropReplay).toBe(1);
    expect(b.log.lines.at(-1)).toMatch(
      /^Authenticate\/Decrypt packet error: bad packet ID \(may be a replay\): \[ #1 \/ time = \(1800000000\) \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \] -- see/,
    );
    const late = staticPair(WALL_SEC - 1).a;
    batch.clear();
    batch.push(ipv4Packet(60));
    late.channel.seal(batch, 0, 1, 0);
    b.channel.open(batch, 0, 1, 0);
    expect(b.channel.counters.dropReplay).toBe(2);
  });

  it('says what is wrong with a packet', () => {
    const { b } = staticPair();
    const batch = new PacketBatch(3);
    for (const bytes of [10, 40, 100]) batch.push(Buffer.alloc(bytes, 0x55));
    b.channel.open(batch, 0, 3, 0);
    expect(b.log.lines.slice(-3)).toEqual([
      'Authenticate/Decrypt packet error: missing authentication info',
      'Authenticate/Decrypt packet error: packet HMAC authentication failed',
      'Authenticate/Decrypt packet error: packet HMAC authentication failed',
    ]);
    expect(b.channel.counters).toMatchObject({ dropShort: 1, dropAuth: 2 });
  });

  it('counts its own header in the MSS', () => {
    // 1492 - 28 (IP, UDP) - 36 (IV, HMAC), whole blocks less 1, - 8 (id and time) - 40.
    expect(staticPair().a.channel.mss).toBe(1375);
  });
});

describe('DataChannel in epoch format', () => {
  it('carries packets, counts 8 bytes of id, and keeps a window per epoch', () => {
    const [k0, k1] = keyHalves(KEY2);
    const a = epochPeer(k0, k1);
    const b = epochPeer(k1, k0);
    expect(a.channel.mss).toBe(1396);
    const batch = new PacketBatch(4);
    for (let i = 0; i < 3; i++) batch.push(ipv4Packet(100 + i));
    a.channel.seal(batch, 0, 3, 0);
    expect(batch.lengths[0]).toBe(100 + 28);
    batch.pushFrom(batch, 1);
    b.channel.open(batch, 0, 4, 0);
    expect([...batch.lengths]).toEqual([100, 101, 102, 0]);
    expect(b.channel.counters).toMatchObject({ dropReplay: 1, dropAuth: 0 });
    expect(b.log.lines.at(-1)).toMatch(/^AEAD Decrypt error: bad packet ID \(may be a replay\): \[ #2 \] --/);
  });

  it('drops epochs that it can not know', () => {
    const [k0, k1] = keyHalves(KEY2);
    const b = epochPeer(k1, k0);
    const batch = new PacketBatch(1);
    batch.push(Buffer.from(`480000050009000000000001${'aa'.repeat(40)}`, 'hex'));
    b.channel.open(batch, 0, 1, 0);
    expect(b.log.lines.at(-1)).toBe('AEAD Decrypt error: data packet with unknown epoch');
  });
});

describe('DataChannel under forgeries', () => {
  it('takes nothing more from a key that saw 2^36 of them', () => {
    const { a, b } = staticPair();
    const batch = new PacketBatch(1);
    batch.push(ipv4Packet(60));
    a.channel.seal(batch, 0, 1, 0);
    Object.defineProperty(b.keys.open, 'failures', { value: 2 ** 36 + 1 });
    b.channel.open(batch, 0, 1, 0);
    expect([batch.lengths[0], b.channel.counters.dropAuth]).toEqual([0, 1]);
  });

  it('counts the blocks of each direction', () => {
    const { a, b } = staticPair();
    const batch = new PacketBatch(2);
    batch.push(ipv4Packet(64));
    batch.push(ipv4Packet(65));
    a.channel.seal(batch, 0, 2, 0);
    b.channel.open(batch, 0, 2, 0);
    expect(b.keys.openedBlocks).toBe(4 + 5);
    // HMAC 20, IV 16, and 72 or 73 bytes padded to 80.
    expect(a.keys.sealedBlocks).toBe(2 * Math.ceil(116 / 16));
  });
});

interface Peer {
  readonly channel: DataChannel;
  readonly log: MemoryLogger;
  readonly keys: DataKeys;
}

function staticPair(wallSec = WALL_SEC): { a: Peer; b: Peer } {
  const peer = (direction: 0 | 1): Peer => {
    const control = createStaticControl({
      crypto,
      cipher: cipherInfo('AES-256-CBC')!,
      digest: digestInfo('SHA1'),
      key2: KEY2,
      direction,
      replayWindow: 64,
      replaySec: 15,
      wallSec: () => wallSec,
    });
    return createPeer(control, control.sealKeys(0)!);
  };
  return { a: peer(0), b: peer(1) };
}

function epochPeer(sealHalf: KeyHalf, openHalf: KeyHalf): Peer {
  const cipher = cipherInfo('AES-256-GCM')!;
  const flags = { tlsEkm: true, dynTlsCrypt: false, ccExit: true, epoch: true };
  const params: DataChannelParams = { cipher, digest: undefined, peerId: 5, ...flags };
  const spec = { cipher, sealHalf, openHalf, keyId: 0, peerId: 5, replayWindow: 64, replaySec: 15 };
  const counters = { bytes: 0, packets: 0, sealedBlocks: 0, openedBlocks: 0 };
  const keys = { keyId: 0, ...createEpochKeys(crypto, spec), ...counters };
  return createPeer({ params, sealKeys: () => keys, openKeys: () => keys }, keys);
}

function createPeer(source: DataKeySource, keys: DataKeys): Peer {
  const log = new MemoryLogger(4);
  const occ = { localOptions: undefined, mtuTest: false, randomBytes: (n: number) => new Uint8Array(n) };
  const channel = createDataChannel(
    {
      keys: source,
      frame: TUN_FRAME,
      timers: OFF_TIMERS,
      occ,
      log,
      counters: newLinkCounters(),
      muteReplayWarnings: false,
    },
    0,
  );
  return { channel, log, keys };
}

function ipv4Packet(bytes: number): Buffer {
  const packet = Buffer.alloc(bytes, 0x11);
  packet[0] = 0x45;
  return packet;
}

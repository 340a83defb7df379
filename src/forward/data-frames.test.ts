/** The data channel with compression frames, fragments and inner rules between packet and encryption. */
import { describe, expect, it } from 'vitest';
import { compressionForTests } from '../../test-kit/compression.ts';
import { ipv4Packet, ipv6Packet, TUN_FRAME } from '../../test-kit/frames.ts';
import { MemoryLogger, PacketBatch } from '../base/base.ts';
import { algorithmOf, type CompressionFraming, createCompressor } from '../comp/comp.ts';
import { cipherInfo, PacketIdRec } from '../crypto/crypto.ts';
import { createNodeCrypto } from '../crypto/crypto-node.ts';
import type { DataKeys } from '../ssl/ssl.ts';
import { createDataChannel, newLinkCounters } from './data-channel.ts';
import type { DataChannel, DataChannelConfig } from './forward.ts';
import { OFF_TIMERS } from './ping.ts';

const crypto = createNodeCrypto();
const cipher = cipherInfo('AES-256-GCM')!;
const FRAGMENT = { bytes: 500, encap: false };

interface Setup {
  readonly framing?: CompressionFraming;
  readonly fragment?: { bytes: number; encap: boolean };
  readonly inner?: Partial<NonNullable<DataChannelConfig['inner']>>;
  readonly pingSec?: number;
}

describe('DataChannel with frames', () => {
  it('carries compressed packets in every framing, smaller than they were', () => {
    for (const framing of ['lzo', 'lz4', 'lz4-v2'] as const) {
      const { a, b, batch } = pair({ framing });
      batch.push(ipv4Packet(1_400));
      a.channel.seal(batch, 0, 1, 0);
      expect(batch.lengths[0]).toBeLessThan(200);
      b.channel.open(batch, 0, 1, 0);
      expect(Buffer.from(batch.packet(0))).toEqual(ipv4Packet(1_400));
    }
  });

  it('counts and drops packets whose frame makes no sense', () => {
    const { a, b, batch } = pair({ framing: 'stub' }, { framing: 'lzo' });
    batch.push(ipv4Packet(200));
    a.channel.seal(batch, 0, 1, 0);
    b.channel.open(batch, 0, 1, 0);
    expect(batch.lengths[0]).toBe(0);
    expect(b.channel.counters).toMatchObject({ dropFrame: 1, tunWriteBytes: 0 });
    expect(b.channel.authenticated).toBe(1);
  });

  it('splits what is too long and keeps the order', () => {
    const { a, b, batch } = pair({ fragment: FRAGMENT });
    const packets = [ipv4Packet(60), ipv4Packet(1_400), ipv4Packet(300), ipv4Packet(472), ipv4Packet(900)];
    for (const packet of packets) batch.push(packet);
    const out = new PacketBatch(32);
    expect(a.channel.splits).toBe(true);
    expect(a.channel.sealSplit(batch, 0, 5, out, 0)).toBe(5);
    expect(out.count).toBe(1 + 3 + 1 + 1 + 2);
    for (let slot = 0; slot < out.count; slot++) expect(out.lengths[slot]).toBeLessThanOrEqual(500);
    b.channel.open(out, 0, out.count, 0);
    const got = [...out.lengths.keys()].filter((slot) => out.lengths[slot]! > 0 && slot < out.count);
    expect(got.map((slot) => Buffer.from(out.packet(slot)))).toEqual(packets);
    expect(b.channel.counters.tunWriteBytes).toBe(60 + 1_400 + 300 + 472 + 900);
  });

  it('stops where the batch is full and goes on from there', () => {
    const { a, b, batch } = pair({ fragment: FRAGMENT });
    for (let i = 0; i < 8; i++) batch.push(ipv4Packet(1_400));
    const out = new PacketBatch(10);
    const joined: number[] = [];
    for (let next = 0; next < 8; ) {
      out.clear();
      const before = next;
      next = a.channel.sealSplit(batch, next, 8, out, 0);
      expect(next).toBeGreaterThan(before);
      b.channel.open(out, 0, out.count, 0);
      joined.push(...out.lengths.subarray(0, out.count).filter((length) => length > 0));
    }
    expect(joined).toEqual(new Array(8).fill(1_400));
  });

  it('compresses before it splits', () => {
    const { a, b, batch } = pair({ fragment: FRAGMENT, framing: 'lz4' });
    batch.push(ipv4Packet(1_400));
    const out = new PacketBatch(32);
    a.channel.sealSplit(batch, 0, 1, out, 0);
    expect(out.count).toBe(1);
    b.channel.open(out, 0, 1, 0);
    expect(out.lengths[0]).toBe(1_400);
  });

  it('frames its own pings and messages', () => {
    const { a, b } = pair({ fragment: { bytes: 68, encap: false }, framing: 'lzo-stub', pingSec: 10 });
    const service = new PacketBatch(32);
    a.channel.handleTimeout(0);
    a.channel.sendOccExit();
    let sent = 0;
    while (a.channel.pollTransmit(service, 0) > 0) {
      sent += service.count;
      b.channel.open(service, 0, service.count, 0);
      expect([...service.lengths.subarray(0, service.count)].every((length) => length === 0)).toBe(true);
      service.clear();
    }
    expect(sent).toBe(2);
    expect(b.log.lines).toEqual(expect.arrayContaining(['RECEIVED PING PACKET']));
    expect(b.channel.pollEvent()).toEqual({ type: 'remote-exit', reason: 'remote-exit' });
  });

  it('drops what more than 32 pieces would take', () => {
    const { a, batch } = pair({ fragment: { bytes: 68, encap: false } });
    batch.push(ipv4Packet(1_500));
    const out = new PacketBatch(64);
    expect(a.channel.sealSplit(batch, 0, 1, out, 0)).toBe(1);
    expect(out.count).toBe(0);
    expect(a.channel.counters.dropFrame).toBe(1);
    expect(a.log.lines.at(-1)).toMatch(/^FRAG_OUT error, len=1500 frag_size=40 MAX_FRAGS=32: too many/);
  });

  it('says 2.x text of bad fragments', () => {
    const { a, b, batch } = pair({}, { fragment: FRAGMENT });
    batch.push(Buffer.concat([Buffer.from('00000003', 'hex'), Buffer.alloc(20)]));
    a.channel.seal(batch, 0, 1, 0);
    b.channel.open(batch, 0, 1, 0);
    expect(b.log.lines.at(-1)).toBe('FRAG_IN error flags=0x00000003: FRAG_TEST not implemented');
    expect(b.channel.counters.dropFrame).toBe(1);
  });

  it('answers blocked IPv6 to tun, and that of the peer to the peer', () => {
    const { a, b, batch } = pair({ inner: { blockIpv6: 'both' } }, {});
    batch.push(ipv6Packet(80));
    expect(a.channel.seal(batch, 0, 1, 0)).toBe(0);
    const tun = new PacketBatch(8);
    expect([a.channel.pollTun(tun), a.channel.pollTun(tun)]).toEqual([1, 0]);
    expect(tun.packet(0)[40]).toBe(1);
    batch.clear();
    batch.push(ipv6Packet(80));
    b.channel.seal(batch, 0, 1, 0);
    a.channel.open(batch, 0, 1, 0);
    expect(batch.lengths[0]).toBe(0);
    const service = new PacketBatch(4);
    expect(a.channel.pollTransmit(service, 0)).toBe(1);
    b.channel.open(service, 0, 1, 0);
    expect(service.packet(0)[40]).toBe(1);
  });
});

interface Peer {
  readonly channel: DataChannel;
  readonly log: MemoryLogger;
}

function pair(setup: Setup, other: Setup = setup): { a: Peer; b: Peer; batch: PacketBatch } {
  return { a: peer(setup), b: peer(other), batch: new PacketBatch(8) };
}

function peer({ framing, fragment, inner, pingSec = 0 }: Setup): Peer {
  const key = { cipher: Buffer.alloc(64, 3), hmac: Buffer.alloc(64, 4) };
  const spec = { cipher, key, keyId: 0, peerId: 5 };
  const keys: DataKeys = {
    keyId: 0,
    seal: crypto.createSealingKey(spec),
    open: crypto.createOpeningKey(spec),
    replay: new PacketIdRec(),
    bytes: 0,
    packets: 0,
    sealedBlocks: 0,
    openedBlocks: 0,
  };
  const params = { cipher, digest: undefined, peerId: 5, tlsEkm: true, dynTlsCrypt: false, ccExit: true };
  const log = new MemoryLogger(7);
  const algorithm = framing && algorithmOf(framing);
  const channel = createDataChannel(
    {
      keys: { sealKeys: () => keys, openKeys: () => keys, params },
      frame: { ...TUN_FRAME, mssfix: undefined, fragment },
      compressor:
        framing &&
        createCompressor({
          framing,
          backend: algorithm && compressionForTests(algorithm),
          sends: true,
          adaptive: false,
          log,
        }),
      inner: {
        clientNat: [],
        blockIpv6: 'off',
        remoteIpv6: undefined,
        passtos: false,
        linkRemote: undefined,
        ...inner,
      },
      timers: { ...OFF_TIMERS, pingSec },
      occ: { localOptions: 'V4', mtuTest: false, randomBytes: (n) => new Uint8Array(n) },
      log,
      counters: newLinkCounters(),
      muteReplayWarnings: false,
    },
    0,
  );
  return { channel, log };
}

import { describe, expect, it } from 'vitest';
import { ipv4Packet, ipv6Packet, TUN_FRAME } from '../../test-kit/frames.ts';
import { addressToWords, MemoryLogger, PacketBatch } from '../base/base.ts';
import { cipherInfo, PacketIdRec } from '../crypto/crypto.ts';
import { createNodeCrypto } from '../crypto/crypto-node.ts';
import type { DataChannelParams, DataKeys } from '../ssl/ssl.ts';
import { createDataChannel, newLinkCounters } from './data-channel.ts';
import type { DataChannel, DataChannelConfig, DataKeySource } from './forward.ts';
import { OFF_TIMERS, PING_PAYLOAD } from './ping.ts';

const crypto = createNodeCrypto();
const GCM_V2_BYTES = 24;

describe('DataChannel', () => {
  it('carries packets from one peer to the other and counts them', () => {
    const { a, b, batch } = pair();
    const packets = [ipv4Packet(60), ipv4Packet(1400), ipv6Packet(48)];
    for (const packet of packets) batch.push(packet);
    expect(a.channel.seal(batch, 0, 3, 0)).toBe(3);
    b.channel.open(batch, 0, 3, 0);
    expect([0, 1, 2].map((slot) => Buffer.from(batch.packet(slot)))).toEqual(packets);
    expect(b.channel.authenticated).toBe(3);
    const bytes = 60 + 1400 + 48;
    expect(a.channel.counters).toMatchObject({
      tunReadBytes: bytes,
      linkWriteBytes: bytes + 3 * GCM_V2_BYTES,
    });
    expect(b.channel.counters).toMatchObject({
      linkReadBytes: bytes + 3 * GCM_V2_BYTES,
      tunWriteBytes: bytes,
      authReadBytes: bytes,
      linkReadPackets: 3,
    });
    expect(b.totals).toEqual(b.channel.counters);
    expect(a.keys.get(0)).toMatchObject({ packets: 3, bytes: bytes + 3 * GCM_V2_BYTES });
  });

  it('handles only its own slots and passes over empty ones', () => {
    const { a, b, batch } = pair();
    for (let i = 0; i < 4; i++) batch.push(ipv4Packet(100));
    batch.lengths[1] = 0;
    batch.status[1] = 2;
    expect(a.channel.seal(batch, 0, 3, 0)).toBe(2);
    expect(batch.lengths[3]).toBe(100);
    b.channel.open(batch, 0, 3, 0);
    expect([...batch.lengths.subarray(0, 4)]).toEqual([100, 0, 100, 100]);
    expect(b.channel.counters).toMatchObject({ dropAuth: 0, linkReadPackets: 2 });
  });

  it('opens a run of packets under several keys', () => {
    const { a, b, batch } = pair([0, 1]);
    for (let i = 0; i < 6; i++) {
      batch.push(ipv4Packet(100 + i));
      a.keys.current = i % 3 === 0 ? 1 : 0;
      a.channel.seal(batch, i, i + 1, 0);
    }
    b.channel.open(batch, 0, 6, 0);
    expect([...batch.lengths.subarray(0, 6)]).toEqual([100, 101, 102, 103, 104, 105]);
    expect(b.channel.authenticated).toBe(6);
  });

  it('drops replays in the words of 2.x', () => {
    const { a, b, batch } = pair();
    batch.push(ipv4Packet(100));
    a.channel.seal(batch, 0, 1, 0);
    batch.pushFrom(batch, 0);
    b.channel.open(batch, 0, 2, 0);
    expect([...batch.lengths.subarray(0, 2)]).toEqual([100, 0]);
    expect(b.channel.counters.dropReplay).toBe(1);
    expect(b.log.lines).toContain(
      'AEAD Decrypt error: bad packet ID (may be a replay): [ #1 ] -- see the man page entry for --no-replay and --replay-window for more info or silence this warning with --mute-replay-warnings',
    );
    expect(b.channel.pollEvent()).toBeUndefined();
  });

  it('drops forged, short, foreign and keyless packets', () => {
    const { a, b, batch } = pair();
    batch.push(ipv4Packet(100));
    a.channel.seal(batch, 0, 1, 0);
    batch.slab[batch.offsets[0]! + 40]! ^= 1;
    batch.push(Buffer.from('4800000000000001', 'hex'));
    batch.push(Buffer.alloc(60, 0x20));
    batch.push(Buffer.alloc(60, 0x4b));
    addressToWords({ family: 4, address: '192.0.2.1', port: 1194 }, batch.addresses, 3);
    b.channel.open(batch, 0, 4, 0);
    expect([...batch.lengths.subarray(0, 4)]).toEqual([0, 0, 0, 0]);
    expect(b.channel.counters).toMatchObject({ dropAuth: 1, dropShort: 2, dropNoKey: 1 });
    expect(b.channel.authenticated).toBe(0);
    expect(b.log.lines.slice(-3)).toEqual([
      'AEAD Decrypt error: cipher final failed',
      'AEAD Decrypt error: missing payload',
      'TLS Error: local/remote TLS keys are out of sync: [AF_INET]192.0.2.1:1194 (received key id: 3, known key ids:  [id=0])',
    ]);
  });

  it('gives a TCP connection up whose packets do not decrypt', () => {
    const { b, batch } = pair([0], { transport: 'tcp' });
    batch.push(Buffer.alloc(60, 0x48));
    b.channel.open(batch, 0, 1, 0);
    expect(b.channel.pollEvent()).toEqual({ type: 'restart', reason: 'decryption-error' });
    expect(b.log.lines).toContain('Fatal decryption error (process_incoming_link), restarting');
  });

  it('sends nothing without a key', () => {
    const { a, batch } = pair();
    a.keys.current = -1;
    batch.push(ipv4Packet(100));
    expect(a.channel.seal(batch, 0, 1, 0)).toBe(0);
    expect(batch.lengths[0]).toBe(0);
    expect(a.channel.counters.dropNoKey).toBe(1);
  });

  it('drops what is no IP packet in tun mode, but no tap frame', () => {
    for (const dev of ['tun', 'tap'] as const) {
      const { a, b, batch } = pair([0], { dev });
      batch.push(Buffer.alloc(64, 0xff));
      a.channel.seal(batch, 0, 1, 0);
      b.channel.open(batch, 0, 1, 0);
      expect(batch.lengths[0]).toBe(dev === 'tun' ? 0 : 64);
      expect(b.channel.counters.dropNotIp).toBe(dev === 'tun' ? 1 : 0);
    }
  });

  it('lowers the MSS by the negotiated cipher in both directions', () => {
    const { a, b, batch } = pair();
    expect(a.channel.mss).toBe(1400);
    expect(a.log.lines[0]).toMatch(/^Data Channel MTU parms \[ mss_fix:1400 max_frag:0 tun_mtu:1500 /);
    batch.push(synPacket(1460));
    a.channel.seal(batch, 0, 1, 0);
    b.channel.open(batch, 0, 1, 0);
    expect(batch.packet(0).readUInt16BE(42)).toBe(1400);
    a.channel.setFrame({ ...TUN_FRAME, family: 6 });
    expect(a.channel.mss).toBe(1380);
  });

  it('sends pings that the peer swallows but counts as sign of life', () => {
    const timers = { ...OFF_TIMERS, pingSec: 10, silenceSec: 30 };
    const { a, b, batch } = pair([0], {}, timers);
    a.channel.handleTimeout(0);
    expect(a.channel.pollTransmit(batch, 0)).toBe(1);
    expect(batch.lengths[0]).toBe(PING_PAYLOAD.length + GCM_V2_BYTES);
    expect(a.channel.pollTransmit(batch, 0)).toBe(0);
    expect(a.channel.nextTimeout()).toBe(10_000);
    b.channel.open(batch, 0, 1, 20_000);
    expect(batch.lengths[0]).toBe(0);
    expect(b.channel.authenticated).toBe(1);
    b.channel.handleTimeout(49_999);
    expect(b.channel.pollEvent()).toBeUndefined();
    b.channel.handleTimeout(50_000);
    expect(b.channel.pollEvent()).toEqual({ type: 'restart', reason: 'ping-restart' });
  });

  it('appends control payloads behind the packets of a batch and waits when it is full', () => {
    const { a, batch } = pair([0], {}, { ...OFF_TIMERS, pingSec: 10 });
    a.channel.handleTimeout(0);
    a.channel.sendOccExit();
    while (batch.count < batch.capacity - 1) batch.push(ipv4Packet(100));
    expect(a.channel.pollTransmit(batch, 0)).toBe(1);
    expect(a.channel.pollTransmit(batch, 0)).toBe(0);
    batch.clear();
    expect(a.channel.pollTransmit(batch, 0)).toBe(1);
    expect(batch.count).toBe(1);
  });

  it('tells that the peer exits', () => {
    const { a, b, batch } = pair();
    a.channel.sendOccExit();
    expect(a.channel.pollTransmit(batch, 0)).toBe(1);
    b.channel.open(batch, 0, 1, 0);
    expect(b.channel.pollEvent()).toEqual({ type: 'remote-exit', reason: 'remote-exit' });
    expect(b.channel.pollEvent()).toBeUndefined();
  });

  it('answers an options request', () => {
    const { a, b, batch } = pair();
    batch.push(Buffer.from('287f346bd4ef7a812d56b8d3afc5459c00', 'hex'));
    a.channel.seal(batch, 0, 1, 0);
    b.channel.open(batch, 0, 1, 0);
    batch.clear();
    expect(b.channel.pollTransmit(batch, 0)).toBe(1);
    expect(batch.lengths[0]).toBe(17 + 'V4,dev-type tun'.length + 1 + GCM_V2_BYTES);
  });
});

const PARAMS: DataChannelParams = {
  cipher: cipherInfo('AES-256-GCM')!,
  digest: undefined,
  peerId: 7,
  tlsEkm: true,
  dynTlsCrypt: false,
  ccExit: true,
};

/** Both directions under one key: good enough for a pipeline, which never looks at key material. */
class TestKeys implements DataKeySource {
  readonly params = PARAMS;
  /** Key id to seal with; -1 = none. */
  current = 0;
  readonly #keys = new Map<number, DataKeys>();

  constructor(keyIds: readonly number[]) {
    for (const keyId of keyIds) this.#keys.set(keyId, testKey(keyId));
  }

  get(keyId: number): DataKeys | undefined {
    return this.#keys.get(keyId);
  }

  sealKeys(): DataKeys | undefined {
    return this.#keys.get(this.current);
  }

  openKeys(keyId: number): DataKeys | undefined {
    return this.#keys.get(keyId);
  }
}

function testKey(keyId: number): DataKeys {
  const key = { cipher: Buffer.alloc(64, keyId + 1), hmac: Buffer.alloc(64, keyId + 9) };
  const spec = { cipher: PARAMS.cipher, key, keyId, peerId: PARAMS.peerId };
  const seal = crypto.createSealingKey(spec);
  const open = crypto.createOpeningKey(spec);
  return {
    keyId,
    seal,
    open,
    replay: new PacketIdRec(64, 15),
    bytes: 0,
    packets: 0,
    sealedBlocks: 0,
    openedBlocks: 0,
  };
}

interface Peer {
  channel: DataChannel;
  keys: TestKeys;
  log: MemoryLogger;
  totals: ReturnType<typeof newLinkCounters>;
}

function pair(
  keyIds: readonly number[] = [0],
  frame: Partial<DataChannelConfig['frame']> = {},
  timers = OFF_TIMERS,
): { a: Peer; b: Peer; batch: PacketBatch } {
  const peer = (): Peer => {
    const keys = new TestKeys(keyIds);
    const log = new MemoryLogger(4);
    const totals = newLinkCounters();
    const occ = {
      localOptions: 'V4,dev-type tun',
      mtuTest: false,
      randomBytes: (n: number) => new Uint8Array(n),
    };
    const config = {
      keys,
      frame: { ...TUN_FRAME, ...frame },
      timers,
      occ,
      log,
      totals,
      muteReplayWarnings: false,
    };
    return { channel: createDataChannel({ ...config, counters: newLinkCounters() }, 0), keys, log, totals };
  };
  return { a: peer(), b: peer(), batch: new PacketBatch(8) };
}

/** An IPv4 SYN whose MSS is at 42. */
function synPacket(mss: number): Buffer {
  const packet = Buffer.alloc(44);
  packet[0] = 0x45;
  packet[3] = 44;
  packet[9] = 6;
  packet[32] = 0x60;
  packet[33] = 0x02;
  packet.set([2, 4, mss >>> 8, mss & 0xff], 40);
  return packet;
}

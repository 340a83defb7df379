import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import vectors from '../../test-kit/vectors.json' with { type: 'json' };
import { ApiMisuseError } from '../base/base.ts';
import { allDigests, digestInfo, keyHalves, readStaticKey } from '../crypto/crypto.ts';
import { createNodeCrypto } from '../crypto/crypto-node.ts';
import {
  type ControlPacket,
  type ControlWrap,
  createNoWrap,
  createTlsAuthWrap,
  createTlsCryptWrap,
  dynamicTlsCryptKey,
  op,
} from './reliable.ts';

const crypto = createNodeCrypto();
const KEY2 = readStaticKey(vectors.static_key_file.pem_text);
const NOW = 0x6b033be4;

const PAIRS: readonly (readonly [string, ControlWrap, ControlWrap])[] = [
  ...allDigests().map(({ name }) => [`tls-auth ${name}`, tlsAuth(1, name), tlsAuth(0, name)] as const),
  ['tls-auth both ways', tlsAuth(undefined, 'SHA1'), tlsAuth(undefined, 'SHA1')],
  ['tls-crypt', tlsCrypt('client'), tlsCrypt('server')],
];

describe('captured packets of a live 2.6', () => {
  it('unwrap and wrap with tls-auth', () => {
    const { packets, digest, client_key_direction, server_key_direction } = vectors.tls_auth;
    const [client, server] = [client_key_direction, server_key_direction].map((direction) =>
      tlsAuth(direction === 0 ? 0 : 1, digest),
    );
    checkCapture(packets, client!, server!, 9 + 20);
  });

  it('take their keys where 2.6 does', () => {
    const halves = keyHalves(KEY2);
    const { client_send_hmac_key, server_send_hmac_key } = vectors.tls_auth;
    expect(toHex(halves[1].hmac.subarray(0, 20))).toBe(client_send_hmac_key);
    expect(toHex(halves[0].hmac.subarray(0, 20))).toBe(server_send_hmac_key);
    for (const { from_key_index, Ke, Ka } of [vectors.tls_crypt.client_send, vectors.tls_crypt.server_send]) {
      const { cipher, hmac } = halves[from_key_index === 0 ? 0 : 1];
      expect([toHex(cipher.subarray(0, 32)), toHex(hmac.subarray(0, 32))]).toEqual([Ke, Ka]);
    }
  });

  it('unwrap and wrap with tls-crypt', () => {
    checkCapture(vectors.tls_crypt.packets, tlsCrypt('client'), tlsCrypt('server'), 9);
  });

  it('unwrap and wrap with dynamic tls-crypt, over every original wrap', () => {
    for (const vector of vectors.dynamic_tls_crypt) {
      const base = vector.base_key ? hex(vector.base_key) : undefined;
      const key2 = dynamicTlsCryptKey(hex(vector.ekm), base);
      expect(toHex(key2)).toBe(vector.key);
      checkCapture(vector.packets, tlsCrypt('client', key2), tlsCrypt('server', key2), 9);
    }
  });
});

describe.each(PAIRS)('%s', (_name, client, server) => {
  it('carries every kind of packet both ways', () => {
    const [here, there] = [client.createSession(), server.createSession()];
    for (const packet of [control(op.P_CONTROL_V1), ackOnly(), control(op.P_CONTROL_SOFT_RESET_V1, 7)]) {
      expect(plain(there.unwrap(here.wrap(packet, NOW), NOW))).toEqual(plain(packet));
      expect(plain(here.unwrap(there.wrap(packet, NOW), NOW))).toEqual(plain(packet));
    }
  });

  it('drops a packet seen before, also after others', () => {
    const [here, there] = [client.createSession(), server.createSession()];
    const first = here.wrap(control(op.P_CONTROL_V1), NOW);
    const second = here.wrap(control(op.P_CONTROL_V1), NOW);
    expect(there.unwrap(second, NOW)).toBeTypeOf('object');
    expect(there.unwrap(first, NOW)).toBeTypeOf('object');
    expect(there.unwrap(first, NOW)).toBe('replay');
    expect(there.unwrap(second, NOW)).toBe('replay');
  });

  it('sends no two packets with the same replay id', () => {
    const here = client.createSession();
    const packets = Array.from({ length: 50 }, () => toHex(here.wrap(control(op.P_CONTROL_V1), NOW)));
    expect(new Set(packets).size).toBe(50);
  });

  it('keeps the replay state of two sessions of one peer apart', () => {
    const here = client.createSession();
    const packet = here.wrap(control(op.P_CONTROL_V1), NOW);
    expect(server.createSession().unwrap(packet, NOW)).toBeTypeOf('object');
    expect(server.createSession().unwrap(packet, NOW)).toBeTypeOf('object');
  });

  it('continues at id 2 after a stateless answer with id 1', () => {
    const peer = client.createSession();
    const reset = control(op.P_CONTROL_HARD_RESET_SERVER_V2);
    expect(peer.unwrap(server.wrapStateless(reset, NOW), NOW)).toBeTypeOf('object');
    const session = server.createSession({ nextPacketId: 2 });
    expect(peer.unwrap(session.wrap(control(op.P_CONTROL_V1), NOW), NOW)).toBeTypeOf('object');
    expect(peer.unwrap(server.createSession().wrap(ackOnly(), NOW), NOW)).toBe('replay');
  });

  it('keeps the time of the first packet, and rejects an older one', () => {
    const [here, there] = [client.createSession(), server.createSession()];
    const early = here.wrap(control(op.P_CONTROL_V1), NOW);
    expect(there.unwrap(here.wrap(control(op.P_CONTROL_V1), NOW + 500), NOW + 500)).toBeTypeOf('object');
    expect(there.unwrap(early, NOW + 500)).toBeTypeOf('object');
    const later = client.createSession().wrap(control(op.P_CONTROL_V1), NOW + 600);
    expect(there.unwrap(later, NOW + 600)).toBeTypeOf('object');
    expect(there.unwrap(here.wrap(control(op.P_CONTROL_V1), NOW + 601), NOW + 601)).toBe('replay');
  });

  it('drops a packet with any one bit changed, without losing the good one', () => {
    const [here, there] = [client.createSession(), server.createSession()];
    const packet = here.wrap(control(op.P_CONTROL_V1), NOW);
    for (let bit = 0; bit < packet.length * 8; bit++) {
      const bad = packet.slice();
      bad[bit >> 3]! ^= 1 << (bit & 7);
      expect(['bad-hmac', 'bad-opcode']).toContain(there.unwrap(bad, NOW));
      expect(['bad-hmac', 'bad-opcode']).toContain(server.unwrapStateless(bad));
    }
    expect(there.unwrap(packet, NOW)).toBeTypeOf('object');
  });

  it('drops cut packets', () => {
    const there = server.createSession();
    const packet = client.createSession().wrap(control(op.P_CONTROL_V1), NOW);
    for (let length = 0; length < packet.length; length++) {
      expect(['too-short', 'bad-hmac']).toContain(there.unwrap(packet.subarray(0, length), NOW));
    }
  });

  it('drops an authentic packet with a bad inside', () => {
    const nothing = { ...control(op.P_CONTROL_V1), acks: Array.from({ length: 9 }, (_, i) => i) };
    expect(server.createSession().unwrap(client.createSession().wrap(nothing, NOW), NOW)).toBe('bad-acks');
  });

  it('takes any bytes without throwing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(server.unwrapStateless(bytes)).toBeTypeOf('string');
        expect(server.createSession().unwrap(bytes, NOW)).toBeTypeOf('string');
      }),
    );
  });
});

describe('wraps', () => {
  it('drop packets of the other direction', () => {
    for (const wrap of [tlsAuth(0, 'SHA1'), tlsCrypt('server')]) {
      expect(wrap.unwrapStateless(wrap.wrapStateless(ackOnly(), NOW))).toBe('bad-hmac');
    }
  });

  it('start over with a later time when the ids are used up', () => {
    const session = tlsCrypt('client').createSession({ nextPacketId: 0xffff_ffff });
    const server = tlsCrypt('server').createSession();
    const ids = [1, 2, 3].map(() => {
      const packet = session.wrap(ackOnly(), NOW);
      expect(server.unwrap(packet, NOW)).toBeTypeOf('object');
      return toHex(packet.subarray(9, 17));
    });
    const time = (seconds: number) => seconds.toString(16).padStart(8, '0');
    expect(ids).toEqual([`ffffffff${time(NOW)}`, `00000001${time(NOW + 1)}`, `00000002${time(NOW + 1)}`]);
  });

  it('follow --replay-window', () => {
    const client = tlsCrypt('client').createSession();
    const server = createTlsCryptWrap({
      key2: KEY2,
      role: 'server',
      crypto,
      replayWindow: 4,
    }).createSession();
    const packets = Array.from({ length: 6 }, () => client.wrap(ackOnly(), NOW));
    expect(server.unwrap(packets[5]!, NOW)).toBeTypeOf('object');
    expect(server.unwrap(packets[2]!, NOW)).toBeTypeOf('object');
    expect(server.unwrap(packets[1]!, NOW)).toBe('replay');
  });

  it('count their bytes as 2.x does', () => {
    expect(createNoWrap().overheadBytes).toBe(0);
    expect(tlsAuth(1, 'SHA1').overheadBytes).toBe(28);
    expect(tlsAuth(1, 'SHA512').overheadBytes).toBe(72);
    expect(tlsCrypt('client').overheadBytes).toBe(56);
  });

  it('hold their own key bytes and zero them when destroyed', () => {
    const mine = KEY2.slice();
    const wrap = tlsCrypt('client', mine);
    const before = toHex(wrap.wrapStateless(ackOnly(), NOW));
    mine.fill(0);
    expect(toHex(wrap.wrapStateless(ackOnly(), NOW))).toBe(before);
    wrap.destroy();
    expect(wrap.key2?.every((byte) => byte === 0)).toBe(true);
    const auth = tlsAuth(0, 'SHA256');
    auth.destroy();
    expect(auth.key2?.every((byte) => byte === 0)).toBe(true);
  });

  it('refuse a key of the wrong length', () => {
    expect(() => tlsCrypt('client', KEY2.subarray(1))).toThrow(ApiMisuseError);
    expect(() => dynamicTlsCryptKey(new Uint8Array(255), undefined)).toThrow(ApiMisuseError);
  });

  it('leave packets as they are when there is no wrap', () => {
    const wrap = createNoWrap();
    const session = wrap.createSession();
    const bytes = session.wrap(control(op.P_CONTROL_V1), NOW);
    expect(plain(session.unwrap(bytes, NOW))).toEqual(plain(control(op.P_CONTROL_V1)));
    expect(session.unwrap(bytes, NOW)).toBeTypeOf('object');
    expect(toHex(wrap.wrapStateless(control(op.P_CONTROL_V1), NOW))).toBe(toHex(bytes));
    expect(wrap.unwrapStateless(bytes)).toBeTypeOf('object');
    expect(wrap.key2).toBeUndefined();
    wrap.destroy();
  });
});

interface CapturedPacket {
  readonly dir: string;
  readonly packet: string;
  readonly inner: string;
  readonly acks: readonly number[];
  readonly message_id?: number | null;
}

/** Unwraps each packet as its receiver and rebuilds it, byte for byte, as its sender. */
function checkCapture(
  packets: readonly CapturedPacket[],
  client: ControlWrap,
  server: ControlWrap,
  replayIdOffset: number,
): void {
  expect(packets.length).toBeGreaterThan(0);
  for (const vector of packets) {
    const [sender, receiver] = vector.dir === 'c2s' ? [client, server] : [server, client];
    const bytes = hex(vector.packet);
    const view = new DataView(bytes.buffer);
    const [id, time] = [view.getUint32(replayIdOffset), view.getUint32(replayIdOffset + 4)];
    const opened = receiver.createSession().unwrap(bytes, time);
    if (typeof opened === 'string') throw new Error(opened);
    expect(opened.acks).toEqual(vector.acks);
    expect(opened.messageId ?? null).toBe(vector.message_id ?? null);
    expect(toHex(sender.createSession({ nextPacketId: id }).wrap(opened, time))).toBe(vector.packet);
  }
}

function tlsAuth(direction: 0 | 1 | undefined, digest: string): ControlWrap {
  return createTlsAuthWrap({ key2: KEY2, direction, digest: digestInfo(digest)!, crypto });
}

function tlsCrypt(role: 'client' | 'server', key2 = KEY2): ControlWrap {
  return createTlsCryptWrap({ key2, role, crypto });
}

function control(opcode: number, keyId = 0): ControlPacket {
  return {
    opcode,
    keyId,
    sessionId: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    acks: [3, 4],
    peerSessionId: Uint8Array.of(9, 9, 9, 9, 9, 9, 9, 1),
    messageId: 5,
    payload: Uint8Array.of(22, 3, 3, 0, 1, 0),
  };
}

function ackOnly(): ControlPacket {
  return { ...control(op.P_ACK_V1), messageId: undefined, payload: new Uint8Array(0) };
}

function plain(packet: ControlPacket | string): object | string {
  if (typeof packet === 'string') return packet;
  return {
    ...packet,
    sessionId: toHex(packet.sessionId),
    peerSessionId: packet.peerSessionId && toHex(packet.peerSessionId),
    payload: toHex(packet.payload),
  };
}

function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'));
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FirstPackets } from '../../test-kit/first-packets.ts';
import vectors from '../../test-kit/vectors.json' with { type: 'json' };
import { type LinkAddress, nullLogger } from '../base/base.ts';
import {
  KEY2_BYTES,
  readPemKey,
  TLS_CRYPT_V2_CLIENT_KEY,
  TLS_CRYPT_V2_SERVER_KEY,
  writePemKey,
} from '../crypto/crypto.ts';
import { createNodeCrypto } from '../crypto/crypto-node.ts';
import {
  type ControlPacket,
  type ControlWrap,
  type CookieVerdict,
  checkClientKeyAge,
  createNoWrap,
  createTlsCryptV2ClientWrap,
  createTlsCryptWrap,
  EARLY_NEGOTIATION,
  InitialRateLimit,
  type OpenedClientKey,
  op,
  readClientKeyFile,
  stripClientKey,
  TlsCryptV2ServerKey,
  withClientKeys,
} from './reliable.ts';

const VECTOR = vectors.tls_crypt_v2;
const crypto = createNodeCrypto();
const SERVER_KEY = readPemKey(VECTOR.server_key_pem, TLS_CRYPT_V2_SERVER_KEY);
const NOW = 0x6b033bb4;
const FROM: LinkAddress = { family: 4, address: '192.0.2.7', port: 40000 };
const CLIENT_ID = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

describe('key files made by 2.6.14', () => {
  it('are read and written byte for byte', () => {
    expect(toHex(SERVER_KEY)).toBe(VECTOR.server_key);
    expect([toHex(SERVER_KEY.subarray(0, 32)), toHex(SERVER_KEY.subarray(64, 96))]).toEqual([
      VECTOR.Ke,
      VECTOR.Ka,
    ]);
    expect(writePemKey(SERVER_KEY, TLS_CRYPT_V2_SERVER_KEY)).toBe(VECTOR.server_key_pem);
    for (const client of VECTOR.clients) {
      const { key2, wrapped } = readClientKeyFile(client.client_key_pem);
      expect(toHex(key2)).toBe(client.Kc);
      expect(toHex(wrapped)).toBe(client.WKc);
      const both = Buffer.concat([key2, wrapped]);
      expect(writePemKey(both, TLS_CRYPT_V2_CLIENT_KEY)).toBe(client.client_key_pem);
    }
  });

  it('open with the server key and show their metadata', () => {
    for (const client of VECTOR.clients) {
      const opened = open(serverKey(), reset(client.client_key_pem));
      expect(toHex(opened.metadata)).toBe(
        `${client.metadata_type.toString(16).padStart(2, '0')}${client.metadata}`,
      );
      expect(toHex(opened.wrap.key2!)).toBe(client.Kc);
    }
  });

  it('are made the same way here', () => {
    for (const client of VECTOR.clients) {
      const metadata = hex(`0${client.metadata_type}${client.metadata}`);
      expect(toHex(serverKey().wrap(hex(client.Kc), metadata))).toBe(client.Kc + client.WKc);
    }
  });

  it('are refused under another name, cut off, or with other characters', () => {
    const pem = VECTOR.server_key_pem;
    expect(() => readPemKey(pem, TLS_CRYPT_V2_CLIENT_KEY)).toThrow(
      'ERROR: OpenVPN tls-crypt-v2 client key pem decode failed',
    );
    expect(() => readPemKey(pem.slice(0, 100), TLS_CRYPT_V2_SERVER_KEY)).toThrow();
    expect(() => readPemKey(pem.replace('k5b/', 'k5b*'), TLS_CRYPT_V2_SERVER_KEY)).toThrow();
    const short = writePemKey(new Uint8Array(255), TLS_CRYPT_V2_CLIENT_KEY);
    expect(() => readClientKeyFile(short)).toThrow('ERROR: not enough data in tls-crypt-v2 client key');
    const long = writePemKey(new Uint8Array(256 + 1025), TLS_CRYPT_V2_CLIENT_KEY);
    expect(() => readClientKeyFile(long)).toThrow('ERROR: invalid tls-crypt-v2 client key format');
    expect(() => new TlsCryptV2ServerKey({ key: new Uint8Array(127), crypto })).toThrow();
  });
});

describe('a captured handshake of 2.6.14', () => {
  it('opens and is made again, packet by packet', () => {
    const client = clientWrap().createSession();
    const [first] = VECTOR.handshake_udp;
    const opened = open(serverKey(), hex(first!.packet));
    for (const { dir, packet } of VECTOR.handshake_udp) {
      const bytes = hex(packet);
      const timeSec = Buffer.from(bytes).readUInt32BE(13);
      if (dir === 'c2s') {
        const body = stripClientKey(bytes) ?? bytes;
        const control = opened.wrap.unwrapStateless(body);
        expect(control).toBeTypeOf('object');
        // One time for all packets of a session: that of its first.
        const again = client.wrap(control as ControlPacket, 0x6b033bb3);
        expect(timeSec).toBe(0x6b033bb3);
        expect(toHex(again)).toBe(packet);
      } else {
        const control = client.unwrap(bytes, timeSec);
        expect(control).toBeTypeOf('object');
      }
    }
    const answer = client.unwrap(hex(VECTOR.handshake_udp[1]!.packet), NOW);
    expect(answer).toBe('replay');
    const reset = clientWrap().unwrapStateless(hex(VECTOR.handshake_udp[1]!.packet)) as ControlPacket;
    expect(toHex(reset.payload)).toBe(toHex(EARLY_NEGOTIATION.resendRequest));
  });
});

describe('a wrapped client key', () => {
  it('is refused when any bit of it or of the packet was changed', () => {
    const key = serverKey();
    const good = reset();
    fc.assert(
      fc.property(fc.nat(good.length * 8 - 1), (bit) => {
        const changed = Uint8Array.from(good);
        changed[bit >> 3]! ^= 1 << (bit & 7);
        const opened = key.open(changed);
        if (typeof opened === 'string') return true;
        const control = opened.wrap.unwrapStateless(opened.packet);
        return typeof control === 'string';
      }),
      { numRuns: 400 },
    );
  });

  it('is not found in packets of any other kind, nor in noise', () => {
    const key = serverKey();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1500 }), (noise) => typeof key.open(noise) === 'string'),
    );
    const other = Uint8Array.from(reset());
    other[0] = op.firstByte(op.P_CONTROL_V1, 0);
    expect(key.open(other)).toBe('client-key-missing');
    expect(stripClientKey(other)).toBeUndefined();
  });

  it('leaves a packet of its own, since a verdict may take longer than the batch lives', () => {
    // A batch hands out Buffers, whose slice() is a view.
    const slab = Buffer.from(reset());
    const opened = open(serverKey(), slab);
    const before = toHex(opened.packet);
    slab.fill(0);
    expect(toHex(opened.packet)).toBe(before);
  });

  it('of another server is refused', () => {
    const stranger = new TlsCryptV2ServerKey({ key: SERVER_KEY.toReversed(), crypto });
    expect(stranger.open(reset())).toBe('client-key-refused');
  });

  it('may carry as little or as much metadata as fits', () => {
    for (const length of [0, 1, 734]) {
      const key = serverKey();
      const bytes = key.wrap(new Uint8Array(KEY2_BYTES).fill(3), new Uint8Array(length).fill(9));
      const wrap = createTlsCryptV2ClientWrap({
        key2: bytes.subarray(0, KEY2_BYTES),
        wrapped: bytes.subarray(KEY2_BYTES),
        crypto,
      });
      const packet = wrap.createSession().wrap(control(op.P_CONTROL_HARD_RESET_CLIENT_V3), NOW);
      expect(open(key, packet).metadata).toEqual(new Uint8Array(length).fill(9));
    }
  });

  it('is as old as its timestamp says, and has no age without one', () => {
    const made = hex('01000000006b033a54');
    expect(checkClientKeyAge(made, 1, 0x6b033a54 + 86_400)).toBeUndefined();
    expect(checkClientKeyAge(made, 1, 0x6b033a54 + 86_401)).toBe('ERROR: Client key is too old.');
    expect(checkClientKeyAge(made, 1, 0)).toBeUndefined();
    expect(checkClientKeyAge(hex('0000000000000000000000'), 1, NOW)).toBe(
      'ERROR: Client key does not have a timestamp.',
    );
    expect(checkClientKeyAge(hex('0100'), 1, NOW)).toContain('too small to contain a timestamp');
  });
});

describe('the stateless handshake with tls-crypt-v2', () => {
  it('asks for the key again and establishes with P_CONTROL_WKC_V1', () => {
    const server = handshake();
    const client = clientWrap().createSession();
    const answer = server.handle(client.wrap(control(op.P_CONTROL_HARD_RESET_CLIENT_V3), NOW), FROM, NOW, 0);
    const received = client.unwrap(replyOf(answer), NOW) as ControlPacket;
    expect(received.opcode).toBe(op.P_CONTROL_HARD_RESET_SERVER_V2);
    expect(toHex(received.payload)).toBe('000100020001');
    const second = client.wrap(acknowledging(received.sessionId, op.P_CONTROL_WKC_V1), NOW);
    expect(server.handle(second, FROM, NOW, 0)).toEqual({
      type: 'established',
      ownSessionId: received.sessionId,
      peerSessionId: CLIENT_ID,
    });
  });

  it('makes state at once for a client of 2.5, unless force-cookie forbids it', () => {
    const packet = oldReset();
    expect(handshake().handle(packet, FROM, NOW, 0)).toEqual({ type: 'unproven' });
    const strict = handshake({ forceCookie: true });
    expect(strict.handle(packet, FROM, NOW, 0)).toEqual({ type: 'drop', reason: 'client-key-cookie' });
    const full = handshake({ admit: () => false });
    expect(full.handle(packet, FROM, NOW, 0)).toEqual({ type: 'drop', reason: 'rate-limit' });
  });

  it('demands some wrap from everybody, but serves another one beside it', () => {
    const bare = createNoWrap().wrapStateless(control(op.P_CONTROL_HARD_RESET_CLIENT_V2), NOW);
    expect(handshake().handle(bare, FROM, NOW, 0)).toEqual({ type: 'drop', reason: 'unwrapped' });
    const shared = new Uint8Array(KEY2_BYTES).fill(5);
    const both = handshake({ base: createTlsCryptWrap({ key2: shared, role: 'server', crypto }) });
    const plain = createTlsCryptWrap({ key2: shared, role: 'client', crypto }).createSession();
    const packet = plain.wrap(control(op.P_CONTROL_HARD_RESET_CLIENT_V2), NOW);
    expect(both.handle(packet, FROM, NOW, 0).type).toBe('reply');
    expect(both.handle(reset(), FROM, NOW, 0).type).toBe('reply');
  });

  it('refuses client keys where there is no key to open them', () => {
    const server = new FirstPackets({ wrap: createNoWrap(), crypto });
    expect(server.handle(reset(), FROM, NOW, 0)).toEqual({ type: 'drop', reason: 'client-key-unwanted' });
  });

  it('keeps to the rate limit', () => {
    const server = handshake({ rate: new InitialRateLimit(1, 10, nullLogger) });
    expect(server.handle(reset(), FROM, NOW, 0).type).toBe('reply');
    expect(server.handle(reset(), FROM, NOW, 0)).toEqual({ type: 'drop', reason: 'rate-limit' });
  });
});

interface HandshakeOptions {
  readonly base?: ControlWrap;
  readonly forceCookie?: boolean;
  readonly admit?: () => boolean;
  readonly rate?: InitialRateLimit;
}

function handshake(options: HandshakeOptions = {}): FirstPackets {
  const { base = createNoWrap(), forceCookie = false, ...rest } = options;
  const key = new TlsCryptV2ServerKey({ key: SERVER_KEY, forceCookie, crypto });
  return new FirstPackets({ wrap: withClientKeys(base, key), crypto, ...rest });
}

function serverKey(): TlsCryptV2ServerKey {
  return new TlsCryptV2ServerKey({ key: SERVER_KEY, crypto });
}

function clientWrap(pem = VECTOR.clients[0]!.client_key_pem): ControlWrap {
  return createTlsCryptV2ClientWrap({ ...readClientKeyFile(pem), crypto });
}

function reset(pem?: string): Uint8Array {
  return clientWrap(pem).createSession().wrap(control(op.P_CONTROL_HARD_RESET_CLIENT_V3), NOW);
}

/** As 2.5 sends it: replay ids start at 1. */
function oldReset(): Uint8Array {
  const session = clientWrap().createSession({ nextPacketId: 1 });
  return session.wrap(control(op.P_CONTROL_HARD_RESET_CLIENT_V3), NOW);
}

function open(key: TlsCryptV2ServerKey, packet: Uint8Array): OpenedClientKey {
  const opened = key.open(packet);
  if (typeof opened === 'string') throw new Error(opened);
  return opened;
}

function control(opcode: number): ControlPacket {
  return {
    opcode,
    keyId: 0,
    sessionId: CLIENT_ID,
    acks: [],
    peerSessionId: undefined,
    messageId: 0,
    payload: new Uint8Array(0),
  };
}

function acknowledging(peerSessionId: Uint8Array, opcode: number): ControlPacket {
  return { ...control(opcode), acks: [0], peerSessionId, messageId: 1, payload: Uint8Array.of(22, 3, 1) };
}

function replyOf(verdict: CookieVerdict): Uint8Array {
  if (verdict.type !== 'reply') throw new Error(verdict.type);
  return verdict.packet;
}

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FirstPackets } from '../../test-kit/first-packets.ts';
import vectors from '../../test-kit/vectors.json' with { type: 'json' };
import { type LinkAddress, MemoryLogger, nullLogger } from '../base/base.ts';
import { readStaticKey } from '../crypto/crypto.ts';
import { createNodeCrypto } from '../crypto/crypto-node.ts';
import {
  ConnectRateLimit,
  type ControlPacket,
  type ControlWrap,
  type CookieHandshakeOptions,
  type CookieVerdict,
  createNoWrap,
  createTlsCryptWrap,
  InitialRateLimit,
  op,
  readControlPacket,
  writeControlPacket,
} from './reliable.ts';

const crypto = createNodeCrypto();
const FROM: LinkAddress = { family: 4, address: '192.0.2.7', port: 40000 };
const OTHER: LinkAddress = { family: 4, address: '192.0.2.8', port: 40001 };
const CLIENT_ID = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
/** A slot of 30 s starts here. */
const WALL = 1_800_000_000;

describe('cookie handshake', () => {
  it('makes the cookies of live 2.6 and 2.7 servers', () => {
    for (const vector of vectors.hmac_cookie.filter(({ algorithm }) => algorithm.startsWith('HMAC-SHA256'))) {
      const [address, port] = vector.client_addr_text.split(':');
      const server = handshake({ key: hex(vector.key) });
      const from: LinkAddress = { family: 4, address: address!, port: Number(port) };
      const verdict = server.handle(hex(vector.client_reset), from, vector.unix_time, 0);
      expect(toHex(replyOf(verdict))).toBe(vector.server_reset);
    }
  });

  it('establishes a session when the client acknowledges the cookie, by P_ACK_V1 or P_CONTROL_V1', () => {
    for (const finish of [ack, firstMessage]) {
      const server = handshake();
      const own = cookieOf(server.handle(reset(), FROM, WALL, 0));
      const verdict = server.handle(finish(own), FROM, WALL + 1, 1000);
      expect(verdict).toEqual({ type: 'established', ownSessionId: own, peerSessionId: CLIENT_ID });
    }
  });

  it('gives session ids that outlive the packet they were read from', () => {
    const server = handshake();
    const own = Uint8Array.from(cookieOf(server.handle(reset(), FROM, WALL, 0)));
    const slab = Buffer.from(ack(own));
    const verdict = server.handle(slab, FROM, WALL + 1, 1000);
    slab.fill(0);
    expect(verdict).toEqual({ type: 'established', ownSessionId: own, peerSessionId: CLIENT_ID });
  });

  it('answers the same reset with the same cookie within a slot and keeps nothing in between', () => {
    const server = handshake();
    const first = server.handle(reset(), FROM, WALL, 0);
    expect(server.handle(reset(), FROM, WALL + 29, 29_000)).toEqual(first);
    expect(server.handle(reset(), FROM, WALL + 30, 30_000)).not.toEqual(first);
  });

  it('takes a cookie in its own slot and the next two, not later and not from the future', () => {
    const server = handshake();
    const own = cookieOf(server.handle(reset(), FROM, WALL, 0));
    for (const age of [0, 29, 30, 59, 89])
      expect(server.handle(ack(own), FROM, WALL + age, 0).type).toBe('established');
    for (const age of [90, 1000, -1])
      expect(server.handle(ack(own), FROM, WALL + age, 0)).toEqual(drop('bad-cookie'));
  });

  it('follows --hand-window', () => {
    const server = handshake({ handWindowSec: 10 });
    const own = cookieOf(server.handle(reset(), FROM, WALL, 0));
    expect(server.handle(ack(own), FROM, WALL + 14, 0).type).toBe('established');
    expect(server.handle(ack(own), FROM, WALL + 15, 0)).toEqual(drop('bad-cookie'));
    const shortest = handshake({ handWindowSec: 0 });
    expect(shortest.handle(ack(cookieOf(shortest.handle(reset(), FROM, WALL, 0))), FROM, WALL, 0).type).toBe(
      'established',
    );
  });

  it('binds the cookie to address, port, scope and client session id', () => {
    const v6: LinkAddress = { family: 6, address: 'fe80::1', port: 40000, scopeId: 2 };
    for (const from of [FROM, v6]) {
      const server = handshake();
      const own = cookieOf(server.handle(reset(), from, WALL, 0));
      expect(server.handle(ack(own), from, WALL, 0).type).toBe('established');
      const others = [
        { ...from, port: 40001 },
        { ...from, address: from.family === 4 ? '192.0.2.8' : 'fe80::2' },
        { ...v6, scopeId: 3 },
      ];
      for (const other of others) expect(server.handle(ack(own), other, WALL, 0)).toEqual(drop('bad-cookie'));
      expect(server.handle(ack(own, Uint8Array.of(8, 8, 8, 8, 8, 8, 8, 8)), from, WALL, 0)).toEqual(
        drop('bad-cookie'),
      );
    }
  });

  it('believes no cookie of another server, and none that is random', () => {
    const own = cookieOf(handshake().handle(reset(), FROM, WALL, 0));
    const server = handshake();
    expect(server.handle(ack(own), FROM, WALL, 0)).toEqual(drop('bad-cookie'));
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), (guess) => {
        expect(server.handle(ack(guess), FROM, WALL, 0).type).toBe('drop');
      }),
    );
  });

  it('gives every (address, session id, slot) its own cookie, which alone proves it', () => {
    const server = handshake({ rate: new InitialRateLimit(1e6, 10, nullLogger) });
    const seen = new Set<string>();
    const client = fc.record({
      address: fc.ipV4(),
      port: fc.integer({ min: 1, max: 65535 }),
      id: fc.uint8Array({ minLength: 8, maxLength: 8 }).filter((id) => id.some((byte) => byte !== 0)),
    });
    fc.assert(
      fc.property(fc.uniqueArray(client, { maxLength: 5, selector: (c) => JSON.stringify(c) }), (clients) => {
        for (const { address, port, id } of clients) {
          const from: LinkAddress = { family: 4, address, port };
          const own = cookieOf(server.handle(reset(id), from, WALL, 0));
          expect(server.handle(ack(own, id), from, WALL, 0).type).toBe('established');
          seen.add(toHex(own));
        }
      }),
    );
    expect(seen.size).toBeGreaterThan(50);
  });

  it('wraps its answer and demands a good wrap', () => {
    const key2 = readStaticKey(vectors.static_key_file.pem_text);
    const client = createTlsCryptWrap({ key2, role: 'client', crypto }).createSession();
    const server = handshake({ wrap: createTlsCryptWrap({ key2, role: 'server', crypto }) });
    expect(server.handle(reset(), FROM, WALL, 0)).toEqual(drop('too-short'));
    const wrapped = client.wrap(packet({ opcode: 7 }), WALL);
    const answer = client.unwrap(replyOf(server.handle(wrapped, FROM, WALL, 0)), WALL) as ControlPacket;
    expect(answer).toMatchObject({ opcode: 8, keyId: 0, acks: [0], messageId: 0 });
    const finish = packet({ opcode: 5, acks: [0], peerSessionId: answer.sessionId, messageId: undefined });
    expect(server.handle(client.wrap(finish, WALL), FROM, WALL, 0).type).toBe('established');
    wrapped[20]! ^= 1;
    expect(server.handle(wrapped, FROM, WALL, 0)).toEqual(drop('bad-hmac'));
  });

  it('drops what cannot open a session', () => {
    const server = handshake();
    const own = cookieOf(server.handle(reset(), FROM, WALL, 0));
    const handle = (fields: Partial<ControlPacket>) =>
      server.handle(writeControlPacket(packet(fields)), FROM, WALL, 0);
    expect(server.handle(new Uint8Array(0), FROM, WALL, 0)).toEqual(drop('too-short'));
    expect(server.handle(reset().subarray(0, 13), FROM, WALL, 0)).toEqual(drop('too-short'));
    expect(handle({ opcode: 8 })).toEqual(drop('wrong-role'));
    expect(handle({ opcode: 3 })).toEqual(drop('unroutable'));
    expect(handle({ opcode: 6 })).toEqual(drop('unroutable'));
    expect(handle({ opcode: 9 })).toEqual(drop('unroutable'));
    for (const opcode of [10, 11]) expect(handle({ opcode })).toEqual(drop('client-key-unwanted'));
    for (const opcode of [0, 1, 2, 31]) expect(handle({ opcode })).toEqual(drop('bad-opcode'));
    expect(handle({ opcode: 7, keyId: 1 })).toEqual(drop('bad-key-id'));
    expect(handle({ opcode: 7, sessionId: new Uint8Array(8) })).toEqual(drop('bad-session-id'));
    expect(handle({ opcode: 5, acks: Array(9).fill(0), peerSessionId: own })).toEqual(drop('bad-acks'));
    expect(handle({ opcode: 4, messageId: 1 })).toEqual(drop('bad-cookie'));
    expect(handle({ opcode: 4, acks: [0], peerSessionId: own, messageId: 2 })).toEqual(drop('window'));
    expect(handle({ opcode: 4, acks: [0, 2], peerSessionId: own, messageId: 1 })).toEqual(drop('window'));
  });

  it('takes any bytes without throwing or establishing anything', () => {
    const server = handshake();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const verdict = server.handle(bytes, FROM, WALL, 0);
        expect(verdict.type).not.toBe('established');
        if (verdict.type === 'reply') expect(verdict.packet.length).toBeLessThanOrEqual(bytes.length + 12);
      }),
    );
  });

  it('can be used no more with the old cookies once destroyed', () => {
    const server = handshake();
    const own = cookieOf(server.handle(reset(), FROM, WALL, 0));
    server.cookies.destroy();
    expect(server.handle(ack(own), FROM, WALL, 0)).toEqual(drop('bad-cookie'));
  });
});

describe('--connect-freq-initial', () => {
  it('answers so many resets per period and says once when it stops', () => {
    const log = new MemoryLogger();
    const server = handshake({ rate: new InitialRateLimit(100, 10, log) });
    for (let i = 0; i < 100; i++) expect(server.handle(reset(), FROM, WALL, i).type).toBe('reply');
    for (let i = 0; i < 5; i++) expect(server.handle(reset(), FROM, WALL, 4000)).toEqual(drop('rate-limit'));
    expect(server.handle(reset(), FROM, WALL, 10_000)).toEqual(drop('rate-limit'));
    expect(server.handle(reset(), FROM, WALL, 10_001).type).toBe('reply');
    expect(log.lines).toEqual([
      'Note: --connect-freq-initial 100 10 rate limit exceeded, dropping initial handshake packets for the next 6 seconds',
      'Dropped 6 initial handshake packets due to --connect-freq-initial 100 10',
    ]);
  });

  it('is 100 resets per 10 s by default', () => {
    const server = handshake();
    for (let i = 0; i < 100; i++) expect(server.handle(reset(), FROM, WALL, i).type).toBe('reply');
    expect(server.handle(reset(), FROM, WALL, 9_999)).toEqual(drop('rate-limit'));
  });

  it('holds over all handshakes that share it', () => {
    const rate = new InitialRateLimit(3, 10, nullLogger);
    const [one, two] = [handshake({ rate }), handshake({ rate })];
    for (const server of [one, two, one]) expect(server.handle(reset(), FROM, WALL, 0).type).toBe('reply');
    for (const server of [one, two])
      expect(server.handle(reset(), FROM, WALL, 0)).toEqual(drop('rate-limit'));
  });

  it('gets an answer back for each completed handshake', () => {
    const server = handshake({ rate: new InitialRateLimit(1, 10, nullLogger) });
    for (let i = 0; i < 20; i++) {
      const own = cookieOf(server.handle(reset(), FROM, WALL, i));
      expect(server.handle(reset(), FROM, WALL, i)).toEqual(drop('rate-limit'));
      expect(server.handle(ack(own), FROM, WALL, i).type).toBe('established');
      expect(server.handle(ack(own), FROM, WALL, i).type).toBe('established');
    }
  });

  it('counts only packets with a good wrap', () => {
    const key2 = readStaticKey(vectors.static_key_file.pem_text);
    const wrap = createTlsCryptWrap({ key2, role: 'server', crypto });
    const server = handshake({ wrap, rate: new InitialRateLimit(1, 10, nullLogger) });
    const junk = new Uint8Array(60).fill(0x38);
    for (let i = 0; i < 5; i++) expect(server.handle(junk, FROM, WALL, 0)).toEqual(drop('bad-hmac'));
    const client = createTlsCryptWrap({ key2, role: 'client', crypto });
    expect(server.handle(client.wrapStateless(packet({ opcode: 7 }), WALL), FROM, WALL, 0).type).toBe(
      'reply',
    );
  });
});

describe('strangers', () => {
  it('get no answer to a reset whose message id is not 0', () => {
    const server = handshake();
    const wrong = packet({ opcode: op.P_CONTROL_HARD_RESET_CLIENT_V2, messageId: 1 });
    expect(server.handle(writeControlPacket(wrong), FROM, WALL, 0)).toEqual(drop('window'));
  });

  it('get no answer at port 0', () => {
    const server = handshake();
    for (const bytes of [reset(), ack(new Uint8Array(8).fill(1))])
      expect(server.handle(bytes, { ...FROM, port: 0 }, WALL, 0)).toEqual(drop('no-return'));
  });

  it('free no answers for others by packets that lead to no session', () => {
    const server = handshake({ rate: new InitialRateLimit(2, 10, nullLogger) });
    const own = cookieOf(server.handle(reset(), FROM, WALL, 0));
    for (let i = 0; i < 50; i++) expect(server.judge(ack(own), FROM, WALL, 0).type).toBe('established');
    expect(server.handle(reset(), OTHER, WALL, 0).type).toBe('reply');
    expect(server.handle(reset(), OTHER, WALL, 0)).toEqual(drop('rate-limit'));
  });

  it('can use no cookie of an IPv4 address under its mapped form, nor the other way round', () => {
    const server = handshake();
    const mapped = { family: 6, address: '::ffff:192.0.2.7', port: FROM.port } as const;
    const [plain, long] = [FROM, mapped].map((from) => cookieOf(server.handle(reset(), from, WALL, 0)));
    expect(server.judge(ack(plain!), mapped, WALL, 0)).toEqual(drop('bad-cookie'));
    expect(server.judge(ack(long!), FROM, WALL, 0)).toEqual(drop('bad-cookie'));
    expect(server.judge(ack(long!), mapped, WALL, 0).type).toBe('established');
  });

  it('can use a cookie for no other session id, port, scope or server', () => {
    const server = handshake();
    const local = { family: 6, address: 'fe80::1', port: 4000, scopeId: 2 } as const;
    const own = cookieOf(server.handle(reset(), local, WALL, 0));
    expect(server.judge(ack(own), local, WALL, 0).type).toBe('established');
    for (const from of [
      { ...local, scopeId: 3 },
      { ...local, port: 4001 },
    ])
      expect(server.judge(ack(own), from, WALL, 0)).toEqual(drop('bad-cookie'));
    const otherId = Uint8Array.from(CLIENT_ID, (byte) => byte ^ 1);
    expect(server.judge(ack(own, otherId), local, WALL, 0)).toEqual(drop('bad-cookie'));
    expect(handshake().judge(ack(own), local, WALL, 0)).toEqual(drop('bad-cookie'));
  });

  it("are not answered when the packet is the server's own", () => {
    const server = handshake();
    const answer = replyOf(server.handle(reset(), FROM, WALL, 0));
    expect(server.handle(answer, FROM, WALL, 0)).toEqual(drop('wrong-role'));
  });
});

describe('--connect-freq', () => {
  it('lets so many in per period', () => {
    const rate = new ConnectRateLimit(2, 10);
    expect([0, 1, 2, 9_999].map((ms) => rate.admit(ms))).toEqual([true, true, false, false]);
    expect([10_000, 10_001, 19_999, 20_000].map((ms) => rate.admit(ms))).toEqual([true, true, false, true]);
    const unlimited = new ConnectRateLimit(0, 0);
    for (let i = 0; i < 1_000; i++) expect(unlimited.admit(i)).toBe(true);
  });

  it('keeps a proven client out, and its answer used up', () => {
    let open = false;
    const server = handshake({ rate: new InitialRateLimit(2, 10, nullLogger), admit: () => open });
    const own = cookieOf(server.handle(reset(), FROM, WALL, 0));
    expect(server.handle(ack(own), FROM, WALL, 0)).toEqual(drop('rate-limit'));
    expect(server.handle(reset(), FROM, WALL, 0).type).toBe('reply');
    expect(server.handle(reset(), FROM, WALL, 0)).toEqual(drop('rate-limit'));
    open = true;
    expect(server.handle(ack(own), FROM, WALL, 0).type).toBe('established');
  });
});

function handshake(options: Partial<CookieHandshakeOptions> & { wrap?: ControlWrap } = {}): FirstPackets {
  return new FirstPackets({ wrap: createNoWrap(), crypto, ...options });
}

function drop(reason: string): object {
  return { type: 'drop', reason };
}

function packet(fields: Partial<ControlPacket>): ControlPacket {
  return {
    opcode: op.P_CONTROL_V1,
    keyId: 0,
    sessionId: CLIENT_ID,
    acks: [],
    peerSessionId: undefined,
    messageId: 0,
    payload: new Uint8Array(0),
    ...fields,
  };
}

function reset(sessionId = CLIENT_ID): Uint8Array {
  return writeControlPacket(packet({ opcode: op.P_CONTROL_HARD_RESET_CLIENT_V2, sessionId }));
}

function ack(own: Uint8Array, sessionId = CLIENT_ID): Uint8Array {
  const fields = { opcode: op.P_ACK_V1, acks: [0], peerSessionId: own, sessionId, messageId: undefined };
  return writeControlPacket(packet(fields));
}

function firstMessage(own: Uint8Array): Uint8Array {
  const payload = Uint8Array.of(22, 3, 1);
  return writeControlPacket(packet({ acks: [0], peerSessionId: own, messageId: 1, payload }));
}

function replyOf(verdict: CookieVerdict): Uint8Array {
  if (verdict.type !== 'reply') throw new Error(JSON.stringify(verdict));
  return verdict.packet;
}

/** The server's session id in an answer without a wrap. */
function cookieOf(verdict: CookieVerdict): Uint8Array {
  const answer = readControlPacket(replyOf(verdict));
  if (typeof answer === 'string') throw new Error(answer);
  return answer.sessionId.slice();
}

function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'));
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

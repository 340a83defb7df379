/**
 * Weaknesses that OpenVPN 2.x had, as what was sent or configured there, against this code. Each case is named by its
 * number and by what it shows; docs/security.md lists them all, those without a counterpart here included.
 */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FirstPackets } from '../test-kit/first-packets.ts';
import { GUARDED, guardedScripts, login, PLACE } from '../test-kit/guarded-login.ts';
import {
  CN,
  der,
  extension,
  makeCertificate,
  rdn,
  SUBJECT_ALT_NAME,
  UTF8_STRING,
} from '../test-kit/odd-certificates.ts';
import { later } from '../test-kit/recorded-scripts.ts';
import { createRssReader } from '../test-kit/session-wire.ts';
import { TunnelWorld } from '../test-kit/tunnel-world.ts';
import vectors from '../test-kit/vectors.json' with { type: 'json' };
import { type LinkAddress, MemoryLogger, parseIp, parseIpBytes } from './base/base.ts';
import { AUTH_TOKEN_KEY, readPemKey, TLS_CRYPT_V2_SERVER_KEY } from './crypto/crypto.ts';
import { createNodeCrypto } from './crypto/crypto-node.ts';
import type * as exitNotify from './forward/exit-notify.ts';
import { ipOffset, mssfix } from './forward/forward.ts';
import { PushCollector, readControlMessage } from './push/push.ts';
import {
  type ControlPacket,
  createNoWrap,
  createTlsCryptV2ClientWrap,
  op,
  ReliableSend,
  readClientKeyFile,
  stripClientKey,
  TlsCryptV2ServerKey,
  withClientKeys,
  writeControlPacket,
} from './reliable/reliable.ts';
import { NTLM_NEGOTIATE, readNtlmChallenge, writeNtlmAuthenticate } from './socket/ntlm.ts';
import { splitControlMessages } from './ssl/key-method-2.ts';
import { describeChain } from './ssl/peer-certificates-node.ts';
import { AuthTokens, type PeerCertificate, trackedValue } from './ssl/ssl.ts';
import { commonNameOf } from './ssl/ssl-verify.ts';
import { readEarlyNegotiation } from './ssl/tlv.ts';

/** A client that says that it leaves as often as this many seconds go by, over and over. */
const NAGGING_SEC = 41;
vi.mock('./forward/exit-notify.ts', async (original) => {
  const real = await original<typeof exitNotify>();
  const create: typeof real.createExitNotifier = (config, nowMs) =>
    config.seconds === NAGGING_SEC ? nagging(nowMs) : real.createExitNotifier(config, nowMs);
  return { ...real, createExitNotifier: create };
});

const crypto = createNodeCrypto();
const FROM: LinkAddress = { family: 4, address: '192.0.2.7', port: 40000 };
const CLIENT_ID = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const WALL = 1_800_000_000;
const VECTOR = vectors.tls_crypt_v2;
const V2_KEY = readPemKey(VECTOR.server_key_pem, TLS_CRYPT_V2_SERVER_KEY);

describe('packets and messages', () => {
  it('CVE-2017-7508: malformed IPv6 packets pass --mssfix untouched', () => {
    for (const length of [40, 41, 53, 59, 60, 64, 80]) {
      for (const dataOffset of [0x00, 0x10, 0x50, 0xf0]) {
        for (const option of [0, 1, 2, 3, 255]) {
          const packet = new Uint8Array(length + 2).fill(option);
          packet.set([0x60, 0, 0, 0, 0, Math.max(0, length - 40) & 0xff, 6, 64]);
          if (length > 53) packet.set([dataOffset, 0x02], 52);
          const slab = Buffer.concat([packet.subarray(0, length), Buffer.of(0xa5, 0xa5)]);
          const before = Buffer.from(slab);
          expect(ipOffset(slab, 0, length, 'tun')).toBe(0);
          mssfix(slab, 0, length, 1300);
          expect(slab.subarray(length)).toEqual(before.subarray(length));
        }
      }
    }
  });

  it('CVE-2024-5594: a pushed reply with control characters is dropped whole, and logged in hex', () => {
    for (const code of [1, 7, 10, 13, 27, 127]) {
      const text = `PUSH_REPLY,route 10.0.0.0,echo a${String.fromCharCode(code)}b`;
      const { messages, invalid } = splitControlMessages(Buffer.from(`${text}\0PUSH_REPLY,ping 1\0`));
      expect(messages).toEqual(['PUSH_REPLY,ping 1']);
      expect(invalid.map((bytes) => Buffer.from(bytes).toString())).toEqual([text]);
      const message = readControlMessage(text);
      expect(message.type).toBe('invalid');
      expect(JSON.stringify(message)).not.toContain('route');
    }
    expect(new PushCollector().add(['ping 1'])).toBe('done');
  });

  it('CVE-2025-2704: a malformed early negotiation behind a good tls-crypt-v2 key is refused, never thrown', () => {
    const client = createTlsCryptV2ClientWrap({
      ...readClientKeyFile(VECTOR.clients[0]!.client_key_pem),
      crypto,
    });
    for (const payload of [
      '00',
      '0001',
      '000100',
      '00010001',
      '0001000100',
      '0001ffff',
      '00010002',
      'ffff',
    ]) {
      const bytes = Uint8Array.from(Buffer.from(payload, 'hex'));
      expect(readEarlyNegotiation(bytes)).toBeUndefined();
      const server = handshake();
      const packet = client.createSession().wrap(reset(op.P_CONTROL_HARD_RESET_CLIENT_V3, bytes), WALL);
      expect(['reply', 'established', 'drop']).toContain(server.handle(packet, FROM, WALL, 0).type);
    }
  });

  it('CVE-2026-35058: the opcode of a tls-crypt-v2 packet is no part of its wrapped key', () => {
    const key = new TlsCryptV2ServerKey({ key: V2_KEY, crypto });
    for (const opcode of [op.P_CONTROL_HARD_RESET_CLIENT_V3, op.P_CONTROL_WKC_V1]) {
      // The length behind covers all of the packet, or all but its opcode, or is 0, 1, 2.
      for (const length of [3, 4, 10, 291, 300, 1024]) {
        for (const claimed of [length, length - 1, length + 1, 0, 1, 2, 0xffff]) {
          const packet = new Uint8Array(length).fill(0x5a);
          packet[0] = op.firstByte(opcode, 0);
          packet[length - 2] = claimed >> 8;
          packet[length - 1] = claimed & 0xff;
          expect(key.open(packet)).toBeTypeOf('string');
          const rest = stripClientKey(packet);
          if (rest) expect(rest.length).toBeGreaterThan(0);
          expect(handshake().handle(packet, FROM, WALL, 0).type).toBe('drop');
        }
      }
    }
  });

  it('CVE-2025-13086: a session starts only for the address that its cookie was made for', () => {
    const server = new FirstPackets({ wrap: createNoWrap(), crypto });
    const own = replied(server, FROM);
    for (const from of [
      { ...FROM, port: FROM.port + 1 },
      { ...FROM, address: '192.0.2.8' },
      { family: 6, address: '2001:db8::7', port: FROM.port } as const,
    ]) {
      expect(server.handle(acknowledge(own), from, WALL, 0)).toMatchObject({ type: 'drop' });
    }
    for (let bit = 0; bit < 64; bit++) {
      const forged = Uint8Array.from(own);
      forged[bit >> 3]! ^= 1 << (bit & 7);
      expect(server.handle(acknowledge(forged), FROM, WALL, 0)).toMatchObject({ type: 'drop' });
    }
    expect(server.handle(acknowledge(own), FROM, WALL, 0).type).toBe('established');
  });

  it('CVE-2025-12106: texts that are no whole IPv6 address are none', () => {
    for (const text of [
      ':',
      '::1::',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '12345::',
      '::1%',
      'fe80::1%eth0',
      '[::1',
      '',
    ]) {
      expect(parseIp(text), text).toBeUndefined();
      expect(parseIpBytes(text), text).toBeUndefined();
    }
  });

  it('CVE-2023-46850: what a closed key had queued is neither sent nor kept', () => {
    const send = new ReliableSend({ timeoutMs: 2000, firstId: 0, hold: false });
    const payload = Uint8Array.of(1, 2, 3);
    send.queue(op.P_CONTROL_V1, payload, 0);
    payload.fill(0xff);
    expect([...send.poll(0)!.payload]).toEqual([1, 2, 3]);
    send.clear();
    expect(send.poll(1e9)).toBeUndefined();
    expect(send.nextTimeout()).toBeUndefined();
    send.handleAcks([0], 1);
    expect(send.empty).toBe(true);
  });
});

describe('tls-crypt-v2 keys', () => {
  const LEAK =
    'CVE-2026-12932, CVE-2026-13698: client keys that are opened, refused or malformed leave no memory behind';
  it(LEAK, async () => {
    const key = new TlsCryptV2ServerKey({ key: V2_KEY, crypto });
    const client = createTlsCryptV2ClientWrap({
      ...readClientKeyFile(VECTOR.clients[0]!.client_key_pem),
      crypto,
    });
    const good = client.createSession().wrap(reset(op.P_CONTROL_HARD_RESET_CLIENT_V3), WALL);
    const bad = Uint8Array.from(good);
    bad[good.length - 20]! ^= 1;
    const settle = createRssReader();
    const round = (): void => {
      for (let i = 0; i < 10_000; i++) {
        expect(typeof key.open(good)).toBe('object');
        expect(typeof key.open(bad)).toBe('string');
      }
    };
    round();
    const before = await settle();
    round();
    // A kilobyte for each would be twenty times as much.
    expect((await settle()) - before).toBeLessThan(16 << 20);
  });
});

describe('certificates', () => {
  const odd = (value: string, email: string): PeerCertificate =>
    describeChain([
      makeCertificate({
        subject: [rdn(CN, UTF8_STRING, value)],
        extensions: [extension(SUBJECT_ALT_NAME, der(0x30, der(0x81, Buffer.from(email))))],
      }).der,
    ])[0]!;

  it('CVE-2017-7521: mail addresses with a NUL are passed over, the others still count', () => {
    const fields = { x509UsernameField: ['ext:subjectAltName'] };
    expect(commonNameOf(odd('x', 'a@example.org'), fields, new MemoryLogger())).toBe('a@example.org');
    expect(commonNameOf(odd('x', 'root@example.org\0.evil'), fields, new MemoryLogger())).toBeUndefined();
  });

  it('CVE-2017-7522: a NUL in a name ends neither the name nor the program', () => {
    const certificate = odd('admin\0.example', 'a@example.org');
    expect(commonNameOf(certificate, {}, new MemoryLogger())).toBeUndefined();
    expect(trackedValue(certificate, 'CN')).toBeUndefined();
    expect(certificate.subject).toBe('CN=admin\\00.example');
  });
});

describe('proxies', () => {
  it('CVE-2017-7520: an NTLM challenge that points outside of itself is none', () => {
    const message = Buffer.alloc(48);
    message.write('NTLMSSP\0', 'latin1');
    message.writeUInt32LE(2, 8);
    message.writeUInt32LE(0x00800000, 20);
    for (const [length, offset] of [
      [1, 48],
      [0xffff, 0],
      [8, 0xffffffff],
      [49, 0],
    ] as const) {
      message.writeUInt16LE(length, 40);
      message.writeUInt32LE(offset, 44);
      expect(readNtlmChallenge(message.toString('base64'))).toBeUndefined();
    }
    for (let end = 0; end < 48; end++) {
      expect(readNtlmChallenge(message.subarray(0, end).toString('base64'))).toBeUndefined();
    }
    expect(readNtlmChallenge(NTLM_NEGOTIATE)).toBeUndefined();
  });

  it('CVE-2026-11771: target information of any length is answered in full', () => {
    for (const length of [0, 1, 127, 128, 129, 640, 2000]) {
      const message = Buffer.alloc(48 + length, 0x77);
      message.write('NTLMSSP\0', 'latin1');
      message.writeUInt32LE(2, 8);
      message.writeUInt32LE(0x00800000, 20);
      message.writeUInt16LE(length, 40);
      message.writeUInt32LE(48, 44);
      const asked = readNtlmChallenge(message.toString('base64'))!;
      const login = { username: 'd\\u', password: 'p', nonce: new Uint8Array(8), wallMs: 0 };
      const answer = Buffer.from(writeNtlmAuthenticate(asked, login), 'base64');
      expect(answer.includes(Buffer.alloc(length, 0x77))).toBe(true);
    }
  });
});

describe('tokens', () => {
  it('CVE-2026-13122: a malformed token is refused, and its session is nobody’s', () => {
    const key = readPemKey(vectors.auth_token.server_key_pem, AUTH_TOKEN_KEY);
    const tokens = new AuthTokens({ key, lifetimeSec: 0, renewalSec: 3600, crypto });
    const good = tokens.create('alice', WALL);
    for (const token of [
      'SESS_ID_AT_',
      'SESS_ID_AT_=',
      'SESS_ID_AT_AAAA',
      `${good}AAAA`,
      good.slice(0, -4),
      `SESS_ID_AT_${'*'.repeat(80)}`,
    ]) {
      expect(tokens.verify(token, 'alice', WALL).genuine, token).toBe(false);
      const continues = token.startsWith(good.slice(0, 'SESS_ID_AT_'.length + 16));
      expect(tokens.verify(good, 'alice', WALL, token).genuine, token).toBe(continues);
      expect(tokens.create('alice', WALL, token)).toMatch(/^SESS_ID_AT_[A-Za-z0-9+/]{80}$/);
    }
  });
});

describe('a server', () => {
  let world: TunnelWorld;
  beforeEach(() => {
    world = new TunnelWorld();
  });
  afterEach(() => world.close());

  it('CVE-2024-28882: a client that says again and again that it leaves, leaves all the same', async () => {
    const server = await world.serving();
    const alice = await world.connected('alice', `explicit-exit-notify ${NAGGING_SEC}`);
    void alice.tunnel.stop().catch(() => undefined);
    await world.until(() => server.count('CC-EEN exit message received by peer') > 3);
    await world.run(5000);
    expect(server.count('Delayed exit in 5 seconds')).toBe(1);
    expect(server.tunnel.status()?.clients).toEqual([]);
    world.kill(alice);
  });

  it('CVE-2020-11810: data from elsewhere moves no client whose keys are still being made', async () => {
    const server = await world.serving();
    const bob = await world.connected('bob');
    const alice = world.client('alice');
    const stranger = bob.sockets.links.at(-1)!;
    for (let i = 0; i < 200 && alice.ups === 0; i++) {
      // P_DATA_V2 with the peer id that comes next, and nothing that could be opened.
      for (const peerId of [0, 1, 2])
        stranger.send(Uint8Array.from([0x48, 0, 0, peerId, ...new Array(60).fill(i & 0xff)]), SERVER);
      await world.run(20);
    }
    expect(alice.ups).toBe(1);
    expect(server.count('floated')).toBe(0);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
  });

  it('CVE-2020-15078: nothing begun for a client reaches the next session on its address, whose login is undecided', async () => {
    const connected = later<number>();
    const { scripts, verdict } = guardedScripts(() => connected.promise);
    const server = await world.serving(GUARDED, { scripts });
    const anna = world.client('alice', `${PLACE}\n${login('right')}`);
    await world.until(() => scripts.ofType('client-connect').length === 1);
    world.kill(anna);
    const mallory = world.client('bob', `${PLACE}\n${login('wrong')}`);
    await world.until(() => scripts.ofType('user-pass-verify').length === 2, 60_000);
    connected.resolve(0);
    await world.run(20_000);
    verdict.resolve(1);
    await world.until(() => mallory.count('AUTH_FAILED') > 0, 60_000);
    expect(server.count(/SENT CONTROL .*PUSH_REPLY/)).toBe(0);
    expect(mallory.count('PUSH: Received control message')).toBe(0);
  });

  it('CVE-2025-10680: DNS names that a script’s shell could run reach no script', async () => {
    const bad = ['x;id', '$(id)', 'a`id`', 'a|b', "a'b", 'a&b'];
    const push = bad.flatMap((name) => [
      `push "dhcp-option DOMAIN ${name}"`,
      `push "dns search-domains ${name}"`,
    ]);
    await world.serving(`${push.join('\n')}\npush "dhcp-option DOMAIN good.example"`);
    const alice = await world.connected('alice', 'up /bin/up');
    const { env } = alice.scripts.ofType('up')[0]!;
    const told = Object.entries(env).filter(([name]) => /^(foreign_option|dns)_/.test(name));
    expect(told).toEqual([['foreign_option_1', 'dhcp-option DOMAIN good.example']]);
  });

  const REUSE =
    'CVE-2026-40215, CVE-2026-12996, CVE-2026-13117: a session that starts over in mid-handshake takes nothing from the one before';
  it(REUSE, async () => {
    const server = await world.serving('tls-timeout 1');
    const alice = await world.connected('alice');
    for (const steps of [2, 4, 6, 9, 13]) {
      alice.tunnel.restart();
      await world.run(steps);
      alice.tunnel.restart();
      const before = alice.ups;
      await world.until(() => alice.ups > before, 60_000);
      expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    }
    expect(server.tunnel.status()?.clients.length).toBe(1);
  });
});

describe('docs/security.md', () => {
  it('lists each case by its name, and says of the others why they have none', () => {
    const document = readFileSync(new URL('../docs/security.md', import.meta.url), 'utf8');
    const source = readFileSync(new URL(import.meta.url), 'utf8');
    const rows = [...document.matchAll(/^\| (CVE-\d{4}-\d+) \| ([^|]+) \| ([^|]+) \|$/gm)];
    const tested = new Set(
      [...source.matchAll(/'(CVE-[^:']+):/g)].flatMap(([, numbers]) => numbers!.split(', ')),
    );
    const listed = rows.map(([, number]) => number!);
    expect(new Set(listed).size).toBe(listed.length);
    expect(listed).toEqual(expect.arrayContaining([...tested]));
    for (const [, number, , how] of rows) {
      const quoted = /^`([^`]+)`$/.exec(how!.trim())?.[1];
      if (tested.has(number!)) expect(quoted && source.includes(quoted), `${number}: ${how}`).toBe(true);
      else expect(how!.trim(), number).toMatch(/^none: .{20}/);
    }
  });
});

const SERVER: LinkAddress = { family: 4, address: '192.0.2.1', port: 1194 };

function handshake(): FirstPackets {
  const key = new TlsCryptV2ServerKey({ key: V2_KEY, forceCookie: false, crypto });
  return new FirstPackets({ wrap: withClientKeys(createNoWrap(), key), crypto });
}

function reset(opcode: number, payload = new Uint8Array(0)): ControlPacket {
  return {
    opcode,
    keyId: 0,
    sessionId: CLIENT_ID,
    acks: [],
    peerSessionId: undefined,
    messageId: 0,
    payload,
  };
}

/** The session id with which the server answers a reset. */
function replied(server: FirstPackets, from: LinkAddress): Uint8Array {
  const packet = writeControlPacket(reset(op.P_CONTROL_HARD_RESET_CLIENT_V2));
  const verdict = server.handle(packet, from, WALL, 0);
  if (verdict.type !== 'reply') throw new Error(verdict.type);
  return verdict.packet.slice(1, 9);
}

function acknowledge(own: Uint8Array): Uint8Array {
  return writeControlPacket({ ...reset(op.P_ACK_V1), acks: [0], peerSessionId: own });
}

function nagging(nowMs: number): exitNotify.ExitNotifier {
  let nextMs = nowMs;
  let due = true;
  return {
    handleTimeout: (now) => {
      if (now < nextMs) return;
      nextMs = now + 1000;
      due = true;
    },
    nextTimeout: () => nextMs,
    pollEvent: () => {
      if (!due) return undefined;
      due = false;
      return { type: 'control', text: 'EXIT' };
    },
  };
}

/** The whole control channel with the real TLS engine, see test-pair-node.ts. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CLIENT, Pair, type PairOptions, SERVER, type Side } from '../../test-kit/tls-pair-node.ts';
import { type TestCertificate, TestPki } from '../../test-kit/tls-pki.ts';
import { createNodeCrypto } from '../crypto/crypto-node.ts';
import {
  type ControlWrap,
  createNoWrap,
  createTlsAuthWrap,
  createTlsCryptWrap,
  op,
} from '../reliable/reliable.ts';
import type { TlsEvent } from './ssl.ts';

const crypto = createNodeCrypto();
const SHA1 = { name: 'SHA1', bytes: 20 };
const key2 = Uint8Array.from({ length: 256 }, (_, i) => (i * 37 + 11) & 0xff);
let pki: TestPki;
let other: TestPki;
let server: TestCertificate;
let client: TestCertificate;
let pairs: Pair[] = [];

beforeAll(() => {
  pki = new TestPki();
  other = new TestPki('/CN=Other CA');
  server = pki.issue({
    subject: '/C=DE/O=Example/CN=server',
    extensions: ['keyUsage=digitalSignature', 'extendedKeyUsage=serverAuth'],
  });
  client = pki.issue({
    subject: '/C=DE/O=Example/CN=client1',
    serial: 77,
    extensions: ['keyUsage=digitalSignature', 'extendedKeyUsage=clientAuth'],
  });
});
afterEach(() => {
  for (const pair of pairs) pair.close();
  pairs = [];
});
afterAll(() => {
  pki.close();
  other.close();
});

function create(options: Partial<PairOptions> = {}): Pair {
  const pair = new Pair({ pki, server, client, ...options });
  pairs.push(pair);
  return pair;
}

function types(side: Side): TlsEvent['type'][] {
  return side.events.map((event) => event.type);
}

function messages(side: Side): string[] {
  return side.events.flatMap((event) => (event.type === 'message' ? [event.text] : []));
}

const wraps: Record<string, (role: 'client' | 'server') => ControlWrap> = {
  none: () => createNoWrap(),
  'tls-auth': (role) =>
    createTlsAuthWrap({ key2, direction: role === 'server' ? 0 : 1, digest: SHA1, crypto }),
  'tls-crypt': (role) => createTlsCryptWrap({ key2, role, crypto }),
};

function wrapped(name: string): Partial<PairOptions> {
  return {
    serverConfig: { wrap: wraps[name]!('server') },
    clientConfig: { wrap: wraps[name]!('client') },
  };
}

describe('handshake', () => {
  for (const name of Object.keys(wraps)) {
    for (const maxVersion of ['1.2', '1.3'] as const) {
      for (const tlsEkm of [false, true]) {
        it(`makes a working tunnel: ${name}, TLS ${maxVersion}, ${tlsEkm ? 'exported keys' : 'PRF'}`, async () => {
          const pair = create({ ...wrapped(name), clientTls: { maxVersion }, params: { tlsEkm } });
          await pair.connect();
          expect(types(pair.client)).toEqual(['session', 'promoted', 'active', 'keys']);
          expect(types(pair.server)).toEqual(['session', 'promoted', 'active', 'keys']);
          expect(pair.tunnelWorks).toBe(true);
          expect(pair.client.multi.identity?.commonName).toBe('server');
          expect(pair.server.multi.identity).toMatchObject({
            commonName: 'client1',
            peerInfo: { version: '2.6.14', proto: 990 },
            options: 'V4,dev-type tun,key-method 2,tls-client',
          });
          expect(pair.server.multi.drops.size + pair.client.multi.drops.size).toBe(0);
        });
      }
    }
  }

  it('logs what tools look for', async () => {
    const pair = create({
      clientTls: { groups: 'X25519' },
      clientConfig: {
        verify: {
          chain: true,
          clientCert: 'none',
          remoteCertKu: [],
          remoteCertEku: 'TLS Web Server Authentication',
          verifyX509Name: { name: 'server', type: 'name' },
        },
      },
    });
    await pair.connect();
    const lines = pair.client.log.lines.filter((line) => !/^STATE|^TLS: (move|tls_multi)|^CIPHER/.test(line));
    expect(lines[0]).toMatch(
      /^TLS: Initial packet from \[AF_INET\]192\.0\.2\.1:1194, sid=[0-9a-f]{8} [0-9a-f]{8}$/,
    );
    expect(lines.slice(1, 8)).toEqual([
      'VERIFY OK: depth=1, C=DE, O=Example, CN=Test CA',
      'VERIFY KU OK',
      'Validating certificate extended key usage',
      '++ Certificate has EKU (str) TLS Web Server Authentication, expects TLS Web Server Authentication',
      'VERIFY EKU OK',
      'VERIFY X509NAME OK: C=DE, O=Example, CN=server',
      'VERIFY OK: depth=0, C=DE, O=Example, CN=server',
    ]);
    expect(lines).toContain('[server] Peer Connection Initiated with [AF_INET]192.0.2.1:1194');
    expect(lines.find((line) => line.startsWith('Control Channel: '))).toBe(
      'Control Channel: TLSv1.3, cipher TLSv1.3 TLS_AES_256_GCM_SHA384, peer certificate: 256 bits ECprime256v1, signature: ecdsa-with-SHA256, peer temporary key: 253 bits X25519',
    );
  });

  it('keeps every packet within the limit', async () => {
    const pair = create({ ...wrapped('tls-crypt'), both: { tlsMtu: 500 } });
    await pair.connect();
    expect(pair.tunnelWorks).toBe(true);
    expect(Math.max(...pair.seen.map((hit) => hit.packet.length))).toBeLessThanOrEqual(500 - 28);
  });

  it('works over TCP, where the server holds its reset back', async () => {
    const pair = create({ both: { tcp: true } });
    pair.server.multi.handleTimeout(pair.nowMs);
    expect(pair.server.multi.pollTransmit()).toBeUndefined();
    await pair.connect();
    expect(pair.tunnelWorks).toBe(true);
  });

  it('survives the loss of every third packet', async () => {
    const pair = create();
    let count = 0;
    pair.bend = (packet) => (++count % 3 === 0 ? [] : [packet]);
    await pair.connect();
    await pair.run(55_000);
    expect(pair.tunnelWorks).toBe(true);
  });

  it('does not mind packets that come twice or late', async () => {
    const pair = create(wrapped('none'));
    let held: Uint8Array | undefined;
    pair.bend = (packet) => {
      if (!held && packet.length > 400) {
        held = packet.slice();
        return [];
      }
      const out = held ? [packet, packet, held] : [packet, packet];
      held = undefined;
      return out;
    };
    await pair.connect();
    await pair.run(30_000);
    expect(pair.tunnelWorks).toBe(true);
  });

  it('gives up after the hand window', async () => {
    const pair = create();
    pair.bend = () => [];
    await pair.connect();
    await pair.run(61_000);
    expect(types(pair.client)).toEqual(['error']);
    expect(pair.client.log.lines.slice(-2)).toEqual([
      'TLS Error: TLS key negotiation failed to occur within 60 seconds (check your network connectivity)',
      'TLS Error: TLS handshake failed',
    ]);
  });
});

describe('control messages', () => {
  it('carries them both ways, in order, each once', async () => {
    const pair = create();
    expect(pair.client.multi.sendMessage('too early', pair.nowMs)).toBe(false);
    await pair.connect();
    for (const text of ['PUSH_REQUEST', 'x'.repeat(900), 'EXIT']) {
      expect(pair.client.multi.sendMessage(text, pair.nowMs)).toBe(true);
    }
    pair.server.multi.sendMessage('PUSH_REPLY,ping 10', pair.nowMs);
    await pair.pump();
    expect(messages(pair.server)).toEqual(['PUSH_REQUEST', 'x'.repeat(900), 'EXIT']);
    expect(messages(pair.client)).toEqual(['PUSH_REPLY,ping 10']);
    const sent = pair.seen.length;
    await pair.run(30_000);
    expect(pair.seen).toHaveLength(sent);
  });

  it('keeps those sent during a renegotiation until the new key is active', async () => {
    const pair = create();
    await pair.connect();
    pair.client.multi.softReset(pair.nowMs);
    expect(pair.client.multi.sendMessage('CR_RESPONSE,eA==', pair.nowMs)).toBe(true);
    await pair.pump();
    expect(messages(pair.server)).toEqual(['CR_RESPONSE,eA==']);
  });
});

describe('renegotiation', () => {
  for (const dynTlsCrypt of [false, true]) {
    for (const side of ['client', 'server'] as const) {
      it(`from the ${side}${dynTlsCrypt ? ' with dynamic tls-crypt' : ''}`, async () => {
        const pair = create({ ...wrapped('tls-auth'), params: { dynTlsCrypt } });
        await pair.connect();
        pair[side].multi.softReset(pair.nowMs);
        await pair.pump();
        expect(types(pair.client)).toEqual(['session', 'promoted', 'active', 'keys', 'active', 'keys']);
        expect(pair.client.multi.sealKeys(pair.nowMs)?.keyId).toBe(1);
        expect(pair.tunnelWorks).toBe(true);
        pair.client.multi.sendMessage('EXIT', pair.nowMs);
        await pair.pump();
        expect(messages(pair.server)).toEqual(['EXIT']);
      });
    }
  }

  it('from both sides at once merges into one', async () => {
    const pair = create();
    await pair.connect();
    pair.client.multi.softReset(pair.nowMs);
    pair.server.multi.softReset(pair.nowMs);
    await pair.pump();
    await pair.run(10_000);
    expect(pair.server.multi.openKeys(1)).toBeDefined();
    expect(pair.server.multi.openKeys(2)).toBeUndefined();
    expect(pair.tunnelWorks).toBe(true);
  });

  it('counts key ids from 1 to 7 and on from 1', async () => {
    const pair = create();
    await pair.connect();
    const ids: (number | undefined)[] = [];
    for (let i = 0; i < 9; i++) {
      pair.server.multi.softReset(pair.nowMs);
      await pair.pump();
      ids.push(pair.client.multi.sealKeys(pair.nowMs)?.keyId);
    }
    expect(ids).toEqual([1, 2, 3, 4, 5, 6, 7, 1, 2]);
    expect(pair.tunnelWorks).toBe(true);
  });

  it('sends on the old key until the new one has settled, and lets the old one die', async () => {
    const pair = create({ both: { transitionWindowMs: 600_000 } });
    await pair.connect();
    await pair.run(100_000, 50_000);
    pair.client.multi.softReset(pair.nowMs);
    await pair.pump();
    expect(pair.client.multi.sealKeys(pair.nowMs)?.keyId).toBe(0);
    expect(pair.tunnelWorks).toBe(true);
    await pair.run(61_000, 61_000);
    expect(pair.client.multi.sealKeys(pair.nowMs)?.keyId).toBe(1);
    expect(pair.client.multi.openKeys(0)).toBeDefined();
    await pair.run(600_000, 60_000);
    expect(pair.client.multi.openKeys(0)).toBeUndefined();
    expect(pair.tunnelWorks).toBe(true);
  });

  it('comes by itself after time, bytes and packets', async () => {
    const pair = create({
      serverConfig: { renegMs: 3_600_000 },
      clientConfig: { renegPackets: 1000, renegBytes: 50_000 },
    });
    await pair.connect();
    pair.client.multi.sealKeys(pair.nowMs)!.packets = 1000;
    await pair.run(2000);
    expect(pair.client.multi.openKeys(1)).toBeDefined();
    await pair.run(100_000, 50_000);
    pair.client.multi.sealKeys(pair.nowMs)!.bytes = 60_000;
    await pair.run(2000);
    expect(pair.client.multi.openKeys(2)).toBeDefined();
    await pair.run(3_600_000, 100_000);
    expect(pair.client.multi.openKeys(3)).toBeDefined();
    expect(pair.server.log.lines.find((line) => line.startsWith('TLS: soft reset'))).toMatch(
      /^TLS: soft reset sec=36\d\d\/3600 bytes=0\/0 pkts=0\/0$/,
    );
  });

  it('that fails leaves the old data keys alive, and a new session follows', async () => {
    const pair = create();
    await pair.connect();
    await pair.run(70_000, 70_000);
    const normal = pair.bend;
    pair.bend = () => [];
    pair.client.multi.softReset(pair.nowMs);
    pair.server.multi.softReset(pair.nowMs);
    await pair.pump();
    await pair.run(61_000);
    expect(types(pair.client)).not.toContain('error');
    expect(pair.tunnelWorks).toBe(true);
    pair.bend = normal;
    await pair.run(60_000);
    expect(types(pair.client).filter((type) => type === 'active').length).toBe(2);
    expect(pair.tunnelWorks).toBe(true);
  });
});

describe('certificates', () => {
  it('refuses a server of another authority', async () => {
    const pair = create({ clientTls: { ca: [other.ca.cert] } });
    await pair.connect();
    expect(pair.client.log.lines.find((line) => line.startsWith('VERIFY'))).toMatch(
      /^VERIFY ERROR: depth=1, error=self-signed certificate in certificate chain: C=DE, O=Example, CN=Test CA, serial=\d+$/,
    );
    expect(pair.client.log.lines.slice(-4)).toEqual([
      'OpenSSL: error:0A000086:SSL routines::certificate verify failed:',
      'TLS_ERROR: BIO read tls_read_plaintext error',
      'TLS Error: TLS object -> incoming plaintext read error',
      'TLS Error: TLS handshake failed',
    ]);
    expect(types(pair.client)).toEqual(['session', 'error']);
    expect(types(pair.server)).toEqual(['session']);
  });

  it('keeps its certificate from a server that it refuses', async () => {
    const sent = async (clientTls: PairOptions['clientTls']): Promise<number> => {
      const pair = create({ clientTls: { minVersion: '1.3', groups: 'X25519', ...clientTls } });
      await pair.connect();
      return pair.seen.filter(({ packet, to }) => to === pair.server && packet[0]! >> 3 === op.P_CONTROL_V1)
        .length;
    };
    expect(await sent({ ca: [other.ca.cert] })).toBe(1);
    expect(await sent({})).toBeGreaterThan(1);
  });

  it('refuses an expired client', async () => {
    const old = pki.issue({
      subject: '/CN=old',
      expired: true,
      serial: 5,
      extensions: ['extendedKeyUsage=clientAuth'],
    });
    const pair = create({ client: old });
    await pair.connect();
    expect(pair.server.log.lines).toContain(
      'VERIFY ERROR: depth=0, error=certificate has expired: CN=old, serial=5',
    );
    expect(types(pair.server)).toEqual(['session', 'error']);
  });

  it('refuses a client without certificate unless they are optional', async () => {
    const strict = create({ client: {} });
    await strict.connect();
    expect(strict.server.log.lines).toContain(
      'OpenSSL: error:0A0000C7:SSL routines::peer did not return a certificate:',
    );
    const lax = create({
      client: {},
      serverConfig: { verify: { chain: true, clientCert: 'optional' }, deferAuth: true },
    });
    lax.server.onEvent = (event) => {
      if (event.type === 'authenticate') lax.server.multi.handleAuthResult(event.id, { ok: true }, lax.nowMs);
    };
    await lax.connect();
    expect(lax.tunnelWorks).toBe(true);
  });

  it('asks a script about every certificate, the authority first, and waits', async () => {
    const pair = create({ serverConfig: { deferVerify: true } });
    await pair.connect();
    const asked = () => pair.server.events.flatMap((event) => (event.type === 'verify' ? [event] : []));
    expect(asked().map((event) => event.certificate.depth)).toEqual([1]);
    pair.server.multi.handleVerifyResult(asked()[0]!.id, true, pair.nowMs);
    await pair.pump();
    expect(asked().map((event) => event.certificate.depth)).toEqual([1, 0]);
    expect(types(pair.server)).not.toContain('active');
    pair.server.multi.handleVerifyResult(asked()[1]!.id, true, pair.nowMs);
    await pair.pump();
    expect(pair.tunnelWorks).toBe(true);
  });

  it('takes the no of a script', async () => {
    const pair = create({ serverConfig: { deferVerify: true } });
    pair.server.onEvent = (event) => {
      if (event.type === 'verify') pair.server.multi.handleVerifyResult(event.id, false, pair.nowMs);
    };
    await pair.connect();
    expect(pair.server.log.lines).toContain('VERIFY SCRIPT ERROR: depth=1, C=DE, O=Example, CN=Test CA');
    expect(types(pair.server)).toEqual(['session', 'verify', 'error']);
  });
});

describe('logins', () => {
  const login = (username: string, password: string): Partial<PairOptions> => ({
    clientConfig: { credentials: () => ({ username, password }) },
    serverConfig: { needCredentials: true },
  });

  it('waits for the answer before the key is active', async () => {
    const pair = create(login('hans\u0007', 'secret'));
    await pair.connect();
    expect(types(pair.server)).toEqual(['session', 'authenticate', 'promoted']);
    const event = pair.server.events[1]!;
    if (event.type !== 'authenticate') throw new Error('no login');
    expect(event.credentials).toEqual({ username: 'hans_', password: 'secret' });
    pair.server.multi.handleAuthResult(event.id, { ok: true, username: 'hans' }, pair.nowMs);
    await pair.pump();
    expect(pair.server.multi.identity?.username).toBe('hans');
    expect(pair.tunnelWorks).toBe(true);
  });

  it('reports a wrong password, can say so to the client, and gives no keys', async () => {
    const pair = create(login('hans', 'wrong'));
    pair.server.onEvent = (event) => {
      if (event.type === 'authenticate') {
        pair.server.multi.handleAuthResult(event.id, { ok: false, reason: 'no' }, pair.nowMs);
      } else if (event.type === 'auth-failed') {
        pair.server.multi.sendLoginMessage(`AUTH_FAILED,${event.reason}`, pair.nowMs);
      }
    };
    await pair.connect();
    expect(types(pair.server)).toEqual(['session', 'authenticate', 'promoted', 'auth-failed']);
    expect(messages(pair.client)).toEqual(['AUTH_FAILED,no']);
    pair.server.multi.generateDataKeys(pair.params, pair.nowMs);
    expect(pair.server.multi.sealKeys(pair.nowMs)).toBeUndefined();
    expect(pair.server.multi.openKeys(0)).toBeUndefined();
    expect(pair.server.log.lines.join('\n')).not.toContain('wrong');
  });

  it('ends the handshake when none was given', async () => {
    const pair = create({ serverConfig: { needCredentials: true } });
    await pair.connect();
    expect(pair.server.log.lines).toContain('TLS Error: Auth Username/Password was not provided by peer');
    expect(types(pair.server)).toEqual(['session', 'error']);
  });

  it('refuses another user name in a renegotiation', async () => {
    let username = 'hans';
    const pair = create({
      clientConfig: { credentials: () => ({ username, password: 'x' }) },
      serverConfig: { needCredentials: true },
    });
    pair.server.onEvent = (event) => {
      if (event.type === 'authenticate')
        pair.server.multi.handleAuthResult(event.id, { ok: true }, pair.nowMs);
    };
    await pair.connect();
    username = 'root';
    pair.client.multi.softReset(pair.nowMs);
    await pair.pump();
    expect(types(pair.server).at(-1)).toBe('auth-failed');
    expect(pair.server.multi.openKeys(1)).toBeUndefined();
    expect(pair.server.log.lines).toContain(
      "TLS Auth Error: username attempted to change from 'hans' to 'root' -- tunnel disabled",
    );
  });
});

describe('what a peer hears before its login is decided', () => {
  const asking = { username: 'hans', password: 'x' };
  const asked = (): ReturnType<typeof create> =>
    create({ clientConfig: { credentials: () => asking }, serverConfig: { needCredentials: true } });
  const pending = (side: Side): number => {
    const event = side.events.findLast((one) => one.type === 'authenticate');
    if (event?.type !== 'authenticate') throw new Error('no login');
    return event.id;
  };

  it('is about the login only', async () => {
    const pair = asked();
    await pair.connect();
    const { multi } = pair.server;
    expect(multi.authenticated).toBe(false);
    expect(multi.sendMessage('PUSH_REPLY,auth-token secret', pair.nowMs)).toBe(false);
    expect(multi.sendLoginMessage('AUTH_PENDING', pair.nowMs)).toBe(true);
    await pair.pump();
    expect(messages(pair.client)).toEqual(['AUTH_PENDING']);
    multi.handleAuthResult(pending(pair.server), { ok: true }, pair.nowMs);
    expect(multi.sendMessage('PUSH_REPLY', pair.nowMs)).toBe(true);
    await pair.pump();
    expect(messages(pair.client)).toEqual(['AUTH_PENDING', 'PUSH_REPLY']);
  });

  for (const ok of [true, false]) {
    it(`in a renegotiation too: what was to be said waits for the verdict (${ok ? 'yes' : 'no'})`, async () => {
      const pair = asked();
      await pair.connect();
      const { multi } = pair.server;
      multi.handleAuthResult(pending(pair.server), { ok: true }, pair.nowMs);
      await pair.pump();
      multi.softReset(pair.nowMs);
      multi.sendMessage('PUSH_REPLY,auth-token early', pair.nowMs);
      await pair.pump();
      multi.sendMessage('PUSH_REPLY,auth-token late', pair.nowMs);
      await pair.pump();
      expect(messages(pair.client)).toEqual([]);
      expect(multi.authenticated).toBe(false);
      multi.handleAuthResult(pending(pair.server), { ok }, pair.nowMs);
      await pair.pump();
      const said = ['PUSH_REPLY,auth-token early', 'PUSH_REPLY,auth-token late'];
      expect(messages(pair.client)).toEqual(ok ? said : []);
    });
  }

  it('forgets the identity of the session whose place it took', async () => {
    const pair = asked();
    await pair.connect();
    pair.server.multi.handleAuthResult(pending(pair.server), { ok: true }, pair.nowMs);
    await pair.pump();
    expect(pair.server.multi.identity?.username).toBe('hans');
    pair.restart(pair.client);
    await pair.connect();
    expect(pair.server.multi.identity).toBeUndefined();
    expect(pair.server.multi.authenticated).toBe(false);
    const promoted = pair.server.events.flatMap((event) =>
      event.type === 'promoted' ? [event.session] : [],
    );
    expect(promoted).toHaveLength(2);
    expect(promoted[1]).toBeGreaterThan(promoted[0]!);
  });
});

describe('a returning peer', () => {
  it('takes over on the same address once it has proven itself', async () => {
    const pair = create();
    await pair.connect();
    pair.restart(pair.client);
    await pair.connect();
    const once = ['session', 'promoted', 'active', 'keys'];
    expect(types(pair.server)).toEqual([...once, ...once]);
    expect(pair.tunnelWorks).toBe(true);
  });

  it('does not disturb the tunnel when it fails to', async () => {
    const pair = create();
    await pair.connect();
    const reset = Uint8Array.of(
      op.firstByte(op.P_CONTROL_HARD_RESET_CLIENT_V2, 0),
      1,
      2,
      3,
      4,
      5,
      6,
      7,
      8,
      0,
      0,
      0,
      0,
      0,
    );
    pair.server.multi.handlePacket(reset, CLIENT, pair.nowMs);
    expect(pair.server.multi.pollTransmit()).toBeDefined();
    for (let i = 0; i < 70; i++) {
      pair.clock.advance(1000);
      pair.server.multi.handleTimeout(pair.nowMs);
      while (pair.server.multi.pollTransmit());
    }
    expect(types(pair.server)).not.toContain('error');
    expect(pair.tunnelWorks).toBe(true);
  });

  it('is refused with --single-session', async () => {
    const pair = create({ serverConfig: { singleSession: true } });
    await pair.connect();
    const reset = Uint8Array.of(
      op.firstByte(op.P_CONTROL_HARD_RESET_CLIENT_V2, 0),
      1,
      2,
      3,
      4,
      5,
      6,
      7,
      8,
      0,
      0,
      0,
      0,
      0,
    );
    pair.server.multi.handlePacket(reset, CLIENT, pair.nowMs);
    expect(pair.server.multi.pollTransmit()).toBeUndefined();
    expect(pair.server.multi.drops.get('unroutable')).toBe(1);
  });
});

describe('hostile packets', () => {
  it("are told from the peer's, which are taken: repetitions, and what comes too early", async () => {
    const pair = create();
    await pair.connect();
    const { multi } = pair.server;
    const last = pair.seen.findLast((hit) => hit.to === pair.server)!.packet;
    expect(multi.handlePacket(last, CLIENT, pair.nowMs)).toBe('taken');
    const early = Uint8Array.from([0x20, ...last.subarray(1, 9), 0, 0, 0, 1, 0]);
    expect(multi.handlePacket(early, CLIENT, pair.nowMs)).toBe('taken');
    expect(Object.fromEntries(multi.drops)).toEqual({ window: 1 });
  });

  it('are dropped, counted and logged', async () => {
    const pair = create(wrapped('tls-auth'));
    await pair.connect();
    const { multi, log } = pair.server;
    const last = pair.seen.findLast((hit) => hit.to === pair.server)!.packet;
    const forged = last.slice();
    forged[12]! ^= 1;
    const from = { family: 4, address: '192.0.2.66', port: 5 } as const;
    const verdicts = [
      multi.handlePacket(forged, CLIENT, pair.nowMs),
      multi.handlePacket(last, CLIENT, pair.nowMs),
      multi.handlePacket(last, from, pair.nowMs),
      multi.handlePacket(Uint8Array.of(0xff, 1, 2), CLIENT, pair.nowMs),
      multi.handlePacket(new Uint8Array(0), CLIENT, pair.nowMs),
      multi.handlePacket(Uint8Array.of(0x40, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0), SERVER, pair.nowMs),
      multi.handlePacket(Uint8Array.of(0x20, 9, 9, 9, 9, 9, 9, 9, 9, 0, 0, 0, 0, 1), from, pair.nowMs),
    ];
    expect(verdicts.join(' ')).toBe('bad-hmac replay unroutable bad-opcode too-short wrong-role unroutable');
    expect(Object.fromEntries(multi.drops)).toEqual({
      'bad-hmac': 1,
      replay: 1,
      unroutable: 2,
      'bad-opcode': 1,
      'too-short': 1,
      'wrong-role': 1,
    });
    expect(log.lines.slice(-7)).toEqual([
      'TLS Error: incoming packet authentication failed from [AF_INET]192.0.2.7:40000',
      expect.stringMatching(
        /^Authenticate\/Decrypt packet error: bad packet ID \(may be a replay\): \[ #\d+ \/ time = \(\d+\) [-\d]+ [:\d]+ \] -- see the man page/,
      ),
      'TLS Error: incoming packet authentication failed from [AF_INET]192.0.2.7:40000',
      'TLS Error: Received control packet from unexpected IP addr: [AF_INET]192.0.2.66:5',
      'TLS Error: unknown opcode received from [AF_INET]192.0.2.7:40000 op=31',
      'TLS Error: client->client or server->server connection attempted from [AF_INET]192.0.2.1:1194',
      'TLS Error: Unroutable control packet received from [AF_INET]192.0.2.66:5 (si=3 op=P_CONTROL_V1)',
    ]);
    expect(pair.tunnelWorks).toBe(true);
  });

  it('of any kind, at any moment, do not stop the handshake of a wrapped channel', async () => {
    const pair = create(wrapped('tls-crypt'));
    let seed = 1;
    const random = () => (seed = (seed * 48271) % 0x7fffffff);
    pair.bend = (packet) => {
      const noise = Uint8Array.from({ length: random() % 200 }, () => random() & 0xff);
      const flipped = packet.slice();
      flipped[random() % flipped.length]! ^= 1 << (random() % 8);
      return [noise, flipped, packet.subarray(0, random() % packet.length), packet];
    };
    await pair.connect();
    await pair.run(20_000);
    expect(pair.tunnelWorks).toBe(true);
  });

  it('on TCP end the connection', async () => {
    const pair = create({ ...wrapped('tls-auth'), both: { tcp: true } });
    await pair.connect();
    pair.server.multi.handlePacket(
      Uint8Array.of(0x20, 9, 9, 9, 9, 9, 9, 9, 9, 0, 0, 0, 0, 1),
      CLIENT,
      pair.nowMs,
    );
    await pair.pump();
    expect(types(pair.server)).toContain('error');
  });

  it('with TLS garbage end a session without wrap, but nothing else', async () => {
    const pair = create();
    await pair.connect();
    const sid = pair.seen.find((hit) => hit.to === pair.server)!.packet.slice(1, 9);
    const key = { id: 0, next: 1 };
    const sent = pair.seen.filter((hit) => hit.to === pair.server && hit.packet[0] === 0x20).length;
    key.next = sent + 1;
    for (let i = 0; i < 200; i++) {
      const garbage = new Uint8Array(9 + 1 + 4 + 50).fill(0x17);
      garbage[0] = 0x20;
      garbage.set(sid, 1);
      garbage[9] = 0;
      garbage.set([0, 0, 0, key.next + i], 10);
      pair.server.multi.handlePacket(garbage, CLIENT, pair.nowMs);
      while (pair.server.multi.pollTransmit());
    }
    await pair.pump();
    expect(types(pair.server).filter((type) => type === 'error').length).toBeLessThanOrEqual(1);
  });
});

it('is silent and empty after close', async () => {
  const pair = create();
  await pair.connect();
  pair.server.multi.close();
  pair.server.multi.handleTimeout(pair.nowMs);
  pair.server.multi.handlePacket(pair.seen[0]!.packet, CLIENT, pair.nowMs);
  expect(pair.server.multi.pollTransmit()).toBeUndefined();
  expect(pair.server.multi.pollEvent()).toBeUndefined();
  expect(pair.server.multi.sealKeys(pair.nowMs)).toBeUndefined();
  expect(pair.server.multi.nextTimeout()).toBeUndefined();
  await pair.pump();
});

/**
 * Whole sessions in memory for many seeds: handshakes, renegotiations and failures over a lossy,
 * doubling, reordering wire, with a manual clock and a scripted TLS engine. Data must flow in both
 * directions at every moment once a pair is connected.
 */
import { describe, expect, it, vi } from 'vitest';
import { createPrng } from '../../test-kit/prng.ts';
import { TlsPair, type TlsPairOptions, type TlsSide } from '../../test-kit/tls-pair.ts';
import { digestInfo } from '../crypto/crypto.ts';
import { createNodeCrypto } from '../crypto/crypto-node.ts';
import {
  type ControlWrap,
  createNoWrap,
  createTlsAuthWrap,
  createTlsCryptV2ClientWrap,
  createTlsCryptWrap,
  TlsCryptV2ServerKey,
  withClientKeys,
} from '../reliable/reliable.ts';

const crypto = createNodeCrypto();
const KEY2 = Uint8Array.from({ length: 256 }, (_, i) => (i * 89 + 7) & 0xff);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const WRAPS: readonly (readonly [string, readonly [ControlWrap, ControlWrap] | undefined])[] = [
  ['no wrap', undefined],
  ['tls-auth', [tlsAuth(1), tlsAuth(0)]],
  ['tls-crypt', [tlsCrypt('client'), tlsCrypt('server')]],
  ['tls-crypt-v2', tlsCryptV2()],
  ['tls-crypt-v2 beside tls-auth', tlsCryptV2(tlsAuth(0))],
];

describe.each(WRAPS)('sessions with %s', (_name, wraps) => {
  it('come up on a good wire within a second, without losing a packet', () => {
    const pair = createPair({ seed: 1, wraps });
    expect(pair.ping(pair.client)).toBe('nothing to seal with');
    expect(pair.runUntil(() => pair.connected, 1000)).toBe(true);
    expectBothWays(pair, 'good wire');
    pair.run(500);
    expect(drops(pair)).toEqual({ client: {}, server: {} });
    expect(pair.longestPacket).toBeLessThanOrEqual(1250 - 28);
    // All is acknowledged: nothing is sent again.
    const send = vi.spyOn(pair.wire, 'send');
    pair.run(30_000);
    expect(send).not.toHaveBeenCalled();
    pair.close();
    expect(pair.ssl.openSessions).toBe(0);
  });

  it('come up on bad wires for 100 seeds', () => {
    for (let seed = 1; seed <= 100; seed++) {
      const pair = createPair({ ...badWire(seed), wraps });
      expect(
        pair.runUntil(() => pair.connected, 5 * MINUTE),
        `seed ${seed}`,
      ).toBe(true);
      expectBothWays(pair, `seed ${seed}`);
      pair.close();
      expect(pair.ssl.openSessions, `seed ${seed}`).toBe(0);
    }
  });

  it('renegotiate on bad wires for 12 seeds, and data flows at every second', () => {
    for (let seed = 1; seed <= 12; seed++) {
      const dynTlsCrypt = seed % 2 === 0;
      const tlsEkm = seed % 4 < 2;
      const renegMs = 10 * MINUTE;
      const who =
        seed % 3 === 0 ? {} : seed % 3 === 1 ? { clientConfig: { renegMs } } : { serverConfig: { renegMs } };
      const both = seed % 3 === 0 ? { config: { renegMs } } : {};
      const pair = createPair({ ...mildWire(seed), wraps, params: { dynTlsCrypt, tlsEkm }, ...who, ...both });
      expect(
        pair.runUntil(() => pair.connected, 5 * MINUTE),
        `seed ${seed}`,
      ).toBe(true);
      watch(pair, HOUR, `seed ${seed}`);
      expect(keyIds(pair.client), `seed ${seed}`).toEqual(keyIds(pair.server));
      expect(keyIds(pair.client).length, `seed ${seed}`).toBeGreaterThanOrEqual(5);
      pair.close();
      expect(pair.ssl.openSessions, `seed ${seed}`).toBe(0);
    }
  });
});

describe('renegotiation', () => {
  it('carries what the server says the moment it has new keys, on bad wires for 12 seeds', () => {
    for (let seed = 1; seed <= 12; seed++) {
      const pair = createPair({ ...mildWire(seed), serverConfig: { renegMs: 2 * MINUTE } });
      const said: string[] = [];
      const speak = (): boolean => {
        const keys = pair.server.events.filter((event) => event.type === 'keys').length;
        while (said.length < keys) {
          said.push(`PUSH_REPLY,auth-token ${said.length}`);
          expect(pair.server.multi!.sendMessage(said.at(-1)!, pair.nowMs), `seed ${seed}`).toBe(true);
        }
        return said.length > 8 && heard().length === said.length;
      };
      const heard = (): string[] =>
        pair.client.events
          .flatMap((event) => (event.type === 'message' ? [event.text] : []))
          .filter((text) => said.includes(text));
      expect(pair.runUntil(speak, 30 * MINUTE), `seed ${seed}: ${heard().length} of ${said.length}`).toBe(
        true,
      );
      expect(heard(), `seed ${seed}`).toEqual(said);
      pair.close();
    }
  });

  it('goes round the key ids without using 0 again', () => {
    const pair = createPair({ seed: 5 });
    pair.runUntil(() => pair.connected, MINUTE);
    for (let i = 0; i < 10; i++) {
      (i % 2 ? pair.client : pair.server).multi!.softReset(pair.nowMs);
      watch(pair, 2 * MINUTE, `round ${i}`);
    }
    expect(keyIds(pair.client)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 1, 2, 3]);
    expect(keyIds(pair.server)).toEqual(keyIds(pair.client));
    pair.close();
  });

  it('merges when both sides start at once', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const pair = createPair(mildWire(seed));
      pair.runUntil(() => pair.connected, 5 * MINUTE);
      pair.run(10_000);
      pair.client.multi!.softReset(pair.nowMs);
      pair.server.multi!.softReset(pair.nowMs);
      watch(pair, 3 * MINUTE, `seed ${seed}`);
      expect(keyIds(pair.client), `seed ${seed}`).toEqual([0, 1]);
      expect(keyIds(pair.server), `seed ${seed}`).toEqual([0, 1]);
      pair.close();
    }
  });

  it('keeps the old key for sending until the new one has settled', () => {
    const pair = createPair({ seed: 6 });
    pair.runUntil(() => pair.connected, MINUTE);
    pair.run(2 * MINUTE);
    pair.client.multi!.softReset(pair.nowMs);
    pair.run(30_000);
    expect(keyIds(pair.client)).toEqual([0, 1]);
    expect(pair.client.multi!.sealKeys(pair.nowMs)?.keyId).toBe(0);
    expect(pair.server.multi!.sealKeys(pair.nowMs)?.keyId).toBe(0);
    pair.run(31_000);
    expect(pair.client.multi!.sealKeys(pair.nowMs)?.keyId).toBe(1);
    expect(pair.server.multi!.sealKeys(pair.nowMs)?.keyId).toBe(1);
    pair.close();
  });

  it('forgets the old key after the transition window', () => {
    const pair = createPair({ seed: 7, config: { transitionWindowMs: 5 * MINUTE } });
    pair.runUntil(() => pair.connected, MINUTE);
    pair.client.multi!.softReset(pair.nowMs);
    pair.run(4 * MINUTE);
    expect(pair.client.multi!.openKeys(0)).toBeDefined();
    pair.run(2 * MINUTE);
    expect(pair.client.multi!.openKeys(0)).toBeUndefined();
    expect(pair.server.multi!.openKeys(0)).toBeUndefined();
    expectBothWays(pair, 'after the window');
    pair.close();
  });
});

describe('sessions over TCP', () => {
  it('come up without a cookie and renegotiate, with every wrap', () => {
    for (const [name, wraps] of WRAPS) {
      const pair = createPair({ seed: 20, wraps, config: { tcp: true, renegMs: 10 * MINUTE } });
      expect(
        pair.runUntil(() => pair.connected, 1000),
        name,
      ).toBe(true);
      watch(pair, 25 * MINUTE, name);
      expect(keyIds(pair.client), name).toEqual([0, 1, 2]);
      expect(keyIds(pair.server), name).toEqual([0, 1, 2]);
      pair.close();
    }
  });
});

describe('tls-crypt-v2', () => {
  it('brings its key along twice to a server that keeps no state, and only in the first packets', () => {
    const pair = createPair({ seed: 30, wraps: tlsCryptV2() });
    const opcodes: number[] = [];
    const record = pair.client.multi!.pollTransmit.bind(pair.client.multi);
    pair.client.multi!.pollTransmit = () => {
      const out = record();
      if (out) opcodes.push(out.packet[0]! >> 3);
      return out;
    };
    expect(pair.runUntil(() => pair.connected, 1000)).toBe(true);
    expect(opcodes.slice(0, 2)).toEqual([10, 11]);
    expect(opcodes.slice(2).every((opcode) => opcode === 4 || opcode === 5)).toBe(true);
    pair.close();
  });

  it('comes up with the largest key there is, and where packets must be small', () => {
    for (const tlsMtu of [154, 400, 1250]) {
      const pair = createPair({ seed: 31, wraps: tlsCryptV2(createNoWrap(), 734), config: { tlsMtu } });
      expect(
        pair.runUntil(() => pair.connected, MINUTE),
        `${tlsMtu}`,
      ).toBe(true);
      pair.close();
    }
  });

  it('lets clients in that share a key, beside those with their own', () => {
    const [, server] = tlsCryptV2(tlsCrypt('server'));
    const pair = createPair({ seed: 32, wraps: [tlsCrypt('client'), server] });
    expect(pair.runUntil(() => pair.connected, 1000)).toBe(true);
    pair.close();
  });

  it('waits for the judgement of its metadata, and stays down when it is no', () => {
    for (const tcp of [false, true]) {
      for (const ok of [true, false]) {
        const config = { deferClientKey: true, tcp };
        const pair = createPair({ seed: 33, wraps: tlsCryptV2(), config });
        const asked = () => pair.server.events.find((event) => event.type === 'client-key');
        expect(pair.runUntil(() => asked() !== undefined, MINUTE)).toBe(true);
        pair.run(500);
        expect(pair.server.multi!.nextTimeout()).toBeUndefined();
        const question = asked()!;
        expect([...question.metadata]).toEqual(new Array(9).fill(1));
        pair.server.multi!.handleClientKeyResult(question.id, ok, pair.nowMs);
        expect(
          pair.runUntil(() => pair.connected, 30_000),
          `${tcp} ${ok}`,
        ).toBe(ok);
        expect(failed(pair.server), `${tcp} ${ok}`).toBe(tcp && !ok);
        pair.close();
        expect(pair.ssl.openSessions).toBe(0);
      }
    }
  });

  it('refuses keys that are too old or have no timestamp, where an age is demanded', () => {
    const pair = createPair({
      seed: 34,
      wraps: tlsCryptV2(createNoWrap(), 5),
      serverConfig: { clientKeyMaxDays: 1 },
    });
    expect(pair.runUntil(() => pair.connected, 70_000)).toBe(false);
    expect(pair.server.multi!.drops.get('client-key-refused')).toBeGreaterThan(0);
    pair.close();
  });
});

describe('a client that starts anew on its old address', () => {
  it('takes its place over at the server, for every wrap and 20 seeds', () => {
    for (const [name, wraps] of WRAPS) {
      for (let seed = 1; seed <= 20; seed++) {
        const what = `${name}, seed ${seed}`;
        const pair = createPair({ ...mildWire(seed), wraps });
        pair.runUntil(() => pair.connected, 5 * MINUTE);
        pair.run(MINUTE);
        pair.restartClient();
        expect(
          pair.runUntil(() => pair.connected, 5 * MINUTE),
          what,
        ).toBe(true);
        watch(pair, 3 * MINUTE, what);
        pair.close();
        expect(pair.ssl.openSessions, what).toBe(0);
      }
    }
  });
});

describe('a renegotiation that fails', () => {
  it('leaves the old key in use on both sides', () => {
    const pair = createPair({ seed: 13 });
    pair.runUntil(() => pair.connected, MINUTE);
    pair.run(2 * MINUTE);
    pair.client.multi!.softReset(pair.nowMs);
    pair.cut = true;
    watch(pair, 3 * MINUTE, 'cut');
    expect(keyIds(pair.client)).toEqual([0]);
    expect(keyIds(pair.server)).toEqual([0]);
    pair.close();
    expect(pair.ssl.openSessions).toBe(0);
  });

  it('succeeds late when the wire is cut for less than the hand-window', () => {
    const pair = createPair({ seed: 14 });
    pair.runUntil(() => pair.connected, MINUTE);
    pair.run(2 * MINUTE);
    pair.server.multi!.softReset(pair.nowMs);
    pair.cut = true;
    watch(pair, 10_000, 'cut');
    pair.cut = false;
    watch(pair, 3 * MINUTE, 'healed');
    expect(keyIds(pair.client)).toEqual([0, 1]);
    expect(pair.server.multi!.sealKeys(pair.nowMs)?.keyId).toBe(1);
    pair.close();
  });
});

describe('a session that cannot come up', () => {
  it('ends with an error at the hand-window when the server never answers', () => {
    const pair = createPair({ seed: 8, loss: 1 });
    expect(pair.runUntil(() => failed(pair.client), 2 * MINUTE)).toBe(true);
    expect(pair.nowMs).toBeGreaterThanOrEqual(60_000);
    expect(pair.nowMs).toBeLessThan(70_000);
    expect(pair.wire.counts.sent).toBe(5);
    expect(pair.server.multi).toBeUndefined();
    pair.close();
  });

  it('ends with an error when the TLS engine refuses', () => {
    const pair = createPair({ seed: 9, ssl: { refuse: true } });
    expect(pair.runUntil(() => failed(pair.server), 2 * MINUTE)).toBe(true);
    expect(pair.runUntil(() => failed(pair.client), 2 * MINUTE)).toBe(true);
    expect(pair.connected).toBe(false);
    pair.close();
    expect(pair.ssl.openSessions).toBe(0);
  });

  it('ends with an error on the side whose peer has a bad chain, and never yields keys', () => {
    for (const role of ['client', 'server'] as const) {
      const pair = createPair({
        seed: 10,
        ssl: { chainProblem: { role, reason: 'certificate has expired' } },
      });
      expect(pair.runUntil(() => failed(pair[role]), 2 * MINUTE)).toBe(true);
      pair.run(2 * MINUTE);
      for (const side of [pair.client, pair.server]) {
        expect(side.multi!.sealKeys(pair.nowMs)).toBeUndefined();
        expect(side.events.some((event) => event.type === 'keys')).toBe(false);
      }
      pair.close();
    }
  });

  it('tells the owner of a refused login and never yields keys', () => {
    const pair = createPair({ seed: 11, login: () => false, loginMs: 500 });
    expect(pair.runUntil(() => pair.server.events.some(({ type }) => type === 'auth-failed'), MINUTE)).toBe(
      true,
    );
    pair.run(10_000);
    expect(pair.connected).toBe(false);
    expect(pair.server.multi!.sealKeys(pair.nowMs)).toBeUndefined();
    pair.close();
  });

  it('drops what comes with another key, and stays down', () => {
    const wraps = [tlsCrypt('client'), tlsCrypt('server', KEY2.toReversed())] as const;
    const pair = createPair({ seed: 12, wraps });
    expect(pair.runUntil(() => failed(pair.client), 2 * MINUTE)).toBe(true);
    expect(pair.server.multi).toBeUndefined();
    pair.close();
  });
});

describe('a slow login', () => {
  it('delays the session but does not break it, for 30 seeds', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const pair = createPair({ ...mildWire(seed), loginMs: 20_000 });
      expect(
        pair.runUntil(() => pair.connected, 5 * MINUTE),
        `seed ${seed}`,
      ).toBe(true);
      expect(pair.nowMs, `seed ${seed}`).toBeGreaterThanOrEqual(20_000);
      expectBothWays(pair, `seed ${seed}`);
      pair.close();
    }
  });
});

function createPair(
  options: Omit<TlsPairOptions, 'wraps'> & { readonly wraps?: TlsPairOptions['wraps'] | undefined },
): TlsPair {
  const { wraps, ...rest } = options;
  return new TlsPair(wraps ? { ...rest, wraps } : rest);
}

/** Up to 20 % loss: a handshake takes long, but hardly ever a hand-window. */
function badWire(seed: number) {
  const random = createPrng(seed ^ 0xbad);
  return {
    seed,
    loss: random() * 0.2,
    duplicate: random() * 0.2,
    reorder: random() * 0.4,
    latencyMs: 1 + random() * 150,
  };
}

function mildWire(seed: number) {
  const random = createPrng(seed ^ 0x31d);
  return {
    seed,
    loss: random() * 0.05,
    duplicate: random() * 0.1,
    reorder: random() * 0.2,
    latencyMs: 1 + random() * 80,
  };
}

/** Lets time pass and demands data both ways at every second. */
function watch(pair: TlsPair, ms: number, what: string): void {
  for (let passed = 0; passed < ms; passed += 1000) {
    pair.run(1000);
    // An expect() costs more than what it looks at, and an hour has many seconds.
    if (!flowsBothWays(pair)) expect.fail(`${what}, ${pair.nowMs} ms: data did not flow`);
  }
}

function flowsBothWays(pair: TlsPair): boolean {
  return pair.ping(pair.client) === 'ping' && pair.ping(pair.server) === 'ping';
}

function expectBothWays(pair: TlsPair, what: string): void {
  expect([pair.ping(pair.client), pair.ping(pair.server)], what).toEqual(['ping', 'ping']);
}

function keyIds(side: TlsSide): number[] {
  return side.events.flatMap((event) => (event.type === 'keys' ? [event.keyId] : []));
}

function failed(side: TlsSide): boolean {
  return side.events.some((event) => event.type === 'error');
}

function drops(pair: TlsPair): object {
  const of = (side: TlsSide) => Object.fromEntries(side.multi?.drops ?? []);
  return { client: of(pair.client), server: of(pair.server) };
}

function tlsAuth(direction: 0 | 1): ControlWrap {
  const digest = digestInfo('SHA256');
  if (!digest) throw new Error('SHA256 is missing');
  return createTlsAuthWrap({ key2: KEY2, direction, digest, crypto });
}

function tlsCryptV2(base = createNoWrap(), metadataBytes = 9): [ControlWrap, ControlWrap] {
  const key = new TlsCryptV2ServerKey({ key: KEY2, crypto });
  const file = key.wrap(KEY2.toReversed(), new Uint8Array(metadataBytes).fill(1));
  const client = createTlsCryptV2ClientWrap({
    key2: file.subarray(0, 256),
    wrapped: file.subarray(256),
    crypto,
  });
  return [client, withClientKeys(base, key)];
}

function tlsCrypt(role: 'client' | 'server', key2 = KEY2): ControlWrap {
  return createTlsCryptWrap({ key2, role, crypto });
}

/**
 * Handshakes of ssl-native.ts whose private key lives elsewhere: here in node:crypto, some turns of the event
 * loop away. Many thousand of them run with OPENVPN_TS_LONG=1, where allocators have settled.
 */
import tls from 'node:tls';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { HeldKey } from '../../test-kit/held-key.ts';
import { addonForTests } from '../../test-kit/native-addon.ts';
import { createRssReader, SessionWire, turn } from '../../test-kit/session-wire.ts';
import { type KeyKind, type TestCertificate, TestPki } from '../../test-kit/tls-pki.ts';
import { TlsError } from '../base/base.ts';
import type { ExternalKey, SslContext, SslSession, TlsEngineConfig } from './ssl-backend.ts';
import { createNativeSsl } from './ssl-native.ts';
import { createNodeSsl } from './ssl-node.ts';

type Config = { readonly [K in keyof TlsEngineConfig]?: TlsEngineConfig[K] | undefined };
type Role = TlsEngineConfig['role'];

const ROLES = ['client', 'server'] as const;
const HANDSHAKES = process.env.OPENVPN_TS_LONG === '1' ? 4000 : 60;
const GROWTH_LIMIT_BYTES = 12 << 20;
const LIMIT_MS = 300_000;
const NO_SIGNATURE = 'no signature by the private key that lives elsewhere: ';

const backend = createNativeSsl(addonForTests());
const pki = new TestPki();
const extensions = ['extendedKeyUsage=serverAuth,clientAuth'];
const peer = pki.issue({ subject: '/CN=peer', extensions });
const own = Object.fromEntries(
  (['rsa', 'ec', 'ed25519'] as const).map((kind) => [
    kind,
    pki.issue({ subject: `/CN=${kind}`, kind, extensions }),
  ]),
) as Record<KeyKind, TestCertificate>;

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});
afterAll(() => pki.close());

describe('a private key that lives elsewhere', () => {
  for (const role of ROLES) {
    it.each([
      ['rsa', '1.3', 'RSA_PKCS1_PSS_PADDING', 'SHA256'],
      ['rsa', '1.2', 'RSA_PKCS1_PSS_PADDING', 'SHA256'],
      ['rsa', '1.1', 'RSA_PKCS1_PADDING', 'MD5-SHA1'],
      ['ec', '1.3', 'ECDSA', 'SHA256'],
      ['ec', '1.2', 'ECDSA', 'SHA256'],
      ['ec', '1.1', 'ECDSA', 'SHA1'],
      ['ed25519', '1.3', 'EDDSA', undefined],
      ['ed25519', '1.2', 'EDDSA', undefined],
    ] as const)(`signs for a ${role}: %s, TLS %s, %s %s`, async (kind, version, padding, digest) => {
      const key = new HeldKey(own[kind].key);
      const old = version === '1.1' ? ({ certProfile: 'insecure' } as const) : {};
      const limits = { minVersion: version, maxVersion: version, ...old };
      const link = connect(role, { cert: own[kind].cert, externalKey: key, ...limits }, limits);
      await link.handshake();
      expect(key.requests).toHaveLength(1);
      const [request] = key.requests;
      expect(request).toMatchObject({ padding, ...(digest && { digest }) });
      expect(request?.digest).toBe(digest);
      expect(request?.saltLength).toBe(padding === 'RSA_PKCS1_PSS_PADDING' ? 32 : undefined);
      expect(link.peer.peerChain()[0]?.commonName).toBe(kind);
      link.own.writePlaintext(Uint8Array.of(1, 2));
      link.peer.writePlaintext(Uint8Array.of(3));
      await link.until(() => link.got.length === 2);
      expect(link.got.toSorted((a, b) => a.length - b.length).map((one) => [...one])).toEqual([[3], [1, 2]]);
    });

    it(`signs with PKCS#1 v1.5 in TLS 1.2 for a ${role} whose peer takes nothing else`, async () => {
      const key = new HeldKey(own.rsa.key);
      const config = { cert: own.rsa.cert, externalKey: key, maxVersion: '1.2' } as const;
      const session = context(role, config).createSession(() => undefined);
      open.push(session);
      const wire = new SessionWire(session);
      const secured = nodePeer(role, wire);
      for (let i = 0; i < 200 && !(session.handshakeDone && secured()); i++) {
        wire.drain();
        await turn();
      }
      expect([session.failure(), session.handshakeDone, secured()]).toEqual([undefined, true, true]);
      expect(key.requests).toMatchObject([{ padding: 'RSA_PKCS1_PADDING', digest: 'SHA256' }]);
    });

    it(`that refuses ends that ${role} alone, with its reason`, async () => {
      const key = new HeldKey(own.ec.key);
      let asked = 0;
      key.answer = (signature) => {
        if (asked++ === 0) throw new TlsError('the token is gone');
        return signature;
      };
      const config = { cert: own.ec.cert, externalKey: key };
      const [first, second] = [connect(role, config), connect(role, config)];
      await second.handshakeWhile(first);
      expect(first.own.failure()).toBe(`${NO_SIGNATURE}the token is gone`);
      expect(first.own.handshakeDone).toBe(false);
      expect(second.own.failure()).toBeUndefined();
    });

    it.each([
      ['of other data', (signature: Uint8Array) => signature.map((byte, i) => (i === 20 ? byte ^ 1 : byte))],
      ['of no bytes', () => new Uint8Array()],
      ['that is cut short', (signature: Uint8Array) => signature.subarray(0, 30)],
      ['that is far too long', () => new Uint8Array(100_000)],
      ['that is none', () => undefined as unknown as Uint8Array],
    ])(`takes no signature %s, as a ${role}`, async (_what, answer) => {
      for (const kind of ['rsa', 'ec'] as const) {
        const key = new HeldKey(own[kind].key);
        key.answer = answer;
        const link = connect(role, { cert: own[kind].cert, externalKey: key });
        await link.until(() => link.own.failure() !== undefined);
        expect(link.own.failure()).toMatch(/lives elsewhere: it gave (a signature that doesn't fit|none)/);
        expect(link.own.handshakeDone).toBe(false);
        expect(link.peer.handshakeDone && role === 'server').toBe(false);
      }
    });

    it(`may never answer, or when the ${role} is closed`, async () => {
      const waiting: ((signature: Uint8Array) => void)[] = [];
      const key = new HeldKey(own.ec.key);
      key.answer = (signature) => new Promise((resolve) => waiting.push(() => resolve(signature)));
      let wakes = 0;
      const link = connect(role, { cert: own.ec.cert, externalKey: key }, {}, () => wakes++);
      const other = connect(role, { cert: own.ec.cert, externalKey: new HeldKey(own.ec.key) });
      await link.until(() => waiting.length === 1);
      await other.handshake();
      for (let i = 0; i < 20; i++) await link.step();
      expect([link.own.handshakeDone, link.own.failure()]).toEqual([false, undefined]);
      const before = wakes;
      link.own.close();
      waiting[0]!(new Uint8Array());
      await turn();
      expect(wakes).toBe(before);
      expect(link.own.readCiphertext()).toBeUndefined();
      expect(link.own.failure()).toBeUndefined();
    });
  }

  it('lets two handshakes wait at once, answered in the other order', async () => {
    const waiting: (() => void)[] = [];
    const key = new HeldKey(own.rsa.key);
    key.answer = (signature) => new Promise((resolve) => waiting.push(() => resolve(signature)));
    const links = ROLES.map((role) => connect(role, { cert: own.rsa.cert, externalKey: key }));
    const [one, two] = links as [Link, Link];
    for (let i = 0; i < 200 && waiting.length < 2; i++) for (const link of links) await link.step();
    for (const go of waiting.reverse()) {
      go();
      for (let i = 0; i < 5; i++) for (const link of links) await link.step();
    }
    await one.handshake();
    await two.handshake();
  });

  it('keeps what the peer says meanwhile, and not without end', async () => {
    const key = new HeldKey(own.ec.key);
    key.answer = () => new Promise(() => undefined);
    const link = connect('server', { cert: own.ec.cert, externalKey: key });
    await link.until(() => key.requests.length === 1);
    for (let i = 0; i < 4; i++) link.own.writeCiphertext(new Uint8Array(1 << 16));
    expect(link.own.failure()).toBeUndefined();
    link.own.writeCiphertext(Uint8Array.of(1));
    expect(link.own.failure()).toBe('too much TLS ciphertext is waiting');
  });

  it('fails on garbage that came meanwhile, once it has answered', async () => {
    let go: () => void = () => undefined;
    const key = new HeldKey(own.ec.key);
    key.answer = (signature) =>
      new Promise((resolve) => {
        go = () => resolve(signature);
      });
    const link = connect('server', { cert: own.ec.cert, externalKey: key });
    await link.until(() => key.requests.length === 1);
    for (let i = 0; i < 5; i++) await link.step();
    link.own.writeCiphertext(Uint8Array.from({ length: 45 }, (_, i) => [23, 3, 3, 0, 40][i] ?? i));
    expect(link.own.failure()).toBeUndefined();
    go();
    await turn();
    expect(link.own.failure()).toMatch(/^error:0A/);
  });

  it('may close its session while it is asked', async () => {
    const link = connect('server', {
      cert: own.ec.cert,
      externalKey: {
        sign: () => {
          link.own.close();
          throw new TlsError('at once');
        },
      },
    });
    for (let i = 0; i < 10; i++) await link.step();
    expect(link.own.failure()).toBeUndefined();
  });

  it('outlives its context', async () => {
    const link = connect('server', { cert: own.rsa.cert, externalKey: new HeldKey(own.rsa.key) });
    for (const one of link.contexts) one.close();
    await link.handshake();
  });

  it('needs its certificate, of a kind that can sign, and no other key', () => {
    const externalKey = new HeldKey(own.ec.key);
    const make = (config: Config) => () => context('client', { externalKey, ...config });
    expect(make({})).toThrow('a private key that lives elsewhere needs its certificate');
    expect(make(own.ec)).toThrow('a private key that lives elsewhere leaves no place for another one');
    expect(make({ cert: 'nonsense' })).toThrow('Cannot load inline certificate file');
  });

  it('is refused by node:tls, which has no place for it', () => {
    const config = { role: 'client', requestCert: false, cert: own.ec.cert } as const;
    const make = () => createNodeSsl().createContext({ ...config, externalKey: new HeldKey(own.ec.key) });
    expect(make).toThrow('node:tls takes no private key that lives elsewhere');
  });

  it(
    `keeps memory flat over ${HANDSHAKES} handshakes, each third left waiting, each third refused`,
    async () => {
      const key = new HeldKey(own.ec.key);
      let mode = 0;
      const externalKey: ExternalKey = {
        sign: async (request) => {
          if (mode === 0) return key.sign(request);
          if (mode === 1) return new Promise(() => undefined);
          throw new TlsError('refused');
        },
      };
      const config = { cert: own.ec.cert, externalKey };
      const contexts = [context('server', config), context('client', peer)] as const;
      const settle = createRssReader();
      let middleBytes = 0;
      for (let i = 0; i < HANDSHAKES; i++) {
        if (i === HANDSHAKES >> 1) middleBytes = await settle();
        mode = i % 3;
        const link = new Link(contexts[0], contexts[1], () => undefined);
        for (let step = 0; step < 12 && !(link.own.handshakeDone && link.peer.handshakeDone); step++)
          await link.step();
        expect(link.own.handshakeDone).toBe(mode === 0);
        expect(link.own.failure() !== undefined).toBe(mode === 2);
        link.close();
        key.requests.length = 0;
      }
      expect((await settle()) - middleBytes).toBeLessThan(GROWTH_LIMIT_BYTES);
    },
    LIMIT_MS,
  );
});

function context(role: Role, config: Config): SslContext {
  const all = { role, requestCert: role === 'server', ca: [pki.ca.cert], ...config };
  const made = backend.createContext(all as TlsEngineConfig);
  open.push(made);
  return made;
}

/** `own` in `role`, its peer with a key of its own. */
function connect(role: Role, config: Config, peerConfig: Config = {}, wake = () => {}): Link {
  const other = role === 'server' ? 'client' : 'server';
  const link = new Link(context(role, config), context(other, { ...peer, ...peerConfig }), wake);
  open.push(link);
  return link;
}

/** Two sessions, wired. */
class Link {
  readonly contexts: readonly SslContext[];
  readonly own: SslSession;
  readonly peer: SslSession;
  readonly got: Uint8Array[] = [];

  constructor(own: SslContext, other: SslContext, wake: () => void) {
    this.contexts = [own, other];
    this.own = own.createSession(wake);
    this.peer = other.createSession(() => undefined);
  }

  async handshake(): Promise<void> {
    await this.until(() => this.own.handshakeDone && this.peer.handshakeDone);
    expect([this.own.chainProblem(), this.peer.chainProblem()]).toEqual([undefined, undefined]);
  }

  async handshakeWhile(other: Link): Promise<void> {
    for (let i = 0; i < 50; i++) {
      await other.step();
      await this.step();
    }
    await this.handshake();
  }

  async until(done: () => boolean): Promise<void> {
    for (let i = 0; i < 200 && !done(); i++) await this.step();
    expect([done(), this.own.failure(), this.peer.failure()][0]).toBe(true);
  }

  async step(): Promise<void> {
    move(this.own, this.peer);
    move(this.peer, this.own);
    for (const session of [this.own, this.peer]) {
      for (let bytes = session.readPlaintext(); bytes; bytes = session.readPlaintext()) this.got.push(bytes);
    }
    await turn();
  }

  close(): void {
    this.own.close();
    this.peer.close();
  }
}

function move(from: SslSession, to: SslSession): void {
  for (let bytes = from.readCiphertext(); bytes; bytes = from.readCiphertext()) to.writeCiphertext(bytes);
}

/** node:tls on the other end, with RSA PKCS#1 v1.5 alone; gives whether its handshake is over. */
function nodePeer(role: Role, wire: SessionWire): () => boolean {
  let done = false;
  const options = { ca: pki.ca.cert, ...own.rsa, sigalgs: 'RSA+SHA256', requestCert: true };
  const socket =
    role === 'server'
      ? tls.connect({ socket: wire, ...options, checkServerIdentity: () => undefined })
      : new tls.TLSSocket(wire as never, {
          isServer: true,
          secureContext: tls.createSecureContext(options),
          requestCert: true,
        });
  socket.once(role === 'server' ? 'secureConnect' : 'secure', () => {
    done = true;
  });
  socket.on('error', () => undefined);
  open.push({ close: () => socket.destroy() });
  return () => done;
}

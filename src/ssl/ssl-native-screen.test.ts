/**
 * Handshake messages that would take OpenSSL seconds are kept from it (native/tls_screen.cc), and those of all peers in
 * use are not. TLS 1.2 by hand, where a client's certificates come in clear and nobody signs for them; TLS 1.3 with the
 * engine's own client.
 */
import { createCipheriv, createHmac, generateKeyPairSync, randomBytes } from 'node:crypto';
import tls from 'node:tls';
import { afterAll, describe, expect, it } from 'vitest';
import { addonForTests } from '../../test-kit/native-addon.ts';
import {
  CN,
  der,
  extension,
  integer,
  type MadeCertificate,
  makeCertificate,
  type OddCertificate,
  publicKeyInfo,
  rdn,
  SUBJECT_ALT_NAME,
  UTF8_STRING,
} from '../../test-kit/odd-certificates.ts';
import { exchange, SessionWire, turn } from '../../test-kit/session-wire.ts';
import { TestPki } from '../../test-kit/tls-pki.ts';
import type { SslContext, SslSession, TlsEngineConfig } from './ssl-backend.ts';
import { createNativeSsl } from './ssl-native.ts';

const RSA = Buffer.from('2a864886f70d010101', 'hex');
const DSA = Buffer.from('2a8648ce380401', 'hex');
const EC = Buffer.from('2a8648ce3d0201', 'hex');
const P256 = Buffer.from('06082a8648ce3d030107', 'hex');
const NULL = Buffer.of(5, 0);
const CRL_POINTS = Buffer.of(0x55, 0x1d, 0x1f);
const BASIC_CONSTRAINTS = Buffer.of(0x55, 0x1d, 0x13);
const HANDSHAKE = 22;
const APPLICATION_DATA = 23;

const backend = createNativeSsl(addonForTests());
const pki = new TestPki();
const own = pki.issue({ subject: '/CN=both', extensions: ['extendedKeyUsage=serverAuth,clientAuth'] });
const contexts: SslContext[] = [];
afterAll(() => {
  for (const one of contexts) one.close();
  pki.close();
});

const bytes = (length: number): Buffer => {
  const random = randomBytes(length);
  random[0]! = 0xc1;
  random[length - 1]! |= 1;
  return random;
};
const made = (part: Partial<OddCertificate> = {}): MadeCertificate =>
  makeCertificate({ subject: [rdn(CN, UTF8_STRING, 'x')], ...part });
const withKey = (publicKey: Uint8Array): MadeCertificate => made({ publicKey });
const rsaKey = (modulusBytes: number, exponent: Uint8Array): Buffer =>
  publicKeyInfo(RSA, NULL, der(0x30, integer(bytes(modulusBytes)), integer(exponent)));
const dsaKey = (primeBytes: number): Buffer => {
  const parameters = der(0x30, integer(bytes(primeBytes)), integer(bytes(32)), integer(bytes(primeBytes)));
  return publicKeyInfo(DSA, parameters, integer(bytes(primeBytes)));
};
const compressedKey = (): Buffer => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const point = publicKey.export({ type: 'spki', format: 'der' }).subarray(-65);
  return publicKeyInfo(EC, P256, Buffer.concat([Buffer.of(2 + (point[64]! & 1)), point.subarray(1, 33)]));
};
const explicitCurve = (): Buffer =>
  generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' }).publicKey.export({
    type: 'spki',
    format: 'der',
  });
const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));
const AUTHORITY = [extension(BASIC_CONSTRAINTS, der(0x30, der(0x01, Buffer.of(0xff))))];
const relativePoint = der(0x30, der(0xa0, der(0xa1, rdn(CN, UTF8_STRING, 'p').subarray(2))));
const points = (count: number, issuerRdns: number): MadeCertificate => {
  const issuer = { ...made(), name: der(0x30, ...times(issuerRdns, () => rdn(CN, UTF8_STRING, 'i'))) };
  const list = der(0x30, ...times(count, () => relativePoint));
  return made({ issuer, extensions: [extension(CRL_POINTS, list)] });
};

const REFUSED: readonly (readonly [string, string, () => MadeCertificate[]])[] = [
  ['25 certificates', 'the peer sent too many certificates', () => times(25, () => made())],
  [
    'seven keys in compressed form',
    'the peer sent too many certificates',
    () => times(7, () => withKey(compressedKey())),
  ],
  [
    'a curve spelled out',
    "a certificate of the peer's spells its curve out",
    () => [made(), withKey(explicitCurve())],
  ],
  [
    'an RSA exponent of 72 bits',
    "a certificate of the peer's has a key that takes too long to use",
    () => [withKey(rsaKey(256, bytes(9)))],
  ],
  [
    'a DSA prime of 4104 bits',
    "a certificate of the peer's has a key that takes too long to use",
    () => [withKey(dsaKey(513))],
  ],
  [
    'a hundred CRL distribution points relative to an issuer of a hundred RDNs',
    "a certificate of the peer's has too many relative CRL distribution points",
    () => [points(100, 100)],
  ],
  [
    'a name of 17 KiB',
    "a certificate of the peer's has a name that is too long",
    () => [made({ subject: [rdn(CN, UTF8_STRING, 'x'.repeat(17 * 1024))] })],
  ],
  [
    'an issuer of 17 KiB',
    "a certificate of the peer's has a name that is too long",
    () => [made({ issuer: { ...made(), name: der(0x30, rdn(CN, UTF8_STRING, 'x'.repeat(17 * 1024))) } })],
  ],
  [
    '129 extensions',
    "a certificate of the peer's has too many extensions",
    () => [made({ extensions: times(129, () => extension(Buffer.of(0x2a, 3), NULL)) })],
  ],
];

describe("a client's certificates", () => {
  it.each(REFUSED)('are refused for %s in TLS 1.2', (_what, reason, make) => {
    const server = session({ maxVersion: '1.2' });
    server.writeCiphertext(record(HANDSHAKE, hello12()));
    expect(server.failure()).toBeUndefined();
    server.writeCiphertext(record(HANDSHAKE, certificates12(make().map((one) => one.der))));
    expect(server.failure()).toBe(reason);
    server.writeCiphertext(record(HANDSHAKE, certificates12([made().der])));
    expect(server.handshakeDone).toBe(false);
  });

  it.each(REFUSED)('are refused for %s in TLS 1.3, behind a good one', (_what, reason, make) => {
    const server = session({});
    exchange(server, session({ role: 'client', ...own, extraCerts: pem(make()) }));
    expect(server.failure()).toBe(reason);
    expect(server.handshakeDone).toBe(false);
  });

  it.each([
    ['cut off', (cert: Buffer) => cert.subarray(0, -200)],
    [
      'of indefinite length',
      (cert: Buffer) => Buffer.concat([Buffer.of(0x30, 0x80), cert.subarray(4), Buffer.of(0, 0)]),
    ],
    ['nothing', () => Buffer.alloc(0)],
  ])('are refused when one is %s', (_what, change) => {
    const server = session({ maxVersion: '1.2' });
    server.writeCiphertext(record(HANDSHAKE, hello12()));
    server.writeCiphertext(record(HANDSHAKE, certificates12([made().der, change(made().der)])));
    expect(server.failure()).toBe("the peer's certificates can't be read");
  });

  it('are taken when they are a chain of sixteen', () => {
    const chain = chainOf(15);
    const [leaf, ...others] = chain.slice(0, -1);
    const root = chain.at(-1)!;
    const server = session({ ca: [root.cert] });
    const config = { cert: leaf!.cert, key: leaf!.key, extraCerts: pem([...others, root]) };
    exchange(server, session({ role: 'client', ...config }));
    expect([server.failure(), server.handshakeDone, server.chainProblem()]).toEqual([
      undefined,
      true,
      undefined,
    ]);
    expect(server.peerChain()).toHaveLength(16);
  });

  it.each([
    [
      '30 KB of alternative names',
      () => {
        const names = times(1500, (i) => der(0x82, Buffer.from(`host-${i}.example.org`)));
        return { extensions: [extension(SUBJECT_ALT_NAME, der(0x30, ...names))] };
      },
    ],
    ['a name of 8 KiB', () => ({ subject: [rdn(CN, UTF8_STRING, 'x'.repeat(8 * 1024))] })],
    [
      'forty extensions',
      () => ({ extensions: times(40, (i) => extension(Buffer.of(0x2a, 3, i + 1), NULL)) }),
    ],
    [
      'ten relative CRL distribution points',
      () => ({ extensions: [extension(CRL_POINTS, der(0x30, ...times(10, () => relativePoint)))] }),
    ],
  ] satisfies readonly (readonly [string, () => Partial<OddCertificate>])[])(
    'are taken with %s',
    (_what, part) => {
      const root = makeCertificate({ subject: [rdn(CN, UTF8_STRING, 'CA')], extensions: AUTHORITY });
      const leaf = made({ issuer: root, ...part() });
      const server = session({ ca: [root.cert] });
      exchange(server, session({ role: 'client', cert: leaf.cert, key: leaf.key }));
      expect([server.failure(), server.handshakeDone, server.chainProblem()]).toEqual([
        undefined,
        true,
        undefined,
      ]);
    },
  );

  it.each([
    ['RSA keys of 16384 bits', () => times(16, () => withKey(rsaKey(2048, Buffer.of(1, 0, 1))))],
    ['an RSA exponent of 64 bits', () => [withKey(rsaKey(512, bytes(8)))]],
    ['DSA primes of 3072 bits', () => [withKey(dsaKey(384))]],
    ['two keys in compressed form', () => times(2, () => withKey(compressedKey()))],
    ['each authority twice', () => times(20, (i) => made({ serial: Buffer.of(1 + (i >> 1)) }))],
  ])('may have %s among them', (_what, make) => {
    const server = session({});
    exchange(server, session({ role: 'client', ...own, extraCerts: pem(make()) }));
    expect([server.failure(), server.handshakeDone, server.chainProblem()]).toEqual([
      undefined,
      true,
      undefined,
    ]);
  });
});

describe('a hello', () => {
  it.each([
    // OpenSSL finds that random bytes are no point of the curve.
    [64, 'error:0A000132:SSL routines::bad ecpoint'],
    [65, 'the peer sent too many key shares'],
  ])('with %i key shares ends with %j', (count, reason) => {
    const server = session({});
    server.writeCiphertext(record(HANDSHAKE, hello13(times(count, () => [0x17, bytes(65)]))));
    expect(server.failure()).toBe(reason);
  });

  it.each([0x102, 0x103, 0x104])('can not have a server work in group %i', (group) => {
    const server = session({});
    server.writeCiphertext(record(HANDSHAKE, hello13([[group, bytes(256 * (group - 0xfe))]])));
    expect(server.failure()).toBe('error:0A000065:SSL routines::no suitable key share');
  });

  it.each(['ffdhe2048', 'ffdhe3072', 'P-521', 'X448'])('may ask for %s', (groups) => {
    const server = session({});
    exchange(server, session({ role: 'client', ...own, groups }));
    expect(server.handshakeDone).toBe(true);
  });

  it('may ask for larger groups when --tls-groups names them', () => {
    const server = session({ groups: 'ffdhe4096' });
    exchange(server, session({ role: 'client', ...own, groups: 'ffdhe4096' }));
    expect(server.handshakeDone).toBe(true);
  });
});

it.each([
  // Nobody signed them.
  [1024, 'rsa routines'],
  [1025, "the peer's Diffie-Hellman parameters are too long"],
])('a client ends with a prime of %i bytes for Diffie-Hellman: %s', (length, reason) => {
  const client = session({ role: 'client', ...own });
  client.readCiphertext();
  const parameters = Buffer.concat([
    vector(2, bytes(length)),
    vector(2, Buffer.of(2)),
    vector(2, Buffer.of(3)),
  ]);
  const signature = Buffer.concat([Buffer.of(8, 4), vector(2, bytes(256))]);
  const flight = [
    serverHello(0x009e),
    certificates12([withKey(rsaKey(256, Buffer.of(1, 0, 1))).der]),
    message(12, Buffer.concat([parameters, signature])),
  ];
  client.writeCiphertext(record(HANDSHAKE, Buffer.concat(flight)));
  expect(client.failure()).toContain(reason);
});

it('a client that changes its key over and over is ended', async () => {
  const server = session({ requestCert: false });
  const sealer = await connectedSealer(server);
  for (let i = 0; i < 32; i++) server.writeCiphertext(sealer.keyUpdate());
  server.writeCiphertext(sealer.seal(APPLICATION_DATA, Buffer.from('still here')));
  expect(Buffer.from(server.readPlaintext()!).toString()).toBe('still here');
  expect(server.failure()).toBeUndefined();
  server.writeCiphertext(sealer.keyUpdate());
  expect(server.failure()).toBe('too many TLS messages behind the handshake');
});

function session(config: Partial<TlsEngineConfig>): SslSession {
  const { role = 'server' } = config;
  const base = { role, requestCert: role === 'server', ca: [pki.ca.cert] };
  const context = backend.createContext({ ...base, ...(role === 'server' && own), ...config });
  contexts.push(context);
  return context.createSession(() => undefined);
}

/** Leaf first, so many that sign each other, and the root. */
function chainOf(length: number): MadeCertificate[] {
  const chain = [makeCertificate({ subject: [rdn(CN, UTF8_STRING, 'root')], extensions: AUTHORITY })];
  for (let i = 1; i <= length; i++) {
    const extensions = i < length ? AUTHORITY : [];
    chain.unshift(
      makeCertificate({ subject: [rdn(CN, UTF8_STRING, `c${i}`)], issuer: chain[0]!, extensions }),
    );
  }
  return chain;
}

function pem(certificates: readonly MadeCertificate[]): string {
  return certificates.map((one) => one.cert).join('');
}

function uint(length: number, value: number): Buffer {
  const out = Buffer.alloc(length);
  out.writeUIntBE(value, 0, length);
  return out;
}

function vector(lengthBytes: number, content: Uint8Array): Buffer {
  return Buffer.concat([uint(lengthBytes, content.length), content]);
}

/** Handshake bytes in records. */
function record(type: number, content: Uint8Array): Buffer {
  const records: Buffer[] = [];
  for (let at = 0; at < content.length; at += 16_384)
    records.push(Buffer.of(type, 3, 3), vector(2, content.subarray(at, at + 16_384)));
  return Buffer.concat(records);
}

function message(type: number, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(type), vector(3, body)]);
}

function certificates12(ders: readonly Uint8Array[]): Buffer {
  return message(11, vector(3, Buffer.concat(ders.map((one) => vector(3, one)))));
}

function words(...values: readonly number[]): Buffer {
  return Buffer.concat(values.map((value) => uint(2, value)));
}

function tlsExtension(type: number, content: Uint8Array): Buffer {
  return Buffer.concat([uint(2, type), vector(2, content)]);
}

function hello(suites: Uint8Array, ...extensions: readonly Uint8Array[]): Buffer {
  const head = [Buffer.of(3, 3), randomBytes(32), vector(1, Buffer.alloc(0)), vector(2, suites)];
  const signatures = tlsExtension(13, vector(2, words(0x0403, 0x0804, 0x0401)));
  const all = Buffer.concat([signatures, ...extensions]);
  return message(1, Buffer.concat([...head, vector(1, Buffer.of(0)), vector(2, all)]));
}

function hello12(): Buffer {
  return hello(words(0xc02b, 0xc02f), tlsExtension(10, vector(2, words(0x17))));
}

function hello13(shares: readonly (readonly [number, Uint8Array])[]): Buffer {
  const list = shares.map(([group, key]) => Buffer.concat([uint(2, group), vector(2, key)]));
  return hello(
    words(0x1301),
    tlsExtension(43, vector(1, words(0x0304))),
    tlsExtension(10, vector(2, words(...new Set(shares.map(([group]) => group))))),
    tlsExtension(51, vector(2, Buffer.concat(list))),
  );
}

function serverHello(suite: number): Buffer {
  const extensions = Buffer.concat([tlsExtension(0xff01, Buffer.of(0)), tlsExtension(23, Buffer.alloc(0))]);
  const parts = [Buffer.of(3, 3), randomBytes(32), vector(1, Buffer.alloc(0)), uint(2, suite), Buffer.of(0)];
  return message(2, Buffer.concat([...parts, vector(2, extensions)]));
}

/** The client's side of a TLS 1.3 session with the server, which has heard its Finished and nothing since. */
async function connectedSealer(server: SslSession): Promise<RecordSealer> {
  const wire = new SessionWire(server);
  const options = { socket: wire, rejectUnauthorized: false, ciphers: 'TLS_AES_128_GCM_SHA256' };
  const client = tls.connect(options);
  let secret: Buffer | undefined;
  client.on('keylog', (line: Buffer) => {
    const found = /CLIENT_TRAFFIC_SECRET_0 \S+ (\S+)/.exec(line.toString());
    if (found) secret = Buffer.from(found[1]!, 'hex');
  });
  for (let i = 0; i < 500 && !(server.handshakeDone && secret); i++) {
    wire.drain();
    await turn();
  }
  return new RecordSealer(secret!);
}

/** Records of TLS 1.3 with AES-128-GCM (RFC 8446, sections 5.2 and 7.2). */
class RecordSealer {
  #secret: Buffer;
  #count = 0;

  constructor(secret: Buffer) {
    this.#secret = secret;
  }

  seal(type: number, content: Uint8Array): Buffer {
    const nonce = expandLabel(this.#secret, 'iv', 12);
    nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ this.#count++) >>> 0, 8);
    const head = Buffer.concat([Buffer.of(23, 3, 3), uint(2, content.length + 17)]);
    const cipher = createCipheriv('aes-128-gcm', expandLabel(this.#secret, 'key', 16), nonce);
    cipher.setAAD(head);
    return Buffer.concat([
      head,
      cipher.update(content),
      cipher.update(Buffer.of(type)),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
  }

  /** Wants the other side to do the same. */
  keyUpdate(): Buffer {
    const sealed = this.seal(HANDSHAKE, message(24, Buffer.of(1)));
    this.#secret = expandLabel(this.#secret, 'traffic upd', 32);
    this.#count = 0;
    return sealed;
  }
}

/** At most one block. */
function expandLabel(secret: Uint8Array, label: string, length: number): Buffer {
  const info = Buffer.concat([uint(2, length), vector(1, Buffer.from(`tls13 ${label}`)), Buffer.of(0, 1)]);
  return createHmac('sha256', secret).update(info).digest().subarray(0, length);
}

/**
 * What a stranger sends costs time in proportion to its length: eight times the bytes take eight times as long in each
 * fuzz entry, for the shapes that parsers stumble over. Times are compared with each other only, and the least of
 * several runs counts, so that a busy machine makes a test longer and not red.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { MemoryLogger, PacketBatch } from '../src/base/base.ts';
import { EnvSet, setCertificate } from '../src/script/script.ts';
import { TcpFrameReader } from '../src/socket/tcp-frames.ts';
import { ChainCheck } from '../src/ssl/chain-check.ts';
import { describeChain } from '../src/ssl/peer-certificates-node.ts';
import type { PeerCertificate } from '../src/ssl/ssl.ts';
import {
  attribute,
  CN,
  der,
  extension,
  makeCertificate,
  type OddCertificate,
  rdn,
  SUBJECT_ALT_NAME,
  UTF8_STRING,
} from '../test-kit/odd-certificates.ts';
import type { FuzzTarget } from './engine.ts';
import { listTargets, loadTarget } from './targets.ts';

const SHORT = 8 * 1024;
const LONG = 64 * 1024;
/** Eight is in proportion; allocators and caches take a little more. */
const MOST = 12;
/** Before the first ones nothing is compiled yet, and what is measured says little. */
const LEAST_TRIES = 5;
const TRIES = 40;
/** Less than this is measured by doing it several times. The processor's time: a wait for it is nobody's fault. */
const LEAST_MS = 1;
const LIMIT_MS = 120_000;

setFlagsFromString('--expose-gc');
const clearYoung = runInNewContext('gc') as (options: { readonly type: 'minor' }) => void;

type Shape = (bytes: number) => Uint8Array;

/** One unit over and over. */
function repeated(unit: Uint8Array | string): Shape {
  const bytes = Buffer.from(unit);
  return (length) => Uint8Array.from(Buffer.alloc(length, bytes));
}

const COMMON: readonly (readonly [string, Shape])[] = [
  ['zeros', repeated(Uint8Array.of(0))],
  ['ones', repeated(Uint8Array.of(0xff))],
  ['letters', repeated('a')],
  ['spaces', repeated(' ')],
  ['commas', repeated(',')],
  ['lines', repeated('\n')],
  ['carriage returns', repeated('\r')],
  ['line ends before the end', (bytes) => Uint8Array.from(Buffer.from(`${'\r\n'.repeat(bytes / 2)}a`))],
  ['backslashes', repeated('\\')],
  ['quotes', repeated('"')],
  ['items', repeated('route 10.0.0.0 255.0.0.0,')],
  ['names with values', repeated('IV_A=b\n')],
];

const AUTHORITY = makeCertificate({ subject: [rdn(CN, UTF8_STRING, 'CA')] });

/** Certificates of one part that grows; the signature isn't looked at. */
function certificate(part: (bytes: number) => Partial<OddCertificate>): Shape {
  return (bytes) => {
    const subject = [rdn(CN, UTF8_STRING, 'x')];
    return Uint8Array.from(makeCertificate({ subject, issuer: AUTHORITY, ...part(bytes) }).der);
  };
}

function times(bytes: number, unit: Buffer): Buffer[] {
  return Array.from({ length: Math.floor(bytes / unit.length) }, () => unit);
}

function nested(bytes: number): Buffer {
  const heads: Buffer[] = [];
  for (let inner = 2; inner + 4 < bytes; inner += 4)
    heads.push(Buffer.of(0x30, 0x82, inner >> 8, inner & 0xff));
  return Buffer.concat([...heads.reverse(), Buffer.of(5, 0)]);
}

const CERTIFICATES: readonly (readonly [string, Shape])[] = [
  ['a serial number', certificate((bytes) => ({ serial: Buffer.alloc(bytes, 0x7f) }))],
  ['one long name', certificate((bytes) => ({ subject: [rdn(CN, UTF8_STRING, '\\'.repeat(bytes))] }))],
  ['bad UTF-8', certificate((bytes) => ({ subject: [rdn(CN, UTF8_STRING, Buffer.alloc(bytes, 0xe9))] }))],
  ['many RDNs', certificate((bytes) => ({ subject: times(bytes, rdn(CN, UTF8_STRING, 'x')) }))],
  [
    'one RDN of many',
    certificate((bytes) => ({ subject: [der(0x31, ...times(bytes, attribute(CN, UTF8_STRING, 'x')))] })),
  ],
  [
    'a long OID',
    certificate((bytes) => ({
      subject: [rdn(Buffer.alloc(bytes, 0x81).fill(1, bytes - 1), UTF8_STRING, 'x')],
    })),
  ],
  [
    'many long OIDs',
    certificate((bytes) => ({
      subject: times(bytes, rdn(Buffer.alloc(60, 0x81).fill(1, 59), UTF8_STRING, 'x')),
    })),
  ],
  [
    'many alternative names',
    certificate((bytes) => ({
      extensions: [extension(SUBJECT_ALT_NAME, der(0x30, ...times(bytes, der(0x81, Buffer.from('a')))))],
    })),
  ],
  [
    'many extensions',
    certificate((bytes) => ({ extensions: times(bytes, extension(Buffer.of(0x2a, 3), Buffer.of(5, 0))) })),
  ],
  [
    'many key usages',
    certificate((bytes) => ({
      extensions: [
        extension(Buffer.of(0x55, 0x1d, 0x25), der(0x30, ...times(bytes, der(0x06, Buffer.of(0x2a, 3))))),
      ],
    })),
  ],
  [
    'relative CRL distribution points',
    certificate((bytes) => {
      const point = der(0x30, der(0xa0, der(0xa1, attribute(CN, UTF8_STRING, 'x'))));
      const name = der(0x30, ...times(bytes / 2, rdn(CN, UTF8_STRING, 'x')));
      const extensions = [extension(Buffer.of(0x55, 0x1d, 0x1f), der(0x30, ...times(bytes / 2, point)))];
      return { issuer: { ...AUTHORITY, name }, extensions };
    }),
  ],
  [
    'nesting',
    certificate((bytes) => ({ extensions: [extension(SUBJECT_ALT_NAME, nested(Math.min(bytes, 60_000)))] })),
  ],
];

/** As the fuzz entry of the TLS engine takes a client's certificate. */
const TO_ENGINE = CERTIFICATES.map(
  ([what, shape]) =>
    [what, (bytes: number) => Uint8Array.from(Buffer.concat([Uint8Array.of(4, 0), shape(bytes)]))] as const,
);

/** Shapes beyond the common ones, by fuzz entry. */
const OWN: Readonly<Record<string, readonly (readonly [string, Shape])[]>> = {
  x509: CERTIFICATES,
  'x509-der': CERTIFICATES,
  'tls-engine': TO_ENGINE,
  'early-negotiation': [['entries', repeated(Uint8Array.of(0, 9, 0, 0))]],
  'proxy-answers': [
    ['headers', repeated('A: b\r\n')],
    ['chunks', repeated('1\r\na\r\n')],
    ['parameters', repeated('nonce="a", ')],
  ],
  'control-message': [
    ['tokens', repeated('auth-token a,')],
    ['flags', repeated('AUTH_PENDING,timeout 1,')],
  ],
  'key-method-2': [
    ['messages', repeated('PUSH_REQUEST\0')],
    ['bad messages', repeated('\x01\0')],
    ['line ends before a letter', (bytes) => Uint8Array.from(Buffer.from(`${'\r\n'.repeat(bytes / 2)}a\0`))],
  ],
  'peer-info': [
    ['ciphers', (bytes) => Buffer.from(`IV_CIPHERS=${'a:'.repeat(bytes / 2)}\n`)],
    ['options', (bytes) => Buffer.from(`\0V4,${'dev-type tun,'.repeat(bytes / 13)}`)],
    ['one option', (bytes) => Buffer.from(`\0V4,cipher ${'a'.repeat(bytes)}`)],
  ],
  'push-reply': [['parts', repeated('a,push-continuation 2\0')]],
};

/** Entries that do more with their input than a product ever does, and cheaper ways to the same parser. */
const CHEAPER: Readonly<Record<string, FuzzTarget['run']>> = {
  'tcp-frames': (bytes) => {
    const reader = new TcpFrameReader();
    const batch = new PacketBatch(64, 2048);
    for (let at = 0; at < bytes.length; at += 1400) {
      reader.push(bytes.subarray(at, at + 1400));
      while (reader.read(batch) > 0) {}
    }
  },
};

/** Entries whose input is a file of our own, never a peer's. */
const NO_STRANGERS: ReadonlySet<string> = new Set(['config-text', 'pool-persist', 'static-key']);
/** Entries whose input fits into the slot of one data packet. */
const ONE_PACKET: ReadonlySet<string> = new Set([
  'compression',
  'data-packet',
  'epoch-packet',
  'hmac-packet',
]);

for (const name of listTargets().filter((entry) => !NO_STRANGERS.has(entry) && !ONE_PACKET.has(entry))) {
  it(
    `${name} takes time in proportion to its input`,
    async () => {
      const target = await loadTarget(name);
      const corpus = (target.corpus ?? []).map((unit, i) => [`sample ${i}`, repeated(unit)] as const);
      for (const [what, shape] of [...COMMON, ...corpus, ...(OWN[name] ?? [])]) {
        const ratio = leastRatio(CHEAPER[name] ?? target.run, shape(SHORT), shape(LONG));
        expect(ratio, `${what}: ${ratio.toFixed(1)} times as long for 8 times the bytes`).toBeLessThan(MOST);
      }
    },
    LIMIT_MS,
  );
}

it('the measure finds what takes quadratic time', () => {
  const quadratic = (bytes: Uint8Array): void => {
    for (let at = 0; at < bytes.length; at += 64) bytes.subarray(0, at).indexOf(1);
  };
  expect(leastRatio(quadratic, new Uint8Array(SHORT), new Uint8Array(LONG))).toBeGreaterThan(MOST);
});

it(
  'a chain is described, checked and put into the environment of scripts in proportion to its length',
  () => {
    const use = (bytes: Uint8Array): void => {
      const chain = describe(bytes);
      if (!chain) return;
      const policy = { chain: true, clientCert: 'require' } as const;
      new ChainCheck({
        chain,
        problem: undefined,
        policy,
        log: new MemoryLogger(4),
        equal: () => true,
        ask: undefined,
      });
      const env = new EnvSet();
      for (const certificate of chain) setCertificate(env, certificate, undefined);
      env.snapshot(2);
    };
    for (const [what, shape] of CERTIFICATES) {
      const ratio = leastRatio(use, shape(SHORT), shape(LONG));
      expect(ratio, `${what}: ${ratio.toFixed(1)} times as long for 8 times the bytes`).toBeLessThan(MOST);
    }
  },
  LIMIT_MS,
);

function describe(bytes: Uint8Array): readonly PeerCertificate[] | undefined {
  try {
    return describeChain([Buffer.from(bytes)]);
  } catch {
    return undefined;
  }
}

/**
 * How much longer the long input takes: the best of its times against the middle one of the short input's, since the
 * best of both compares two strokes of luck. Looked at until it is good or tries run out.
 */
function leastRatio(run: FuzzTarget['run'], short: Uint8Array, long: Uint8Array): number {
  const shortTimes: number[] = [];
  let bestOfLong = Number.POSITIVE_INFINITY;
  let ratio = Number.POSITIVE_INFINITY;
  for (let i = 0; i < TRIES && (i < LEAST_TRIES || ratio >= MOST); i++) {
    // What earlier runs left is not to be cleared away within a measured one.
    if (i >= LEAST_TRIES) clearYoung({ type: 'minor' });
    shortTimes.push(milliseconds(run, short));
    bestOfLong = Math.min(bestOfLong, milliseconds(run, long));
    shortTimes.sort((a, b) => a - b);
    ratio = bestOfLong / shortTimes[shortTimes.length >> 1]!;
  }
  return ratio;
}

function milliseconds(run: FuzzTarget['run'], input: Uint8Array): number {
  const from = process.cpuUsage();
  let runs = 0;
  let passed = 0;
  do {
    run(input);
    runs++;
    const { user, system } = process.cpuUsage(from);
    passed = (user + system) / 1000;
  } while (passed < LEAST_MS);
  return passed / runs;
}

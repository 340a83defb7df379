/**
 * Which list counts for whom. The result of each row is what a 2.6.14 server (OpenSSL 3.0) did in the place of this code,
 * with lists of the same making: refused with this reason, let in, or let in with a warning that there is no list.
 */
import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  attribute,
  CN,
  der,
  extension,
  type MadeCertificate,
  makeCertificate,
  makeRevocationList,
  type OddRevocationList,
  PRINTABLE_STRING,
  rdn,
  UTF8_STRING,
} from '../../test-kit/odd-certificates.ts';
import { MemoryLogger } from '../base/base.ts';
import { ChainCheck } from './chain-check.ts';
import { describeChain } from './peer-certificates-node.ts';
import { createRevocationLists } from './revocation-node.ts';

const ID = {
  ownKey: Buffer.of(0x55, 0x1d, 0x0e),
  keyUsage: Buffer.of(0x55, 0x1d, 0x0f),
  constraints: Buffer.of(0x55, 0x1d, 0x13),
  number: Buffer.of(0x55, 0x1d, 0x14),
  reason: Buffer.of(0x55, 0x1d, 0x15),
  delta: Buffer.of(0x55, 0x1d, 0x1b),
  scope: Buffer.of(0x55, 0x1d, 0x1c),
  certificateIssuer: Buffer.of(0x55, 0x1d, 0x1d),
  points: Buffer.of(0x55, 0x1d, 0x1f),
  authority: Buffer.of(0x55, 0x1d, 0x23),
  unknown: Buffer.of(0x2a, 3, 4),
};
const YES = Buffer.of(0xff);
const NONSENSE = Buffer.of(4, 1);
const name = (...values: string[]): Buffer =>
  der(0x30, ...values.map((value) => rdn(CN, UTF8_STRING, value)));
const keyId = (value: number): Buffer => Buffer.alloc(20, value);
const authority = (key: number, usage?: number) => [
  extension(ID.constraints, der(0x30, der(0x01, YES)), true),
  extension(ID.ownKey, der(0x04, keyId(key))),
  ...(usage === undefined ? [] : [extension(ID.keyUsage, der(0x03, Buffer.of(0, usage)), true)]),
];
const serial = (value: number): Buffer => Buffer.of(value);

const root = makeCertificate({
  subject: [rdn(CN, UTF8_STRING, 'root')],
  serial: serial(100),
  extensions: authority(1),
});
const renewed = makeCertificate({
  subject: [rdn(CN, UTF8_STRING, 'root')],
  serial: serial(101),
  extensions: authority(2),
});
const noLists = makeCertificate({
  subject: [rdn(CN, UTF8_STRING, 'no lists')],
  serial: serial(102),
  extensions: authority(3, 0x04),
});
const inter = makeCertificate({
  subject: [rdn(CN, UTF8_STRING, 'inter')],
  serial: serial(120),
  extensions: authority(4),
  issuer: root,
});
const client = (number: number, issuer: MadeCertificate, points?: Buffer): MadeCertificate =>
  makeCertificate({
    subject: [rdn(CN, UTF8_STRING, 'client')],
    serial: serial(number),
    issuer,
    extensions: points ? [extension(ID.points, der(0x30, der(0x30, points)))] : [],
  });

const uri = (text: string): Buffer => der(0x86, Buffer.from(text));
const fullPoint = (...names: Buffer[]): Buffer => der(0xa0, der(0xa0, ...names));
const relativePoint = (tag: number, value: string): Buffer => der(0xa0, der(0xa1, attribute(CN, tag, value)));
const HERE = fullPoint(uri('http://a/x.crl'));
const ELSEWHERE = fullPoint(uri('http://b/y.crl'));
const BELOW = relativePoint(UTF8_STRING, 'p');

const LEAF = [client(7, root), root];
const WITH_POINT = [client(7, root, HERE), root];
const WITH_RELATIVE = [client(7, root, BELOW), root];
const BELOW_INTER = [client(8, inter), inter, root];

const flag = (tag: number): Buffer => der(0x80 | tag, YES);
const scope = (...parts: Buffer[]) => ({ extensions: [extension(ID.scope, der(0x30, ...parts), true)] });
const key = (...parts: Buffer[]) => ({ extensions: [extension(ID.authority, der(0x30, ...parts))] });
const entry = (oid: Buffer, value: Buffer, critical = false) => ({
  entryExtensions: [extension(oid, value, critical)],
});
const directory = (...values: string[]): Buffer => der(0xa4, name(...values));
const issuedBy = (value: string, number: number): Buffer[] => [
  der(0xa1, directory(value)),
  der(0x82, serial(number)),
];
const list = (of: MadeCertificate, numbers: readonly number[], more: OddRevocationList = {}): string =>
  makeRevocationList(of, of.name, numbers.map(serial), more);
const EXPIRED = { fromHours: -100, untilHours: -1 };
const EARLY = { fromHours: 1, untilHours: 20 };
const CRITICAL = { extensions: [extension(ID.unknown, Buffer.of(5, 0), true)] };
const NO_LIST = '-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n';

const IN = 'let in';
/** Warned of each certificate. */
const MISSING = 'no list';
const SCOPE = 'different CRL scope at 0';
const REVOKED = 'certificate revoked at 0';
const TOP_SCOPE = 'different CRL scope at 1';

/** What happens with the client's serial number off the list, and on it. */
type Row = readonly [
  what: string,
  list: OddRevocationList,
  off: string,
  on: string,
  chain?: MadeCertificate[],
];

const ROWS: readonly Row[] = [
  ['nothing special', {}, IN, REVOKED],
  ['of users only', scope(flag(1)), TOP_SCOPE, REVOKED],
  ['of authorities only', scope(flag(2)), SCOPE, SCOPE],
  ['of attribute certificates only', scope(flag(5)), SCOPE, SCOPE],
  ['of several issuers', scope(flag(4)), MISSING, MISSING],
  ['of some reasons', scope(der(0x83, Buffer.of(1, 0x60))), MISSING, MISSING],
  ['of users only and authorities only', scope(flag(1), flag(2)), MISSING, MISSING],
  ['of a scope without limits', scope(), IN, REVOKED],
  ['of a scope that is nonsense', { extensions: [extension(ID.scope, NONSENSE, true)] }, IN, REVOKED],
  ['of authorities, not critical', { extensions: [extension(ID.scope, der(0x30, flag(2)))] }, SCOPE, SCOPE],
  ['of a point, for a certificate of none', scope(HERE), SCOPE, SCOPE],
  ['of the point of the certificate', scope(HERE), TOP_SCOPE, REVOKED, WITH_POINT],
  ['of another point than the certificate', scope(ELSEWHERE), SCOPE, SCOPE, WITH_POINT],
  ['of no point, for a certificate of one', {}, IN, REVOKED, WITH_POINT],
  [
    'of the same relative point',
    scope(relativePoint(PRINTABLE_STRING, 'P')),
    TOP_SCOPE,
    REVOKED,
    WITH_RELATIVE,
  ],
  ['of the point in full', scope(fullPoint(directory('root', 'p'))), TOP_SCOPE, REVOKED, WITH_RELATIVE],
  ['of changes', { extensions: [extension(ID.delta, Buffer.of(2, 1, 3), true)] }, MISSING, MISSING],
  ['of changes, not critical', { extensions: [extension(ID.delta, Buffer.of(2, 1, 3))] }, MISSING, MISSING],
  ['by a key of that identifier', key(der(0x80, keyId(1))), IN, REVOKED],
  ['by a key of another identifier', key(der(0x80, keyId(99))), MISSING, MISSING],
  ['by a key whose certificate has that number', key(...issuedBy('root', 100)), IN, REVOKED],
  ['by a key whose certificate has another number', key(...issuedBy('root', 99)), MISSING, MISSING],
  ['by a key whose certificate is of another issuer', key(...issuedBy('inter', 100)), MISSING, MISSING],
  ['by a key of nonsense', { extensions: [extension(ID.authority, NONSENSE)] }, IN, REVOKED],
  ['that is over', EXPIRED, 'CRL has expired at 0', 'CRL has expired at 0'],
  ['that has not begun', EARLY, 'CRL is not yet valid at 0', 'CRL is not yet valid at 0'],
  ['without an end', { untilHours: null }, IN, REVOKED],
  [
    'with an unknown critical extension',
    CRITICAL,
    'unhandled critical CRL extension at 0',
    'unhandled critical CRL extension at 0',
  ],
  [
    'with a critical number',
    { extensions: [extension(ID.number, Buffer.of(2, 1, 3), true)] },
    'unhandled critical CRL extension at 0',
    'unhandled critical CRL extension at 0',
  ],
  ['with one, that is over', { ...CRITICAL, ...EXPIRED }, 'CRL has expired at 0', 'CRL has expired at 0'],
  [
    'with entries of unknown critical extensions',
    entry(ID.unknown, Buffer.of(5, 0), true),
    'unhandled critical CRL extension at 0',
    'unhandled critical CRL extension at 0',
  ],
  ['with entries that are on hold no more', entry(ID.reason, Buffer.of(10, 1, 8)), IN, IN],
  ['with entries of keys that leaked', entry(ID.reason, Buffer.of(10, 1, 1)), IN, REVOKED],
  ['with entries whose reason is nonsense', entry(ID.reason, NONSENSE), IN, REVOKED],
  [
    "with entries of another issuer's certificates",
    entry(ID.certificateIssuer, der(0x30, directory('inter')), true),
    IN,
    IN,
  ],
  [
    "with entries of the issuer's certificates",
    entry(ID.certificateIssuer, der(0x30, directory('root')), true),
    IN,
    REVOKED,
  ],
];

describe('a revocation list', () => {
  it.each(ROWS.map(([what, more, off, on, chain = LEAF]) => ({ what, more, off, on, chain })))(
    '$what',
    ({ more, off, on, chain }) => {
      expect(outcome(list(root, [9], more), chain)).toBe(off);
      expect(outcome(list(root, [7], more), chain)).toBe(on);
    },
  );

  it.each([
    ['by a stranger', {}, 'CRL signature failure at 0'],
    ['by a stranger, that is over', EXPIRED, 'CRL has expired at 0'],
  ])('%s', (_what, more, reason) => {
    for (const number of [7, 9])
      expect(outcome(makeRevocationList(renewed, root.name, [serial(number)], more), LEAF)).toBe(reason);
  });

  it('of an authority that may sign none', () => {
    const reason = 'key usage does not include CRL signing at 0';
    expect(outcome(list(noLists, [9]), [client(7, noLists), noLists])).toBe(reason);
  });

  it('of an authority that is on it', () => {
    expect(outcome(list(root, [100]), LEAF)).toBe('certificate revoked at 1');
  });
});

describe('of several lists', () => {
  const pair = (first: [number[], OddRevocationList], second: [number[], OddRevocationList]): string =>
    list(root, ...first) + list(root, ...second);

  it.each([
    ['one in force goes before one that is over', pair([[7], EXPIRED], [[], {}]), IN],
    ['the newer one counts', pair([[7], { fromHours: -3 }], [[], { fromHours: -1 }]), IN],
    ['the newer one counts wherever it is', pair([[], { fromHours: -1 }], [[7], { fromHours: -3 }]), IN],
    [
      'one in scope goes before a newer one',
      pair([[], { fromHours: -3 }], [[7], { fromHours: -1, ...scope(flag(2)) }]),
      IN,
    ],
    [
      'one in scope goes before one in force',
      pair([[], { fromHours: -3, untilHours: -2 }], [[7], scope(flag(2))]),
      'CRL has expired at 0',
    ],
    [
      'one that is understood goes before a newer one',
      pair([[], { fromHours: -1, ...CRITICAL }], [[7], { fromHours: -3 }]),
      REVOKED,
    ],
    [
      'changes are passed over',
      pair([[7], { extensions: [extension(ID.delta, Buffer.of(2, 1, 3), true)] }], [[9], {}]),
      IN,
    ],
    ['one behind nonsense is not read', NO_LIST + list(root, [7]), MISSING],
    ['one before nonsense is', list(root, [7]) + NO_LIST, REVOKED],
  ])('%s', (_what, lists, result) => {
    expect(outcome(lists, LEAF)).toBe(result);
  });

  it.each([
    ["the root's alone", [list(root, [])], 'no list for 0'],
    ["the intermediate authority's alone", [list(inter, [])], 'no list for 1, 2'],
    ['both', [list(root, []), list(inter, [])], IN],
    ['both, the client on it', [list(root, []), list(inter, [8])], REVOKED],
    ['both, the authority on it', [list(root, [120]), list(inter, [])], 'certificate revoked at 1'],
    ['the authority on the only one', [list(root, [120])], 'certificate revoked at 1'],
    ["the intermediate authority's over", [list(root, []), list(inter, [], EXPIRED)], 'CRL has expired at 0'],
    [
      "the intermediate authority's early",
      [list(root, []), list(inter, [], EARLY)],
      'CRL is not yet valid at 0',
    ],
    ["the root's over", [list(root, [], EXPIRED), list(inter, [])], 'CRL has expired at 1'],
    ['for authorities and for users', [list(root, [], scope(flag(2))), list(inter, [], scope(flag(1)))], IN],
    ['for users, of the root', [list(root, [], scope(flag(1))), list(inter, [])], TOP_SCOPE],
  ])('for a client of an intermediate authority: %s', (_what, lists, result) => {
    expect(outcome(lists.join(''), BELOW_INTER)).toBe(result);
  });
});

it.each([
  [NO_LIST, 'CRL: loaded 0 CRLs from file [[INLINE]]'],
  ['', 'CRL: loaded 0 CRLs from file [[INLINE]]'],
  [list(root, []) + NO_LIST, 'CRL: loaded 1 CRLs from file [[INLINE]]'],
  [
    list(root, [], { extensions: [extension(ID.scope, NONSENSE)] }),
    'CRL: loaded 1 CRLs from file [[INLINE]]',
  ],
  [list(root, [7], entry(ID.reason, NONSENSE)), 'CRL: loaded 1 CRLs from file [[INLINE]]'],
])('what can not be read of a file is said, and how much was (%#)', (text, loaded) => {
  const log = new MemoryLogger(4);
  createRevocationLists({ sources: [{ kind: 'inline', text }], demanded: true, log, wallMs: Date.now });
  expect(log.lines).toEqual(['CRL: cannot read CRL from file [[INLINE]]', loaded]);
});

it.each([
  ['certificate has expired', 'VERIFY ERROR: depth=0, error=certificate revoked: CN=client, serial=7'],
  ['certificate signature failure', 'VERIFY ERROR: depth=0, error=certificate revoked: CN=client, serial=7'],
  [
    'unable to get local issuer certificate',
    'VERIFY ERROR: depth=0, error=unable to get local issuer certificate: CN=client, serial=7',
  ],
])('lists and %s', (reason, line) => {
  const log = new MemoryLogger(4);
  const revocation = createRevocationLists({
    sources: [{ kind: 'inline', text: list(root, [7]) }],
    demanded: true,
    log: new MemoryLogger(4),
    wallMs: Date.now,
  });
  new ChainCheck({
    chain: described(LEAF),
    problem: { reason, depth: 0 },
    policy: { chain: true, clientCert: 'require', revocation },
    log,
    equal: () => true,
    ask: undefined,
  });
  expect(log.lines.at(-1)).toBe(line);
});

function described(chain: readonly MadeCertificate[]) {
  return describeChain(chain.map(({ cert }) => new X509Certificate(cert).raw));
}

function outcome(text: string, chain: readonly MadeCertificate[]): string {
  const log = new MemoryLogger();
  const sources = [{ kind: 'inline', text }] as const;
  const check = createRevocationLists({ sources, demanded: true, log, wallMs: Date.now });
  const missing: number[] = [];
  const problem = check.chainProblem(described(chain), ({ depth }) => missing.push(depth));
  if (problem) return `${problem.reason} at ${problem.depth}`;
  if (missing.length === 0) return IN;
  return missing.length === chain.length ? MISSING : `no list for ${missing.join(', ')}`;
}

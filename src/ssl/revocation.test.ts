/** Revocation lists made by the openssl program, and their reading. */
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CN,
  der,
  extension,
  makeCertificate,
  makeRevocationList,
  rdn,
  UTF8_STRING,
} from '../../test-kit/odd-certificates.ts';
import { type KeyKind, TestPki } from '../../test-kit/tls-pki.ts';
import { MemoryLogger } from '../base/base.ts';
import { describeChain } from './peer-certificates-node.ts';
import {
  createRevocationDirectory,
  createRevocationLists,
  type RevocationSource,
} from './revocation-node.ts';
import type { PeerCertificate, RevocationCheck } from './ssl.ts';
import { readRevocationList, readRevocationLists, serialKey } from './x509-crl.ts';
import { readCertificate } from './x509-der.ts';

const DAY = 86_400_000;
let pki: TestPki;
let chain: readonly PeerCertificate[];
let dir: string;

beforeAll(() => {
  pki = new TestPki();
  const leaf = pki.issue({ subject: '/CN=client1', serial: 0x80f0 });
  chain = chainOf(leaf.cert, pki.ca.cert);
  dir = mkdtempSync(join(tmpdir(), 'ovpn-crl-'));
});
afterAll(() => {
  pki.close();
  rmSync(dir, { recursive: true, force: true });
});

describe('a revocation list', () => {
  it('speaks against the certificates it names and no others', () => {
    expect(problemOf(inline(pki.revoke([0x80f0])))).toEqual({ depth: 0, reason: 'certificate revoked' });
    expect(problemOf(inline(pki.revoke([0x80f1, 0xf0, 0x80f000])))).toBeUndefined();
    expect(problemOf(inline(pki.revoke([])))).toBeUndefined();
  });

  it.each(['rsa', 'ec', 'ed25519'] satisfies KeyKind[])('counts when its %s signature holds', (kind) => {
    const other = new TestPki('/CN=Signer', kind);
    const leaf = other.issue({ subject: '/CN=x', serial: 77 });
    const own = chainOf(leaf.cert, other.ca.cert);
    expect(problemOf(inline(other.revoke([77])), own)?.reason).toBe('certificate revoked');
    expect(problemOf(inline(other.revoke([78])), own)).toBeUndefined();
    // The same name, another key: a list that anybody could have made.
    const forger = new TestPki('/CN=Signer', kind);
    expect(problemOf(inline(forger.revoke([])), own)?.reason).toBe('CRL signature failure');
    other.close();
    forger.close();
  });

  it('has its time', () => {
    expect(problemOf(inline(pki.revoke([], -1)))?.reason).toBe('CRL has expired');
    const fresh = inline(pki.revoke([]));
    expect(problemOf(fresh, chain, Date.now() - DAY)?.reason).toBe('CRL is not yet valid');
    expect(problemOf(fresh, chain, Date.now() + 31 * DAY)?.reason).toBe('CRL has expired');
    // One in force goes before one that is not.
    expect(problemOf(inline(pki.revoke([0x80f0], -1) + pki.revoke([])))).toBeUndefined();
  });

  it.each([
    ['PrintableStrings', '/C=DE/O=Example/CN=Test CA', 'nombstr'],
    ['T61Strings', '/C=DE/O=Example/CN=Test CA', 'MASK:0x4'],
    ['BMPStrings', '/C=DE/O=Example/CN=Test CA', 'MASK:0x800'],
    ['UniversalStrings', '/C=DE/O=Example/CN=Test CA', 'MASK:0x100'],
    ['capitals', '/C=DE/O=EXAMPLE/CN=TEST ca', 'utf8only'],
    ['other blanks', '/C=DE/O=  Example /CN=Test   CA ', 'utf8only'],
  ])('counts when its issuer is spelled in %s', (_what, subject, mask) => {
    const signer = pki.respelled(subject, mask);
    const fields = readCertificate(new X509Certificate(readFileSync(signer)).raw)!;
    const own = readCertificate(chain[1]!.der)!;
    expect(Buffer.compare(fields.subjectDer, own.subjectDer)).not.toBe(0);
    expect(problemOf(inline(pki.revoke([0x80f0], 30, signer)))?.reason).toBe('certificate revoked');
    expect(problemOf(inline(pki.revoke([0x80f1], 30, signer)))).toBeUndefined();
  });

  it.each([
    ['another word', '/C=DE/O=Example/CN=Test CA 2'],
    ['letters that are capitals beyond ASCII', '/C=DE/O=Ex\u00c4mple/CN=Test CA'],
    ['another order', '/O=Example/C=DE/CN=Test CA'],
  ])('is not of an issuer whose name has %s', (_what, subject) => {
    const signer = pki.respelled(subject, 'utf8only');
    const missing: number[] = [];
    const check = create(inline(pki.revoke([0x80f0], 30, signer)));
    expect(check.chainProblem(chain, ({ depth }) => missing.push(depth))).toBeUndefined();
    expect(missing).toEqual([0, 1]);
  });

  it('of an earlier key of the same authority leaves those of its new key alone', () => {
    const name = der(0x30, rdn(CN, UTF8_STRING, 'CA'));
    const keyId = (value: number) => [extension(Buffer.of(0x55, 0x1d, 0x0e), der(0x04, Buffer.of(value)))];
    const listKeyId = (value: number) => [
      extension(Buffer.of(0x55, 0x1d, 0x23), der(0x30, der(0x80, Buffer.of(value)))),
    ];
    const subject = [rdn(CN, UTF8_STRING, 'CA')];
    const [before, after] = [1, 2].map((value) => makeCertificate({ subject, extensions: keyId(value) }));
    const leaf = makeCertificate({
      subject: [rdn(CN, UTF8_STRING, 'x')],
      serial: Buffer.of(7),
      issuer: after!,
    });
    const own = chainOf(leaf.cert, after!.cert);
    const serials = [Buffer.of(7)];
    const old = makeRevocationList(before!, name, serials, { extensions: listKeyId(1) });
    expect(problemOf(inline(old), own)).toBeUndefined();
    const fresh = makeRevocationList(after!, name, serials, { extensions: listKeyId(2) });
    expect(problemOf(inline(old + fresh), own)?.reason).toBe('certificate revoked');
    // A list that doesn't say of which key it is, is taken at its word, and its signature doesn't hold.
    expect(problemOf(inline(makeRevocationList(before!, name, serials)), own)?.reason).toBe(
      'CRL signature failure',
    );
  });

  it('of another authority says nothing, which is noted', () => {
    const other = new TestPki('/CN=Other CA');
    const missing: number[] = [];
    const check = create(inline(other.revoke([0x80f0])));
    expect(check.chainProblem(chain, ({ depth }) => missing.push(depth))).toBeUndefined();
    expect(missing).toEqual([0, 1]);
    expect(check.loaded).toBe(true);
    other.close();
  });

  it('that can not be read is none, and then nobody gets in', () => {
    const { check, log } = createLogged({ kind: 'inline', text: 'nonsense' });
    expect(check.loaded).toBe(false);
    expect(log.lines).toContain('CRL: cannot read CRL from file [[INLINE]]');
  });
});

describe('the file of --crl-verify', () => {
  it('is read again when it changed, and kept when it went away', () => {
    const path = join(dir, 'crl.pem');
    writeFileSync(path, pki.revoke([]));
    const { check, log } = createLogged({ kind: 'file', path });
    expect(check.chainProblem(chain, () => undefined)).toBeUndefined();
    check.refresh();
    expect(log.lines).toEqual([`CRL: loaded 1 CRLs from file ${path}`]);
    writeFileSync(path, pki.revoke([0x80f0]));
    utimesSync(path, 1_700_000_000, 1_700_000_000);
    check.refresh();
    expect(check.chainProblem(chain, () => undefined)?.reason).toBe('certificate revoked');
    unlinkSync(path);
    check.refresh();
    expect(log.lines.at(-1)).toBe('WARNING: Failed to stat CRL file, not reloading CRL.');
    expect(check.chainProblem(chain, () => undefined)?.reason).toBe('certificate revoked');
  });

  it('must be there at the start', () => {
    expect(() => create({ kind: 'file', path: join(dir, 'none.pem') })).toThrow(
      'ERROR: Failed to stat CRL file during initialization, exiting.',
    );
  });
});

it('a directory of serial numbers refuses those that have a file', () => {
  const log = new MemoryLogger();
  const check = createRevocationDirectory(dir, log);
  expect(check.accepts(chain[0]!, () => 'CN=client1')).toBe(true);
  writeFileSync(join(dir, String(0x80f0)), '');
  expect(check.accepts(chain[0]!, () => 'CN=client1')).toBe(false);
  expect(log.lines).toEqual(['VERIFY CRL: depth=0, CN=client1, serial=33008 is revoked']);
  // A serial number that makes a longer file name than there can be: nobody could revoke it.
  expect(check.accepts({ ...chain[0]!, depth: 0, serial: '7'.repeat(256) }, () => 'CN=client1')).toBe(false);
  expect(log.lines.at(-1)).toBe('VERIFY CRL: filename overflow');
});

describe('reading lists', () => {
  it('takes malformed ones for none, whatever they are', () => {
    const bytes = Buffer.from(pki.revoke([1, 2, 3]).split('\n').slice(1, -2).join(''), 'base64');
    expect([...readRevocationList(Uint8Array.from(bytes))!.serials]).toEqual(['01', '02', '03']);
    for (let length = 0; length < bytes.length; length++) {
      expect(readRevocationList(Uint8Array.from(bytes.subarray(0, length)))).toBeUndefined();
    }
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const changed = Uint8Array.from(bytes);
        changed[at] = value;
        const list = readRevocationList(changed);
        return list === undefined || list.signed.length <= changed.length;
      }),
    );
    fc.assert(fc.property(fc.uint8Array(), (noise) => readRevocationList(noise) === undefined));
    const none = '-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n';
    expect(readRevocationLists(none)).toEqual({ lists: [], good: false });
  });

  it('compares serial numbers by their value', () => {
    expect(serialKey(Uint8Array.of(0, 0x80, 0xf0))).toBe(serialKey(Uint8Array.of(0x80, 0xf0)));
    expect(serialKey(Uint8Array.of(0))).toBe('00');
  });
});

function chainOf(...pems: string[]): PeerCertificate[] {
  return describeChain(pems.map((pem) => new X509Certificate(pem).raw));
}

function inline(text: string): RevocationSource {
  return { kind: 'inline', text };
}

function problemOf(source: RevocationSource, of = chain, wallMs = Date.now() + 1000) {
  return create(source, wallMs).chainProblem(of, () => undefined);
}

function create(source: RevocationSource, wallMs?: number): RevocationCheck {
  return createLogged(source, wallMs).check;
}

function createLogged(source: RevocationSource, wallMs = Date.now() + 1000) {
  const log = new MemoryLogger();
  const check = createRevocationLists({ sources: [source], demanded: true, log, wallMs: () => wallMs });
  return { check, log };
}

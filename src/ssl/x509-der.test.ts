/** x509-der.ts against what openssl and node:crypto say, and against broken certificates. */
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  BMP_STRING,
  CN,
  makeCertificate,
  PRINTABLE_STRING,
  rdn,
  T61_STRING,
  UNIVERSAL_STRING,
  UTF8_STRING,
} from '../../test-kit/odd-certificates.ts';
import { TestPki } from '../../test-kit/tls-pki.ts';
import {
  alternativeEmails,
  nameField,
  nameText,
  readCertificate,
  serialText,
  signatureName,
} from './x509-der.ts';

let pki: TestPki;
let pem: string;
let der: Uint8Array;

beforeAll(() => {
  pki = new TestPki();
  pem = pki.issue({
    subject: '/C=DE/ST=Bayern/O=Example, Inc./OU=Lab+UID=u7/CN=cl\\\\ient 1/emailAddress=a@example.org',
    serial: 123456789,
    extensions: [
      'keyUsage=critical,digitalSignature,keyAgreement',
      'extendedKeyUsage=clientAuth,1.2.3.4.5',
      'nsCertType=client',
      'subjectAltName=email:first@example.org,DNS:x.example.org,email:last@example.org',
    ],
  }).cert;
  der = new X509Certificate(pem).raw;
});
afterAll(() => pki.close());

/** What ASN1_STRING_to_UTF8() makes of a common name, and what 2.x's log shows of it. */
describe('a name', () => {
  const read = (tag: number, value: Uint8Array | string) => {
    const { subject } = readCertificate(makeCertificate({ subject: [rdn(CN, tag, value)] }).der)!;
    return [nameField(subject, 'CN'), nameText(subject)];
  };

  it.each([
    ['keeps a byte order mark', UTF8_STRING, '\ufeffadmin', '\ufeffadmin'],
    ['is UTF-8', UTF8_STRING, 'Jörg \u{1f600}', 'Jörg \u{1f600}'],
    ['of T61 is Latin-1', T61_STRING, Buffer.of(0x4a, 0xf6), 'Jö'],
    ['is a BMPString', BMP_STRING, Buffer.of(0, 0x4a, 0x4e, 0x2d), 'J中'],
    ['is a UniversalString', UNIVERSAL_STRING, Buffer.of(0, 1, 0xf6, 0), '\u{1f600}'],
    ['is a PrintableString', PRINTABLE_STRING, 'Joe', 'Joe'],
  ])('%s', (_what, tag, value, text) => {
    expect(read(tag, value)).toEqual([text, `CN=${text}`]);
  });

  it.each([
    ['bad UTF-8', UTF8_STRING, Buffer.of(0x4a, 0xf6), 'CN=J\udcf6'],
    ['an overlong slash', UTF8_STRING, Buffer.of(0xc0, 0xaf), 'CN=\udcc0\udcaf'],
    ['half a surrogate pair', BMP_STRING, Buffer.of(0xd8, 0x3d), 'CN='],
    ['a surrogate pair', BMP_STRING, Buffer.of(0xd8, 0x3d, 0xde, 0), undefined],
    ['half a character', BMP_STRING, Buffer.of(0, 0x4a, 0), undefined],
    ['a character beyond Unicode', UNIVERSAL_STRING, Buffer.of(0, 0x11, 0, 0), undefined],
    ['a NUL', UTF8_STRING, 'admin\0.example', 'CN=admin\\00.example'],
    ['bytes that are no text', 0x04, 'admin', 'CN=admin'],
  ])('can not be used with %s', (_what, tag, value, shown) => {
    const [name, text] = read(tag, value);
    expect(name).toBeUndefined();
    if (shown !== undefined) expect(text).toBe(shown);
  });
});

describe('certificate fields', () => {
  it('agree with openssl on the one-line subject', () => {
    const args = ['x509', '-noout', '-subject', '-nameopt', 'sep_comma_plus_space,sname,utf8,esc_ctrl'];
    const text = execFileSync('openssl', args, { input: pem, encoding: 'utf8' }).trim();
    expect(`subject=${nameText(readCertificate(der)!.subject)}`).toBe(text);
  });

  it('agree with node:crypto on the rest', () => {
    const fields = readCertificate(der)!;
    const x509 = new X509Certificate(pem);
    expect(serialText(fields.serialBytes)).toBe('123456789');
    expect(fields.notBefore).toBe(Date.parse(x509.validFrom));
    expect(fields.notAfter).toBe(Date.parse(x509.validTo));
    expect(signatureName(fields.signatureOid)).toBe('ecdsa-with-SHA256');
    expect(fields.keyUsage).toBe(0x88);
    expect(fields.extendedKeyUsage).toEqual(['1.3.6.1.5.5.7.3.2', '1.2.3.4.5']);
    expect(fields.nsCertType).toBe(0x80);
    expect(alternativeEmails(fields, 'subject')).toEqual(['first@example.org', 'last@example.org']);
    expect(nameText(fields.issuer)).toBe('C=DE, O=Example, CN=Test CA');
  });

  it('are found by short name, long name and OID', () => {
    const { subject } = readCertificate(der)!;
    for (const name of ['OU', 'organizationalUnitName', '2.5.4.11'])
      expect(nameField(subject, name)).toBe('Lab');
    expect(nameField(subject, 'emailAddress')).toBe('a@example.org');
    expect(nameField(subject, 'nonsense')).toBeUndefined();
  });

  it('escape control characters and backslashes', () => {
    const value = (text: string) => nameText([[{ oid: '2.5.4.3', value: text }]]);
    expect(value('a\nb\\c\u007fü')).toBe('CN=a\\0Ab\\\\c\\7Fü');
    expect(nameText([[{ oid: '1.2.3.4', value: 'x' }]])).toBe('1.2.3.4=x');
  });

  it('of a broken certificate are never an exception', () => {
    for (let length = 0; length < der.length; length++)
      expect(readCertificate(der.subarray(0, length))).toBeUndefined();
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
        const broken = der.slice();
        broken[at] = byte;
        const fields = readCertificate(broken);
        if (fields) nameText(fields.subject);
      }),
      { numRuns: 2000 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void readCertificate(bytes)));
  });
});

/**
 * Attributes of certificates as --x509-track hands them to scripts (2.x ssl_verify_openssl.c x509_setenv_track(),
 * x509_track_add()): names of the subject, fingerprints, and extensions as OpenSSL's X509V3_EXT_print() shows them.
 */
import { shownAsn1Text } from './asn1-text.ts';
import { children, type Element, element, firstBits, oidText, SEQUENCE } from './der.ts';
import { fieldsOf } from './peer-fields.ts';
import type { PeerCertificate } from './ssl-backend.ts';
import { attributeName, attributeOid, extendedKeyUsageName, nameText, readNameAt } from './x509-der.ts';

/** Short name, long name, OID and printer of the extensions that are shown. */
const EXTENSIONS: readonly (readonly [string, string, string, (value: Uint8Array) => string | undefined])[] =
  [
    ['subjectAltName', 'X509v3 Subject Alternative Name', '2.5.29.17', generalNames],
    ['issuerAltName', 'X509v3 Issuer Alternative Name', '2.5.29.18', generalNames],
    ['keyUsage', 'X509v3 Key Usage', '2.5.29.15', (value) => bitNames(value, KEY_USAGES)],
    ['extendedKeyUsage', 'X509v3 Extended Key Usage', '2.5.29.37', extendedKeyUsages],
    ['basicConstraints', 'X509v3 Basic Constraints', '2.5.29.19', basicConstraints],
    ['subjectKeyIdentifier', 'X509v3 Subject Key Identifier', '2.5.29.14', keyIdentifier],
    ['nsCertType', 'Netscape Cert Type', '2.16.840.1.113730.1.1', (value) => bitNames(value, NS_TYPES)],
    ['nsComment', 'Netscape Comment', '2.16.840.1.113730.1.13', comment],
  ];

const KEY_USAGES = [
  'Digital Signature',
  'Non Repudiation',
  'Key Encipherment',
  'Data Encipherment',
  'Key Agreement',
  'Certificate Sign',
  'CRL Sign',
  'Encipher Only',
];
const NS_TYPES = [
  'SSL Client',
  'SSL Server',
  'S/MIME',
  'Object Signing',
  'Unused',
  'SSL CA',
  'S/MIME CA',
  'Object Signing CA',
];
const FINGERPRINTS: ReadonlyMap<string, 'sha1' | 'sha256'> = new Map([
  ['SHA1', 'sha1'],
  ['sha1', 'sha1'],
  ['SHA256', 'sha256'],
  ['sha256', 'sha256'],
]);

/** Whether --x509-track may name this attribute: short name, long name or OID. */
export function isTrackable(name: string): boolean {
  return (
    FINGERPRINTS.has(name) ||
    /^\d+(\.\d+)+$/.test(name) ||
    attributeOid(name) !== undefined ||
    EXTENSIONS.some(([short, long]) => name === short || name === long)
  );
}

/** The attribute's value; undefined when the certificate hasn't got it. Line ends become `?`. */
export function trackedValue(certificate: PeerCertificate, name: string): string | undefined {
  const fingerprint = FINGERPRINTS.get(name);
  if (fingerprint) return colonHex(certificate[fingerprint]);
  const fields = fieldsOf(certificate);
  if (!fields) return undefined;
  const known = EXTENSIONS.find(([short, long, oid]) => [short, long, oid].includes(name));
  const oid = known?.[2] ?? attributeOid(name) ?? name;
  const attribute = fields.subject.flat().find((candidate) => candidate.oid === oid);
  const extension = fields.extensions.find((candidate) => candidate.oid === oid);
  const value = attribute ? attribute.utf8 : extension && known?.[3](extension.value);
  return value?.replace(/[\r\n]/g, '?');
}

/**
 * Subject attributes in order, each under OpenSSL's short name: what scripts see without --x509-track. Those without such
 * a name, and those that are no text, are left out.
 */
export function subjectAttributes(certificate: PeerCertificate): { name: string; value: string }[] {
  const subject = fieldsOf(certificate)?.subject ?? [];
  return subject.flat().flatMap((attribute) => {
    const name = attributeName(attribute.oid);
    const value = name === undefined ? undefined : attribute.utf8;
    return name === undefined || value === undefined ? [] : [{ name, value }];
  });
}

function colonHex(hex: string): string {
  return hex.toUpperCase().replace(/(..)(?=.)/g, '$1:');
}

function bitNames(value: Uint8Array, names: readonly string[]): string | undefined {
  const bits = firstBits(value, whole(value));
  return bits === undefined ? undefined : names.filter((_name, i) => bits & (0x80 >> i)).join(', ');
}

function extendedKeyUsages(value: Uint8Array): string | undefined {
  const list = element(value, 0, value.length, SEQUENCE);
  const oids = list && children(value, list.start, list.end);
  return oids
    ?.map((item) => oidText(value.subarray(item.start, item.end)))
    .map((oid) => (oid === undefined ? '' : extendedKeyUsageName(oid)))
    .join(', ');
}

function basicConstraints(value: Uint8Array): string | undefined {
  const list = element(value, 0, value.length, SEQUENCE);
  const parts = list && children(value, list.start, list.end);
  if (!parts) return undefined;
  const ca = parts.some((part) => part.tag === 0x01 && value[part.start] !== 0);
  const length = parts.find((part) => part.tag === 0x02);
  const suffix = length ? `, pathlen:${value[length.end - 1]}` : '';
  return `CA:${ca ? 'TRUE' : 'FALSE'}${suffix}`;
}

function keyIdentifier(value: Uint8Array): string | undefined {
  const id = element(value, 0, value.length);
  return id && colonHex(Buffer.from(value.subarray(id.start, id.end)).toString('hex'));
}

function comment(value: Uint8Array): string | undefined {
  const text = element(value, 0, value.length);
  return text && shownAsn1Text(text.tag, value.subarray(text.start, text.end));
}

function generalNames(value: Uint8Array): string | undefined {
  const list = element(value, 0, value.length, SEQUENCE);
  const names = list && children(value, list.start, list.end);
  return names?.map((name) => generalName(value, name)).join(', ');
}

function generalName(der: Uint8Array, { tag, start, end }: Element): string {
  const bytes = der.subarray(start, end);
  switch (tag) {
    case 0xa0:
      return 'othername:<unsupported>';
    case 0x81:
      return `email:${shownAsn1Text(0x16, bytes)}`;
    case 0x82:
      return `DNS:${shownAsn1Text(0x16, bytes)}`;
    case 0xa4:
      return `DirName:${nameText(readNameAt(der, start, end) ?? [])}`;
    case 0x86:
      return `URI:${shownAsn1Text(0x16, bytes)}`;
    case 0x87:
      return `IP Address:${ipText(bytes)}`;
    case 0x88:
      return `Registered ID:${oidText(bytes) ?? ''}`;
    default:
      return '<unsupported>';
  }
}

/** IPv6 as OpenSSL prints it: eight groups, none left out. */
function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) return '<invalid>';
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!);
  return groups.map((group) => group.toString(16).toUpperCase()).join(':');
}

function whole(value: Uint8Array): Element {
  return { tag: 0, at: 0, start: 0, end: value.length, next: value.length };
}

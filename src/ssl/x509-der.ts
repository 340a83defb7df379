/**
 * Reading X.509 certificates (RFC 5280) as far as verification, logs and scripts need it: names,
 * serial, validity, key and signature kind, key usages. Every length is checked against its parent
 * before use; anything malformed gives undefined. Names are printed as OpenSSL's
 * X509_NAME_print_ex() does with the flags of 2.x x509_get_subject().
 */

import { readAsn1Text, shownAsn1Text } from './asn1-text.ts';
import {
  BOOLEAN,
  CONTEXT_0,
  CONTEXT_3,
  children,
  type Element,
  element,
  firstBits,
  INTEGER,
  isOid,
  OCTET_STRING,
  OID,
  oidAt,
  oidTextAt,
  readTime,
  SEQUENCE,
  SET,
  sequenceItems,
} from './der.ts';

/** One attribute of a distinguished name. */
export interface NameAttribute {
  readonly oid: string;
  /** As the one-line form of a name shows it, but for escapes. */
  readonly value: string;
  /** As user names and scripts get it: undefined where OpenSSL's ASN1_STRING_to_UTF8() fails. */
  readonly utf8: string | undefined;
  /** Tag and content of the string. */
  readonly tag: number;
  readonly bytes: Uint8Array;
}

/** RDNs in encoded order. */
export type Name = readonly (readonly NameAttribute[])[];

export interface X509Fields {
  /** Bytes of the serial number as encoded, big-endian. */
  readonly serialBytes: Uint8Array;
  readonly signatureOid: string;
  readonly issuer: Name;
  readonly subject: Name;
  readonly issuerDer: Uint8Array;
  readonly subjectDer: Uint8Array;
  /** Unix milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** First octet of key usage (digitalSignature = 0x80), undefined when absent. */
  readonly keyUsage: number | undefined;
  readonly extendedKeyUsage: readonly string[] | undefined;
  /** First octet of Netscape's certificate type (client 0x80, server 0x40), undefined when absent. */
  readonly nsCertType: number | undefined;
  readonly extensions: readonly X509Extension[];
}

/** One extension; `value` is the content of its OCTET STRING, a view. */
export interface X509Extension {
  readonly oid: string;
  readonly value: Uint8Array;
}

/** Longest name and most extensions of a certificate that is read: ten times those of any in use, and little enough work. */
const NAME_MAX_BYTES = 16 * 1024;
const EXTENSIONS_MAX = 128;

/**
 * Fields of a DER certificate, or undefined when it is malformed or larger than any that is used. Keeps `der`; texts are
 * made when they are asked for.
 */
export function readCertificate(der: Uint8Array): X509Fields | undefined {
  const certificate = element(der, 0, der.length, SEQUENCE);
  if (!certificate) return undefined;
  const tbs = element(der, certificate.start, certificate.end, SEQUENCE);
  const algorithm = tbs && element(der, tbs.next, certificate.end, SEQUENCE);
  const signatureOid = algorithm && oidAt(der, algorithm.start, algorithm.end);
  if (!tbs || signatureOid === undefined) return undefined;

  const fields = children(der, tbs.start, tbs.end);
  if (!fields) return undefined;
  const at = fields[0]?.tag === CONTEXT_0 ? 1 : 0;
  const [serial, , issuer, validity, subject] = fields.slice(at, at + 5);
  const extensions = fields.find((field, i) => i > at + 5 && field.tag === CONTEXT_3);
  if (serial?.tag !== INTEGER || serial.start === serial.end) return undefined;
  if (issuer?.tag !== SEQUENCE || validity?.tag !== SEQUENCE || subject?.tag !== SEQUENCE) return undefined;
  if (Math.max(issuer.end - issuer.start, subject.end - subject.start) > NAME_MAX_BYTES) return undefined;
  const issuerName = readName(der, issuer);
  const subjectName = readName(der, subject);
  const times = children(der, validity.start, validity.end);
  if (!issuerName || !subjectName || times?.length !== 2) return undefined;
  const notBefore = readTime(der, times[0]!);
  const notAfter = readTime(der, times[1]!);
  const extra = readExtensions(der, extensions);
  if (notBefore === undefined || notAfter === undefined || !extra) return undefined;

  return {
    serialBytes: der.slice(serial.start, serial.end),
    signatureOid,
    issuer: issuerName,
    subject: subjectName,
    issuerDer: der.slice(issuer.at, issuer.end),
    subjectDer: der.slice(subject.at, subject.end),
    notBefore,
    notAfter,
    ...extra,
  };
}

/**
 * Longest serial number that is shown, bytes. RFC 5280 allows 20; this many still fit into one log line of 2.x as
 * decimals, and turning more into decimals takes time that strangers would choose.
 */
export const SERIAL_MAX_BYTES = 4096;

/** A serial number in decimal (2.x backend_x509_get_serial()); at most SERIAL_MAX_BYTES of it. */
export function serialText(bytes: Uint8Array): string {
  const hex = bytesToHex(bytes.subarray(0, SERIAL_MAX_BYTES));
  const value = BigInt(`0x${hex}`);
  return (bytes[0]! >= 0x80 ? value - (1n << BigInt(hex.length * 4)) : value).toString();
}

/** One-line form of a name, e.g. `C=DE, O=Example, CN=client1`; several values of one RDN are joined by ` + `. */
export function nameText(name: readonly (readonly Pick<NameAttribute, 'oid' | 'value'>[])[]): string {
  return name
    .map((rdn) =>
      rdn.map((a) => `${NAME_BY_OID.get(a.oid)?.[0] ?? a.oid}=${escapeValue(a.value)}`).join(' + '),
    )
    .join(', ');
}

/**
 * The last attribute of the subject called `field` (short name, long name or OID); undefined when there is none or its
 * text can't be used.
 */
export function nameField(name: Name, field: string): string | undefined {
  const oid = /^[\d.]+$/.test(field) ? field : OID_BY_NAME.get(field);
  return name.flat().findLast((attribute) => attribute.oid === oid)?.utf8;
}

/** OpenSSL's short name of a name attribute; undefined for one that it doesn't know either. */
export function attributeName(oid: string): string | undefined {
  return NAME_BY_OID.get(oid)?.[0];
}

/** OID of a name attribute's short or long name; undefined for others. */
export function attributeOid(name: string): string | undefined {
  return OID_BY_NAME.get(name);
}

/** OpenSSL's short name of a signature algorithm, or its OID. */
export function signatureName(oid: string): string {
  return SIGNATURES.get(oid) ?? oid;
}

/** OpenSSL's long name of an extended key usage, or its OID. */
export function extendedKeyUsageName(oid: string): string {
  return EKU_NAMES.get(oid) ?? oid;
}

/** Types whose text counts in comparisons of names: UTF8, BMP, Universal, Printable, T61, IA5 and Visible strings. */
const COMPARED_AS_TEXT: ReadonlySet<number> = new Set([0x0c, 0x1e, 0x1c, 0x13, 0x14, 0x16, 0x1a]);

/**
 * A name as OpenSSL compares names (X509_NAME_cmp()): whatever type of string, small letters for ASCII ones, white space
 * at the ends left out and within made one space. Equal for equal names.
 */
export function canonicalName(name: Name): string {
  return JSON.stringify(name.map((rdn) => rdn.map(canonicalAttribute).sort()));
}

function canonicalAttribute(attribute: NameAttribute): string {
  const { oid, tag, bytes, utf8 } = attribute;
  if (!COMPARED_AS_TEXT.has(tag) || utf8 === undefined) return `${oid} ${tag} ${bytesToHex(bytes)}`;
  const text = utf8
    .replace(/[\t-\r ]+/g, ' ')
    .replace(/^ | $/g, '')
    .replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
  return `${oid}=${text}`;
}

function bytesToHex(bytes: Uint8Array): string {
  let hex = '';
  for (const byte of bytes) hex += byte.toString(16).padStart(2, '0');
  return hex;
}

const RFC822_NAME = 0x81;
const KEY_USAGE = '2.5.29.15';
const SUBJECT_KEY_ID = '2.5.29.14';
const SUBJECT_ALT_NAME = '2.5.29.17';
const BASIC_CONSTRAINTS = '2.5.29.19';
const ISSUER_ALT_NAME = '2.5.29.18';
const EXTENDED_KEY_USAGE = '2.5.29.37';
const NS_CERT_TYPE = '2.16.840.1.113730.1.1';

/** The rfc822Name entries of subjectAltName or issuerAltName, those that are no text left out. */
export function alternativeEmails(fields: X509Fields, of: 'subject' | 'issuer'): string[] {
  const wanted = of === 'subject' ? SUBJECT_ALT_NAME : ISSUER_ALT_NAME;
  const value = fields.extensions.findLast(({ oid }) => oid === wanted)?.value;
  const list = value && element(value, 0, value.length, SEQUENCE);
  const names = (list && children(value, list.start, list.end)) ?? [];
  return names
    .filter(({ tag }) => tag === RFC822_NAME)
    .flatMap(({ start, end }) => readAsn1Text(0x16, value!.subarray(start, end)) ?? []);
}

/** The identifier of a certificate's own key, by which lists name their signer. */
export function ownKeyId(fields: X509Fields): Uint8Array | undefined {
  const value = fields.extensions.find(({ oid }) => oid === SUBJECT_KEY_ID)?.value;
  const id = value && element(value, 0, value.length, OCTET_STRING);
  return id && value.subarray(id.start, id.end);
}

/** Whether it may issue others: basic constraints that say so. */
export function isAuthority(fields: X509Fields): boolean {
  const value = fields.extensions.find(({ oid }) => oid === BASIC_CONSTRAINTS)?.value;
  const list = value && element(value, 0, value.length, SEQUENCE);
  const flag = list && element(value, list.start, list.end, BOOLEAN);
  return flag !== undefined && value![flag.start] !== 0;
}

/** The name whose SEQUENCE starts at `start`. */
export function readNameAt(der: Uint8Array, start: number, end: number): NameAttribute[][] | undefined {
  const name = element(der, start, end, SEQUENCE);
  return name && readName(der, name);
}

function readName(der: Uint8Array, name: Element): NameAttribute[][] | undefined {
  const sets = children(der, name.start, name.end);
  if (!sets) return undefined;
  const rdns: NameAttribute[][] = [];
  for (const set of sets) {
    const rdn = set.tag === SET ? readRdn(der, set.start, set.end) : undefined;
    if (!rdn) return undefined;
    rdns.push(rdn);
  }
  return rdns;
}

/** The attributes of one RDN, whose SET has this content. */
export function readRdn(der: Uint8Array, start: number, end: number): NameAttribute[] | undefined {
  const pairs = children(der, start, end);
  if (!pairs) return undefined;
  const rdn: NameAttribute[] = [];
  for (const pair of pairs) {
    const oid = pair.tag === SEQUENCE ? element(der, pair.start, pair.end, OID) : undefined;
    const value = oid && element(der, oid.next, pair.end);
    if (!value || !isOid(der, oid.start, oid.end)) return undefined;
    rdn.push(new Attribute(der, oid, value));
  }
  return rdn;
}

/** Makes its texts when they are asked for: a name from a stranger may have thousands that nobody asks for. */
class Attribute implements NameAttribute {
  readonly #der: Uint8Array;
  readonly #type: Element;
  readonly #string: Element;

  constructor(der: Uint8Array, type: Element, string: Element) {
    this.#der = der;
    this.#type = type;
    this.#string = string;
  }

  get oid(): string {
    return oidTextAt(this.#der, this.#type.start, this.#type.end) ?? '';
  }

  get tag(): number {
    return this.#string.tag;
  }

  get bytes(): Uint8Array {
    return this.#der.subarray(this.#string.start, this.#string.end);
  }

  get value(): string {
    return shownAsn1Text(this.tag, this.bytes);
  }

  get utf8(): string | undefined {
    return readAsn1Text(this.tag, this.bytes);
  }
}

/** Control characters become `\XX`, the backslash is doubled. */
function escapeValue(value: string): string {
  return value.replace(TO_ESCAPE, (char) =>
    char === '\\' ? '\\\\' : `\\${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const TO_ESCAPE = /[\x00-\x1f\x7f\\]/g;

interface Extensions {
  keyUsage: number | undefined;
  extendedKeyUsage: string[] | undefined;
  nsCertType: number | undefined;
  extensions: X509Extension[];
}

function readExtensions(der: Uint8Array, wrapper: Element | undefined): Extensions | undefined {
  const result: Extensions = {
    keyUsage: undefined,
    extendedKeyUsage: undefined,
    nsCertType: undefined,
    extensions: [],
  };
  if (!wrapper) return result;
  const extensions = sequenceItems(der, wrapper.start, wrapper.end);
  if (!extensions || extensions.length > EXTENSIONS_MAX) return undefined;
  for (const extension of extensions) {
    const parts = children(der, extension.start, extension.end);
    const value = parts?.at(-1);
    const oid = parts?.[0]?.tag === OID ? oidTextAt(der, parts[0].start, parts[0].end) : undefined;
    if (oid === undefined || value?.tag !== OCTET_STRING) return undefined;
    result.extensions.push({ oid, value: der.subarray(value.start, value.end) });
    if (!readExtension(der, oid, value, result)) return undefined;
  }
  return result;
}

/** Whether what is known is well-formed. */
function readExtension(der: Uint8Array, oid: string, value: Element, result: Extensions): boolean {
  if (oid === KEY_USAGE || oid === NS_CERT_TYPE) {
    const bits = firstBits(der, value);
    if (bits === undefined) return false;
    if (oid === KEY_USAGE) result.keyUsage = bits;
    else result.nsCertType = bits;
  } else if (oid === EXTENDED_KEY_USAGE) {
    const oids = sequenceItems(der, value.start, value.end);
    if (!oids) return false;
    result.extendedKeyUsage = [];
    for (const item of oids) {
      const text = item.tag === OID ? oidTextAt(der, item.start, item.end) : undefined;
      if (text === undefined) return false;
      result.extendedKeyUsage.push(text);
    }
  } else if (oid === SUBJECT_ALT_NAME || oid === ISSUER_ALT_NAME) {
    const list = element(der, value.start, value.end, SEQUENCE);
    return list !== undefined && children(der, list.start, list.end) !== undefined;
  }
  return true;
}

/** OID, OpenSSL short name, long name. */
const NAMES: readonly (readonly [string, string, string])[] = [
  ['2.5.4.3', 'CN', 'commonName'],
  ['2.5.4.4', 'SN', 'surname'],
  ['2.5.4.5', 'serialNumber', 'serialNumber'],
  ['2.5.4.6', 'C', 'countryName'],
  ['2.5.4.7', 'L', 'localityName'],
  ['2.5.4.8', 'ST', 'stateOrProvinceName'],
  ['2.5.4.9', 'street', 'streetAddress'],
  ['2.5.4.10', 'O', 'organizationName'],
  ['2.5.4.11', 'OU', 'organizationalUnitName'],
  ['2.5.4.12', 'title', 'title'],
  ['2.5.4.13', 'description', 'description'],
  ['2.5.4.15', 'businessCategory', 'businessCategory'],
  ['2.5.4.16', 'postalAddress', 'postalAddress'],
  ['2.5.4.17', 'postalCode', 'postalCode'],
  ['2.5.4.20', 'telephoneNumber', 'telephoneNumber'],
  ['2.5.4.41', 'name', 'name'],
  ['2.5.4.42', 'GN', 'givenName'],
  ['2.5.4.43', 'initials', 'initials'],
  ['2.5.4.44', 'generationQualifier', 'generationQualifier'],
  ['2.5.4.45', 'x500UniqueIdentifier', 'x500UniqueIdentifier'],
  ['2.5.4.46', 'dnQualifier', 'dnQualifier'],
  ['2.5.4.65', 'pseudonym', 'pseudonym'],
  ['2.5.4.72', 'role', 'role'],
  ['2.5.4.97', 'organizationIdentifier', 'organizationIdentifier'],
  ['0.9.2342.19200300.100.1.1', 'UID', 'userId'],
  ['0.9.2342.19200300.100.1.3', 'mail', 'rfc822Mailbox'],
  ['0.9.2342.19200300.100.1.25', 'DC', 'domainComponent'],
  ['1.2.840.113549.1.9.1', 'emailAddress', 'emailAddress'],
  ['1.2.840.113549.1.9.2', 'unstructuredName', 'unstructuredName'],
  ['1.2.840.113549.1.9.8', 'unstructuredAddress', 'unstructuredAddress'],
  ['1.3.6.1.4.1.311.60.2.1.1', 'jurisdictionL', 'jurisdictionLocalityName'],
  ['1.3.6.1.4.1.311.60.2.1.2', 'jurisdictionST', 'jurisdictionStateOrProvinceName'],
  ['1.3.6.1.4.1.311.60.2.1.3', 'jurisdictionC', 'jurisdictionCountryName'],
];
const NAME_BY_OID = new Map(NAMES.map(([oid, short, long]) => [oid, [short, long] as const]));
const OID_BY_NAME = new Map(
  NAMES.flatMap(([oid, short, long]) => [[short, oid] as const, [long, oid] as const]),
);

const SIGNATURES: ReadonlyMap<string, string> = new Map([
  ['1.2.840.113549.1.1.4', 'RSA-MD5'],
  ['1.2.840.113549.1.1.5', 'RSA-SHA1'],
  ['1.2.840.113549.1.1.10', 'RSASSA-PSS'],
  ['1.2.840.113549.1.1.11', 'RSA-SHA256'],
  ['1.2.840.113549.1.1.12', 'RSA-SHA384'],
  ['1.2.840.113549.1.1.13', 'RSA-SHA512'],
  ['1.2.840.113549.1.1.14', 'RSA-SHA224'],
  ['1.2.840.10045.4.1', 'ecdsa-with-SHA1'],
  ['1.2.840.10045.4.3.1', 'ecdsa-with-SHA224'],
  ['1.2.840.10045.4.3.2', 'ecdsa-with-SHA256'],
  ['1.2.840.10045.4.3.3', 'ecdsa-with-SHA384'],
  ['1.2.840.10045.4.3.4', 'ecdsa-with-SHA512'],
  ['1.3.101.112', 'ED25519'],
  ['1.3.101.113', 'ED448'],
]);

const EKU_NAMES: ReadonlyMap<string, string> = new Map([
  ['1.3.6.1.5.5.7.3.1', 'TLS Web Server Authentication'],
  ['1.3.6.1.5.5.7.3.2', 'TLS Web Client Authentication'],
  ['1.3.6.1.5.5.7.3.3', 'Code Signing'],
  ['1.3.6.1.5.5.7.3.4', 'E-mail Protection'],
  ['1.3.6.1.5.5.7.3.5', 'IPSec End System'],
  ['1.3.6.1.5.5.7.3.6', 'IPSec Tunnel'],
  ['1.3.6.1.5.5.7.3.7', 'IPSec User'],
  ['1.3.6.1.5.5.7.3.8', 'Time Stamping'],
  ['1.3.6.1.5.5.7.3.9', 'OCSP Signing'],
  ['1.3.6.1.5.5.7.3.17', 'ipsec Internet Key Exchange'],
  ['1.3.6.1.4.1.311.10.3.3', 'Microsoft Server Gated Crypto'],
  ['2.16.840.1.113730.4.1', 'Netscape Server Gated Crypto'],
  ['2.5.29.37.0', 'Any Extended Key Usage'],
]);

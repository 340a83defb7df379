/**
 * Certificates that the openssl program wouldn't make: any serial number, names in any string type, extensions of
 * any bytes. DER by hand, signed with node:crypto. Test use only.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** One DER element. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const { length } = body;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), body]);
  const digits = length.toString(16);
  const bytes = Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex');
  return Buffer.concat([Buffer.of(tag, 0x80 | bytes.length), bytes, body]);
}

export const UTF8_STRING = 0x0c;
export const PRINTABLE_STRING = 0x13;
export const T61_STRING = 0x14;
export const UNIVERSAL_STRING = 0x1c;
export const BMP_STRING = 0x1e;
/** Content of the OID of commonName, 2.5.4.3. */
export const CN = Buffer.of(0x55, 0x04, 0x03);
export const SUBJECT_ALT_NAME = Buffer.of(0x55, 0x1d, 0x11);

/** A positive INTEGER of these bytes. */
export function integer(magnitude: Uint8Array): Buffer {
  return der(0x02, ...(magnitude[0]! >= 0x80 ? [Buffer.of(0)] : []), magnitude);
}

/** SubjectPublicKeyInfo of a key in bytes, with the content of its algorithm's OID and that one's parameters. */
export function publicKeyInfo(oid: Uint8Array, parameters: Uint8Array, key: Uint8Array): Buffer {
  return der(0x30, der(0x30, der(0x06, oid), parameters), der(0x03, Buffer.of(0), key));
}

/** An RDN of one attribute. */
export function rdn(oid: Uint8Array, tag: number, value: Uint8Array | string): Buffer {
  return der(0x31, attribute(oid, tag, value));
}

/** An attribute as an RDN has several of. */
export function attribute(oid: Uint8Array, tag: number, value: Uint8Array | string): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return der(0x30, der(0x06, oid), der(tag, bytes));
}

/** `extnID` and bytes of an extension's OCTET STRING. */
export function extension(oid: Uint8Array, value: Uint8Array, critical = false): Buffer {
  const flag = critical ? [der(0x01, Buffer.of(0xff))] : [];
  return der(0x30, der(0x06, oid), ...flag, der(0x04, value));
}

export interface OddCertificate {
  /** RDNs, see rdn(). */
  readonly subject: readonly Uint8Array[];
  /** Content of the INTEGER; one byte when left out. */
  readonly serial?: Uint8Array;
  readonly extensions?: readonly Uint8Array[];
  /** DER of a SubjectPublicKeyInfo in place of a new key's, whose private half `key` isn't then. */
  readonly publicKey?: Uint8Array;
  /** Whose key signs, with the DER of its name; the certificate's own when left out. */
  readonly issuer?: { readonly key: string; readonly name: Uint8Array };
}

export interface MadeCertificate {
  readonly der: Buffer;
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** DER of the subject's name. */
  readonly name: Buffer;
}

const ECDSA_SHA256 = Buffer.from('06082a8648ce3d040302', 'hex');
const NOT_BEFORE = Buffer.from('20200101000000Z');
const NOT_AFTER = Buffer.from('20491231235959Z');

/** Makes it, with a new EC key. The issuer's key must be an EC one. */
export function makeCertificate(wanted: OddCertificate): MadeCertificate {
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = der(0x30, ...wanted.subject);
  const signer: KeyObject = wanted.issuer ? createPrivateKey(wanted.issuer.key) : own.privateKey;
  const { extensions = [] } = wanted;
  const tbs = der(
    0x30,
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, wanted.serial ?? Buffer.of(1)),
    der(0x30, ECDSA_SHA256),
    wanted.issuer?.name ?? name,
    der(0x30, der(0x18, NOT_BEFORE), der(0x18, NOT_AFTER)),
    name,
    wanted.publicKey ?? own.publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length > 0 ? [der(0xa3, der(0x30, ...extensions))] : []),
  );
  const signature = sign('sha256', tbs, signer);
  const bytes = der(0x30, tbs, der(0x30, ECDSA_SHA256), der(0x03, Buffer.of(0), signature));
  return {
    der: bytes,
    cert: toPem('CERTIFICATE', bytes),
    key: own.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    name,
  };
}

export interface OddRevocationList {
  readonly extensions?: readonly Uint8Array[];
  /** Of every entry. */
  readonly entryExtensions?: readonly Uint8Array[];
  /** Hours from now; an hour ago and a day from now when left out, `null`: no next update. */
  readonly fromHours?: number;
  readonly untilHours?: number | null;
}

/** A revocation list of `issuer`, made with its key, whose name is `name`. */
export function makeRevocationList(
  issuer: { readonly key: string },
  name: Uint8Array,
  serials: readonly Uint8Array[],
  { extensions = [], entryExtensions = [], fromHours = -1, untilHours = 24 }: OddRevocationList = {},
): string {
  const time = (hours: number): Buffer => {
    const text = new Date(Date.now() + hours * 3_600_000).toISOString().replace(/\D/g, '');
    return der(0x18, Buffer.from(`${text.slice(0, 14)}Z`));
  };
  const about = entryExtensions.length > 0 ? [der(0x30, ...entryExtensions)] : [];
  const entries = serials.map((serial) => der(0x30, der(0x02, serial), time(-1), ...about));
  const tbs = der(
    0x30,
    der(0x02, Buffer.of(1)),
    der(0x30, ECDSA_SHA256),
    name,
    time(fromHours),
    ...(untilHours === null ? [] : [time(untilHours)]),
    ...(entries.length > 0 ? [der(0x30, ...entries)] : []),
    ...(extensions.length > 0 ? [der(0xa0, der(0x30, ...extensions))] : []),
  );
  const signature = sign('sha256', tbs, createPrivateKey(issuer.key));
  return toPem('X509 CRL', der(0x30, tbs, der(0x30, ECDSA_SHA256), der(0x03, Buffer.of(0), signature)));
}

export function toPem(kind: string, bytes: Uint8Array): string {
  const lines = Buffer.from(bytes).toString('base64').replace(/.{64}/g, '$&\n').trimEnd();
  return `-----BEGIN ${kind}-----\n${lines}\n-----END ${kind}-----\n`;
}

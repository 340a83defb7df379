/**
 * Reading of certificate revocation lists (RFC 5280 section 5), PEM or DER. What a list can't be trusted for is noted:
 * indirect and delta lists, lists of some reasons or kinds only, unknown critical extensions. Signatures are not checked
 * here.
 *
 *   CertificateList : tbsCertList { [version] signature issuer thisUpdate [nextUpdate] [revoked] [0] extensions }
 *                     algorithm || BIT STRING signature
 */
import {
  BIT_STRING,
  CONTEXT_0,
  children,
  type Element,
  element,
  INTEGER,
  OCTET_STRING,
  oidAt,
  readTime,
  SEQUENCE,
} from './der.ts';
import { canonicalName, readNameAt } from './x509-der.ts';

export interface RevocationList {
  /** The issuer's name, see canonicalName(). */
  readonly issuer: string;
  /** Identifier of the key that signed; undefined when the list doesn't say. */
  readonly keyId: Uint8Array | undefined;
  /** Unix milliseconds. */
  readonly thisUpdate: number;
  readonly nextUpdate: number | undefined;
  /** Revoked serial numbers, lower-case hex of their magnitude. */
  readonly serials: ReadonlySet<string>;
  /** A critical extension that isn't understood, or a scope that doesn't cover all certificates. */
  readonly unusable: boolean;
  /** What is signed, and how. Views into the list's own bytes. */
  readonly signed: Uint8Array;
  readonly signatureOid: string;
  /** DER of the algorithm's parameters; empty when there are none. */
  readonly signatureParameters: Uint8Array;
  readonly signature: Uint8Array;
}

const BLOCK = /-----BEGIN X509 CRL-----([^-]*)-----END X509 CRL-----/g;
const BOOLEAN = 0x01;
/** [0], primitive. */
const KEY_ID = 0x80;
const CRL_NUMBER = '2.5.29.20';
const AUTHORITY_KEY_ID = '2.5.29.35';

/** All lists of a PEM text. A block that isn't a list makes the result undefined. */
export function readRevocationLists(pem: string): RevocationList[] | undefined {
  const lists: RevocationList[] = [];
  for (const [, body = ''] of pem.matchAll(BLOCK)) {
    const list = readRevocationList(Uint8Array.from(Buffer.from(body, 'base64')));
    if (!list) return undefined;
    lists.push(list);
  }
  return lists;
}

/** One list in DER, or undefined when it is malformed. Keeps `der`. */
export function readRevocationList(der: Uint8Array): RevocationList | undefined {
  const outer = element(der, 0, der.length, SEQUENCE);
  const parts = outer && children(der, outer.start, outer.end);
  if (parts?.length !== 3) return undefined;
  const [tbs, algorithm, signature] = parts as [Element, Element, Element];
  if (tbs.tag !== SEQUENCE || algorithm.tag !== SEQUENCE || signature.tag !== BIT_STRING) return undefined;
  const signatureOid = oidAt(der, algorithm.start, algorithm.end);
  if (signatureOid === undefined || signature.end - signature.start < 2 || der[signature.start] !== 0)
    return undefined;
  const body = readBody(der, tbs);
  if (!body) return undefined;
  const oid = element(der, algorithm.start, algorithm.end);
  return {
    ...body,
    signed: der.subarray(tbs.at, tbs.end),
    signatureOid,
    signatureParameters: der.subarray(oid!.next, algorithm.end),
    signature: der.subarray(signature.start + 1, signature.end),
  };
}

/** A serial number as RevocationList.serials has it. */
export function serialKey(bytes: Uint8Array): string {
  let at = 0;
  while (at < bytes.length - 1 && bytes[at] === 0) at++;
  let text = '';
  for (; at < bytes.length; at++) text += bytes[at]!.toString(16).padStart(2, '0');
  return text;
}

type Body = Pick<RevocationList, 'issuer' | 'keyId' | 'thisUpdate' | 'nextUpdate' | 'serials' | 'unusable'>;

function readBody(der: Uint8Array, tbs: Element): Body | undefined {
  const fields = children(der, tbs.start, tbs.end);
  if (!fields) return undefined;
  let at = fields[0]?.tag === INTEGER ? 1 : 0;
  const [signature, issuer, first] = fields.slice(at, at + 3);
  if (signature?.tag !== SEQUENCE || issuer?.tag !== SEQUENCE || !first) return undefined;
  const thisUpdate = readTime(der, first);
  if (thisUpdate === undefined) return undefined;
  at += 3;
  const nextUpdate = fields[at] && readTime(der, fields[at]!);
  if (nextUpdate !== undefined) at++;
  const revoked = fields[at]?.tag === SEQUENCE ? readRevoked(der, fields[at++]!) : NONE_REVOKED;
  const extensions = fields[at]?.tag === CONTEXT_0 ? fields[at] : undefined;
  const extra = extensions ? readExtensions(der, extensions) : { usable: true, keyId: undefined };
  const name = readNameAt(der, issuer.at, issuer.end);
  if (!revoked || !extra || !name) return undefined;
  return {
    issuer: canonicalName(name),
    keyId: extra.keyId,
    thisUpdate,
    nextUpdate,
    serials: revoked.serials,
    unusable: !extra.usable || revoked.criticalEntries,
  };
}

interface Revoked {
  readonly serials: ReadonlySet<string>;
  /** An entry has a critical extension, and means something else than it seems. */
  readonly criticalEntries: boolean;
}

const NONE_REVOKED: Revoked = { serials: new Set(), criticalEntries: false };

function readRevoked(der: Uint8Array, list: Element): Revoked | undefined {
  const serials = new Set<string>();
  let criticalEntries = false;
  for (let at = list.start; at < list.end; ) {
    const entry = element(der, at, list.end, SEQUENCE);
    const serial = entry && element(der, entry.start, entry.end, INTEGER);
    if (!entry || !serial || serial.start === serial.end) return undefined;
    serials.add(serialKey(der.subarray(serial.start, serial.end)));
    const time = element(der, serial.next, entry.end);
    const extensions = time && element(der, time.next, entry.end, SEQUENCE);
    if (extensions && children(der, extensions.start, extensions.end)?.some((one) => isCritical(der, one)))
      criticalEntries = true;
    at = entry.next;
  }
  return { serials, criticalEntries };
}

/** What the extensions say; undefined when they are malformed. */
function readExtensions(
  der: Uint8Array,
  wrapper: Element,
): { readonly usable: boolean; readonly keyId: Uint8Array | undefined } | undefined {
  const list = element(der, wrapper.start, wrapper.end, SEQUENCE);
  const extensions = list && children(der, list.start, list.end);
  if (!extensions) return undefined;
  let usable = true;
  let keyId: Uint8Array | undefined;
  for (const extension of extensions) {
    const value = children(der, extension.start, extension.end)?.at(-1);
    const oid = extension.tag === SEQUENCE ? oidAt(der, extension.start, extension.end) : undefined;
    if (oid === undefined || value?.tag !== OCTET_STRING) return undefined;
    if (oid === AUTHORITY_KEY_ID) keyId = readKeyId(der, value);
    // Neither says that the list is for some certificates only; those that do are critical.
    else if (oid !== CRL_NUMBER && isCritical(der, extension)) usable = false;
  }
  return { usable, keyId };
}

function isCritical(der: Uint8Array, extension: Element): boolean {
  const critical = children(der, extension.start, extension.end)?.[1];
  return critical?.tag === BOOLEAN && der[critical.start] !== 0;
}

/** `keyIdentifier [0]` of an authority key identifier. */
function readKeyId(der: Uint8Array, value: Element): Uint8Array | undefined {
  const list = element(der, value.start, value.end, SEQUENCE);
  const id = list && element(der, list.start, list.end, KEY_ID);
  return id && der.subarray(id.start, id.end);
}

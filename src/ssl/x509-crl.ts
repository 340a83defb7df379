/**
 * Reading of certificate revocation lists (RFC 5280 section 5), PEM or DER, with OpenSSL's leniency: an extension that
 * is known but malformed counts as absent, and makes its list garbled(). Signatures are not checked here.
 *
 *   CertificateList : tbsCertList { [version] signature issuer thisUpdate [nextUpdate] [revoked] [0] extensions }
 *                     algorithm || BIT STRING signature
 */
import { directoryKey, generalNames, type ListScope, readListScope } from './crl-scope.ts';
import {
  BIT_STRING,
  BOOLEAN,
  CONTEXT_0,
  children,
  type Element,
  element,
  INTEGER,
  OCTET_STRING,
  oidAt,
  readTime,
  SEQUENCE,
  sequenceItems,
} from './der.ts';
import { canonicalName, type Name, readNameAt } from './x509-der.ts';

export interface RevocationList {
  /** The issuer's name, see canonicalName(). */
  readonly issuer: string;
  /** Whose key signed; undefined when the list doesn't say. */
  readonly authority: AuthorityKey | undefined;
  /** Unix milliseconds. */
  readonly thisUpdate: number;
  readonly nextUpdate: number | undefined;
  /** Serial numbers of the issuer's own that are revoked, lower-case hex of their magnitude. */
  readonly serials: ReadonlySet<string>;
  /** Changes to another list only. */
  readonly delta: boolean;
  /** Which certificates it is about; undefined for all. */
  readonly scope: ListScope | undefined;
  /** A critical extension of the list or an entry isn't understood. */
  readonly critical: boolean;
  /** A known extension is malformed. */
  readonly garbled: boolean;
  /** What is signed, and how. Views into the list's own bytes. */
  readonly signed: Uint8Array;
  readonly signatureOid: string;
  /** DER of the algorithm's parameters; empty when there are none. */
  readonly signatureParameters: Uint8Array;
  readonly signature: Uint8Array;
}

/** What a list says of its signer's certificate; each part may be missing. */
export interface AuthorityKey {
  readonly keyId: Uint8Array | undefined;
  /** Of the certificate's own issuer, see directoryKey(). */
  readonly issuers: ReadonlySet<string> | undefined;
  /** See serialKey(). */
  readonly serial: string | undefined;
}

const BLOCK = /-----BEGIN X509 CRL-----([^-]*)-----END X509 CRL-----/g;
const ENUMERATED = 0x0a;
/** Parts of an authority key identifier. */
const KEY_ID = 0x80;
const KEY_ISSUER = 0xa1;
const KEY_SERIAL = 0x82;
const CRL_REASON = '2.5.29.21';
const DELTA_CRL = '2.5.29.27';
const ISSUING_DISTRIBUTION_POINT = '2.5.29.28';
const CERTIFICATE_ISSUER = '2.5.29.29';
const AUTHORITY_KEY_ID = '2.5.29.35';
const REMOVE_FROM_CRL = 8;

/** The lists of a PEM text, up to the first block that is none, and whether all of it is good and there is any. */
export function readRevocationLists(pem: string): {
  readonly lists: readonly RevocationList[];
  readonly good: boolean;
} {
  const lists: RevocationList[] = [];
  for (const [, body = ''] of pem.matchAll(BLOCK)) {
    const list = readRevocationList(Uint8Array.from(Buffer.from(body, 'base64')));
    if (!list) return { lists, good: false };
    lists.push(list);
  }
  return { lists, good: lists.length > 0 && !lists.some((list) => list.garbled) };
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

type Body = Omit<RevocationList, 'signed' | 'signatureOid' | 'signatureParameters' | 'signature'>;

function readBody(der: Uint8Array, tbs: Element): Body | undefined {
  const fields = children(der, tbs.start, tbs.end);
  if (!fields) return undefined;
  let at = fields[0]?.tag === INTEGER ? 1 : 0;
  const [signature, issuer, first] = fields.slice(at, at + 3);
  if (signature?.tag !== SEQUENCE || issuer?.tag !== SEQUENCE || !first) return undefined;
  const thisUpdate = readTime(der, first);
  const name = readNameAt(der, issuer.at, issuer.end);
  if (thisUpdate === undefined || !name) return undefined;
  at += 3;
  const nextUpdate = fields[at] && readTime(der, fields[at]!);
  if (nextUpdate !== undefined) at++;
  const revoked = fields[at]?.tag === SEQUENCE ? readRevoked(der, fields[at++]!, name) : NONE_REVOKED;
  const wrapper = fields[at]?.tag === CONTEXT_0 ? fields[at] : undefined;
  const list = wrapper && element(der, wrapper.start, wrapper.end, SEQUENCE);
  const extensions = wrapper ? list && readExtensions(der, list) : [];
  if (!revoked || !extensions) return undefined;
  const extra = understand(extensions, name);
  return {
    issuer: canonicalName(name),
    thisUpdate,
    nextUpdate,
    serials: revoked.serials,
    ...extra,
    critical: extra.critical || revoked.critical,
    garbled: extra.garbled || revoked.garbled,
  };
}

interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Uint8Array;
}

/** Undefined when they are no extensions. */
function readExtensions(der: Uint8Array, list: Element): Extension[] | undefined {
  const extensions: Extension[] = [];
  for (const extension of children(der, list.start, list.end) ?? [undefined]) {
    const parts = extension?.tag === SEQUENCE ? children(der, extension.start, extension.end) : undefined;
    const oid = extension && parts && oidAt(der, extension.start, extension.end);
    const value = parts?.at(-1);
    if (oid === undefined || value?.tag !== OCTET_STRING) return undefined;
    const flag = parts![1];
    const critical = flag?.tag === BOOLEAN && der[flag.start] !== 0;
    extensions.push({ oid, critical, value: der.subarray(value.start, value.end) });
  }
  return extensions;
}

/** What the list's own extensions say. OpenSSL has a meaning for three that are critical. */
function understand(extensions: readonly Extension[], issuer: Name) {
  const contentOf = (wanted: string): Uint8Array | undefined =>
    extensions.find(({ oid }) => oid === wanted)?.value;
  const point = contentOf(ISSUING_DISTRIBUTION_POINT);
  const scope = point && readListScope(point, issuer);
  const key = contentOf(AUTHORITY_KEY_ID);
  const authority = key && readAuthority(key);
  const base = contentOf(DELTA_CRL);
  const delta = base !== undefined && element(base, 0, base.length, INTEGER) !== undefined;
  const understood = [ISSUING_DISTRIBUTION_POINT, AUTHORITY_KEY_ID, DELTA_CRL];
  return {
    authority,
    scope,
    delta,
    critical: extensions.some(({ oid, critical }) => critical && !understood.includes(oid)),
    garbled:
      (point !== undefined && !scope) || (key !== undefined && !authority) || (base !== undefined && !delta),
  };
}

function readAuthority(value: Uint8Array): AuthorityKey | undefined {
  const parts = sequenceItems(value, 0, value.length);
  if (!parts) return undefined;
  const bytesOf = (tag: number): Uint8Array | undefined => {
    const part = parts.find((one) => one.tag === tag);
    return part && value.subarray(part.start, part.end);
  };
  const serial = bytesOf(KEY_SERIAL);
  const names = bytesOf(KEY_ISSUER);
  return {
    keyId: bytesOf(KEY_ID),
    issuers: names && generalNames(names, 0, names.length),
    serial: serial && serialKey(serial),
  };
}

interface Revoked {
  readonly serials: ReadonlySet<string>;
  readonly critical: boolean;
  readonly garbled: boolean;
}

const NONE_REVOKED: Revoked = { serials: new Set(), critical: false, garbled: false };

/** Entries of another issuer's certificates, and of such that are on hold no more, revoke nothing. */
function readRevoked(der: Uint8Array, list: Element, issuer: Name): Revoked | undefined {
  const serials = new Set<string>();
  let critical = false;
  let garbled = false;
  let own = true;
  for (let at = list.start; at < list.end; ) {
    const entry = element(der, at, list.end, SEQUENCE);
    const serial = entry && element(der, entry.start, entry.end, INTEGER);
    if (!entry || !serial || serial.start === serial.end) return undefined;
    const time = element(der, serial.next, entry.end);
    const wrapper = time && element(der, time.next, entry.end, SEQUENCE);
    const extensions = wrapper ? readExtensions(der, wrapper) : [];
    if (!extensions) return undefined;
    let removed = false;
    for (const extension of extensions) {
      // It holds for the entries behind it, too.
      if (extension.oid === CERTIFICATE_ISSUER) own = namesIssuer(extension.value, issuer);
      else if (extension.critical) critical = true;
      if (extension.oid !== CRL_REASON) continue;
      const reason = element(extension.value, 0, extension.value.length, ENUMERATED);
      if (!reason) garbled = true;
      else removed = extension.value[reason.end - 1] === REMOVE_FROM_CRL;
    }
    if (own && !removed) serials.add(serialKey(der.subarray(serial.start, serial.end)));
    at = entry.next;
  }
  return { serials, critical, garbled };
}

function namesIssuer(value: Uint8Array, issuer: Name): boolean {
  const list = element(value, 0, value.length, SEQUENCE);
  const names = list && generalNames(value, list.start, list.end);
  return names?.has(directoryKey(issuer)) ?? false;
}

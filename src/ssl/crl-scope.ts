/**
 * Which certificates a revocation list is about: its issuing distribution point (RFC 5280 section 5.2.5) against the
 * distribution points of a certificate (section 4.2.1.13), as OpenSSL compares them.
 *
 *   IssuingDistributionPoint : [0] name  [1] only users  [2] only authorities  [3] reasons  [4] indirect  [5] only attributes
 *   DistributionPoint        : [0] name  [1] reasons  [2] CRL issuer
 *   name                     : [0] full names | [1] an RDN below the issuer's name
 */
import { children, type Element, element, sequenceItems } from './der.ts';
import { canonicalName, isAuthority, type Name, readNameAt, readRdn, type X509Fields } from './x509-der.ts';

/** What a list says that it is for. */
export interface ListScope {
  readonly onlyUsers: boolean;
  readonly onlyAuthorities: boolean;
  readonly onlyAttributes: boolean;
  /** For several issuers, for some reasons, or contradicting itself: passed over, as by OpenSSL without extended support. */
  readonly passedOver: boolean;
  /** Names of the distribution point; undefined when there is none. */
  readonly point: ReadonlySet<string> | undefined;
}

const CRL_DISTRIBUTION_POINTS = '2.5.29.31';
const FULL_NAME = 0xa0;
const RELATIVE_NAME = 0xa1;
const CRL_ISSUER = 0xa2;
const DIRECTORY_NAME = 0xa4;

/** Reads an issuing distribution point of a list of `issuer`; undefined when it is malformed. */
export function readListScope(value: Uint8Array, issuer: Name): ListScope | undefined {
  const parts = sequenceItems(value, 0, value.length);
  if (!parts) return undefined;
  const find = (tag: number): Element | undefined => parts.find((part) => part.tag === tag);
  const says = (tag: number): boolean => {
    const flag = find(tag);
    return flag !== undefined && value[flag.start] !== 0;
  };
  const [onlyUsers, onlyAuthorities, onlyAttributes] = [says(0x81), says(0x82), says(0x85)];
  const limits = [onlyUsers, onlyAuthorities, onlyAttributes].filter(Boolean).length;
  const passedOver = limits > 1 || says(0x84) || find(0x83) !== undefined;
  const name = find(0xa0);
  const point = name && pointNames(value, name, issuer);
  if (name && !point) return undefined;
  return { onlyUsers, onlyAuthorities, onlyAttributes, passedOver, point };
}

/** Whether a list of the certificate's issuer is about the certificate. */
export function covers(scope: ListScope | undefined, certificate: X509Fields): boolean {
  if (!scope) return true;
  if (scope.onlyAttributes) return false;
  if (isAuthority(certificate) ? scope.onlyUsers : scope.onlyAuthorities) return false;
  const { point } = scope;
  return point === undefined || certificatePoints(certificate).some((names) => meet(names, point));
}

/** Canonical names of GeneralNames, those of other kinds by their bytes; undefined when they are malformed. */
export function generalNames(der: Uint8Array, start: number, end: number): Set<string> | undefined {
  const names = new Set<string>();
  for (const item of children(der, start, end) ?? []) {
    const directory = item.tag === DIRECTORY_NAME ? readNameAt(der, item.start, item.end) : undefined;
    if (item.tag === DIRECTORY_NAME && !directory) return undefined;
    names.add(
      directory ? directoryKey(directory) : `${item.tag} ${der.subarray(item.start, item.end).join()}`,
    );
  }
  return names;
}

/** What generalNames() has for a directory name. */
export function directoryKey(name: Name): string {
  return `directory ${canonicalName(name)}`;
}

/** Names of each distribution point that is the certificate's own issuer's; undefined for one that has none and fits all. */
function certificatePoints(certificate: X509Fields): (ReadonlySet<string> | undefined)[] {
  const value = certificate.extensions.find(({ oid }) => oid === CRL_DISTRIBUTION_POINTS)?.value;
  const points = (value && sequenceItems(value, 0, value.length)) ?? [];
  return points.flatMap((point) => {
    const parts = children(value!, point.start, point.end) ?? [];
    const issuers = parts.find((part) => part.tag === CRL_ISSUER);
    const named = issuers && generalNames(value!, issuers.start, issuers.end);
    if (named && !named.has(directoryKey(certificate.issuer))) return [];
    const name = parts.find((part) => part.tag === FULL_NAME);
    return [name && pointNames(value!, name, certificate.issuer)];
  });
}

function pointNames(der: Uint8Array, wrapper: Element, issuer: Name): Set<string> | undefined {
  const name = element(der, wrapper.start, wrapper.end);
  if (name?.tag === FULL_NAME) return generalNames(der, name.start, name.end);
  const rdn = name?.tag === RELATIVE_NAME ? readRdn(der, name.start, name.end) : undefined;
  return rdn && new Set([directoryKey([...issuer, rdn])]);
}

function meet(names: ReadonlySet<string> | undefined, others: ReadonlySet<string>): boolean {
  if (!names) return true;
  for (const name of names) if (others.has(name)) return true;
  return false;
}

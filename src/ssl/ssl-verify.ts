/**
 * Checks of the peer's certificates that follow the engine's own (2.x ssl_verify.c verify_cert(),
 * verify_peer_cert(); ssl_verify_openssl.c): fingerprints, key usage, names. Order, log lines and
 * levels are 2.x's. Pure: the walk over the chain, which may wait for scripts, is in chain-check.ts.
 */
import { bytesOfText, type Logger } from '../base/base.ts';
import { D_HANDSHAKE, D_TLS_ERRORS } from '../base/errlevel.ts';
import { replaceControlCharacters } from './key-method-2.ts';
import { fieldsOf } from './peer-fields.ts';
import type { VerifyPolicy } from './ssl.ts';
import type { PeerCertificate } from './ssl-backend.ts';
import { alternativeEmails, extendedKeyUsageName, nameField, type X509Fields } from './x509-der.ts';

/** TLS_USERNAME_LEN: bytes of one field of the common name. */
const NAME_FIELD_MAX = 64;
/** Bytes of the common name when several fields are joined. */
const COMMON_NAME_MAX = 255;
/** MAX_CERT_DEPTH. */
export const MAX_CERT_DEPTH = 16;
const KU_DIGITAL_SIGNATURE = 0x80;
const KU_KEY_ENCIPHERMENT = 0x20;
const KU_KEY_AGREEMENT = 0x08;
const NS_CLIENT = 0x80;
const NS_SERVER = 0x40;
const EKU_SERVER = '1.3.6.1.5.5.7.3.1';
const EKU_CLIENT = '1.3.6.1.5.5.7.3.2';
const EKU_GATED_CRYPTO = ['1.3.6.1.4.1.311.10.3.3', '2.16.840.1.113730.4.1'];

/** Subject as logs, scripts and --verify-x509-name see it. */
export function cleanSubject(certificate: PeerCertificate): string {
  return replaceControlCharacters(certificate.subject).replace(/^-+/, (dashes) => '_'.repeat(dashes.length));
}

/**
 * The common name (--x509-username-field, CN by default; several fields are joined by `_`), or
 * undefined with a log line when the leaf lacks it.
 */
export function commonNameOf(
  leaf: PeerCertificate,
  policy: Pick<VerifyPolicy, 'x509UsernameField'>,
  log: Logger,
): string | undefined {
  const fields = fieldsOf(leaf);
  const wanted = policy.x509UsernameField?.length ? policy.x509UsernameField : ['CN'];
  const parts: string[] = [];
  for (const field of wanted) {
    const value = field === 'CN' ? leaf.commonName : fields && usernameField(fields, field, log);
    if (value === undefined || byteLength(value) > NAME_FIELD_MAX) {
      const subject = cleanSubject(leaf);
      log.log(
        D_TLS_ERRORS,
        `VERIFY ERROR: could not extract ${field} from X509 subject string ('${subject}') -- note that the field length is limited to ${NAME_FIELD_MAX} characters`,
      );
      return undefined;
    }
    parts.push(value);
    if (byteLength(parts.join('_')) > COMMON_NAME_MAX) {
      log.log(
        D_TLS_ERRORS,
        `VERIFY ERROR: could not append ${field} from X509 certificate -- note that the username length is limited to ${COMMON_NAME_MAX} characters`,
      );
      return undefined;
    }
  }
  return replaceControlCharacters(parts.join('_'));
}

/** Whether the leaf is one of --peer-fingerprint, compared in constant time; true without that option. */
export function fingerprintMatches(
  leaf: PeerCertificate,
  policy: VerifyPolicy,
  equal: (a: Uint8Array, b: Uint8Array) => boolean,
  log: Logger,
): boolean {
  return !policy.peerFingerprints || isOneOf(leaf.sha256, policy.peerFingerprints, equal, log);
}

/** Whether the certificate at depth 1 is one of --verify-hash; true at other depths and without that option. */
export function authorityHashMatches(
  certificate: PeerCertificate,
  policy: VerifyPolicy,
  equal: (a: Uint8Array, b: Uint8Array) => boolean,
  log: Logger,
): boolean {
  if (!policy.verifyHash || certificate.depth !== 1) return true;
  const { algorithm, hashes } = policy.verifyHash;
  return isOneOf(algorithm === 'SHA1' ? certificate.sha1 : certificate.sha256, hashes, equal, log);
}

function isOneOf(
  hash: string,
  candidates: readonly string[],
  equal: (a: Uint8Array, b: Uint8Array) => boolean,
  log: Logger,
): boolean {
  const encoder = new TextEncoder();
  const own = encoder.encode(hash);
  let found = false;
  for (const candidate of candidates) if (equal(encoder.encode(candidate), own)) found = true;
  if (!found) {
    const got = hash.replace(/..(?=.)/g, '$&:');
    log.log(
      D_TLS_ERRORS,
      `TLS Error: --tls-verify/--peer-fingerprint certificate hash verification failed. (got certificate fingerprint: ${got})`,
    );
  }
  return found;
}

/** --ns-cert-type, --remote-cert-ku, --remote-cert-eku, --verify-x509-name on the leaf. */
export function leafPasses(
  leaf: PeerCertificate,
  commonName: string,
  policy: VerifyPolicy,
  log: Logger,
): boolean {
  return (
    nsCertTypePasses(leaf, policy, log) &&
    keyUsagePasses(leaf, policy, log) &&
    extendedKeyUsagePasses(leaf, policy, log) &&
    namePasses(leaf, commonName, policy, log)
  );
}

function nsCertTypePasses(leaf: PeerCertificate, policy: VerifyPolicy, log: Logger): boolean {
  const { nsCertType } = policy;
  if (!nsCertType) return true;
  const type = nsCertType.toUpperCase();
  const fields = fieldsOf(leaf);
  const bit = nsCertType === 'server' ? NS_SERVER : NS_CLIENT;
  if (fields && (purposeFits(fields, nsCertType) || ((fields.nsCertType ?? 0) & bit) !== 0)) {
    log.log(D_HANDSHAKE, `VERIFY OK: nsCertType=${type}`);
    return true;
  }
  log.log(D_HANDSHAKE, `VERIFY nsCertType ERROR: ${cleanSubject(leaf)}, require nsCertType=${type}`);
  return false;
}

/** OpenSSL's X509_check_purpose(): each extension that is there must allow the purpose. */
function purposeFits(fields: X509Fields, purpose: 'client' | 'server'): boolean {
  const server = purpose === 'server';
  const ekus = server ? [EKU_SERVER, ...EKU_GATED_CRYPTO] : [EKU_CLIENT];
  const ku = KU_DIGITAL_SIGNATURE | KU_KEY_AGREEMENT | (server ? KU_KEY_ENCIPHERMENT : 0);
  if (fields.extendedKeyUsage && !fields.extendedKeyUsage.some((oid) => ekus.includes(oid))) return false;
  if (fields.keyUsage !== undefined && (fields.keyUsage & ku) === 0) return false;
  return fields.nsCertType === undefined || (fields.nsCertType & (server ? NS_SERVER : NS_CLIENT)) !== 0;
}

function keyUsagePasses(leaf: PeerCertificate, policy: VerifyPolicy, log: Logger): boolean {
  const { remoteCertKu } = policy;
  if (!remoteCertKu) return true;
  const passes = keyUsageFits(leaf.keyUsage, remoteCertKu, log);
  log.log(D_HANDSHAKE, passes ? 'VERIFY KU OK' : 'VERIFY KU ERROR');
  return passes;
}

function keyUsageFits(usage: number | undefined, wanted: readonly number[], log: Logger): boolean {
  if (usage === undefined) {
    log.log(D_TLS_ERRORS, 'Certificate does not have key usage extension');
    return false;
  }
  if (wanted.length === 0) return true;
  log.log(D_HANDSHAKE, 'Validating certificate key usage');
  if (wanted.some((mask) => mask !== 0 && (usage & mask) === mask)) return true;
  log.log(D_TLS_ERRORS, `ERROR: Certificate has key usage ${hex4(usage)}, expected one of:`);
  for (const mask of wanted) log.log(D_TLS_ERRORS, ` * ${hex4(mask)}`);
  return false;
}

function extendedKeyUsagePasses(leaf: PeerCertificate, policy: VerifyPolicy, log: Logger): boolean {
  const { remoteCertEku } = policy;
  if (remoteCertEku === undefined) return true;
  const passes = extendedKeyUsageFits(leaf.extendedKeyUsage, remoteCertEku, log);
  log.log(D_HANDSHAKE, passes ? 'VERIFY EKU OK' : 'VERIFY EKU ERROR');
  return passes;
}

function extendedKeyUsageFits(usages: readonly string[] | undefined, wanted: string, log: Logger): boolean {
  if (!usages) {
    log.log(D_HANDSHAKE, 'Certificate does not have extended key usage extension');
    return false;
  }
  log.log(D_HANDSHAKE, 'Validating certificate extended key usage');
  for (const oid of usages) {
    for (const [kind, name] of [
      ['str', extendedKeyUsageName(oid)],
      ['oid', oid],
    ] as const) {
      log.log(D_HANDSHAKE, `++ Certificate has EKU (${kind}) ${name}, expects ${wanted}`);
      if (name === wanted) return true;
    }
  }
  return false;
}

function namePasses(leaf: PeerCertificate, commonName: string, policy: VerifyPolicy, log: Logger): boolean {
  const wanted = policy.verifyX509Name;
  if (!wanted) return true;
  const subject = cleanSubject(leaf);
  const matches = {
    subject: subject === wanted.name,
    name: commonName === wanted.name,
    'name-prefix': commonName.startsWith(wanted.name),
  };
  if (matches[wanted.type]) {
    log.log(D_HANDSHAKE, `VERIFY X509NAME OK: ${subject}`);
    return true;
  }
  log.log(D_HANDSHAKE, `VERIFY X509NAME ERROR: ${subject}, must be ${wanted.name}`);
  return false;
}

function usernameField(fields: X509Fields, field: string, log: Logger): string | undefined {
  if (field === 'ext:subjectAltName') return alternativeEmails(fields, 'subject').at(-1);
  if (field === 'ext:issuerAltName') return alternativeEmails(fields, 'issuer').at(-1);
  if (field.startsWith('ext:')) {
    log.log(D_TLS_ERRORS, `ERROR: --x509-username-field '${field}' not supported`);
    return undefined;
  }
  if (field === 'serialNumber') return `0x${hexUpper(fields.serialBytes)}`;
  return nameField(fields.subject, field);
}

function hexUpper(bytes: Uint8Array): string {
  // OpenSSL keeps the magnitude: the sign byte of the encoding is not part of it.
  const from = bytes.length > 1 && bytes[0] === 0 ? 1 : 0;
  return Array.from(bytes.subarray(from), (byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join(
    '',
  );
}

function hex4(value: number): string {
  return value.toString(16).padStart(4, '0');
}

function byteLength(text: string): number {
  return bytesOfText(text).length;
}

/**
 * What scripts see of a peer: certificates and address (2.x ssl_verify.c verify_cert_set_env(), setenv_untrusted(),
 * ssl_verify_openssl.c x509_setenv(), x509_setenv_track()). Control characters are replaced here, as in 2.x, where the
 * environment would leave them out.
 */
import type { LinkAddress } from '../base/base.ts';
import {
  cleanSubject,
  type PeerCertificate,
  replaceControlCharacters,
  subjectAttributes,
  trackedValue,
} from '../ssl/ssl.ts';
import type { EnvSet } from './env-set.ts';

/** An attribute of --x509-track; `chain`: of all certificates, not the leaf only. */
export interface TrackedAttribute {
  readonly name: string;
  readonly chain: boolean;
}

/** Attributes of one name: 2.x numbers them up to 999. */
const MOST_OF_A_NAME = 1000;

/** `trusted_ip` or `untrusted_ip` with port; IPv6 goes to the name with 6. */
export function setPeerAddress(env: EnvSet, prefix: 'trusted' | 'untrusted', address: LinkAddress): void {
  env.set(address.family === 4 ? `${prefix}_ip` : `${prefix}_ip6`, address.address);
  env.set(`${prefix}_port`, address.port);
}

/** A whole chain, leaf first; nothing of an earlier one stays (2.x tls_x509_clear_env()). */
export function setChain(
  env: EnvSet,
  chain: readonly PeerCertificate[],
  tracked: readonly TrackedAttribute[] | undefined,
): void {
  env.deletePrefix('X509_');
  for (const certificate of [...chain].reverse()) setCertificate(env, certificate, tracked);
}

/**
 * X509_n_FIELD (all of the subject, or what is tracked), tls_id_n, tls_digest_n, tls_serial_n of one certificate.
 * A chain comes from its authority to the leaf: the fields of those below belong to an earlier one.
 */
export function setCertificate(
  env: EnvSet,
  certificate: PeerCertificate,
  tracked: readonly TrackedAttribute[] | undefined,
): void {
  const { depth } = certificate;
  for (let below = 0; below <= depth; below++) env.deletePrefix(`X509_${below}_`);
  if (tracked) setTracked(env, certificate, tracked);
  else setSubject(env, certificate);
  env.set(`tls_id_${depth}`, cleanSubject(certificate));
  env.set(`tls_digest_${depth}`, colonHex(certificate.sha1));
  env.set(`tls_digest_sha256_${depth}`, colonHex(certificate.sha256));
  env.set(`tls_serial_${depth}`, certificate.serial);
  const hex = BigInt(certificate.serial.replace('-', '')).toString(16);
  env.set(`tls_serial_hex_${depth}`, colonHex(hex.length % 2 ? `0${hex}` : hex));
}

/** X509_0_OU, X509_0_OU_1, ...: counted here, since trying names until one is free costs the square of their number. */
function setSubject(env: EnvSet, certificate: PeerCertificate): void {
  const counts = new Map<string, number>();
  for (const { name, value } of subjectAttributes(certificate)) {
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    if (count >= MOST_OF_A_NAME) continue;
    env.set(
      `X509_${certificate.depth}_${name}${count === 0 ? '' : `_${count}`}`,
      replaceControlCharacters(value),
    );
  }
}

function setTracked(env: EnvSet, certificate: PeerCertificate, tracked: readonly TrackedAttribute[]): void {
  for (const { name, chain } of tracked) {
    if (certificate.depth > 0 && !chain) continue;
    const value = trackedValue(certificate, name);
    if (value !== undefined) env.set(`X509_${certificate.depth}_${name}`, value);
  }
}

function colonHex(hex: string): string {
  return hex.replace(/(..)(?=.)/g, '$1:');
}

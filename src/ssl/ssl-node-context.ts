/**
 * From TlsEngineConfig to a SecureContext of node:tls (2.x ssl_openssl.c tls_ctx_*()): versions,
 * cipher lists, profiles, keys. What can't be used is reported as TlsError in 2.x's words; which part
 * was at fault is found by loading the parts one by one.
 */
import { constants, X509Certificate } from 'node:crypto';
import tls from 'node:tls';
import { errorMessage, TlsError } from '../base/base.ts';
import {
  authoritiesProblem,
  certificateProblem,
  EXTRA_CERTS_PROBLEM,
  KEY_MISMATCH,
  keyProblem,
  partName,
} from './context-problem.ts';
import { PKCS12_FAILED, readPkcs12 } from './pkcs12-node.ts';
import type { TlsEngineConfig } from './ssl-backend.ts';
import {
  DEFAULT_TLS_CIPHERS,
  DEFAULT_TLS_CIPHERSUITES,
  defaultGroups,
  opensslCipherList,
  opensslCiphersuites,
} from './tls-ciphers.ts';

/** Security level of OpenSSL per --tls-cert-profile. */
const SECURITY_LEVEL = { insecure: 0, legacy: 1, preferred: 2, suiteb: 3 } as const;
/** What OpenSSL's SUITEB128 stands for; by that name no security level could be set beside it. */
const SUITE_B_CIPHERS = 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384';
const SUITE_B_SIGNATURES = 'ECDSA+SHA256:ECDSA+SHA384';
const SUITE_B_GROUPS = 'P-256:P-384';

/** Throws TlsError when a certificate, key, list or version can't be used. */
export function createSecureContext(given: TlsEngineConfig): tls.SecureContext {
  if (given.externalKey) throw new TlsError('node:tls takes no private key that lives elsewhere');
  checkTexts(given);
  const config = withOwnAuthorities(given);
  try {
    return tls.createSecureContext(contextOptions(config));
  } catch (cause) {
    const { key, keyPassphrase } = config;
    const phrase = keyPassphrase === undefined ? {} : { passphrase: keyPassphrase };
    if (key !== undefined && loads({ ciphers: cipherOption(config) }) && !loads({ key, ...phrase }))
      throw keyProblem(config, String(cause));
    const problem = contextProblem(config, cause);
    if (problem === KEY_MISMATCH) throw keyProblem(config, problem);
    throw new TlsError(problem, { cause });
  }
}

/**
 * A PKCS#12 file's authorities are trusted when the configuration names no others, and only complete the own chain
 * when it does. node:tls would trust them in any case.
 */
function withOwnAuthorities(config: TlsEngineConfig): TlsEngineConfig {
  const { pkcs12, ...rest } = config;
  if (!pkcs12 || !config.ca?.length) return config;
  const { cert, key, authorities } = readPkcs12(pkcs12, config.keyPassphrase ?? '');
  return { ...rest, cert, key, extraCerts: [config.extraCerts ?? '', ...authorities].join('\n') };
}

/** node:tls passes over texts without what they are for; 2.x doesn't. */
function checkTexts(config: TlsEngineConfig): void {
  const { ca = [], extraCerts, dh = 'auto' } = config;
  if (!ca.every(holdsCertificate)) throw new TlsError(authoritiesProblem(config));
  if (extraCerts !== undefined && !holdsCertificate(extraCerts)) {
    throw new TlsError(EXTRA_CERTS_PROBLEM);
  }
  if (dh !== 'auto' && !/-----BEGIN (X9\.42 )?DH PARAMETERS-----/.test(dh)) {
    throw new TlsError(`Cannot load DH parameters from ${partName(config, 'dh')}`);
  }
}

function holdsCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

function contextOptions(config: TlsEngineConfig): tls.SecureContextOptions {
  const options: tls.SecureContextOptions = {
    // An empty list, not undefined: undefined would trust the public authorities.
    ca: [...(config.ca ?? [])],
    ciphers: cipherOption(config),
    minVersion: `TLSv1${version(config.minVersion ?? '1.2')}` as tls.SecureVersion,
    maxVersion: `TLSv1${version(config.maxVersion ?? '1.3')}` as tls.SecureVersion,
    honorCipherOrder: true,
    sessionIdContext: 'OpenVPN',
    secureOptions:
      constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_COMPRESSION | constants.SSL_OP_NO_RENEGOTIATION,
  };
  if (config.cert !== undefined) options.cert = [config.cert, config.extraCerts ?? ''].join('\n');
  if (config.key !== undefined) options.key = config.key;
  if (config.keyPassphrase !== undefined) options.passphrase = config.keyPassphrase;
  if (config.pkcs12) options.pfx = Buffer.from(config.pkcs12);
  if (config.dh !== undefined) options.dhparam = config.dh;
  const suiteB = config.certProfile === 'suiteb';
  if (suiteB) options.sigalgs = SUITE_B_SIGNATURES;
  const groups = config.groups ?? (suiteB ? SUITE_B_GROUPS : defaultGroups(config.role));
  if (groups !== undefined) options.ecdhCurve = groups;
  return options;
}

function version(text: '1.0' | '1.1' | '1.2' | '1.3'): string {
  return text === '1.0' ? '' : text.slice(1);
}

/** One list for both kinds: node:tls tells TLS 1.3 suites by their `TLS_` prefix. */
function cipherOption(config: TlsEngineConfig): string {
  const { certProfile = 'legacy' } = config;
  const suites = config.ciphersuites ? opensslCiphersuites(config.ciphersuites) : DEFAULT_TLS_CIPHERSUITES;
  const ofProfile = certProfile === 'suiteb' ? SUITE_B_CIPHERS : DEFAULT_TLS_CIPHERS;
  const older = config.ciphers ? opensslCipherList(config.ciphers) : ofProfile;
  return `${suites}:${older}:@SECLEVEL=${SECURITY_LEVEL[certProfile]}`;
}

/** 2.x's message for the first part that fails alone. */
function contextProblem(config: TlsEngineConfig, cause: unknown): string {
  const { cert, key, keyPassphrase, pkcs12, dh } = config;
  const phrase = keyPassphrase === undefined ? {} : { passphrase: keyPassphrase };
  const level = { ciphers: cipherOption(config) };
  if (!loads(level))
    return `Failed to set restricted TLS cipher list: ${config.ciphers ?? config.ciphersuites}`;
  if (config.ca?.length && !loads({ ca: [...config.ca] })) return authoritiesProblem(config);
  if (pkcs12 && !loads({ pfx: Buffer.from(pkcs12), ...phrase, ...level }))
    return /mac verify|unsupported/i.test(String(cause))
      ? PKCS12_FAILED
      : 'Error reading inline PKCS#12 file';
  if (cert !== undefined && !loads({ cert, ...level })) return certificateProblem(config);
  if (config.extraCerts !== undefined && !loads({ cert: config.extraCerts, ...level }))
    return EXTRA_CERTS_PROBLEM;
  if (cert !== undefined && key !== undefined && !loads({ cert, key, ...phrase, ...level })) {
    return KEY_MISMATCH;
  }
  if (dh !== undefined && !loads({ dhparam: dh }))
    return `Cannot load DH parameters from ${partName(config, 'dh')}`;
  if (config.groups !== undefined && !loads({ ecdhCurve: config.groups })) {
    return `Failed to set allowed TLS group list: ${config.groups}`;
  }
  return errorMessage(cause);
}

function loads(options: tls.SecureContextOptions): boolean {
  try {
    tls.createSecureContext(options);
    return true;
  } catch {
    return false;
  }
}

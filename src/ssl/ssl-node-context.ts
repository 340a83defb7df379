/**
 * From TlsEngineConfig to a SecureContext of node:tls (2.x ssl_openssl.c tls_ctx_*()): versions,
 * cipher lists, profiles, keys. What can't be used is reported as TlsError in 2.x's words; which part
 * was at fault is found by loading the parts one by one.
 */
import { constants, X509Certificate } from 'node:crypto';
import tls from 'node:tls';
import { TlsError } from '../base/base.ts';
import type { TlsEngineConfig } from './ssl-backend.ts';
import {
  DEFAULT_TLS_CIPHERS,
  DEFAULT_TLS_CIPHERSUITES,
  opensslCipherList,
  opensslCiphersuites,
} from './tls-ciphers.ts';

/** Security level of OpenSSL per --tls-cert-profile. */
const SECURITY_LEVEL = { insecure: 0, legacy: 1, preferred: 2, suiteb: 2 } as const;

/** Throws TlsError when a certificate, key, list or version can't be used. */
export function createSecureContext(config: TlsEngineConfig): tls.SecureContext {
  if (config.externalKey) throw new TlsError('node:tls takes no private key that lives elsewhere');
  checkTexts(config);
  try {
    return tls.createSecureContext(contextOptions(config));
  } catch (cause) {
    throw new TlsError(contextProblem(config, cause), { cause });
  }
}

/** node:tls passes over texts without what they are for; 2.x doesn't. */
function checkTexts({ ca = [], extraCerts, dh = 'auto' }: TlsEngineConfig): void {
  if (!ca.every(holdsCertificate)) throw new TlsError('Cannot load inline CA certificate file');
  if (extraCerts !== undefined && !holdsCertificate(extraCerts)) {
    throw new TlsError('Cannot load inline extra certificate file');
  }
  if (dh !== 'auto' && !/-----BEGIN (X9\.42 )?DH PARAMETERS-----/.test(dh)) {
    throw new TlsError('Cannot load DH parameters from inline file');
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
  if (config.crl?.length) options.crl = [...config.crl];
  if (config.dh !== undefined) options.dhparam = config.dh;
  if (config.groups !== undefined) options.ecdhCurve = config.groups;
  return options;
}

function version(text: '1.0' | '1.1' | '1.2' | '1.3'): string {
  return text === '1.0' ? '' : text.slice(1);
}

/** One list for both kinds: node:tls tells TLS 1.3 suites by their `TLS_` prefix. */
function cipherOption(config: TlsEngineConfig): string {
  const { certProfile = 'legacy' } = config;
  const suites = config.ciphersuites ? opensslCiphersuites(config.ciphersuites) : DEFAULT_TLS_CIPHERSUITES;
  const ofProfile = certProfile === 'suiteb' ? 'SUITEB128' : DEFAULT_TLS_CIPHERS;
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
  if (config.ca?.length && !loads({ ca: [...config.ca] })) return 'Cannot load inline CA certificate file';
  if (pkcs12 && !loads({ pfx: Buffer.from(pkcs12), ...phrase, ...level }))
    return 'Error reading inline PKCS#12 file';
  if (cert !== undefined && !loads({ cert, ...level })) return 'Cannot load inline certificate file';
  if (config.extraCerts !== undefined && !loads({ cert: config.extraCerts, ...level })) {
    return 'Cannot load inline extra certificate file';
  }
  if (key !== undefined && !loads({ key, ...phrase, ...level })) return 'Cannot load inline private key file';
  if (cert !== undefined && key !== undefined && !loads({ cert, key, ...phrase, ...level })) {
    return 'Private key does not match the certificate';
  }
  if (dh !== undefined && !loads({ dhparam: dh })) return 'Cannot load DH parameters from inline file';
  if (config.crl?.length && !loads({ crl: [...config.crl] })) return 'CRL: cannot read CRL from inline file';
  if (config.groups !== undefined && !loads({ ecdhCurve: config.groups })) {
    return `Failed to set allowed TLS group list: ${config.groups}`;
  }
  return cause instanceof Error ? cause.message : String(cause);
}

function loads(options: tls.SecureContextOptions): boolean {
  try {
    tls.createSecureContext(options);
    return true;
  } catch {
    return false;
  }
}

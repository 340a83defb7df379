/**
 * From TlsEngineConfig to a TlsContext of the addon (2.x ssl.c init_ssl(), ssl_openssl.c tls_ctx_*()), in
 * 2.x's order: the security level bears on the keys loaded after it, an own certificate must be there
 * before its key. What OpenSSL refuses becomes a TlsError in 2.x's words with OpenSSL's own as its cause.
 */
import { TlsError } from '../base/base.ts';
import type { NativeAddon, NativeTlsContext } from '../native/native.ts';
import {
  authoritiesProblem,
  certificateProblem,
  EXTRA_CERTS_PROBLEM,
  KEY_MISMATCH,
  keyProblem,
  partName,
} from './context-problem.ts';
import type { TlsEngineConfig } from './ssl-backend.ts';
import {
  DEFAULT_TLS_CIPHERS,
  DEFAULT_TLS_CIPHERSUITES,
  defaultGroups,
  opensslCipherList,
  opensslCiphersuites,
} from './tls-ciphers.ts';

const VERSION = { '1.0': 0x0301, '1.1': 0x0302, '1.2': 0x0303, '1.3': 0x0304 } as const;
/** Security level of OpenSSL per --tls-cert-profile (2.x tls_ctx_set_cert_profile()). */
const SECURITY_LEVEL = { insecure: 0, legacy: 1, preferred: 2, suiteb: 3 } as const;
/** Set before the list in use, it stays in force for that list too. */
const SUITEB_CIPHERS = 'SUITEB128';

/** Throws TlsError when a certificate, key, list or version can't be used. */
export function createNativeContext(addon: NativeAddon, given: TlsEngineConfig): NativeTlsContext {
  const config = withoutNul(given);
  const context = new addon.TlsContext(config.role === 'server', config.requestCert);
  try {
    setLimits(context, config);
    loadOwn(context, config);
    loadTrust(context, config);
    return context;
  } catch (error) {
    context.close();
    throw error;
  }
}

/** The addon takes no NUL in a text; no PEM file or list that is any good has one. */
function withoutNul(config: TlsEngineConfig): TlsEngineConfig {
  const clean = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(clean);
    return typeof value === 'string' ? value.replaceAll('\0', ' ') : value;
  };
  const entries = Object.entries(config).map(([name, value]) => [name, clean(value)]);
  return Object.fromEntries(entries) as TlsEngineConfig;
}

function setLimits(context: NativeTlsContext, config: TlsEngineConfig): void {
  const { role, certProfile = 'legacy', ciphers, ciphersuites, dh } = config;
  const groups = config.groups ?? defaultGroups(role);
  context.setSecurityLevel(SECURITY_LEVEL[certProfile]);
  if (certProfile === 'suiteb')
    demand(context.setCiphers(SUITEB_CIPHERS), 'Failed to set default TLS cipher list.');
  demand(
    context.setCiphers(ciphers === undefined ? DEFAULT_TLS_CIPHERS : opensslCipherList(ciphers)),
    ciphers !== undefined
      ? `Failed to set restricted TLS cipher list: ${ciphers}`
      : 'Failed to set default TLS cipher list.',
  );
  demand(
    context.setCiphersuites(ciphersuites ? opensslCiphersuites(ciphersuites) : DEFAULT_TLS_CIPHERSUITES),
    `Failed to set restricted TLS 1.3 cipher list: ${ciphersuites}`,
  );
  const least = VERSION[config.minVersion ?? '1.2'];
  const most = VERSION[config.maxVersion ?? '1.3'];
  demand(context.setVersions(least, most), 'failed to set minimum TLS version');
  if (dh !== undefined) demand(context.setDh(dh), `Cannot load DH parameters from ${partName(config, 'dh')}`);
  if (groups !== undefined)
    demand(context.setGroups(groups), `Failed to set allowed TLS group list: ${groups}`);
}

function loadOwn(context: NativeTlsContext, config: TlsEngineConfig): void {
  const { cert, key, keyPassphrase = '', pkcs12, extraCerts } = config;
  if (pkcs12) {
    const problem = context.usePkcs12(pkcs12, keyPassphrase, !config.ca?.length);
    demand(problem, pkcs12Problem(problem));
  }
  if (cert !== undefined) demand(context.useCertificate(cert), certificateProblem(config));
  if (key !== undefined) {
    const problem = context.usePrivateKey(key, keyPassphrase);
    const fits = problem === undefined ? context.privateKeyFits() : !problem.endsWith(':key values mismatch');
    if (cert !== undefined && !fits) throw keyProblem(config, KEY_MISMATCH);
    if (problem !== undefined) throw keyProblem(config, problem);
  }
  if (config.externalKey) useExternalKey(context, config);
  if (extraCerts !== undefined) demand(context.addExtraCertificates(extraCerts), EXTRA_CERTS_PROBLEM);
}

function useExternalKey(context: NativeTlsContext, { cert, key, pkcs12 }: TlsEngineConfig): void {
  if (key !== undefined || pkcs12)
    throw new TlsError('a private key that lives elsewhere leaves no place for another one');
  if (cert === undefined) throw new TlsError('a private key that lives elsewhere needs its certificate');
  const problem = context.useExternalKey();
  demand(problem, `Cannot use a private key that lives elsewhere: ${problem}`);
}

/** A wrong password shows as a MAC failure, an algorithm of old files as unsupported. */
function pkcs12Problem(openssl = ''): string {
  return /:(mac verify failure|unsupported)$/.test(openssl)
    ? 'Decoding PKCS12 failed. Probably wrong password or unsupported/legacy encryption'
    : 'Error reading inline PKCS#12 file';
}

function loadTrust(context: NativeTlsContext, config: TlsEngineConfig): void {
  for (const pem of config.ca ?? []) demand(context.addAuthorities(pem), authoritiesProblem(config));
}

function demand(problem: string | undefined, text: string): void {
  if (problem !== undefined) throw new TlsError(text, { cause: new TlsError(problem) });
}

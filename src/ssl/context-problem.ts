/**
 * 2.x's words for parts of a TLS context that can't be used (ssl_openssl.c tls_ctx_load_*()); the same for every
 * engine. A part without a file name is printed as `[[INLINE]]`.
 */
import { TlsError } from '../base/base.ts';
import type { TlsEngineConfig } from './ssl-backend.ts';

/** How messages name a part. */
export function partName(config: TlsEngineConfig, part: keyof NonNullable<TlsEngineConfig['names']>): string {
  return config.names?.[part] ?? '[[INLINE]]';
}

export function authoritiesProblem(config: TlsEngineConfig): string {
  return `Cannot load CA certificate file ${partName(config, 'ca')} (no entries were read)`;
}

export function certificateProblem(config: TlsEngineConfig): string {
  const file = config.names?.cert;
  return file === undefined ? 'Cannot load inline certificate file' : `Cannot load certificate file ${file}`;
}

/** Of a file that is there, or of an inline block. */
export const EXTRA_CERTS_PROBLEM = 'Error reading extra certificate';

/** OpenSSL's words for a key that isn't the certificate's. */
export const KEY_MISMATCH = 'error:05800074:x509 certificate routines::key values mismatch';

/** 2.x takes every key that can't be used for one with a password that was wrong. `why`: OpenSSL's words. */
export function keyProblem(config: TlsEngineConfig, why: string): TlsError {
  const text = `Cannot load private key file ${partName(config, 'key')}`;
  return new TlsError('Error: private key password verification failed', {
    cause: new TlsError(text, { cause: new TlsError(why) }),
  });
}

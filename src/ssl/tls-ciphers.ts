/**
 * Names of TLS <= 1.2 cipher suites (2.x ssl.c tls_cipher_name_translation_table): --tls-cipher takes
 * IANA-like names with dashes and OpenSSL's own; OpenSSL lists take only the latter:
 *
 *   TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384  <->  ECDHE-RSA-AES256-GCM-SHA384
 */
import type { TlsEngineConfig } from './ssl-backend.ts';

/** What 2.x offers without --tls-cipher. */
export const DEFAULT_TLS_CIPHERS = 'DEFAULT:!EXP:!LOW:!MEDIUM:!kDH:!kECDH:!DSS:!PSK:!SRP:!kRSA';
/** TLS 1.3 suites without --tls-ciphersuites: OpenSSL's default. */
export const DEFAULT_TLS_CIPHERSUITES =
  'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256';

/**
 * Groups without --tls-groups; undefined leaves them to OpenSSL. Its own default before 3.5 has Diffie-Hellman groups
 * beyond 3072 bits, too: a stranger's hello that names one takes a server 30 to 200 ms.
 */
export function defaultGroups(role: TlsEngineConfig['role']): string | undefined {
  if (role === 'client') return undefined;
  const [major = 0, minor = 0] = process.versions.openssl.split('.').map(Number);
  if (major > 3 || (major === 3 && minor >= 5)) return undefined;
  return 'X25519:P-256:X448:P-521:P-384:ffdhe2048:ffdhe3072';
}

/** A --tls-cipher list in OpenSSL's words. Items that aren't IANA names pass unchanged. */
export function opensslCipherList(list: string): string {
  return list.split(':').map(opensslCipherName).join(':');
}

/** A --tls-ciphersuites list in OpenSSL's words: `TLS-AES-256-GCM-SHA384` becomes `TLS_AES_256_GCM_SHA384`. */
export function opensslCiphersuites(list: string): string {
  return list.replaceAll('-', '_');
}

function opensslCipherName(item: string): string {
  const [, sign, name] = /^([!+-]?)(.*)$/s.exec(item) as unknown as [string, string, string];
  const match = /^TLS-(?:(.+)-)?WITH-(.+)$/.exec(name.replaceAll('_', '-'));
  if (!match) return item;
  const exchange = match[1] === undefined || match[1] === 'RSA' ? '' : `${match[1]}-`;
  return `${sign}${exchange.replace('DH-anon', 'ADH').replace('ECDH-anon', 'AECDH')}${opensslCipher(match[2]!)}`;
}

function opensslCipher(cipher: string): string {
  if (cipher.startsWith('CHACHA20-POLY1305')) return 'CHACHA20-POLY1305';
  return cipher
    .replace(/^3DES-EDE-CBC-/, 'DES-CBC3-')
    .replace(/^(AES|CAMELLIA|ARIA)-(\d+)-/, '$1$2-')
    .replace(/^((?:AES|CAMELLIA)\d+)-CBC-/, '$1-');
}

/**
 * 2.x's log lines when TLS itself fails (crypto_openssl.c crypto_print_openssl_errors(), ssl_openssl.c
 * bio_read()).
 */

/** No certificate where one is demanded. */
export const NO_PEER_CERTIFICATE = 'error:0A0000C7:SSL routines::peer did not return a certificate';
/** The chain or one of our checks on it failed. */
export const VERIFY_FAILED = 'error:0A000086:SSL routines::certificate verify failed';

const NO_SHARED_CIPHER =
  'TLS error: The server has no TLS ciphersuites in common with the client. Your --tls-cipher setting might be too restrictive.';
const UNSUPPORTED_PROTOCOL =
  'TLS error: Unsupported protocol. This typically indicates that client and server have no common TLS version enabled. ' +
  'This can be caused by mismatched tls-version-min and tls-version-max options on client and server. ' +
  'If your OpenVPN client is between v2.3.6 and v2.3.2 try adding tls-version-min 1.0 to the client configuration to use TLS 1.0+ instead of TLS 1.0 only';

/** The line that explains a frequent failure, for level D_CRYPT_ERRORS. */
export function tlsFailureHint(opensslText: string): string | undefined {
  if (opensslText.endsWith(':no shared cipher')) return NO_SHARED_CIPHER;
  return opensslText.endsWith(':unsupported protocol') ? UNSUPPORTED_PROTOCOL : undefined;
}

/** The lines of every failure, for level D_TLS_ERRORS. */
export function tlsFailureLines(opensslText: string): readonly string[] {
  return [
    `OpenSSL: ${opensslText}:`,
    'TLS_ERROR: BIO read tls_read_plaintext error',
    'TLS Error: TLS object -> incoming plaintext read error',
  ];
}

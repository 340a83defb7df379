/** Actions of TLS and data-channel options (2.x options.c; crypto.c ascii2keydirection()). */

import { type Apply, type ApplyContext, fileOrInline } from './option-row.ts';
import type { KeyDirection, Options, TlsVersion } from './option-types.ts';

export const SHA256_BYTES = 32;
const SHA1_BYTES = 20;

export const applyTlsAuth: Apply = ([value = '', direction], options, context) => {
  const key = fileOrInline(value, context.inline);
  const stated =
    context.inline || direction === undefined ? undefined : parseKeyDirection(direction, context);
  if (context.context === 'C') {
    options.ce.tlsAuth = key;
    options.ce.keyDirection = stated ?? -1;
  } else {
    options.tlsAuth = key;
    if (stated !== undefined) options.keyDirection = stated;
  }
};

export const applyVerifyHash: Apply = ([hashes = '', name], options, context) => {
  context.warn(
    'DEPRECATED OPTION: The option --verify-hash is deprecated. You should switch to the either use the level 1 certificate as --ca option, use --tls-verify or use --peer-fingerprint',
  );
  if (options.peerFingerprints !== undefined) failExclusiveHash(context);
  if (name !== undefined && name !== 'SHA1' && name !== 'SHA256') {
    return context.fail(
      `invalid or unsupported hashing algorithm: ${name} (only SHA1 and SHA256 are supported)`,
    );
  }
  const algorithm = name ?? (context.inline ? 'SHA256' : 'SHA1');
  const bytes = algorithm === 'SHA1' ? SHA1_BYTES : SHA256_BYTES;
  const more = parseFingerprints(hashes, bytes, context);
  options.verifyHash = { algorithm, hashes: [...(options.verifyHash?.hashes ?? []), ...more] };
};

export const applyAllowCompression: Apply = ([mode = ''], { compress }, context) => {
  if (mode === 'no') {
    if (isRealCompression(compress.algorithm)) {
      context.error("'--allow-compression no' conflicts with  enabling compression");
    }
  } else if (compress.allow === 'no' && compress.allowGiven) {
    return context.fail(`Cannot set allow-compression to '${mode}' after set to 'no'`);
  } else if (mode === 'yes') {
    context.notYet('--allow-compression yes');
    context.warn(
      'WARNING: Compression for sending and receiving enabled. Compression has been used in the past to break encryption. Allowing compression allows attacks that break encryption. Using "--allow-compression yes" is strongly discouraged for common usage. See --compress in the manual page for more information ',
    );
  } else if (mode !== 'asym') {
    return context.fail(`bad allow-compression option: ${mode} -- must be 'yes', 'no', or 'asym'`);
  }
  compress.allow = mode;
  compress.allowGiven = true;
};

/** Receiving compressed packets is allowed, sending them only on demand. */
export function warnAboutCompression({ compress }: Options, context: ApplyContext): void {
  if (!isRealCompression(compress.algorithm) || (compress.allowGiven && compress.allow === 'yes')) return;
  context.warn(
    'WARNING: Compression for receiving enabled. Compression has been used in the past to break encryption. Sent packets are not compressed unless "allow-compression yes" is also set.',
  );
}

/** lzo and lz4, as opposed to framing only. */
export function isRealCompression(algorithm: string): boolean {
  return algorithm.startsWith('lz');
}

export function parseKeyDirection(text: string, context: ApplyContext): KeyDirection {
  if (text === '0') return 0;
  if (text === '1') return 1;
  return context.fail(`Unknown key direction '${text}' -- must be '0' or '1'`);
}

export function parseTlsVersion(text: string): TlsVersion | undefined {
  return (['1.0', '1.1', '1.2', '1.3'] as const).find((version) => version === text);
}

export function failExclusiveHash(context: ApplyContext): never {
  return context.fail(
    `ERROR: Setting ${context.name} not allowed. --verify-hash and --peer-fingerprint are mutually exclusive`,
  );
}

/** One fingerprint a line, blank lines and comments allowed. Lower-case hex without colons. */
export function parseFingerprints(text: string, bytes: number, context: ApplyContext): string[] {
  return text
    .split('\n')
    .map((line) => line.trimStart())
    .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith(';'))
    .map((line) => parseFingerprint(line, bytes, context));
}

function parseFingerprint(text: string, bytes: number, context: ApplyContext): string {
  const parts = text.trimEnd().split(':');
  const good = parts.findIndex((part) => !/^[\da-f]{2}$/i.test(part));
  if (good >= 0 && good < bytes) return context.fail(`format error in hash fingerprint: ${text}`);
  if (parts.length < bytes) {
    return context.fail(
      `hash fingerprint is wrong length - expected ${bytes} bytes, got ${parts.length}: ${text}`,
    );
  }
  if (parts.length > bytes) {
    return context.fail(`hash fingerprint too long - expected only ${bytes} bytes: ${text}`);
  }
  return parts.join('').toLowerCase();
}

/** A field of --x509-username-field; a name all in lower case is raised, with a warning. */
export function usernameField(field: string, context: ApplyContext): string {
  if (field.startsWith('ext:')) {
    if (field !== 'ext:subjectAltName' && field !== 'ext:issuerAltName') {
      context.error(`Unsupported x509-username-field extension: ${field}`);
    }
    return field;
  }
  if (/[A-Z]/.test(field)) return field;
  const upper = field.toUpperCase();
  context.warn(
    `DEPRECATED FEATURE: automatically upcased the --x509-username-field parameter to '${upper}'; please update your configuration`,
  );
  return upper;
}

/** Actions of TLS and data-channel options (2.x options.c; crypto.c ascii2keydirection()). */

import type { KeyDirection } from './material.ts';
import { type Apply, type ApplyContext, fileOrInline } from './option-row.ts';
import type { TlsVersion } from './tls-options.ts';

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

/** A name that is empty is none that could be had; what isn't set at all has a default. */
export const applyCipher: Apply = ([name = ''], options, context) => {
  if (name === '' && context.context === 'G') context.fatal('Cipher  not supported');
  options.cipher = name;
};

/** An empty list isn't the default one, but a list of nothing, which is refused with the others. */
export const applyDataCiphers: Apply = ([list = ''], options) => {
  options.dataCiphers = list === '' ? ':' : list;
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

/**
 * `--genkey` (2.x init.c do_genkey(), tls_crypt.c, auth_token.c): static keys, tls-crypt-v2 keys of servers
 * and clients, auth-token keys; to a file of mode 0600 or to standard output.
 */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { CryptoError, errnoReason, type Logger, OpenVpnError, OptionsError } from '../base/base.ts';
import { M_WARN } from '../base/errlevel.ts';
import {
  AUTH_TOKEN_KEY,
  KEY2_BYTES,
  PEM_KEY_BYTES,
  TLS_CRYPT_V2_CLIENT_KEY,
  TLS_CRYPT_V2_SERVER_KEY,
  writePemKey,
  writeStaticKey,
} from '../crypto/crypto.ts';
import { createNodeCrypto } from '../crypto/crypto-node.ts';
import type { FileOrInline, GenkeyOptions, Options } from '../options/options.ts';
import {
  MAX_METADATA_BYTES,
  METADATA_TIMESTAMP,
  METADATA_USER,
  TlsCryptV2ServerKey,
} from '../reliable/reliable.ts';
import { readText } from './file-text.ts';
import { readServerKey } from './tls-setup.ts';

/** 2.x's D_GENKEY: from this verbosity on it is told where a static key went. */
const TELLING_VERB = 3;

/** What 2.x says when a key can't be written, for each kind of key. */
const WRITE_FAILED: Readonly<Record<GenkeyOptions['type'], (reason: string) => string>> = {
  secret: () => 'Failed to write key file',
  'tls-crypt-v2-server': (reason) => `ERROR: could not write key file: ${reason}`,
  'auth-token': (reason) => `ERROR: could not write key file: ${reason}`,
  'tls-crypt-v2-client': () => 'ERROR: could not write client key file',
};

/** What a tool mode speaks by. */
export interface ToolOutput {
  /** Plain text on standard output. */
  readonly print: (text: string) => void;
  readonly log: Pick<Logger, 'log'>;
}

/** Makes the key; the exit status. Throws CryptoError or OptionsError where 2.x ends fatally. */
export function generateKey(options: Options, genkey: GenkeyOptions, { print, log }: ToolOutput): number {
  const old = oldFile(options, genkey);
  if (old !== undefined) {
    const form = 'Using --genkey --secret filename is DEPRECATED.  Use --genkey secret filename instead.';
    log.log(M_WARN, `WARNING: ${form}`);
  }
  const file = old ?? genkey.file;
  const text = keyText(options, genkey);
  if (file) writeKey(file, text, genkey.type);
  // 2.x ends what it prints itself with an empty line, and leaves that to the text of a PEM file.
  else print(genkey.type === 'secret' || genkey.type === 'tls-crypt-v2-client' ? `${text}\n` : text);
  if (genkey.type === 'secret' && options.verb >= TELLING_VERB)
    print(`Randomly generated 2048 bit key written to ${old ?? '(null)'}`);
  return 0;
}

/** The file of `--genkey --secret FILE`, the form of 2.4 that installers use. Throws OptionsError where 2.x refuses it. */
function oldFile({ secret }: Options, { type, file }: GenkeyOptions): string | undefined {
  if (secret === undefined) return undefined;
  if (type !== 'secret') {
    const form = 'Using --genkey type with --secret filename is not supported.';
    throw new OptionsError(`${form}  Use --genkey type filename instead.`);
  }
  if (file) throw new OptionsError('You must provide a filename to either --genkey or --secret, not both');
  return secret.kind === 'file' ? secret.path : '';
}

function writeKey(file: string, text: string, type: GenkeyOptions['type']): void {
  try {
    writeFileSync(file, text, { mode: 0o600 });
  } catch (error) {
    const reason = errnoReason(error);
    const cause = new CryptoError(`Cannot open file '${file}' for write: ${reason}`, { cause: error });
    throw new CryptoError(WRITE_FAILED[type](reason), { cause });
  }
}

function keyText(options: Options, { type, extra }: GenkeyOptions): string {
  switch (type) {
    case 'secret':
      return withRandom(KEY2_BYTES, writeStaticKey);
    case 'tls-crypt-v2-server':
      return withRandom(PEM_KEY_BYTES, (key) => writePemKey(key, TLS_CRYPT_V2_SERVER_KEY));
    case 'auth-token':
      return withRandom(PEM_KEY_BYTES, (key) => writePemKey(key, AUTH_TOKEN_KEY));
    case 'tls-crypt-v2-client':
      return clientKeyText(options, extra);
  }
}

function clientKeyText(options: Options, base64Metadata: string | undefined): string {
  const file = options.tlsCryptV2 ?? options.ce.tlsCryptV2;
  if (!file) {
    throw new OptionsError(
      '--genkey tls-crypt-v2-client requires a server key to be set via --tls-crypt-v2 to create a client key',
    );
  }
  const metadata = base64Metadata === undefined ? timestamp() : userMetadata(base64Metadata);
  const key = serverKey(file);
  const server = new TlsCryptV2ServerKey({ key, crypto: createNodeCrypto() });
  try {
    return withRandom(KEY2_BYTES, (key2) => {
      const bytes = server.wrap(key2, metadata);
      const text = writePemKey(bytes, TLS_CRYPT_V2_CLIENT_KEY);
      bytes.fill(0);
      return text;
    });
  } finally {
    key.fill(0);
    server.destroy();
  }
}

/** Throws CryptoError with 2.x's words for a file that can't be read and for one that holds no such key. */
function serverKey(file: FileOrInline): Uint8Array {
  try {
    return readServerKey(readText(file, 'tls-crypt-v2'));
  } catch (error) {
    if (!(error instanceof OpenVpnError)) throw error;
    const name = file.kind === 'file' ? file.path : '[[INLINE]]';
    const why =
      error instanceof OptionsError
        ? `ERROR: failed to read ${TLS_CRYPT_V2_SERVER_KEY} file (${name})`
        : `ERROR: ${TLS_CRYPT_V2_SERVER_KEY} pem decode failed`;
    const cause = new CryptoError(why, { cause: error });
    throw new CryptoError('ERROR: invalid tls-crypt-v2 server key format', { cause });
  }
}

function timestamp(): Uint8Array {
  const bytes = Buffer.alloc(9);
  bytes[0] = METADATA_TIMESTAMP;
  bytes.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 1000)), 1);
  return bytes;
}

function userMetadata(base64: string): Uint8Array {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64) || base64.length % 4 !== 0) {
    throw new CryptoError('ERROR: failed to base64 decode provided metadata');
  }
  const value = Buffer.from(base64, 'base64');
  const max = MAX_METADATA_BYTES - 1;
  if (value.length > max) {
    throw new CryptoError(`ERROR: metadata too long (${value.length} bytes, max ${max} bytes)`);
  }
  return Buffer.concat([Uint8Array.of(METADATA_USER), value]);
}

function withRandom(bytes: number, use: (key: Uint8Array) => string): string {
  const key = randomBytes(bytes);
  try {
    return use(key);
  } finally {
    key.fill(0);
  }
}

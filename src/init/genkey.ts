/**
 * `--genkey` (2.x init.c do_genkey(), tls_crypt.c, auth_token.c): static keys, tls-crypt-v2 keys of servers
 * and clients, auth-token keys; to a file of mode 0600 or to standard output.
 */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { CryptoError, OptionsError } from '../base/base.ts';
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
import type { GenkeyOptions, Options } from '../options/options.ts';
import {
  MAX_METADATA_BYTES,
  METADATA_TIMESTAMP,
  METADATA_USER,
  TlsCryptV2ServerKey,
} from '../reliable/reliable.ts';
import { readText } from './file-text.ts';
import { readServerKey } from './tls-setup.ts';

/** Makes the key; the exit status. Throws CryptoError or OptionsError where 2.x ends fatally. */
export function generateKey(options: Options, genkey: GenkeyOptions, print: (text: string) => void): number {
  const text = keyText(options, genkey);
  if (genkey.file === undefined || genkey.file === '') {
    // 2.x ends a client key on standard output with an empty line.
    print(genkey.type === 'tls-crypt-v2-client' ? `${text}\n` : text);
    return 0;
  }
  try {
    writeFileSync(genkey.file, text, { mode: 0o600 });
  } catch (cause) {
    const { code, errno } = cause as NodeJS.ErrnoException;
    throw new CryptoError(`Cannot open file '${genkey.file}' for write: ${code} (errno=${-(errno ?? 0)})`, {
      cause,
    });
  }
  return 0;
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
  const key = readServerKey(readText(file, 'tls-crypt-v2'));
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

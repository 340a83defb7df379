/**
 * Fuzz entry: any bytes as a static key file, and as the body between good markers. The reader gives
 * 256 bytes or a CryptoError, and a key that was read survives being written and read again.
 */
import { CryptoError } from '../src/base/base.ts';
import { readStaticKey, writeStaticKey } from '../src/crypto/crypto.ts';

const HEAD = '-----BEGIN OpenVPN Static key V1-----\n';
const FOOT = '\n-----END OpenVPN Static key V1-----\n';

export const target = {
  name: 'static-key',
  run(bytes: Uint8Array): void {
    check(bytes);
    check(Buffer.concat([Buffer.from(HEAD), bytes, Buffer.from(FOOT)]));
    if (bytes.length < 256) return;
    const key2 = bytes.subarray(0, 256);
    if (Buffer.compare(readStaticKey(writeStaticKey(key2)), key2) !== 0) throw new Error('a key changed');
  },
};

function check(bytes: Uint8Array): void {
  const before = Buffer.from(bytes);
  const key2 = read(bytes);
  if (before.compare(bytes) !== 0) throw new Error('the input was changed');
  if (key2 === undefined) return;
  if (key2.length !== 256) throw new Error(`a key of ${key2.length} bytes`);
  const again = readStaticKey(writeStaticKey(key2));
  if (Buffer.compare(again, key2) !== 0) throw new Error('a key changed when written and read');
}

function read(bytes: Uint8Array): Uint8Array | undefined {
  try {
    return readStaticKey(bytes, { keys: 1 });
  } catch (error) {
    if (error instanceof CryptoError) return undefined;
    throw error;
  }
}

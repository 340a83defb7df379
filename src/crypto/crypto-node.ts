/**
 * CryptoBackend over node:crypto: works wherever Node does, without the addon. Data keys are AEAD
 * ciphers only (aead-node.ts); supportsCipher() says no to the rest.
 */
import {
  createCipheriv,
  createHash,
  createHmac,
  getCiphers,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { CryptoError } from '../base/base.ts';
import { NodeOpeningKey, NodeSealingKey } from './aead-node.ts';
import type { CipherInfo, CryptoBackend, DataKeySpec } from './crypto.ts';

/** The backend that needs nothing but Node. Holds no state; one serves the whole process. */
export function createNodeCrypto(): CryptoBackend {
  const available = new Set(getCiphers());
  const supportsCipher = (cipher: CipherInfo): boolean =>
    cipher.mode === 'aead' && available.has(cipher.name.toLowerCase());
  const demand = (spec: DataKeySpec): DataKeySpec => {
    if (supportsCipher(spec.cipher)) return spec;
    throw new CryptoError(`Cipher ${spec.cipher.name} not supported`);
  };
  return {
    name: 'node',
    supportsCipher,
    createSealingKey: (spec) => new NodeSealingKey(demand(spec)),
    createOpeningKey: (spec) => new NodeOpeningKey(demand(spec)),
    hmac: (digest, key, ...parts) => {
      const hmac = createHmac(digest, key);
      for (const part of parts) hmac.update(part);
      return hmac.digest();
    },
    hash: (digest, ...parts) => {
      const hash = createHash(digest);
      for (const part of parts) hash.update(part);
      return hash.digest();
    },
    aes256Ctr: (key, iv, data) => createCipheriv('aes-256-ctr', key, iv).update(data),
    randomBytes: (length) => randomBytes(length),
    equal: (a, b) => a.length === b.length && timingSafeEqual(a, b),
  };
}

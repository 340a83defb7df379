/**
 * CryptoBackend over node:crypto: works wherever Node does, without the addon. Ciphers and digests of OpenSSL's
 * legacy provider work when Node was started with --openssl-legacy-provider or --providers has loaded it.
 */
import {
  type CipherGCMTypes,
  createCipheriv,
  createHash,
  createHmac,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { CryptoError } from '../base/base.ts';
import { EpochOpeningKey, EpochSealingKey } from './aead-epoch-node.ts';
import { NodeOpeningKey, NodeSealingKey } from './aead-node.ts';
import { CbcOpeningKey, CbcSealingKey } from './cbc-node.ts';
import type { CipherInfo, CryptoBackend, DataKeySpec, OpeningKey, SealingKey } from './crypto.ts';
import { NodeCtrKey, NodeMacKey } from './mac-node.ts';
import { PlainOpeningKey, PlainSealingKey } from './plain-node.ts';
import { StreamOpeningKey, StreamSealingKey } from './stream-node.ts';

/** The backend that needs nothing but Node. Holds no state; one serves the whole process. */
export function createNodeCrypto(): CryptoBackend {
  const demand = (spec: DataKeySpec): DataKeySpec => {
    const { cipher, headerless } = spec;
    if (!supportsCipher(cipher)) throw new CryptoError(`Cipher ${cipher.name} not supported`);
    if (headerless && cipher.mode !== 'cbc' && cipher.mode !== 'none') {
      throw new CryptoError(`Cipher '${cipher.name}' mode not supported`);
    }
    return spec;
  };
  return {
    name: 'node',
    supportsCipher,
    supportsDigest: ({ name }) => succeeds(() => createHmac(name, '')),
    createSealingKey: (spec) => sealingKey(demand(spec)),
    createOpeningKey: (spec) => openingKey(demand(spec)),
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
    createMacKey: (digest, key) => new NodeMacKey(digest, key),
    createCtrKey: (key) => new NodeCtrKey(key),
    randomBytes: (length) => randomBytes(length),
    equal: (a, b) => a.length === b.length && timingSafeEqual(a, b),
  };
}

/** Asked of OpenSSL each time, because a provider may be loaded later; Node's own list is made once. */
function supportsCipher({ name, mode, keyBytes, ivBytes }: CipherInfo): boolean {
  if (name === 'none') return true;
  const options = mode === 'aead' ? { authTagLength: 16 } : {};
  const cipher = name.toLowerCase() as CipherGCMTypes;
  return succeeds(() => createCipheriv(cipher, new Uint8Array(keyBytes), new Uint8Array(ivBytes), options));
}

function succeeds(attempt: () => unknown): boolean {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
}

function sealingKey(spec: DataKeySpec): SealingKey {
  switch (spec.cipher.mode) {
    case 'aead':
      return spec.epoch === undefined ? new NodeSealingKey(spec) : new EpochSealingKey(spec);
    case 'cbc':
      return new CbcSealingKey(spec);
    case 'none':
      return new PlainSealingKey(spec);
    default:
      return new StreamSealingKey(spec);
  }
}

function openingKey(spec: DataKeySpec): OpeningKey {
  switch (spec.cipher.mode) {
    case 'aead':
      return spec.epoch === undefined ? new NodeOpeningKey(spec) : new EpochOpeningKey(spec);
    case 'cbc':
      return new CbcOpeningKey(spec);
    case 'none':
      return new PlainOpeningKey(spec);
    default:
      return new StreamOpeningKey(spec);
  }
}

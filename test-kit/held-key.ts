/**
 * A private key held outside of any TLS engine, signing by node:crypto after some turns of the event loop.
 * Test use only.
 */
import { constants, createHash, createPrivateKey, type KeyObject, privateEncrypt, sign } from 'node:crypto';
import type { ExternalKey, SignRequest } from '../src/index.ts';

export class HeldKey implements ExternalKey {
  /** All that was asked for. */
  readonly requests: SignRequest[] = [];
  /** Changes what is answered, or throws. */
  answer: (signature: Uint8Array) => Uint8Array | Promise<Uint8Array> = (signature) => signature;
  readonly #key: KeyObject;

  constructor(pem: string) {
    this.#key = createPrivateKey(pem);
  }

  async sign(request: SignRequest): Promise<Uint8Array> {
    this.requests.push(request);
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    return await this.answer(this.#sign(request));
  }

  #sign({ message, padding, digest, saltLength }: SignRequest): Uint8Array {
    const key = this.#key;
    if (digest === 'MD5-SHA1') {
      const halves = ['md5', 'sha1'].map((name) => createHash(name).update(message).digest());
      return privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, Buffer.concat(halves));
    }
    if (padding !== 'RSA_PKCS1_PSS_PADDING') return sign(digest, message, key);
    return sign(digest, message, { key, padding: constants[padding], saltLength });
  }
}

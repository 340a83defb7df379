/**
 * CryptoBackend over the C++ addon: AEAD data keys through one OpenSSL context per key and direction
 * (native/aead.cc), a whole batch per call. Everything that isn't done per packet, ciphers that the addon
 * lacks and epoch keys are left to the backend passed in.
 */
import { ApiMisuseError, CryptoError, type PacketBatch } from '../base/base.ts';
import type { NativeAddon, NativeAeadOpener, NativeAeadSealer } from '../native/native.ts';
import type { CipherInfo, CryptoBackend, DataKeySpec, OpeningKey, SealingKey } from './crypto.ts';

/** Bytes of the key's hmac part that follow the packet id in the nonce. */
const IMPLICIT_IV_BYTES = 8;
const PACKET_ID_BYTES = 4;

/** Data keys by the addon, the rest by `base` (crypto-node.ts). One serves the whole process. */
export function createNativeCrypto(addon: NativeAddon, base: CryptoBackend): CryptoBackend {
  const isNative = ({ mode, name }: CipherInfo): boolean => mode === 'aead' && addon.supportsAead(name);
  const takes = ({ cipher, epoch, headerless }: DataKeySpec): boolean =>
    epoch === undefined && !headerless && isNative(cipher);
  return {
    name: 'native',
    supportsCipher: (cipher) => isNative(cipher) || base.supportsCipher(cipher),
    supportsDigest: (digest) => base.supportsDigest(digest),
    createSealingKey: (spec) =>
      takes(spec) ? new NativeSealingKey(addon, spec) : base.createSealingKey(spec),
    createOpeningKey: (spec) =>
      takes(spec) ? new NativeOpeningKey(addon, spec) : base.createOpeningKey(spec),
    hmac: (digest, key, ...parts) => base.hmac(digest, key, ...parts),
    hash: (digest, ...parts) => base.hash(digest, ...parts),
    aes256Ctr: (key, iv, data) => base.aes256Ctr(key, iv, data),
    randomBytes: (length) => base.randomBytes(length),
    equal: (a, b) => base.equal(a, b),
  };
}

class NativeSealingKey implements SealingKey {
  readonly headBytes: number;
  readonly tailBytes = 0;
  readonly #native: NativeAeadSealer;

  constructor(addon: NativeAddon, spec: DataKeySpec) {
    const { cipher, keyId, peerId } = spec;
    const [key, implicitIv] = keyParts(spec);
    this.headBytes = (peerId < 0 ? 1 : 4) + PACKET_ID_BYTES + cipher.tagBytes;
    this.#native = make(
      () => new addon.AeadSealer(cipher.name, key, implicitIv, keyId, peerId, spec.firstPacketId ?? 1),
    );
  }

  get nextPacketId(): number {
    return this.#native.nextPacketId;
  }

  sealBatch(batch: PacketBatch, first: number, end: number): number {
    return this.#native.sealBatch(batch.slab, batch.slotSize, batch.offsets, batch.lengths, first, end);
  }

  destroy(): void {
    this.#native.destroy();
  }
}

class NativeOpeningKey implements OpeningKey {
  readonly #native: NativeAeadOpener;

  constructor(addon: NativeAddon, spec: DataKeySpec) {
    const [key, implicitIv] = keyParts(spec);
    this.#native = make(() => new addon.AeadOpener(spec.cipher.name, key, implicitIv));
  }

  get failures(): number {
    return this.#native.failures;
  }

  openBatch(batch: PacketBatch, first: number, end: number): void {
    const { slab, slotSize, offsets, lengths, status, packetIds } = batch;
    this.#native.openBatch(slab, slotSize, offsets, lengths, status, packetIds, first, end);
  }

  destroy(): void {
    this.#native.destroy();
  }
}

function keyParts({ cipher, key }: DataKeySpec): [Uint8Array, Uint8Array] {
  return [key.cipher.subarray(0, cipher.keyBytes), key.hmac.subarray(0, IMPLICIT_IV_BYTES)];
}

/** Turns what the addon throws into the project's error classes. */
function make<T>(create: () => T): T {
  try {
    return create();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ERR_OVPN_CRYPTO') throw new CryptoError(message, { cause });
    throw new ApiMisuseError(message, { cause });
  }
}

/**
 * CryptoBackend over the C++ addon: AEAD data keys through one OpenSSL context per key and direction
 * (native/aead.cc, aead_epoch.cc), a whole batch per call. Everything that isn't done per packet and ciphers
 * that the addon lacks are left to the backend passed in.
 */
import { ApiMisuseError, CryptoError, type PacketBatch } from '../base/base.ts';
import type { NativeAddon, NativeAeadOpener, NativeAeadSealer, NativeEpochOpener } from '../native/native.ts';
import type { CipherInfo, CryptoBackend, DataKeySpec, MacKey, OpeningKey, SealingKey } from './crypto.ts';

/** Bytes of the key's hmac part that follow the packet id in the nonce. */
const IMPLICIT_IV_BYTES = 8;
const PACKET_ID_BYTES = 4;
/** The same in epoch format, and the header that it always has. */
const EPOCH_IV_BYTES = 12;
const EPOCH_HEAD_BYTES = 12;

/** Data keys by the addon, the rest by `base` (crypto-node.ts). One serves the whole process. */
export function createNativeCrypto(addon: NativeAddon, base: CryptoBackend): CryptoBackend {
  const isNative = ({ mode, name }: CipherInfo): boolean => mode === 'aead' && addon.supportsAead(name);
  const takes = ({ cipher, headerless }: DataKeySpec): boolean => !headerless && isNative(cipher);
  return {
    name: 'native',
    supportsCipher: (cipher) => isNative(cipher) || base.supportsCipher(cipher),
    supportsDigest: (digest) => base.supportsDigest(digest),
    createSealingKey(spec) {
      if (!takes(spec)) return base.createSealingKey(spec);
      const { epoch } = spec;
      return epoch === undefined
        ? createAeadSealer(addon, spec)
        : new NativeEpochSealingKey(addon, spec, epoch);
    },
    createOpeningKey(spec) {
      if (!takes(spec)) return base.createOpeningKey(spec);
      const { epoch } = spec;
      return epoch === undefined
        ? new NativeOpeningKey(addon, spec)
        : new NativeEpochOpeningKey(addon, spec, epoch);
    },
    hmac: (digest, key, ...parts) => base.hmac(digest, key, ...parts),
    hash: (digest, ...parts) => base.hash(digest, ...parts),
    createMacKey: (digest, key) => createMac(addon, digest, key) ?? base.createMacKey(digest, key),
    createCtrKey: (key) => make(() => new addon.AesCtr(key)),
    randomBytes: (length) => base.randomBytes(length),
    equal: (a, b) => base.equal(a, b),
  };
}

/** Undefined for digests that OpenSSL knows by another name, or not at all. */
function createMac(addon: NativeAddon, digest: string, key: Uint8Array): MacKey | undefined {
  try {
    return new addon.Mac(digest, key);
  } catch {
    return undefined;
  }
}

class NativeSealingKey implements SealingKey {
  readonly headBytes: number;
  readonly tailBytes: number;
  readonly #native: NativeAeadSealer;

  constructor(native: NativeAeadSealer, headBytes: number, tailBytes: number) {
    this.#native = native;
    this.headBytes = headBytes;
    this.tailBytes = tailBytes;
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

/** A key of the classic format, whose tag stands in front. */
function createAeadSealer(addon: NativeAddon, spec: DataKeySpec): NativeSealingKey {
  const { cipher, keyId, peerId, firstPacketId = 1 } = spec;
  const [key, implicitIv] = keyParts(spec, IMPLICIT_IV_BYTES);
  const native = make(() => new addon.AeadSealer(cipher.name, key, implicitIv, keyId, peerId, firstPacketId));
  return new NativeSealingKey(native, (peerId < 0 ? 1 : 4) + PACKET_ID_BYTES + cipher.tagBytes, 0);
}

class NativeOpeningKey implements OpeningKey {
  readonly #native: NativeAeadOpener;

  constructor(addon: NativeAddon, spec: DataKeySpec) {
    const [key, implicitIv] = keyParts(spec, IMPLICIT_IV_BYTES);
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

class NativeEpochSealingKey extends NativeSealingKey {
  readonly epoch: number;

  constructor(addon: NativeAddon, spec: DataKeySpec, epoch: number) {
    const { cipher, keyId, peerId, firstPacketId = 1 } = spec;
    const [key, iv] = keyParts(spec, EPOCH_IV_BYTES);
    const native = make(
      () => new addon.EpochSealer(cipher.name, key, iv, keyId, peerId, epoch, firstPacketId),
    );
    super(native, EPOCH_HEAD_BYTES, cipher.tagBytes);
    this.epoch = epoch;
  }
}

class NativeEpochOpeningKey implements OpeningKey {
  readonly wideIds = true;
  readonly #native: NativeEpochOpener;

  constructor(addon: NativeAddon, spec: DataKeySpec, epoch: number) {
    const [key, iv] = keyParts(spec, EPOCH_IV_BYTES);
    this.#native = make(() => new addon.EpochOpener(spec.cipher.name, key, iv, epoch));
  }

  get failures(): number {
    return this.#native.failures;
  }

  openBatch(batch: PacketBatch, first: number, end: number): void {
    const { slab, slotSize, offsets, lengths, status, packetIds, packetTimes } = batch;
    this.#native.openBatch(slab, slotSize, offsets, lengths, status, packetIds, packetTimes, first, end);
  }

  destroy(): void {
    this.#native.destroy();
  }
}

function keyParts({ cipher, key }: DataKeySpec, ivBytes: number): [Uint8Array, Uint8Array] {
  return [key.cipher.subarray(0, cipher.keyBytes), key.hmac.subarray(0, ivBytes)];
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

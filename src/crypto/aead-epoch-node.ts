/**
 * The key of one epoch over node:crypto (2.7 crypto.c openvpn_encrypt_aead(), openvpn_decrypt_aead() with
 * epoch data format). epoch-keys.ts chooses among them.
 *
 *   P_DATA_V2|key_id, peer_id(3), epoch(2), counter(6), ciphertext, tag(16)     AAD = first 12 bytes
 *   nonce(12) = (epoch || counter || 0000) XOR iv
 *
 * Writes stay within the slot.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { ApiMisuseError, type PacketBatch } from '../base/base.ts';
import type { DataKeySpec, SealingKey } from './crypto.ts';
import { OPEN_AUTH_FAILED, OPEN_BAD_EPOCH, OPEN_OK, OPEN_TOO_SHORT } from './crypto.ts';
import { SlotOpener } from './slot-opener-node.ts';

const P_DATA_V2 = 9;
const HEADER_BYTES = 4;
const ID_BYTES = 8;
const AAD_BYTES = HEADER_BYTES + ID_BYTES;
const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const MAX_COUNTER = 2 ** 48 - 1;
const WORD = 2 ** 32;

/** node:crypto types AEAD objects by cipher name; the others work the same way. */
type AeadName = 'chacha20-poly1305';

const AEAD_OPTIONS = { authTagLength: TAG_BYTES };
/** setAAD() wants the plaintext length for CCM only. */
const NO_LENGTH = { plaintextLength: 0 };

export class EpochSealingKey implements SealingKey {
  readonly headBytes = AAD_BYTES;
  readonly tailBytes = TAG_BYTES;
  readonly epoch: number;
  readonly #cipher: AeadName;
  readonly #key: Buffer;
  readonly #iv: Buffer;
  readonly #nonce = Buffer.alloc(NONCE_BYTES);
  readonly #header: number;
  #nextPacketId: number;
  #destroyed = false;

  constructor(spec: DataKeySpec) {
    const { epoch, key, iv } = checkSpec(spec);
    this.epoch = epoch;
    this.#cipher = spec.cipher.name.toLowerCase() as AeadName;
    this.#key = key;
    this.#iv = iv;
    this.#header = (((P_DATA_V2 << 3) | spec.keyId) * 2 ** 24 + spec.peerId) >>> 0;
    this.#nextPacketId = spec.firstPacketId ?? 1;
  }

  get nextPacketId(): number {
    return this.#nextPacketId;
  }

  sealBatch(batch: PacketBatch, first: number, end: number): number {
    if (this.#destroyed) throw new ApiMisuseError('sealBatch() on a destroyed key');
    const { offsets, lengths, slotSize } = batch;
    for (let slot = first; slot < end; slot++) {
      if (lengths[slot] === 0) continue;
      if (this.#nextPacketId > MAX_COUNTER) return slot - first;
      const start = offsets[slot]! - AAD_BYTES;
      const behind = offsets[slot]! + lengths[slot]! + TAG_BYTES;
      if (start < slot * slotSize || behind > (slot + 1) * slotSize) lengths[slot] = 0;
      else this.#seal(batch, slot);
    }
    return end - first;
  }

  destroy(): void {
    this.#destroyed = true;
    this.#key.fill(0);
    this.#iv.fill(0);
    this.#nonce.fill(0);
  }

  #seal(batch: PacketBatch, slot: number): void {
    const { slab } = batch;
    const payload = batch.offsets[slot]!;
    const end = payload + batch.lengths[slot]!;
    const start = payload - AAD_BYTES;
    const idAt = start + HEADER_BYTES;
    const counter = this.#nextPacketId++;
    slab.writeUInt32BE(this.#header, start);
    slab.writeUInt16BE(this.epoch, idAt);
    slab.writeUInt16BE(Math.floor(counter / WORD), idAt + 2);
    slab.writeUInt32BE(counter % WORD, idAt + 4);
    fillNonce(this.#nonce, this.#iv, slab, idAt);
    const cipher = createCipheriv(this.#cipher, this.#key, this.#nonce, AEAD_OPTIONS);
    cipher.setAAD(slab.subarray(start, payload), NO_LENGTH);
    slab.set(cipher.update(slab.subarray(payload, end)), payload);
    cipher.final();
    slab.set(cipher.getAuthTag(), end);
    batch.offsets[slot] = start;
    batch.lengths[slot] = end + TAG_BYTES - start;
  }
}

export class EpochOpeningKey extends SlotOpener {
  readonly wideIds = true;
  readonly #epoch: number;
  readonly #cipher: AeadName;
  readonly #key: Buffer;
  readonly #iv: Buffer;
  readonly #nonce = Buffer.alloc(NONCE_BYTES);

  constructor(spec: DataKeySpec) {
    super();
    const { epoch, key, iv } = checkSpec(spec);
    this.#epoch = epoch;
    this.#cipher = spec.cipher.name.toLowerCase() as AeadName;
    this.#key = key;
    this.#iv = iv;
  }

  protected wipe(): void {
    this.#key.fill(0);
    this.#iv.fill(0);
    this.#nonce.fill(0);
  }

  protected openSlot(batch: PacketBatch, slot: number): number {
    const { slab } = batch;
    const start = batch.offsets[slot]!;
    const payload = start + AAD_BYTES;
    const tagAt = start + batch.lengths[slot]! - TAG_BYTES;
    if (tagAt <= payload || slab[start]! >>> 3 !== P_DATA_V2) return OPEN_TOO_SHORT;
    const idAt = start + HEADER_BYTES;
    if (slab.readUInt16BE(idAt) !== this.#epoch) return OPEN_BAD_EPOCH;
    fillNonce(this.#nonce, this.#iv, slab, idAt);
    const decipher = createDecipheriv(this.#cipher, this.#key, this.#nonce, AEAD_OPTIONS);
    decipher.setAuthTag(slab.subarray(tagAt, tagAt + TAG_BYTES));
    decipher.setAAD(slab.subarray(start, payload), NO_LENGTH);
    const plain = decipher.update(slab.subarray(payload, tagAt));
    try {
      decipher.final();
    } catch {
      return OPEN_AUTH_FAILED;
    }
    batch.packetTimes[slot] = slab.readUInt32BE(idAt);
    batch.packetIds[slot] = slab.readUInt32BE(idAt + 4);
    slab.set(plain, payload);
    batch.offsets[slot] = payload;
    batch.lengths[slot] = tagAt - payload;
    return OPEN_OK;
  }
}

function fillNonce(nonce: Buffer, iv: Buffer, slab: Buffer, idAt: number): void {
  for (let i = 0; i < ID_BYTES; i++) nonce[i] = iv[i]! ^ slab[idAt + i]!;
  for (let i = ID_BYTES; i < NONCE_BYTES; i++) nonce[i] = iv[i]!;
}

function checkSpec(spec: DataKeySpec): { epoch: number; key: Buffer; iv: Buffer } {
  const { cipher, key, keyId, peerId, epoch = 0, firstPacketId = 1 } = spec;
  if (cipher.mode !== 'aead') throw new ApiMisuseError(`${cipher.name} is not an AEAD cipher`);
  if (keyId < 0 || keyId > 7 || peerId < 0 || peerId > 0xff_ffff) {
    throw new ApiMisuseError('key id or peer id out of range');
  }
  if (epoch < 1 || epoch > 0xffff || firstPacketId < 1 || firstPacketId > MAX_COUNTER + 1) {
    throw new ApiMisuseError('epoch or packet id out of range');
  }
  if (key.cipher.length < cipher.keyBytes || key.hmac.length < NONCE_BYTES) {
    throw new ApiMisuseError(`key material too short for ${cipher.name}`);
  }
  const copy = Buffer.alloc(cipher.keyBytes);
  copy.set(key.cipher.subarray(0, cipher.keyBytes));
  const iv = Buffer.alloc(NONCE_BYTES);
  iv.set(key.hmac.subarray(0, NONCE_BYTES));
  return { epoch, key: copy, iv };
}

/**
 * Data keys over node:crypto for AEAD ciphers (2.x crypto.c openvpn_encrypt_aead() and
 * openvpn_decrypt_aead(), --data-ciphers of the GCM kind and ChaCha20-Poly1305).
 *
 *   P_DATA_V2: op|key_id, peer_id(3), pid(4), tag(16), ciphertext     AAD = first 8 bytes
 *   P_DATA_V1: op|key_id,             pid(4), tag(16), ciphertext     AAD = pid
 *   nonce(12) = pid(4) || first 8 bytes of the key's hmac part
 *
 * node:crypto has no way to change the nonce of a cipher object, so each packet costs one object
 * (about 4 microseconds); crypto-native.ts is the quick twin. Writes stay within the slot.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { ApiMisuseError, type PacketBatch } from '../base/base.ts';
import type { DataKeySpec, SealingKey } from './crypto.ts';
import { OPEN_AUTH_FAILED, OPEN_OK, OPEN_TOO_SHORT } from './crypto.ts';
import { SlotOpener } from './slot-opener-node.ts';

const P_DATA_V1 = 6;
const P_DATA_V2 = 9;
const PID_BYTES = 4;
const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const MAX_PACKET_ID = 0xffff_ffff;

/** node:crypto types AEAD objects by cipher name; ARIA-GCM works the same way but isn't in its list. */
type AeadName = 'chacha20-poly1305';

const AEAD_OPTIONS = { authTagLength: TAG_BYTES };

export class NodeSealingKey implements SealingKey {
  readonly headBytes: number;
  readonly tailBytes = 0;
  readonly #cipher: AeadName;
  readonly #key: Buffer;
  readonly #nonce: Buffer;
  readonly #opByte: number;
  readonly #peerId: number;
  #nextPacketId: number;
  #destroyed = false;

  constructor(spec: DataKeySpec) {
    this.#cipher = spec.cipher.name.toLowerCase() as AeadName;
    this.#key = copyKey(spec);
    this.#nonce = createNonce(spec);
    this.#peerId = spec.peerId;
    this.#opByte = ((spec.peerId < 0 ? P_DATA_V1 : P_DATA_V2) << 3) | spec.keyId;
    this.headBytes = (spec.peerId < 0 ? 1 : 4) + PID_BYTES + TAG_BYTES;
    this.#nextPacketId = spec.firstPacketId ?? 1;
  }

  get nextPacketId(): number {
    return this.#nextPacketId;
  }

  sealBatch(batch: PacketBatch, first: number, end: number): number {
    if (this.#destroyed) throw new ApiMisuseError('sealBatch() on a destroyed key');
    for (let slot = first; slot < end; slot++) {
      if (batch.lengths[slot] === 0) continue;
      if (this.#nextPacketId > MAX_PACKET_ID) return slot - first;
      if (batch.offsets[slot]! - this.headBytes < slot * batch.slotSize) batch.lengths[slot] = 0;
      else this.#seal(batch, slot);
    }
    return end - first;
  }

  destroy(): void {
    this.#destroyed = true;
    this.#key.fill(0);
    this.#nonce.fill(0);
  }

  #seal(batch: PacketBatch, slot: number): void {
    const { slab } = batch;
    const payload = batch.offsets[slot]!;
    const end = payload + batch.lengths[slot]!;
    const start = payload - this.headBytes;
    const pidAt = payload - TAG_BYTES - PID_BYTES;
    const packetId = this.#nextPacketId++;
    if (this.#peerId < 0) slab[start] = this.#opByte;
    else slab.writeUInt32BE(((this.#opByte << 24) | (this.#peerId & 0xff_ffff)) >>> 0, start);
    slab.writeUInt32BE(packetId, pidAt);
    this.#nonce.writeUInt32BE(packetId, 0);
    const cipher = createCipheriv(this.#cipher, this.#key, this.#nonce, AEAD_OPTIONS);
    cipher.setAAD(slab.subarray(this.#peerId < 0 ? pidAt : start, pidAt + PID_BYTES), NO_LENGTH);
    slab.set(cipher.update(slab.subarray(payload, end)), payload);
    cipher.final();
    slab.set(cipher.getAuthTag(), payload - TAG_BYTES);
    batch.offsets[slot] = start;
    batch.lengths[slot] = end - start;
  }
}

export class NodeOpeningKey extends SlotOpener {
  readonly #cipher: AeadName;
  readonly #key: Buffer;
  readonly #nonce: Buffer;

  constructor(spec: DataKeySpec) {
    super();
    this.#cipher = spec.cipher.name.toLowerCase() as AeadName;
    this.#key = copyKey(spec);
    this.#nonce = createNonce(spec);
  }

  protected wipe(): void {
    this.#key.fill(0);
    this.#nonce.fill(0);
  }

  protected openSlot(batch: PacketBatch, slot: number): number {
    const { slab } = batch;
    const start = batch.offsets[slot]!;
    const end = start + batch.lengths[slot]!;
    const isV2 = slab[start]! >>> 3 === P_DATA_V2;
    const pidAt = start + (isV2 ? 4 : 1);
    const tagAt = pidAt + PID_BYTES;
    const payload = tagAt + TAG_BYTES;
    // An empty payload is as bad as a missing tag: 2.x calls it "missing payload".
    if (end <= payload) return OPEN_TOO_SHORT;
    const packetId = slab.readUInt32BE(pidAt);
    this.#nonce.writeUInt32BE(packetId, 0);
    const decipher = createDecipheriv(this.#cipher, this.#key, this.#nonce, AEAD_OPTIONS);
    decipher.setAuthTag(slab.subarray(tagAt, payload));
    decipher.setAAD(slab.subarray(isV2 ? start : pidAt, tagAt), NO_LENGTH);
    const plain = decipher.update(slab.subarray(payload, end));
    try {
      decipher.final();
    } catch {
      return OPEN_AUTH_FAILED;
    }
    slab.set(plain, payload);
    batch.offsets[slot] = payload;
    batch.lengths[slot] = end - payload;
    batch.packetIds[slot] = packetId;
    return OPEN_OK;
  }
}

/** setAAD() wants the plaintext length for CCM only. */
const NO_LENGTH = { plaintextLength: 0 };

function copyKey(spec: DataKeySpec): Buffer {
  const { cipher, key, keyId, peerId, firstPacketId = 1 } = spec;
  if (cipher.mode !== 'aead') throw new ApiMisuseError(`${cipher.name} is not an AEAD cipher`);
  if (key.cipher.length < cipher.keyBytes || key.hmac.length < NONCE_BYTES - PID_BYTES) {
    throw new ApiMisuseError(`key material too short for ${cipher.name}`);
  }
  if (keyId < 0 || keyId > 7 || peerId < -1 || peerId > 0xff_ffff) {
    throw new ApiMisuseError('key id or peer id out of range');
  }
  if (firstPacketId < 1 || firstPacketId > MAX_PACKET_ID + 1) {
    throw new ApiMisuseError('packet id out of range');
  }
  const copy = Buffer.alloc(cipher.keyBytes);
  copy.set(key.cipher.subarray(0, cipher.keyBytes));
  return copy;
}

function createNonce(spec: DataKeySpec): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.set(spec.key.hmac.subarray(0, NONCE_BYTES - PID_BYTES), PID_BYTES);
  return nonce;
}

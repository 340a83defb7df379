/**
 * What data keys of all ciphers but AEAD share (2.x crypto.c openvpn_encrypt_v1(), openvpn_decrypt_v1()):
 * header, HMAC, packet ids, the walk over a batch. Subclasses encrypt and decrypt what the HMAC covers:
 *
 *   H(0|1|4) || hmac || body            body: cbc-node.ts, stream-node.ts, plain-node.ts
 *
 * The HMAC (encrypt, then MAC) covers the body, not the header; with `--auth none` there is none.
 * node:crypto costs a cipher and an HMAC object per packet. Writes stay within the slot.
 */
import { createHmac, type Hmac, timingSafeEqual } from 'node:crypto';
import { ApiMisuseError, type PacketBatch } from '../base/base.ts';
import type { DataKeySpec, SealingKey } from './crypto.ts';
import { OPEN_AUTH_FAILED, OPEN_NO_HMAC, OPEN_OK, OPEN_TOO_SHORT } from './crypto.ts';
import { SlotOpener } from './slot-opener-node.ts';

const P_DATA_V1 = 6;
const P_DATA_V2 = 9;
const MAX_PACKET_ID = 0xffff_ffff;

/** Bytes of a packet id. */
export const PID_BYTES = 4;
/** Bytes of a packet id with time. */
export const LONG_PID_BYTES = 8;

/** Where one packet lies in the slab; one object serves all packets of a key. */
export interface Region {
  /** First byte behind header and HMAC. */
  body: number;
  /** First byte of the plain packet. */
  payload: number;
  end: number;
}

/** Packet ids of one direction (2.x packet_id_send_update()): 1 upwards, long ones with the time of id 1. */
export class SendIds {
  readonly #wallSec: (() => number) | undefined;
  /** Id of the packet at work. */
  id: number;
  /** Unix time of long ids; 0 for short ones. */
  time = 0;

  constructor({ firstPacketId = 1, wallSec }: DataKeySpec, long: boolean) {
    if (firstPacketId < 1 || firstPacketId > MAX_PACKET_ID + 1) {
      throw new ApiMisuseError('packet id out of range');
    }
    if (long && !wallSec) throw new ApiMisuseError('long packet ids need the time');
    this.#wallSec = long ? wallSec : undefined;
    this.id = firstPacketId - 1;
  }

  /** Moves to the next id; false when they are used up. Long ids start over when time has moved on. */
  advance(): boolean {
    if (this.#wallSec && this.time === 0) this.time = this.#wallSec() >>> 0;
    if (this.id >= MAX_PACKET_ID) {
      const now = this.#wallSec ? this.#wallSec() >>> 0 : 0;
      if (now <= this.time) return false;
      this.time = now;
      this.id = 0;
    }
    this.id++;
    return true;
  }
}

export abstract class HmacSealingKey implements SealingKey {
  readonly headBytes: number;
  readonly tailBytes: number;
  protected readonly key: Buffer;
  protected readonly ids: SendIds;
  protected readonly region: Region = { body: 0, payload: 0, end: 0 };
  readonly #mac: Authenticator;
  readonly #opByte: number;
  readonly #peerId: number;
  readonly #headerBytes: number;
  #destroyed = false;

  /** `bodyHead` and `bodyTail` are the bytes that sealing adds to the body before and behind the packet. */
  protected constructor(spec: DataKeySpec, sizes: { bodyHead: number; bodyTail: number; longIds: boolean }) {
    const { headerless, peerId, keyId } = checkSpec(spec);
    this.key = cipherKey(spec);
    this.ids = new SendIds(spec, sizes.longIds);
    this.#mac = new Authenticator(spec);
    this.#peerId = peerId;
    this.#opByte = ((peerId < 0 ? P_DATA_V1 : P_DATA_V2) << 3) | keyId;
    this.#headerBytes = headerless ? 0 : peerId < 0 ? 1 : 4;
    this.headBytes = this.#headerBytes + this.#mac.bytes + sizes.bodyHead;
    this.tailBytes = sizes.bodyTail;
  }

  get nextPacketId(): number {
    return this.ids.id + 1;
  }

  sealBatch(batch: PacketBatch, first: number, end: number): number {
    if (this.#destroyed) throw new ApiMisuseError('sealBatch() on a destroyed key');
    const { offsets, lengths, slotSize } = batch;
    for (let slot = first; slot < end; slot++) {
      if (lengths[slot] === 0) continue;
      const payload = offsets[slot]!;
      const behind = payload + lengths[slot]! + this.tailBytes;
      if (payload - this.headBytes < slot * slotSize || behind > (slot + 1) * slotSize) lengths[slot] = 0;
      else if (this.ids.advance()) this.#seal(batch, slot);
      else return slot - first;
    }
    return end - first;
  }

  destroy(): void {
    this.#destroyed = true;
    this.key.fill(0);
    this.#mac.destroy();
  }

  /** Writes region.body up to the returned end; the payload may be overwritten. */
  protected abstract sealBody(slab: Buffer, region: Region): number;

  #seal(batch: PacketBatch, slot: number): void {
    const { slab } = batch;
    const { region } = this;
    region.payload = batch.offsets[slot]!;
    region.end = region.payload + batch.lengths[slot]!;
    const start = region.payload - this.headBytes;
    region.body = start + this.#headerBytes + this.#mac.bytes;
    const end = this.sealBody(slab, region);
    this.#mac.write(slab, region.body, end);
    if (this.#headerBytes === 1) slab[start] = this.#opByte;
    else if (this.#headerBytes === 4) {
      slab.writeUInt32BE(((this.#opByte << 24) | (this.#peerId & 0xff_ffff)) >>> 0, start);
    }
    batch.offsets[slot] = start;
    batch.lengths[slot] = end - start;
  }
}

export abstract class HmacOpeningKey extends SlotOpener {
  readonly wideIds: boolean;
  protected readonly key: Buffer;
  protected readonly region: Region = { body: 0, payload: 0, end: 0 };
  readonly #mac: Authenticator;
  readonly #headerless: boolean;

  protected constructor(spec: DataKeySpec, longIds: boolean) {
    super();
    this.#headerless = checkSpec(spec).headerless;
    this.wideIds = longIds;
    this.key = cipherKey(spec);
    this.#mac = new Authenticator(spec);
  }

  protected wipe(): void {
    this.key.fill(0);
    this.#mac.destroy();
  }

  /** Opens region.body..end: sets region.payload and region.end, and packetIds, packetTimes of the slot. */
  protected abstract openBody(batch: PacketBatch, slot: number, region: Region): number;

  protected openSlot(batch: PacketBatch, slot: number): number {
    const { slab } = batch;
    const { region } = this;
    const start = batch.offsets[slot]!;
    const end = start + batch.lengths[slot]!;
    const hmac = start + this.#headerBytes(slab[start]!);
    region.body = hmac + this.#mac.bytes;
    region.end = end;
    if (region.body > end) return this.#mac.bytes > 0 ? OPEN_NO_HMAC : OPEN_TOO_SHORT;
    if (!this.#mac.verify(slab, hmac, region.body, end)) return OPEN_AUTH_FAILED;
    const status = this.openBody(batch, slot, region);
    if (status !== OPEN_OK) return status;
    batch.offsets[slot] = region.payload;
    batch.lengths[slot] = region.end - region.payload;
    return OPEN_OK;
  }

  #headerBytes(first: number): number {
    if (this.#headerless) return 0;
    return first >>> 3 === P_DATA_V2 ? 4 : 1;
  }
}

/** The HMAC of one direction; 0 bytes with `--auth none`. */
class Authenticator {
  readonly bytes: number;
  readonly #digest: string;
  readonly #key: Buffer;

  constructor({ digest, key }: DataKeySpec) {
    this.bytes = digest?.bytes ?? 0;
    this.#digest = digest?.name ?? '';
    if (key.hmac.length < this.bytes) throw new ApiMisuseError(`key material too short for ${this.#digest}`);
    this.#key = Buffer.alloc(this.bytes);
    this.#key.set(key.hmac.subarray(0, this.bytes));
  }

  /** Writes the HMAC of body..end right before body. */
  write(slab: Buffer, body: number, end: number): void {
    if (this.bytes > 0) slab.set(this.#over(slab, body, end).digest(), body - this.bytes);
  }

  /** Compares in constant time. */
  verify(slab: Buffer, hmac: number, body: number, end: number): boolean {
    if (this.bytes === 0) return true;
    return timingSafeEqual(this.#over(slab, body, end).digest(), slab.subarray(hmac, body));
  }

  destroy(): void {
    this.#key.fill(0);
  }

  #over(slab: Buffer, body: number, end: number): Hmac {
    return createHmac(this.#digest, this.#key).update(slab.subarray(body, end));
  }
}

function checkSpec(spec: DataKeySpec): { headerless: boolean; peerId: number; keyId: number } {
  const { headerless = false, peerId, keyId } = spec;
  if (keyId < 0 || keyId > 7 || peerId < -1 || peerId > 0xff_ffff) {
    throw new ApiMisuseError('key id or peer id out of range');
  }
  return { headerless, peerId, keyId };
}

function cipherKey({ cipher, key }: DataKeySpec): Buffer {
  if (key.cipher.length < cipher.keyBytes)
    throw new ApiMisuseError(`key material too short for ${cipher.name}`);
  const copy = Buffer.alloc(cipher.keyBytes);
  copy.set(key.cipher.subarray(0, cipher.keyBytes));
  return copy;
}

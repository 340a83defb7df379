/**
 * Data keys of CBC ciphers over node:crypto. The body of a packet, see hmac-layout-node.ts:
 *
 *   iv(block, random) || CBC( pid(4; without header 4 + time 4) || payload || PKCS#7 padding )
 *
 * Random IVs come from a pool, since asking the system for 16 bytes per packet costs a call each time.
 */
import { createCipheriv, createDecipheriv, randomFillSync } from 'node:crypto';
import type { PacketBatch } from '../base/base.ts';
import type { DataKeySpec } from './crypto.ts';
import { OPEN_BAD_CIPHERTEXT, OPEN_NO_IV, OPEN_NO_PACKET_ID, OPEN_OK, OPEN_TOO_SHORT } from './crypto.ts';
import {
  HmacOpeningKey,
  HmacSealingKey,
  LONG_PID_BYTES,
  PID_BYTES,
  type Region,
} from './hmac-layout-node.ts';

/** IVs fetched at a time. */
const POOL_IVS = 64;

export class CbcSealingKey extends HmacSealingKey {
  readonly #cipher: string;
  readonly #ivBytes: number;
  readonly #pidBytes: number;
  readonly #pool: Buffer;
  #poolAt: number;

  constructor(spec: DataKeySpec) {
    const { ivBytes, blockBytes, name } = spec.cipher;
    const longIds = spec.headerless === true;
    const pidBytes = longIds ? LONG_PID_BYTES : PID_BYTES;
    super(spec, { bodyHead: ivBytes + pidBytes, bodyTail: blockBytes, longIds });
    this.#cipher = name.toLowerCase();
    this.#ivBytes = ivBytes;
    this.#pidBytes = pidBytes;
    this.#pool = Buffer.alloc(POOL_IVS * ivBytes);
    this.#poolAt = this.#pool.length;
  }

  protected sealBody(slab: Buffer, { body, payload, end }: Region): number {
    const pidAt = payload - this.#pidBytes;
    slab.writeUInt32BE(this.ids.id, pidAt);
    if (this.#pidBytes === LONG_PID_BYTES) slab.writeUInt32BE(this.ids.time, pidAt + PID_BYTES);
    this.#writeIv(slab, body);
    const cipher = createCipheriv(this.#cipher, this.key, slab.subarray(body, body + this.#ivBytes));
    const most = cipher.update(slab.subarray(pidAt, end));
    const last = cipher.final();
    slab.set(most, pidAt);
    slab.set(last, pidAt + most.length);
    return pidAt + most.length + last.length;
  }

  #writeIv(slab: Buffer, at: number): void {
    if (this.#poolAt === this.#pool.length) {
      randomFillSync(this.#pool);
      this.#poolAt = 0;
    }
    this.#pool.copy(slab, at, this.#poolAt, this.#poolAt + this.#ivBytes);
    this.#poolAt += this.#ivBytes;
  }
}

export class CbcOpeningKey extends HmacOpeningKey {
  readonly #cipher: string;
  readonly #ivBytes: number;
  readonly #blockBytes: number;

  constructor(spec: DataKeySpec) {
    super(spec, spec.headerless === true);
    this.#cipher = spec.cipher.name.toLowerCase();
    this.#ivBytes = spec.cipher.ivBytes;
    this.#blockBytes = spec.cipher.blockBytes;
  }

  protected openBody(batch: PacketBatch, slot: number, region: Region): number {
    const { slab } = batch;
    const { body, end } = region;
    const data = body + this.#ivBytes;
    if (data > end) return OPEN_NO_IV;
    if (data === end) return OPEN_TOO_SHORT;
    if ((end - data) % this.#blockBytes !== 0) return OPEN_BAD_CIPHERTEXT;
    const decipher = createDecipheriv(this.#cipher, this.key, slab.subarray(body, data));
    const most = decipher.update(slab.subarray(data, end));
    let last: Buffer;
    try {
      last = decipher.final();
    } catch {
      return OPEN_BAD_CIPHERTEXT;
    }
    const pidBytes = this.wideIds ? LONG_PID_BYTES : PID_BYTES;
    const length = most.length + last.length;
    if (length < pidBytes) return OPEN_NO_PACKET_ID;
    slab.set(most, data);
    slab.set(last, data + most.length);
    batch.packetIds[slot] = slab.readUInt32BE(data);
    if (this.wideIds) batch.packetTimes[slot] = slab.readUInt32BE(data + PID_BYTES);
    region.payload = data + pidBytes;
    region.end = data + length;
    return OPEN_OK;
  }
}

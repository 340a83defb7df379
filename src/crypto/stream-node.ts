/**
 * Data keys of CFB and OFB ciphers over node:crypto, TLS mode only. The body of a packet, see
 * hmac-layout-node.ts:
 *
 *   iv = pid(4) || time(4) || zero up to the block || cipher(payload)
 *
 * The packet id makes the IV unique, so it always has the long form, and time must never go back.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { PacketBatch } from '../base/base.ts';
import type { DataKeySpec } from './crypto.ts';
import { OPEN_NO_IV, OPEN_OK, OPEN_TOO_SHORT } from './crypto.ts';
import { HmacOpeningKey, HmacSealingKey, PID_BYTES, type Region } from './hmac-layout-node.ts';

export class StreamSealingKey extends HmacSealingKey {
  readonly #cipher: string;
  readonly #ivBytes: number;

  constructor(spec: DataKeySpec) {
    const { ivBytes, name } = spec.cipher;
    super(spec, { bodyHead: ivBytes, bodyTail: 0, longIds: true });
    this.#cipher = name.toLowerCase();
    this.#ivBytes = ivBytes;
  }

  protected sealBody(slab: Buffer, { body, payload, end }: Region): number {
    slab.fill(0, body, body + this.#ivBytes);
    slab.writeUInt32BE(this.ids.id, body);
    slab.writeUInt32BE(this.ids.time, body + PID_BYTES);
    const cipher = createCipheriv(this.#cipher, this.key, slab.subarray(body, payload));
    slab.set(cipher.update(slab.subarray(payload, end)), payload);
    cipher.final();
    return end;
  }
}

export class StreamOpeningKey extends HmacOpeningKey {
  readonly #cipher: string;
  readonly #ivBytes: number;

  constructor(spec: DataKeySpec) {
    super(spec, true);
    this.#cipher = spec.cipher.name.toLowerCase();
    this.#ivBytes = spec.cipher.ivBytes;
  }

  protected openBody(batch: PacketBatch, slot: number, region: Region): number {
    const { slab } = batch;
    const { body, end } = region;
    const data = body + this.#ivBytes;
    if (data > end) return OPEN_NO_IV;
    if (data === end) return OPEN_TOO_SHORT;
    const decipher = createDecipheriv(this.#cipher, this.key, slab.subarray(body, data));
    slab.set(decipher.update(slab.subarray(data, end)), data);
    decipher.final();
    batch.packetIds[slot] = slab.readUInt32BE(body);
    batch.packetTimes[slot] = slab.readUInt32BE(body + PID_BYTES);
    region.payload = data;
    return OPEN_OK;
  }
}

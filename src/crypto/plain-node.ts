/**
 * Data keys of `cipher none`. The body of a packet, see hmac-layout-node.ts:
 *
 *   pid(4; without header 4 + time 4) || payload
 */
import type { PacketBatch } from '../base/base.ts';
import type { DataKeySpec } from './crypto.ts';
import { OPEN_NO_PACKET_ID, OPEN_OK } from './crypto.ts';
import {
  HmacOpeningKey,
  HmacSealingKey,
  LONG_PID_BYTES,
  PID_BYTES,
  type Region,
} from './hmac-layout-node.ts';

export class PlainSealingKey extends HmacSealingKey {
  readonly #longIds: boolean;

  constructor(spec: DataKeySpec) {
    const longIds = spec.headerless === true;
    super(spec, { bodyHead: longIds ? LONG_PID_BYTES : PID_BYTES, bodyTail: 0, longIds });
    this.#longIds = longIds;
  }

  protected sealBody(slab: Buffer, { body, end }: Region): number {
    slab.writeUInt32BE(this.ids.id, body);
    if (this.#longIds) slab.writeUInt32BE(this.ids.time, body + PID_BYTES);
    return end;
  }
}

export class PlainOpeningKey extends HmacOpeningKey {
  constructor(spec: DataKeySpec) {
    super(spec, spec.headerless === true);
  }

  protected openBody(batch: PacketBatch, slot: number, region: Region): number {
    const { body, end } = region;
    const payload = body + (this.wideIds ? LONG_PID_BYTES : PID_BYTES);
    if (payload > end) return OPEN_NO_PACKET_ID;
    batch.packetIds[slot] = batch.slab.readUInt32BE(body);
    if (this.wideIds) batch.packetTimes[slot] = batch.slab.readUInt32BE(body + PID_BYTES);
    region.payload = payload;
    return OPEN_OK;
  }
}

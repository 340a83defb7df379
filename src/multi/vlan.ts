/**
 * 802.1Q tags of Ethernet frames in batch slots, in place (2.x vlan.c).
 *
 *   untagged  dst(6) src(6) type(2) ...
 *   tagged    dst(6) src(6) 8100 pcp(3)dei(1)vid(12) type(2) ...
 *
 * VLAN id 0 is a priority tag: the frame belongs to the port's own VLAN and keeps its tag.
 */
import type { PacketBatch } from '../base/base.ts';

export const ETHERNET_HEADER_BYTES = 14;
const TAGGED_HEADER_BYTES = 18;
const TAG_BYTES = 4;
const ADDRESSES_BYTES = 12;
const TPID = 0x8100;
const VID_MASK = 0x0fff;

/** The VLAN id of the tag, 0 included; -1 without a tag, -2 when the frame is too short for its header. */
export function vlanIdOf(slab: Uint8Array, at: number, length: number): number {
  if (length < ETHERNET_HEADER_BYTES) return -2;
  if (((slab[at + 12]! << 8) | slab[at + 13]!) !== TPID) return -1;
  if (length < TAGGED_HEADER_BYTES) return -2;
  return ((slab[at + 14]! << 8) | slab[at + 15]!) & VID_MASK;
}

/** Takes the tag out of a tagged frame; its priority is lost. */
export function untagFrame(batch: PacketBatch, slot: number): void {
  const at = batch.offsets[slot]!;
  batch.slab.copyWithin(at + TAG_BYTES, at, at + ADDRESSES_BYTES);
  batch.offsets[slot] = at + TAG_BYTES;
  batch.lengths[slot] = batch.lengths[slot]! - TAG_BYTES;
}

/**
 * Tags a frame with `vid`; a priority tag keeps its priority. False when that can't be: a frame too
 * short, tagged for another VLAN, or without room before it.
 */
export function tagFrame(batch: PacketBatch, slot: number, vid: number): boolean {
  const { slab } = batch;
  const at = batch.offsets[slot]!;
  const known = vlanIdOf(slab, at, batch.lengths[slot]!);
  if (known === 0) {
    slab[at + 14] = (slab[at + 14]! & 0xf0) | (vid >>> 8);
    slab[at + 15] = vid & 0xff;
    return true;
  }
  const start = at - TAG_BYTES;
  if (known !== -1 || start < slot * batch.slotSize) return false;
  slab.copyWithin(start, at, at + ADDRESSES_BYTES);
  slab[start + 12] = TPID >>> 8;
  slab[start + 13] = TPID & 0xff;
  slab[start + 14] = vid >>> 8;
  slab[start + 15] = vid & 0xff;
  batch.offsets[slot] = start;
  batch.lengths[slot] = batch.lengths[slot]! + TAG_BYTES;
  return true;
}

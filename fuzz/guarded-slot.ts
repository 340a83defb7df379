/** A batch whose middle slot takes the packet, with a slot of guard bytes on each side. */
import { PacketBatch } from '../src/base/base.ts';

const GUARD = 0xa5;

/** Slot 1 is the packet's; the others are empty for what works on the batch. */
export const batch = new PacketBatch(3, 4096);

/** Puts a packet, cut at the slot's size, between fresh guards. */
export function load(packet: Uint8Array): void {
  batch.clear();
  batch.slab.fill(GUARD);
  batch.push(Uint8Array.of(GUARD));
  batch.push(packet.subarray(0, batch.maxPacketBytes));
  batch.push(Uint8Array.of(GUARD));
  batch.lengths[0] = 0;
  batch.lengths[2] = 0;
}

/** Throws when anything was written outside of the packet's slot. */
export function checkGuards(): void {
  const { slab, slotSize } = batch;
  for (let i = 0; i < slotSize; i++) {
    if (slab[i] !== GUARD || slab[2 * slotSize + i] !== GUARD) throw new Error('wrote outside the slot');
  }
}

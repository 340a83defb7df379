/**
 * Fuzz entry of the tap router: any bytes as a frame of a client and of the device, with and without
 * VLANs. Nothing outside the frame's slot changes, lengths stay in it, and a frame that leaves tagged is
 * the one that came, with the client's VLAN.
 */
import { PACKET_HEADROOM, PacketBatch } from '../src/base/base.ts';
import { TapRouter } from '../src/multi/router-tap.ts';
import { vlanIdOf } from '../src/multi/vlan.ts';
import { RoutingBed } from '../test-kit/routing-bed.ts';

const PVID = 7;
const MAX_BYTES = 1600;
const GUARD = 0xa5;

export const target = {
  name: 'ethernet',
  run(bytes: Uint8Array): void {
    const frame = bytes.subarray(0, MAX_BYTES);
    for (const accept of [undefined, 'all', 'tagged', 'untagged'] as const) {
      const bed = new RoutingBed();
      const { routes, learner, drops } = bed;
      const vlan = accept && { accept, pvid: 1 };
      const router = new TapRouter({ routes, learner, clientToClient: true, vlan, drops });
      const client = bed.client('a', { vlanPvid: PVID });
      const batch = guarded(frame);
      if (router.fromClient(client, batch, 1) === 'device' && router.toDevice(client, batch, 1)) {
        checkTag(batch, frame, accept);
      }
      checkGuards(batch);
      const other = guarded(frame);
      router.fromDevice(other, 1);
      checkGuards(other);
    }
  },
};

/** The frame in slot 1 of three; the others are filled. */
function guarded(frame: Uint8Array): PacketBatch {
  const batch = new PacketBatch(3, MAX_BYTES);
  batch.slab.fill(GUARD);
  batch.offsets[1] = batch.slotSize + PACKET_HEADROOM;
  batch.lengths[1] = frame.length;
  batch.slab.set(frame, batch.offsets[1]);
  batch.count = 3;
  return batch;
}

function checkTag(batch: PacketBatch, frame: Uint8Array, accept: string | undefined): void {
  const vid = vlanIdOf(batch.slab, batch.offsets[1]!, batch.lengths[1]!);
  const tagged = accept === 'all' || accept === 'tagged';
  if (tagged && vid !== PVID) throw new Error(`frame left with VLAN ${vid}`);
  if (accept === 'untagged') throw new Error('a frame of another VLAN reached an untagged device');
  if (!tagged && batch.lengths[1] !== frame.length) throw new Error('an untagged frame changed its length');
}

function checkGuards({ slab, slotSize, offsets, lengths }: PacketBatch): void {
  const start = offsets[1]!;
  if (start < slotSize || start + lengths[1]! > 2 * slotSize) throw new Error('the frame left its slot');
  for (let at = 0; at < slotSize; at++) {
    if (slab[at] !== GUARD || slab[2 * slotSize + at] !== GUARD) throw new Error('wrote into another slot');
  }
}

/**
 * Fuzz entry of compression framing: any bytes in any framing are dropped or give a packet that fits the
 * slot; nothing outside of the slot changes; what one side frames the other reads. The last byte chooses
 * the framing.
 */
import { nullLogger, PacketBatch } from '../src/base/base.ts';
import { algorithmOf, type CompressionFraming, createCompressor } from '../src/comp/comp.ts';
import { compressionForTests } from '../test-kit/compression.ts';

const FRAMINGS: CompressionFraming[] = ['lzo-stub', 'stub', 'stub-v2', 'lzo', 'lz4', 'lz4-v2'];
const compressors = FRAMINGS.map((framing) => {
  const algorithm = algorithmOf(framing);
  const backend = algorithm && compressionForTests(algorithm);
  return createCompressor({ framing, backend, sends: true, adaptive: false, log: nullLogger });
});
/** A slot of guard bytes on each side of the packet's. */
const batch = new PacketBatch(3, 4096);
const GUARD = 0xa5;
const guards = Buffer.alloc(batch.slotSize, GUARD);
batch.slab.fill(GUARD);

export const target = {
  name: 'compression',
  run(bytes: Uint8Array): void {
    const compressor = compressors[(bytes.at(-1) ?? 0) % compressors.length]!;
    load(bytes);
    const good = compressor.unframe(batch, 1);
    if (good !== batch.lengths[1]! > 0) throw new Error('dropped with a length, or kept without one');
    if (batch.lengths[1]! > batch.maxPacketBytes) throw new Error('longer than a packet may be');
    checkGuards();
    if (bytes.length === 0) return;
    load(bytes);
    compressor.frame(batch, 1, 0);
    if (!compressor.unframe(batch, 1)) throw new Error('a framed packet was dropped');
    if (batch.packet(1).compare(bytes) !== 0) throw new Error('a packet changed on its way');
    checkGuards();
  },
};

function load(packet: Uint8Array): void {
  batch.clear();
  for (let slot = 0; slot < 3; slot++) batch.push(slot === 1 ? packet : guards.subarray(0, 1));
}

function checkGuards(): void {
  const { slab, slotSize } = batch;
  const left = slab.compare(guards, 0, slotSize, 0, slotSize);
  const right = slab.compare(guards, 0, slotSize, 2 * slotSize, 3 * slotSize);
  if (left !== 0 || right !== 0) throw new Error('wrote outside the slot');
}

/**
 * Facts about framings: the algorithm inside, and what frame arithmetic counts for them (2.x mtu.c
 * frame_calculate_payload_overhead()).
 */
import type { CompressionAlgorithm, CompressionFraming } from './comp.ts';

/** The algorithm that a framing may carry; undefined for framings without compression. */
export function algorithmOf(framing: CompressionFraming | 'none'): CompressionAlgorithm | undefined {
  if (framing === 'lzo') return 'lzo';
  return framing === 'lz4' || framing === 'lz4-v2' ? 'lz4' : undefined;
}

/** Bytes that frame arithmetic counts for a framing: v2 framings only add some to rare packets. */
export function headerBytes(framing: CompressionFraming | 'none'): 0 | 1 {
  return framing === 'none' || framing === 'stub-v2' || framing === 'lz4-v2' ? 0 : 1;
}

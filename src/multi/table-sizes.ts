/** Sizes of tables that options name (2.x buffer.c array_mult_safe(), mbuf.c, list.c hash_init()). */
import { OpenVpnError } from '../base/base.ts';
import type { Options } from '../options/options.ts';

/** Most bytes of a table in 2.x, and what an entry of each takes there. */
const MAX_TABLE_BYTES = 2 ** 32 - 1;
const MBUF_ENTRY_BYTES = 16;
const BUCKET_BYTES = 8;
/** Copies that may wait at once; 2.x keeps references only, here each has its place. */
const MAX_COPIES = 16_384;

/** Throws OpenVpnError for tables that 2.x refuses. */
export function checkTableSizes({ bcastBuffers, hashSize }: Options): void {
  const entries = [bcastBuffers * (MBUF_ENTRY_BYTES / BUCKET_BYTES), hashSize.real, hashSize.virtual];
  for (const count of entries) {
    if (2 ** Math.ceil(Math.log2(Math.max(1, count))) * BUCKET_BYTES > MAX_TABLE_BYTES)
      throw new OpenVpnError('attempted allocation of excessively large array');
  }
}

/** Places for copies to other clients: --bcast-buffers, within what memory is for. */
export function copyBuffers({ bcastBuffers }: Options): number {
  return Math.min(bcastBuffers, MAX_COPIES);
}

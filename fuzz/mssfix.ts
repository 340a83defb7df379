/**
 * Fuzz entry: any bytes as a packet from tun or tap. Nothing outside the packet changes, at most a few
 * bytes inside do, and a second pass finds nothing to lower.
 */
import { ipOffset, mssfix } from '../src/forward/forward.ts';

const GUARD_BYTES = 64;
const MSS = 1300;

export const target = {
  name: 'mssfix',
  run(bytes: Uint8Array): void {
    const slab = new Uint8Array(bytes.length + 2 * GUARD_BYTES).fill(0xa5);
    slab.set(bytes, GUARD_BYTES);
    for (const dev of ['tun', 'tap'] as const) {
      const ip = ipOffset(slab, GUARD_BYTES, bytes.length, dev);
      if (ip < 0) continue;
      const length = bytes.length - (ip - GUARD_BYTES);
      mssfix(slab, ip, length, MSS);
      if (mssfix(slab, ip, length, MSS)) throw new Error('a second pass lowered an MSS');
    }
    for (let i = 0; i < GUARD_BYTES; i++) {
      const behind = slab[GUARD_BYTES + bytes.length + i];
      if (slab[i] !== 0xa5 || behind !== 0xa5) throw new Error('wrote outside the packet');
    }
  },
};

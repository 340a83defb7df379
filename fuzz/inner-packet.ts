/**
 * Fuzz entry: any bytes as a packet inside the tunnel, at the very end of its slab: header fields that
 * routing reads lie within it, for tun packets and for tap frames.
 */

import { ipDestinationOffset, ipSourceOffset, isIpMulticast } from '../src/forward/forward.ts';
import { ipOffset, ipVersion } from '../src/forward/proto.ts';

/** Bytes in front, which must never matter. */
const FRONT = 16;

export const target = {
  name: 'inner-packet',
  corpus: [Buffer.from(`45${'00'.repeat(19)}`, 'hex'), Buffer.from(`60${'00'.repeat(39)}`, 'hex')],
  run(bytes: Uint8Array): void {
    const slab = Buffer.concat([Buffer.alloc(FRONT, 0x45), bytes]);
    for (const dev of ['tun', 'tap'] as const) {
      const at = ipOffset(slab, FRONT, bytes.length, dev);
      if (at >= 0) check(slab, at);
    }
    if (ipVersion(slab, FRONT, bytes.length) !== 0) check(slab, FRONT);
  },
};

function check(slab: Buffer, at: number): void {
  const version = ipVersion(slab, at, slab.length - at);
  if (version === 0 || at < FRONT) throw new Error('an IP header where there is none');
  const addressBytes = version === 4 ? 4 : 16;
  for (const field of [ipSourceOffset(at, version), ipDestinationOffset(at, version)]) {
    if (field < at || field + addressBytes > slab.length) throw new Error('an address outside of the packet');
  }
  if (typeof isIpMulticast(slab, at, version) !== 'boolean') throw new Error('no answer about multicast');
}

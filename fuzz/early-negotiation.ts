/** Fuzz entry: any bytes as the payload of a hard reset, read before anybody is authenticated. */
import { readEarlyNegotiation } from '../src/ssl/tlv.ts';

export const target = {
  name: 'early-negotiation',
  corpus: [Uint8Array.of(0, 1, 0, 2, 0, 1), Uint8Array.of(0, 9, 0, 3, 1, 2, 3, 0, 1, 0, 2, 0, 0)],
  run(bytes: Uint8Array): void {
    const before = Buffer.from(bytes);
    const read = readEarlyNegotiation(bytes);
    if (before.compare(bytes) !== 0) throw new Error('the input was changed');
    if (read === undefined) return;
    // A list that is good stays good, and says the same, with an unknown entry behind it.
    const longer = readEarlyNegotiation(Buffer.concat([bytes, Uint8Array.of(0xff, 0xff, 0, 1, 7)]));
    if (JSON.stringify(longer) !== JSON.stringify(read))
      throw new Error('an unknown entry made a difference');
  },
};

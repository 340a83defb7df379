import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GatheredBytes } from './gathered-bytes.ts';

describe('GatheredBytes', () => {
  it('holds what came, however it was cut', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 700 })), (chunks) => {
        const gathered = new GatheredBytes();
        for (const chunk of chunks) gathered.push(chunk);
        const all = Buffer.concat(chunks);
        expect(gathered.bytes.equals(all)).toBe(true);
        expect(gathered.length).toBe(all.length);
      }),
    );
  });

  it('makes new room a few times only for single bytes', () => {
    const gathered = new GatheredBytes();
    const rooms = new Set<ArrayBufferLike>();
    for (let i = 0; i < 64 << 10; i++) {
      gathered.push(Uint8Array.of(i));
      rooms.add(gathered.bytes.buffer);
    }
    expect(rooms.size).toBeLessThan(12);
  });
});

import { describe, expect, it } from 'vitest';
import { createSessionId, isZeroSessionId, sameSessionId, sessionIdHex } from './session-id.ts';

describe('session ids', () => {
  it('prints like 2.x: two groups of eight digits', () => {
    expect(sessionIdHex(Uint8Array.of(0x65, 0xa0, 0xcf, 0x8c, 0x4d, 0x1e, 0x2c, 0x0e))).toBe(
      '65a0cf8c 4d1e2c0e',
    );
  });

  it('never makes the zero id', () => {
    const answers = [new Uint8Array(8), new Uint8Array(8), new Uint8Array(8).fill(3)];
    const sessionId = createSessionId({ randomBytes: () => answers.shift()! });
    expect([...sessionId]).toEqual([3, 3, 3, 3, 3, 3, 3, 3]);
    expect(isZeroSessionId(sessionId)).toBe(false);
    expect(isZeroSessionId(new Uint8Array(8))).toBe(true);
  });

  it('compares all bytes and the length', () => {
    const a = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    expect(sameSessionId(a, a.slice())).toBe(true);
    expect(sameSessionId(a, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 9))).toBe(false);
    expect(sameSessionId(a, a.subarray(0, 7))).toBe(false);
  });
});

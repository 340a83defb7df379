import { describe, expect, it } from 'vitest';
import { op } from './reliable.ts';

describe('opcodes', () => {
  it('splits the first byte into opcode and key id', () => {
    for (let opcode = 0; opcode < 32; opcode++) {
      for (let keyId = 0; keyId < 8; keyId++) {
        const packet = Uint8Array.of(op.firstByte(opcode, keyId));
        expect([op.readOpcode(packet), op.readKeyId(packet)]).toEqual([opcode, keyId]);
      }
    }
  });

  it('knows control, data and reset opcodes', () => {
    const all = Array.from({ length: 32 }, (_, opcode) => opcode);
    expect(all.filter(op.isControlOpcode)).toEqual([3, 4, 5, 7, 8, 10, 11]);
    expect(all.filter(op.isDataOpcode)).toEqual([6, 9]);
    expect(all.filter(op.isHardReset)).toEqual([7, 8, 10]);
    expect(all.filter(op.isHardResetClient)).toEqual([7, 10]);
  });

  it('names opcodes as 2.x logs them', () => {
    expect(op.opcodeName(op.P_CONTROL_HARD_RESET_CLIENT_V2)).toBe('P_CONTROL_HARD_RESET_CLIENT_V2');
    expect(op.opcodeName(op.P_CONTROL_WKC_V1)).toBe('P_CONTROL_WKC_V1');
    expect(op.opcodeName(0)).toBe('P_???');
    expect(op.opcodeName(31)).toBe('P_???');
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import vectors from '../../test-kit/vectors.json' with { type: 'json' };
import {
  ackBlockBytes,
  checkPrefix,
  innerBytes,
  readControlPacket,
  readInner,
  writeControlPacket,
} from './control-packet.ts';
import { isControlOpcode, P_ACK_V1, P_CONTROL_V1 } from './opcodes.ts';
import type { ControlPacket } from './reliable.ts';
import { isZeroSessionId } from './session-id.ts';

describe('control packet codec', () => {
  it('reads the hard resets that a 2.6 client and server exchange', () => {
    const [vector] = vectors.hmac_cookie;
    const reset = read(hex(vector!.client_reset));
    expect(reset).toMatchObject({ opcode: 7, keyId: 0, acks: [], peerSessionId: undefined, messageId: 0 });
    expect(reset.payload).toHaveLength(0);

    const answer = read(hex(vector!.server_reset));
    expect(answer).toMatchObject({ opcode: 8, keyId: 0, acks: [0], messageId: 0 });
    expect(toHex(answer.sessionId)).toBe(vector!.session_id);
    expect(toHex(answer.peerSessionId!)).toBe(toHex(reset.sessionId));
    expect(toHex(writeControlPacket(answer))).toBe(vector!.server_reset);
  });

  it('reads and writes the inner part of every captured packet alike', () => {
    for (const vector of [...vectors.tls_auth.packets, ...vectors.tls_crypt.packets]) {
      const packet = read(hex(vector.packet.slice(0, 18)), hex(vector.inner));
      expect(packet.acks).toEqual(vector.acks);
      expect(packet.messageId ?? null).toBe(vector.message_id ?? null);
      expect(toHex(writeControlPacket(packet))).toBe(vector.packet.slice(0, 18) + vector.inner);
    }
  });

  it('gives back what was written', () => {
    fc.assert(
      fc.property(anyControlPacket(), (packet) => {
        const bytes = writeControlPacket(packet);
        expect(bytes).toHaveLength(9 + innerBytes(packet));
        expect(plain(read(bytes))).toEqual(plain(packet));
      }),
    );
  });

  it('takes any bytes without throwing, and rewrites what it accepts', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const packet = readControlPacket(bytes);
        if (typeof packet === 'string') return;
        expect(isControlOpcode(packet.opcode)).toBe(true);
        expect(packet.acks.length).toBeLessThanOrEqual(8);
        expect(packet.acks.length > 0).toBe(packet.peerSessionId !== undefined);
        const rewritten = writeControlPacket(packet);
        expect(toHex(rewritten)).toBe(toHex(bytes.subarray(0, rewritten.length)));
      }),
      { numRuns: 2000 },
    );
  });

  it('says why a packet is bad', () => {
    const good = '2001010101010101010100000000020202020202020200000001';
    expect(readControlPacket(hex(good))).toBeTypeOf('object');
    expect(readControlPacket(new Uint8Array(0))).toBe('too-short');
    expect(readControlPacket(hex(good.slice(0, 16)))).toBe('too-short');
    expect(readControlPacket(hex(good.slice(0, 18)))).toBe('too-short');
    expect(readControlPacket(hex(good.slice(0, -2)))).toBe('too-short');
    expect(readControlPacket(hex(`08${good.slice(2)}`))).toBe('bad-opcode');
    expect(readControlPacket(hex(`48${good.slice(2)}`))).toBe('bad-opcode');
    expect(readControlPacket(hex(`60${good.slice(2)}`))).toBe('bad-opcode');
    expect(readControlPacket(hex(`20${'00'.repeat(8)}0000000000`))).toBe('bad-session-id');
    expect(readControlPacket(hex(`200101010101010101${'0100000000'}${'00'.repeat(8)}00000001`))).toBe(
      'bad-session-id',
    );
    expect(readControlPacket(hex(`280101010101010101${'02'}${'00'.repeat(15)}`))).toBe('bad-acks');
    expect(readControlPacket(hex(`280101010101010101${'09'}${'01'.repeat(44)}`))).toBe('bad-acks');
  });

  it('has no message id and no payload in P_ACK_V1, whatever follows the acknowledgements', () => {
    const packet = read(hex(`280101010101010101${'0100000007'}${'02'.repeat(8)}ffffffff`));
    expect(packet.acks).toEqual([7]);
    expect(packet.messageId).toBeUndefined();
    expect(packet.payload).toHaveLength(0);
  });

  it('counts the acknowledgement block as it is written', () => {
    expect([0, 1, 4, 8].map(ackBlockBytes)).toEqual([1, 13, 25, 41]);
  });

  it('checks the prefix without looking further', () => {
    expect(checkPrefix(hex('ff200101010101010101'), 1, 10)).toBeUndefined();
    expect(checkPrefix(hex('2001010101010101ff'), 0, 8)).toBe('too-short');
  });
});

function anyControlPacket(): fc.Arbitrary<ControlPacket> {
  const sessionId = fc.uint8Array({ minLength: 8, maxLength: 8 }).filter((bytes) => !isZeroSessionId(bytes));
  const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
  return fc
    .record({
      opcode: fc.constantFrom(3, P_CONTROL_V1, P_ACK_V1, 7, 8, 10, 11),
      keyId: fc.integer({ min: 0, max: 7 }),
      sessionId,
      acks: fc.array(uint32, { maxLength: 8 }),
      peer: sessionId,
      messageId: uint32,
      payload: fc.uint8Array({ maxLength: 64 }),
    })
    .map(({ peer, ...fields }) => ({
      ...fields,
      peerSessionId: fields.acks.length > 0 ? peer : undefined,
      messageId: fields.opcode === P_ACK_V1 ? undefined : fields.messageId,
      payload: fields.opcode === P_ACK_V1 ? new Uint8Array(0) : fields.payload,
    }));
}

function plain(packet: ControlPacket): object {
  return {
    ...packet,
    sessionId: toHex(packet.sessionId),
    peerSessionId: packet.peerSessionId && toHex(packet.peerSessionId),
    payload: toHex(packet.payload),
  };
}

function read(bytes: Uint8Array, inner?: Uint8Array): ControlPacket {
  const packet = inner
    ? (checkPrefix(bytes, 0, bytes.length) ?? readInner(bytes, 0, inner, 0, inner.length))
    : readControlPacket(bytes);
  if (typeof packet === 'string') throw new Error(packet);
  return packet;
}

function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'));
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

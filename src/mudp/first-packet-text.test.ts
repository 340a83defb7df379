import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressToWords, MemoryLogger, PacketBatch } from '../base/base.ts';
import type { DropReason } from '../reliable/reliable.ts';
import { logFirstPacket } from './first-packet-text.ts';

const FROM = { family: 4, address: '192.0.2.7', port: 4000 } as const;
const ACK = Uint8Array.from([0x28, 1, 2, 3, 4, 5, 6, 7, 8, 0]);

function say(packet: Uint8Array, reason: DropReason, wrap = 'none', verb = 15): string | undefined {
  const log = new MemoryLogger(verb);
  const batch = new PacketBatch(2);
  batch.push(ACK);
  addressToWords(FROM, batch.addresses, batch.push(packet));
  logFirstPacket(log, batch, 1, reason, wrap as 'none');
  return log.lines[0];
}

describe('what is said of strangers', () => {
  it('has 2.x words', () => {
    const peer = '[AF_INET]192.0.2.7:4000';
    expect(say(ACK, 'bad-cookie')).toBe(`Packet (P_ACK_V1) with invalid or missing SID from ${peer}`);
    expect(say(ACK.subarray(0, 3), 'too-short', 'tls-crypt')).toBe(
      `TLS State Error: Too short packet (length  3) received from ${peer}`,
    );
    expect(say(Uint8Array.from([0x19, ...ACK.subarray(1)]), 'unroutable')).toBe(
      `TLS State Error: No TLS state for client ${peer}, opcode=3`,
    );
    expect(say(Uint8Array.from([0x3a, ...ACK.subarray(1)]), 'bad-key-id')).toBe(
      `TLS State Error: Unknown key ID (2) received from ${peer} -- 0 was expected`,
    );
    expect(say(ACK, 'bad-hmac', 'tls-crypt')).toBe(`TLS Error: tls-crypt unwrapping failed from ${peer}`);
    expect(say(ACK, 'replay', 'tls-auth')).toBe(
      `TLS Error: incoming packet authentication failed from ${peer}`,
    );
    expect(say(ACK, 'client-key-missing')).toBe(
      `TLS Error: can not extract tls-crypt-v2 client key from ${peer}`,
    );
    expect(say(ACK, 'client-key-cookie')).toBe(
      `tls-crypt-v2 force-cookie is enabled, ignoring connection attempt from old client (${peer})`,
    );
    expect(say(ACK, 'rate-limit')).toBeUndefined();
  });

  it('is nothing below verb 4 for what needs no key, without a wrap', () => {
    const reasons = ['too-short', 'bad-opcode', 'bad-key-id', 'bad-acks', 'window', 'unroutable'] as const;
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 1600 }),
        fc.constantFrom(...reasons),
        (packet, reason) => {
          expect(say(packet, reason, 'none', 3)).toBeUndefined();
          expect(say(packet, reason, 'none', 7)).toBeTypeOf('string');
        },
      ),
    );
  });
});

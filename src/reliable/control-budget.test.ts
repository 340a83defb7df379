import { describe, expect, it } from 'vitest';
import { controlPayloadBytes } from './reliable.ts';

describe('room for TLS bytes', () => {
  it('makes the 1206-byte datagrams that 2.6 sends with tls-crypt over IPv4', () => {
    const acks = 2;
    const payload = controlPayloadBytes(1250, 28, 56, acks);
    const onTheWire = 9 + 40 + (1 + 4 * acks + 8) + 4 + payload;
    expect(onTheWire).toBe(1206);
  });

  it('takes the larger headers of IPv6 and of tls-auth out of the payload', () => {
    expect(controlPayloadBytes(1250, 28, 0, 0)).toBe(1250 - 28 - 9 - 1 - 4);
    expect(controlPayloadBytes(1250, 48, 28, 1)).toBe(1250 - 48 - 28 - 9 - 13 - 4);
  });

  it('counts no more acknowledgements than travel with a message', () => {
    expect(controlPayloadBytes(1250, 28, 0, 8)).toBe(controlPayloadBytes(1250, 28, 0, 4));
  });

  it('leaves room for 16 bytes whatever the limits', () => {
    expect(controlPayloadBytes(0, 48, 72, 4)).toBe(16);
    expect(controlPayloadBytes(154, 48, 72, 4)).toBe(16);
  });
});

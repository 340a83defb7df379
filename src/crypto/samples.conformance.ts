/** Keys, packets and batches that the conformance suites of this folder try backends with. */
import { expect } from 'vitest';
import { PacketBatch } from '../base/base.ts';
import type { CryptoBackend, DataKeySpec, KeyHalf } from './crypto.ts';

/** Key material for any cipher and digest. */
export function testKey(): KeyHalf {
  return {
    cipher: Uint8Array.from({ length: 64 }, (_, i) => i * 7 + 1),
    hmac: Uint8Array.from({ length: 64 }, (_, i) => i * 5 + 3),
  };
}

/** The first packet of a fresh key. */
export function sealOne(crypto: CryptoBackend, spec: DataKeySpec, payload: Uint8Array): Buffer {
  const batch = batchOf(payload);
  expect(crypto.createSealingKey(spec).sealBatch(batch, 0, 1)).toBe(1);
  return Buffer.from(batch.packet(0));
}

export function batchOf(packet: Uint8Array): PacketBatch {
  const batch = new PacketBatch(1);
  batch.push(packet);
  return batch;
}

/** `length` bytes that differ by position. */
export function fill(length: number): Buffer {
  const out = Buffer.alloc(length);
  for (let i = 0; i < length; i++) out[i] = (i * 31 + length) & 0xff;
  return out;
}

export function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

export function hex(data: Uint8Array): string {
  return Buffer.from(data).toString('hex');
}

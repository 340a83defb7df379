/**
 * CompressionBackend over the package `lz4` (LZ4 1.9.2, raw blocks). Of its calls only those with two
 * arguments are used, on views of exactly the wanted bytes: start and end arguments are not checked there,
 * and the `fast` decoder trusts its input.
 */
import { moduleRequire } from '../base/module-node.ts';
import type { CompressionBackend } from './comp.ts';

interface Lz4Package {
  /** Bytes written; negative when malformed or too long. */
  decodeBlock(input: Buffer, output: Buffer): number;
  /** Bytes written; 0 when it doesn't fit. */
  encodeBlock(input: Buffer, output: Buffer): number;
}

/** Throws when the package isn't installed or was not built. */
export function createLz4Backend(): CompressionBackend {
  const lz4 = moduleRequire()('lz4') as Lz4Package;
  return {
    name: 'lz4',
    decompress(input, inOffset, inLength, output, outOffset, limit) {
      if (!fits(input, inOffset, inLength) || !fits(output, outOffset, limit)) return -1;
      const bytes = lz4.decodeBlock(view(input, inOffset, inLength), view(output, outOffset, limit));
      return bytes < 0 ? -1 : bytes;
    },
    compress(input, inOffset, inLength, output, outOffset, limit) {
      if (!fits(input, inOffset, inLength) || !fits(output, outOffset, limit)) return -1;
      const bytes = lz4.encodeBlock(view(input, inOffset, inLength), view(output, outOffset, limit));
      return bytes <= 0 ? -1 : bytes;
    },
  };
}

function fits(bytes: Uint8Array, offset: number, length: number): boolean {
  return length > 0 && offset >= 0 && offset + length <= bytes.length;
}

function view(bytes: Uint8Array, offset: number, length: number): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset + offset, length);
}

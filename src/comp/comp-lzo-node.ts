/**
 * CompressionBackend over the package `lzo` (minilzo 2.09, LZO1X). Its decoder checks all bounds against
 * the length that it is told, which must not be 0: then it would guess. It allocates and throws; both
 * end here.
 */
import { moduleRequire } from '../base/module-node.ts';
import type { CompressionBackend } from './comp.ts';

interface LzoPackage {
  compress(input: Buffer): Buffer;
  decompress(input: Buffer, length: number): Buffer;
}

/** Throws when the package isn't installed or was not built. */
export function createLzoBackend(): CompressionBackend {
  const lzo = moduleRequire()('lzo') as LzoPackage;
  return {
    name: 'lzo',
    decompress(input, inOffset, inLength, output, outOffset, limit) {
      if (inLength <= 0 || limit <= 0) return -1;
      return put(() => lzo.decompress(view(input, inOffset, inLength), limit), output, outOffset, limit);
    },
    compress(input, inOffset, inLength, output, outOffset, limit) {
      if (inLength <= 0) return -1;
      return put(() => lzo.compress(view(input, inOffset, inLength)), output, outOffset, limit);
    },
  };
}

function put(make: () => Buffer, output: Uint8Array, offset: number, limit: number): number {
  let result: Buffer;
  try {
    result = make();
  } catch {
    return -1;
  }
  if (result.length > limit || offset + result.length > output.length) return -1;
  output.set(result, offset);
  return result.length;
}

/** Exactly these bytes; throws RangeError when they lie outside of `bytes`. */
function view(bytes: Uint8Array, offset: number, length: number): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset + offset, length);
}

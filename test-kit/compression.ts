/** Compression backends for tests; says what to do where they aren't built, instead of passing over the tests. */
import type { CompressionAlgorithm, CompressionBackend } from '../src/comp/comp.ts';
import { createNodeCompression } from '../src/comp/comp-node.ts';

const library = createNodeCompression();

export function compressionForTests(algorithm: CompressionAlgorithm): CompressionBackend {
  const backend = library.load(algorithm);
  if (backend === undefined)
    throw new Error(`compression tests need the package ${algorithm} (run: npm rebuild ${algorithm})`);
  return backend;
}

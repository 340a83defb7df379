/**
 * The default CompressionLibrary: the packages `lzo` and `lz4`, optional dependencies that npm compiles at
 * install. Each is loaded once, when a configuration or a peer asks for it; where it isn't there, the
 * algorithm counts as not compiled in.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { moduleRequire } from '../base/module-node.ts';
import type { CompressionAlgorithm, CompressionBackend, CompressionLibrary } from './comp.ts';
import { createLz4Backend } from './comp-lz4-node.ts';
import { createLzoBackend } from './comp-lzo-node.ts';

const CREATE: Record<CompressionAlgorithm, () => CompressionBackend> = {
  lzo: createLzoBackend,
  lz4: createLz4Backend,
};

/** What npm compiles for a package, seen from its folder. */
const COMPILED: Record<CompressionAlgorithm, string> = {
  lzo: 'build/Release/node_lzo.node',
  lz4: 'build/Release/lz4.node',
};

/** The algorithms whose packages are installed and compiled, found without loading them. */
export function installedCompression(): CompressionAlgorithm[] {
  const { resolve } = moduleRequire();
  return (['lzo', 'lz4'] as const).filter((name) => {
    try {
      return existsSync(join(dirname(resolve(`${name}/package.json`)), COMPILED[name]));
    } catch {
      return false;
    }
  });
}

/** A library that loads packages when they are first needed. */
export function createNodeCompression(): CompressionLibrary {
  const loaded = new Map<CompressionAlgorithm, CompressionBackend | undefined>();
  return {
    load(algorithm) {
      if (!loaded.has(algorithm)) loaded.set(algorithm, attempt(CREATE[algorithm]));
      return loaded.get(algorithm);
    },
  };
}

function attempt(create: () => CompressionBackend): CompressionBackend | undefined {
  try {
    return create();
  } catch {
    return undefined;
  }
}

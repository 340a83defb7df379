/**
 * A server or client by the library inside a namespace, for what only its caller can ask for: PUSH_UPDATE,
 * another backend. Loads the built product, as a program of its own would.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Tunnel } from '../src/index.ts';

export interface LibraryTunnelOptions {
  /** Folder of the built product. */
  readonly dist: string;
  /** Text of the configuration. */
  readonly config: string;
  /** What one AEAD key or epoch may process, in blocks and packets; the cipher's own limit when left out. */
  readonly usageLimit?: number;
}

/** Starts it and resolves when it is up. */
export async function startLibraryTunnel(options: LibraryTunnelOptions): Promise<Tunnel> {
  const { dist, config, usageLimit } = options;
  const library: typeof import('../src/index.ts') = await import(pathToFileURL(join(dist, 'index.js')).href);
  const { crypto } = library.createProviders({ log: library.nullLogger });
  const parts = usageLimit === undefined ? {} : { crypto: { ...crypto, usageLimit: () => usageLimit } };
  const parsed = library.parseConfig(config);
  const create = parsed.options.mode === 'server' ? library.createServer : library.createClient;
  const tunnel = create(parsed, parts);
  await tunnel.start();
  return tunnel;
}

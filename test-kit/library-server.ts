/**
 * A server by the library inside a namespace, for what only its caller can ask for: PUSH_UPDATE. Loads the
 * built product, as a program of its own would.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Tunnel } from '../src/index.ts';

export interface LibraryServerOptions {
  /** Folder of the built product. */
  readonly dist: string;
  /** Text of the configuration. */
  readonly config: string;
}

/** Starts it and resolves when it serves. */
export async function startLibraryServer({ dist, config }: LibraryServerOptions): Promise<Tunnel> {
  const library: typeof import('../src/index.ts') = await import(pathToFileURL(join(dist, 'index.js')).href);
  const server = library.createServer(library.parseConfig(config));
  await server.start();
  return server;
}

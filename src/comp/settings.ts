/**
 * What settings of compression mean (2.x comp.c check_compression_settings_valid(),
 * comp_generate_peer_info_string()).
 */
import type { Logger } from '../base/base.ts';
import type { CompressionLibrary, CompressionSettings, Compressor } from './comp.ts';
import { createCompressor } from './framing.ts';
import { algorithmOf } from './framings.ts';

/** Why these settings can't be used; undefined when they can. */
export function compressionProblem(
  { algorithm, allow }: CompressionSettings,
  library: CompressionLibrary | undefined,
): string | undefined {
  const needed = algorithmOf(algorithm);
  if (needed === undefined) return undefined;
  if (allow === 'no') return "Compression is not allowed since allow-compression is set to 'stub-only'";
  if (library === undefined || library.load(needed)) return undefined;
  return `OpenVPN is compiled without ${needed.toUpperCase()} support. Requested compression cannot be enabled.`;
}

/** Lines of the peer info about compression, without newlines. */
export function compressionPeerInfo(
  { advertiseStubsOnly }: CompressionSettings,
  library: CompressionLibrary,
): string[] {
  const lines: string[] = [];
  const lzo = !advertiseStubsOnly && library.load('lzo') !== undefined;
  if (!advertiseStubsOnly && library.load('lz4')) lines.push('IV_LZ4=1', 'IV_LZ4v2=1');
  lines.push(lzo ? 'IV_LZO=1' : 'IV_LZO_STUB=1', 'IV_COMP_STUB=1', 'IV_COMP_STUBv2=1');
  return lines;
}

/** The framing of a peer by its settings; undefined when packets go bare. compressionProblem() was asked before. */
export function compressorFor(
  settings: CompressionSettings,
  library: CompressionLibrary,
  log: Logger,
): Compressor | undefined {
  const { algorithm, allow, adaptive } = settings;
  if (algorithm === 'none') return undefined;
  const needed = algorithmOf(algorithm);
  return createCompressor({
    framing: algorithm,
    backend: needed && library.load(needed),
    sends: allow === 'yes',
    adaptive,
    log,
  });
}

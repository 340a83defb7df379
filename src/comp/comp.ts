/**
 * Header of comp/ (2.x comp.h): compression framings of data packets, what configuration may ask for,
 * and the interface behind which the algorithms live. Framings, with p the packet, c its compressed form:
 *
 *   framing   uncompressed               compressed           asked for by
 *   lzo-stub  FA p                       -                    comp-lzo no
 *   stub      FB p[1:] p[0]              -                    compress, compress stub
 *   stub-v2   p, or 50 00 p if p[0]=50   -                    compress stub-v2
 *   lzo       FA p                       66 c                 comp-lzo yes|adaptive, compress lzo
 *   lz4       FB p[1:] p[0]              69 c[1:] c[0]        compress lz4
 *   lz4-v2    as stub-v2                 50 01 c              compress lz4-v2
 *
 * Anything else is dropped. Sending compresses only with --allow-compression yes.
 */
import type { Logger, PacketBatch } from '../base/base.ts';

export type CompressionFraming = 'lzo-stub' | 'stub' | 'stub-v2' | 'lzo' | 'lz4' | 'lz4-v2';

/** The algorithms that need a library. */
export type CompressionAlgorithm = 'lzo' | 'lz4';

/** What options say about compression (2.x struct compress_options). */
export interface CompressionSettings {
  algorithm: CompressionFraming | 'none';
  /** --comp-lzo adaptive: sending stops for a while when nothing is gained. */
  adaptive: boolean;
  /** --allow-compression; undefined when neither the option nor a default of 2.6 has set it. */
  allow: 'no' | 'asym' | 'yes' | undefined;
  /** Peer info names the framings alone, though a server may push more. */
  advertiseStubsOnly: boolean;
  /** --compress migrate: clients with compression are pushed to a framing without. */
  migrate: boolean;
}

/**
 * One algorithm. Both calls read `input[inOffset .. inOffset+inLength)`, write at most `limit` bytes from
 * `output[outOffset]` on, and return the bytes written, or -1: malformed, or the result is longer than
 * `limit`. They never read or write outside of these ranges and never throw. Input and output don't overlap.
 */
export interface CompressionBackend {
  readonly name: CompressionAlgorithm;
  decompress(
    input: Uint8Array,
    inOffset: number,
    inLength: number,
    output: Uint8Array,
    outOffset: number,
    limit: number,
  ): number;
  compress(
    input: Uint8Array,
    inOffset: number,
    inLength: number,
    output: Uint8Array,
    outOffset: number,
    limit: number,
  ): number;
}

/** Where backends come from; they are loaded when first asked for. */
export interface CompressionLibrary {
  /** Undefined when the algorithm isn't there. */
  load(algorithm: CompressionAlgorithm): CompressionBackend | undefined;
}

/** Counters as status files show them; bytes, never reset. */
export interface CompressionTotals {
  preCompressBytes: number;
  postCompressBytes: number;
  preDecompressBytes: number;
  postDecompressBytes: number;
}

/** The framing of one peer's packets, in place in their slots. */
export interface Compressor {
  readonly framing: CompressionFraming;
  readonly totals: CompressionTotals;
  /** Puts the frame on a packet to be sent; at most 2 bytes more in front and 1 behind. */
  frame(batch: PacketBatch, slot: number, nowMs: number): void;
  /** Takes it off a received packet. False = malformed: logged, and the slot's length is 0. */
  unframe(batch: PacketBatch, slot: number): boolean;
}

export interface CompressorConfig {
  readonly framing: CompressionFraming;
  /** Needed by lzo, lz4 and lz4-v2. */
  readonly backend: CompressionBackend | undefined;
  /** Compress what is sent. */
  readonly sends: boolean;
  /** Only lzo: see CompressionSettings. */
  readonly adaptive: boolean;
  readonly log: Logger;
}

/** createCompressor(config): Compressor. Throws ApiMisuseError when the backend is missing. */
export { createCompressor } from './framing.ts';
/** algorithmOf(framing): the library it needs, undefined for none. headerBytes(framing): what frame arithmetic counts. */
export { algorithmOf, headerBytes } from './framings.ts';
/**
 * compressorFor(settings, library, log): the peer's Compressor, undefined without framing.
 * compressionProblem(settings, library): why settings can't be used, in 2.x's words.
 * compressionPeerInfo(settings, library): IV_ lines.
 */
export { compressionPeerInfo, compressionProblem, compressorFor } from './settings.ts';

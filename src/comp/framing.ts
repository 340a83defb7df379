/**
 * The framings of comp.ts (2.x lzo.c, comp-lz4.c, compstub.c). A packet is framed and unframed inside of
 * its slot; compressed and decompressed forms go through one scratch buffer and are copied back.
 * Markers and the threshold are the protocol's; source: 2.x comp.h.
 */
import { ApiMisuseError, type Logger, PACKET_HEADROOM, type PacketBatch } from '../base/base.ts';
import { D_COMP_ERRORS, D_COMP_LOW } from '../base/errlevel.ts';
import { AdaptiveSending } from './adaptive.ts';
import type {
  CompressionBackend,
  CompressionFraming,
  CompressionTotals,
  Compressor,
  CompressorConfig,
} from './comp.ts';
import { algorithmOf } from './framings.ts';

const LZO_COMPRESS_BYTE = 0x66;
const LZ4_COMPRESS_BYTE = 0x69;
const NO_COMPRESS_BYTE = 0xfa;
const NO_COMPRESS_BYTE_SWAP = 0xfb;
const COMP_ALGV2_INDICATOR_BYTE = 0x50;
const COMP_ALGV2_UNCOMPRESSED_BYTE = 0x00;
const COMP_ALGV2_LZ4_BYTE = 0x01;
/** Packets shorter than this are never compressed. */
const COMPRESS_THRESHOLD = 100;

/** How log lines name a framing. */
const NAMES: Record<CompressionFraming, string> = {
  'lzo-stub': 'compression stub',
  stub: 'compression stub (swap)',
  'stub-v2': 'compression stubv2',
  lzo: 'LZO',
  lz4: 'LZ4',
  'lz4-v2': 'LZ4v2',
};

/** Makes the framing of one peer. Throws ApiMisuseError when it needs a backend and has none. */
export function createCompressor(config: CompressorConfig): Compressor {
  return new PacketCompressor(config);
}

class PacketCompressor implements Compressor {
  readonly framing: CompressionFraming;
  readonly totals: CompressionTotals = {
    preCompressBytes: 0,
    postCompressBytes: 0,
    preDecompressBytes: 0,
    postDecompressBytes: 0,
  };
  readonly #backend: CompressionBackend | undefined;
  readonly #sends: boolean;
  readonly #adaptive: AdaptiveSending | undefined;
  readonly #log: Logger;
  #scratch = Buffer.alloc(0);

  constructor(config: CompressorConfig) {
    const algorithm = algorithmOf(config.framing);
    if (algorithm !== undefined && config.backend?.name !== algorithm) {
      throw new ApiMisuseError(`the framing ${config.framing} needs the ${algorithm} backend`);
    }
    this.framing = config.framing;
    this.#log = config.log;
    this.#backend = algorithm === undefined ? undefined : config.backend;
    this.#sends = config.sends && this.#backend !== undefined;
    if (config.framing === 'lzo' && config.adaptive) {
      this.#adaptive = new AdaptiveSending((on) =>
        this.#log.log(D_COMP_LOW, `Adaptive compression state ${on ? 'ON' : 'OFF'}`),
      );
    }
  }

  frame(batch: PacketBatch, slot: number, nowMs: number): void {
    const length = batch.lengths[slot]!;
    if (length === 0) return;
    const packed = this.#sends && length >= COMPRESS_THRESHOLD ? this.#pack(batch, slot, nowMs) : -1;
    switch (this.framing) {
      case 'lzo-stub':
      case 'lzo':
        if (packed > 0) this.#prefix(batch, slot, packed, LZO_COMPRESS_BYTE);
        else this.#prefix(batch, slot, -1, NO_COMPRESS_BYTE);
        break;
      case 'stub':
      case 'lz4':
        this.#swap(batch, slot, packed, packed > 0 ? LZ4_COMPRESS_BYTE : NO_COMPRESS_BYTE_SWAP);
        break;
      case 'stub-v2':
      case 'lz4-v2':
        this.#frameV2(batch, slot, packed);
        break;
    }
  }

  unframe(batch: PacketBatch, slot: number): boolean {
    if (batch.lengths[slot] === 0) return false;
    switch (this.framing) {
      case 'lzo-stub':
      case 'lzo':
        return this.#unprefix(batch, slot);
      case 'stub':
      case 'lz4':
        return this.#unswap(batch, slot);
      case 'stub-v2':
      case 'lz4-v2':
        return this.#unframeV2(batch, slot);
    }
  }

  /** Bytes of the compressed packet in the scratch buffer; -1 when it gains nothing. */
  #pack(batch: PacketBatch, slot: number, nowMs: number): number {
    if (this.#adaptive && !this.#adaptive.mayCompress(nowMs)) return -1;
    const length = batch.lengths[slot]!;
    const scratch = this.#scratchOf(batch);
    const packed = this.#backend!.compress(
      batch.slab,
      batch.offsets[slot]!,
      length,
      scratch,
      0,
      scratch.length,
    );
    if (packed <= 0) return -1;
    this.totals.preCompressBytes += length;
    this.totals.postCompressBytes += packed;
    this.#adaptive?.note(length, packed);
    const gain = this.framing === 'lz4-v2' ? packed + 2 : packed;
    return gain < length ? packed : -1;
  }

  /** Puts a marker in front of the packet, or of its compressed form of `packed` bytes. */
  #prefix(batch: PacketBatch, slot: number, packed: number, marker: number): void {
    const { slab, offsets, lengths } = batch;
    const at = offsets[slot]! - 1;
    if (packed > 0) this.#scratch.copy(slab, at + 1, 0, packed);
    slab[at] = marker;
    offsets[slot] = at;
    lengths[slot] = (packed > 0 ? packed : lengths[slot]!) + 1;
  }

  /** Moves the first byte to the end and puts the marker in its place. */
  #swap(batch: PacketBatch, slot: number, packed: number, marker: number): void {
    const { slab, offsets, lengths } = batch;
    const at = offsets[slot]!;
    if (packed > 0) this.#scratch.copy(slab, at, 0, packed);
    const length = packed > 0 ? packed : lengths[slot]!;
    slab[at + length] = slab[at]!;
    slab[at] = marker;
    lengths[slot] = length + 1;
  }

  #frameV2(batch: PacketBatch, slot: number, packed: number): void {
    const { slab, offsets, lengths } = batch;
    const at = offsets[slot]!;
    if (packed <= 0 && slab[at] !== COMP_ALGV2_INDICATOR_BYTE) return;
    if (packed > 0) this.#scratch.copy(slab, at, 0, packed);
    slab[at - 2] = COMP_ALGV2_INDICATOR_BYTE;
    slab[at - 1] = packed > 0 ? COMP_ALGV2_LZ4_BYTE : COMP_ALGV2_UNCOMPRESSED_BYTE;
    offsets[slot] = at - 2;
    lengths[slot] = (packed > 0 ? packed : lengths[slot]!) + 2;
  }

  #unprefix(batch: PacketBatch, slot: number): boolean {
    const marker = batch.slab[batch.offsets[slot]!]!;
    advance(batch, slot, 1);
    if (marker === NO_COMPRESS_BYTE) return batch.lengths[slot]! > 0;
    if (marker === LZO_COMPRESS_BYTE && this.#backend) return this.#unpack(batch, slot);
    return this.#drop(batch, slot, marker);
  }

  #unswap(batch: PacketBatch, slot: number): boolean {
    const { slab, offsets, lengths } = batch;
    const at = offsets[slot]!;
    const length = lengths[slot]! - 1;
    const marker = slab[at]!;
    slab[at] = slab[at + length]!;
    lengths[slot] = length;
    if (marker === NO_COMPRESS_BYTE_SWAP) return length > 0;
    if (marker === LZ4_COMPRESS_BYTE && this.#backend) return this.#unpack(batch, slot);
    return this.#drop(batch, slot, marker);
  }

  #unframeV2(batch: PacketBatch, slot: number): boolean {
    const { slab, offsets, lengths } = batch;
    const at = offsets[slot]!;
    if (slab[at] !== COMP_ALGV2_INDICATOR_BYTE) return true;
    if (lengths[slot]! < 2) {
      lengths[slot] = 0;
      return false;
    }
    const marker = slab[at + 1]!;
    advance(batch, slot, 2);
    if (marker === COMP_ALGV2_UNCOMPRESSED_BYTE) return lengths[slot]! > 0;
    if (marker === COMP_ALGV2_LZ4_BYTE && this.#backend) return this.#unpack(batch, slot);
    return this.#drop(batch, slot, marker);
  }

  /** Replaces the packet by its decompressed form, right behind the headroom: there is room for a whole frame. */
  #unpack(batch: PacketBatch, slot: number): boolean {
    const { slab, offsets, lengths, slotSize } = batch;
    const length = lengths[slot]!;
    const scratch = this.#scratchOf(batch);
    const unpacked =
      length === 0
        ? -1
        : this.#backend!.decompress(slab, offsets[slot]!, length, scratch, 0, batch.maxPacketBytes);
    if (unpacked <= 0) {
      lengths[slot] = 0;
      if (this.#log.enabled(D_COMP_ERRORS)) {
        this.#log.log(D_COMP_ERRORS, `${this.#backend!.name.toUpperCase()} decompression error: ${unpacked}`);
      }
      return false;
    }
    this.totals.preDecompressBytes += length;
    this.totals.postDecompressBytes += unpacked;
    const at = slot * slotSize + PACKET_HEADROOM;
    scratch.copy(slab, at, 0, unpacked);
    offsets[slot] = at;
    lengths[slot] = unpacked;
    return true;
  }

  #drop(batch: PacketBatch, slot: number, marker: number): false {
    batch.lengths[slot] = 0;
    if (this.#log.enabled(D_COMP_ERRORS)) {
      this.#log.log(D_COMP_ERRORS, `Bad ${NAMES[this.framing]} decompression header byte: ${marker}`);
    }
    return false;
  }

  #scratchOf(batch: PacketBatch): Buffer {
    if (this.#scratch.length < batch.slotSize) this.#scratch = Buffer.alloc(batch.slotSize);
    return this.#scratch;
  }
}

function advance(batch: PacketBatch, slot: number, bytes: number): void {
  batch.offsets[slot] = batch.offsets[slot]! + bytes;
  batch.lengths[slot] = batch.lengths[slot]! - bytes;
}

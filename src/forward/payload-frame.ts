/**
 * What stands between a packet and its encryption (2.x forward.c encrypt_sign(),
 * process_incoming_link_part2()): the compression frame, and around it, with --fragment, the fragment
 * header.
 */
import { type Logger, PacketBatch } from '../base/base.ts';
import { D_FRAG_ERRORS } from '../base/errlevel.ts';
import type { Compressor } from '../comp/comp.ts';
import { Fragmenter, MAX_FRAGS, pieceSize, Reassembler, writeWhole } from './fragment.ts';

export class PayloadFrame {
  compressor: Compressor | undefined;
  /** Largest piece, without fragment header; -1 without --fragment. */
  maxPiece = -1;
  readonly #log: Logger;
  readonly #fragmenter: Fragmenter;
  #reassembler: Reassembler | undefined;
  /** Messages of our own on their way into pieces. */
  #message: PacketBatch | undefined;

  /** @param firstSeqId random, 0..255: where fragments' sequence ids start. */
  constructor(compressor: Compressor | undefined, log: Logger, firstSeqId: number) {
    this.compressor = compressor;
    this.#log = log;
    this.#fragmenter = new Fragmenter(firstSeqId);
  }

  /** Nothing stands in between: write() and read() have nothing to do. */
  get bare(): boolean {
    return this.compressor === undefined && this.maxPiece < 0;
  }

  get splits(): boolean {
    return this.maxPiece >= 0;
  }

  /** Puts compression frames on slots first..end-1. */
  compress(batch: PacketBatch, first: number, end: number, nowMs: number): void {
    if (!this.compressor) return;
    for (let slot = first; slot < end; slot++) this.compressor.frame(batch, slot, nowMs);
  }

  /** Whether `out` surely has room for the pieces of a packet of `length` bytes before compression. */
  hasRoom(length: number, out: PacketBatch): boolean {
    if (out.count === 0) return true;
    // Pieces are made alike, never shorter than half of the largest.
    const least = Math.max(4, (this.maxPiece >> 1) & ~3);
    return Math.ceil((length + 2) / least) <= out.capacity - out.count;
  }

  /** Compresses and splits the packet in `slot` into free slots of `out`. False when it can't be sent. */
  split(batch: PacketBatch, slot: number, out: PacketBatch, nowMs: number): boolean {
    this.compressor?.frame(batch, slot, nowMs);
    const length = batch.lengths[slot]!;
    const size = this.maxPiece < 4 ? 4 : pieceSize(length, this.maxPiece);
    if (length > size * MAX_FRAGS || Math.ceil(length / size) > out.capacity - out.count) {
      batch.lengths[slot] = 0;
      this.#log.log(
        D_FRAG_ERRORS,
        `FRAG_OUT error, len=${length} frag_size=${size} MAX_FRAGS=${MAX_FRAGS}: too many fragments would be required to send datagram`,
      );
      return false;
    }
    if (length > this.maxPiece) {
      this.#fragmenter.split(batch, slot, size, out);
      return true;
    }
    const own = out.pushFrom(batch, slot);
    batch.lengths[slot] = 0;
    if (own >= 0) writeWhole(out, own);
    return own >= 0;
  }

  /** Appends a message of our own to `out`, framed, in pieces if it must be. */
  push(message: Uint8Array, out: PacketBatch, nowMs: number): boolean {
    if (!this.splits) {
      const slot = out.push(message);
      if (slot >= 0) this.compressor?.frame(out, slot, nowMs);
      return slot >= 0;
    }
    this.#message ??= new PacketBatch(1, out.maxPacketBytes);
    this.#message.clear();
    return this.#message.push(message) === 0 && this.split(this.#message, 0, out, nowMs);
  }

  /** Takes all frames off the packet in `slot`; all but `packet` leave it empty. */
  read(batch: PacketBatch, slot: number, nowMs: number): 'packet' | 'waits' | 'malformed' {
    if (batch.lengths[slot] === 0) return 'packet';
    if (this.splits) {
      this.#reassembler ??= new Reassembler();
      const verdict = this.#reassembler.push(batch, slot, nowMs);
      if (verdict === 'waits') return verdict;
      if (verdict !== 'packet') return this.#refuse(verdict, this.#reassembler.flags);
      if (batch.lengths[slot] === 0) return 'packet';
    }
    return this.compressor === undefined || this.compressor.unframe(batch, slot) ? 'packet' : 'malformed';
  }

  #refuse(text: string, flags: number): 'malformed' {
    if (this.#log.enabled(D_FRAG_ERRORS)) {
      this.#log.log(D_FRAG_ERRORS, `FRAG_IN error flags=0x${flags.toString(16).padStart(8, '0')}: ${text}`);
    }
    return 'malformed';
  }
}

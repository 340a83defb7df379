/**
 * --fragment: packets in pieces (2.x fragment.c). The header is inside of the encryption, outside of the
 * compression frame:
 *
 *   u32  bits 0-1    0 whole, 1 piece but not the last, 2 last piece
 *        bits 2-9    sequence id, the same for all pieces of a packet       0 in whole packets
 *        bits 10-14  number of the piece, 0..31                             0 in whole packets
 *        bits 15-28  last piece: bytes of the others, in units of 4
 *
 * Pieces but the last have one length, a multiple of 4. Reassembly knows the 25 newest sequence ids; a
 * packet waits at most 10 s for its next piece and never becomes longer than a slot's packet. Memory: 25
 * packets a peer, taken when the first piece arrives.
 */
import { PACKET_HEADROOM, type PacketBatch } from '../base/base.ts';

export const FRAGMENT_HEADER_BYTES = 4;

const FRAG_WHOLE = 0;
const FRAG_YES_NOTLAST = 1;
const FRAG_YES_LAST = 2;
const SEQ_ID_SHIFT = 2;
const FRAG_ID_SHIFT = 10;
const FRAG_SIZE_SHIFT = 15;
const FRAG_SIZE_MASK = 0x3fff;
/** Everything but the type, in a whole packet. */
const WHOLE_MUST_BE_ZERO = (0xff << SEQ_ID_SHIFT) | (0x1f << FRAG_ID_SHIFT);

export const MAX_FRAGS = 32;
const N_SEQ_ID = 256;
const N_FRAG_BUF = 25;
const FRAG_TTL_MS = 10_000;

/** What push() of a Reassembler found. Texts are 2.x's. */
export type FragmentVerdict =
  /** The slot holds a packet. */
  | 'packet'
  /** More pieces are to come; the slot is empty. */
  | 'waits'
  | 'flags not found in packet'
  | 'spurious FRAG_WHOLE flags'
  | 'bad fragment size'
  | 'fragment buffer overflow'
  | 'FRAG_TEST not implemented';

/**
 * Bytes of each piece but the last, so that pieces are alike; a multiple of 4.
 * @param max largest piece, without header; at least 4.
 */
export function pieceSize(length: number, max: number): number {
  const size = max & ~3;
  const whole = Math.floor(length / size);
  const rest = length % size;
  if (whole === 0 || rest === 0 || rest >= Math.floor((size * 3) / 4)) return size;
  return Math.min(size, (max - Math.floor((max - rest) / (whole + 1)) + 3) & ~3);
}

/** Marks the packet in `slot` as whole. */
export function writeWhole(batch: PacketBatch, slot: number): void {
  prepend(batch, slot, FRAG_WHOLE);
}

/** Writes a peer's packets in pieces. */
export class Fragmenter {
  #seqId: number;

  /** @param seqId where to start; 2.x takes a random one. */
  constructor(seqId: number) {
    this.#seqId = seqId & (N_SEQ_ID - 1);
  }

  /**
   * Writes the packet of `slot` in pieces of `size` bytes into free slots of `out`, which must be as many as
   * needed, and empties `slot`. Returns the pieces.
   */
  split(from: PacketBatch, slot: number, size: number, out: PacketBatch): number {
    this.#seqId = (this.#seqId + 1) & (N_SEQ_ID - 1);
    const start = from.offsets[slot]!;
    const length = from.lengths[slot]!;
    const pieces = Math.ceil(length / size);
    for (let piece = 0; piece < pieces; piece++) {
      const at = piece * size;
      const own = out.pushBytes(from.slab, start + at, Math.min(size, length - at));
      const id = (this.#seqId << SEQ_ID_SHIFT) | (piece << FRAG_ID_SHIFT);
      const last = piece === pieces - 1;
      prepend(
        out,
        own,
        last ? FRAG_YES_LAST | id | ((size >>> 2) << FRAG_SIZE_SHIFT) : FRAG_YES_NOTLAST | id,
      );
    }
    from.lengths[slot] = 0;
    return pieces;
  }
}

/** A packet of which pieces are here. */
interface Partial {
  defined: boolean;
  /** Bytes of the pieces but the last. */
  size: number;
  /** Bit n: piece n is here; from the last piece on all bits. */
  map: number;
  /** Number of the last piece; -1 while unknown. */
  last: number;
  /** Bytes of the whole packet, once the last piece is here. */
  length: number;
  /** Of the newest piece. */
  atMs: number;
}

/** Puts a peer's packets together. */
export class Reassembler {
  readonly #partials: Partial[] = [];
  #store = Buffer.alloc(0);
  #packetBytes = 0;
  /** Newest sequence id, -1 before the first, and its place in the ring of partials. */
  #seqId = -1;
  #index = 0;
  /** Header of the last push(). */
  flags = 0;

  constructor() {
    for (let i = 0; i < N_FRAG_BUF; i++) {
      this.#partials.push({ defined: false, size: 0, map: 0, last: -1, length: 0, atMs: 0 });
    }
  }

  /** Takes the fragment header off the packet in `slot`. All verdicts but `packet` leave the slot empty. */
  push(batch: PacketBatch, slot: number, nowMs: number): FragmentVerdict {
    const verdict = this.#read(batch, slot, nowMs);
    if (verdict !== 'packet') batch.lengths[slot] = 0;
    return verdict;
  }

  #read(batch: PacketBatch, slot: number, nowMs: number): FragmentVerdict {
    const { slab, offsets, lengths } = batch;
    const length = lengths[slot]! - FRAGMENT_HEADER_BYTES;
    this.flags = 0;
    if (length < 0) return 'flags not found in packet';
    const at = offsets[slot]!;
    const flags = slab.readUInt32BE(at);
    this.flags = flags;
    offsets[slot] = at + FRAGMENT_HEADER_BYTES;
    lengths[slot] = length;
    const type = flags & 3;
    if (type === FRAG_WHOLE)
      return (flags & WHOLE_MUST_BE_ZERO) !== 0 ? 'spurious FRAG_WHOLE flags' : 'packet';
    if (type > FRAG_YES_LAST) return 'FRAG_TEST not implemented';
    const last = type === FRAG_YES_LAST;
    const size = last ? ((flags >>> FRAG_SIZE_SHIFT) & FRAG_SIZE_MASK) << 2 : length;
    return this.#take(batch, slot, { seqId: (flags >>> SEQ_ID_SHIFT) & 0xff, last, size, nowMs });
  }

  #take(
    batch: PacketBatch,
    slot: number,
    { seqId, last, size, nowMs }: { seqId: number; last: boolean; size: number; nowMs: number },
  ): FragmentVerdict {
    const place = this.#placeOf(seqId);
    const partial = this.#partials[place]!;
    if ((size & 3) !== 0) return 'bad fragment size';
    const piece = (this.flags >>> FRAG_ID_SHIFT) & 0x1f;
    const length = batch.lengths[slot]!;
    const end = piece * size + length;
    if (end > batch.maxPacketBytes) return 'fragment buffer overflow';
    const stale = nowMs >= partial.atMs + FRAG_TTL_MS;
    // A second, different last piece would leave a gap: what came before belongs to another packet.
    const contradicts = last
      ? partial.last >= 0 && partial.last !== piece
      : partial.last >= 0 && piece >= partial.last;
    if (!partial.defined || stale || partial.size !== size || contradicts) restart(partial, size);
    this.#reserve(batch.maxPacketBytes);
    const store = place * this.#packetBytes;
    batch.slab.copy(this.#store, store + piece * size, batch.offsets[slot]!, batch.offsets[slot]! + length);
    partial.atMs = nowMs;
    partial.map |= last ? -1 << piece : 1 << piece;
    if (last) {
      partial.last = piece;
      partial.length = end;
    }
    if (partial.map !== -1 || partial.last < 0) return 'waits';
    partial.defined = false;
    const at = slot * batch.slotSize + PACKET_HEADROOM;
    this.#store.copy(batch.slab, at, store, store + partial.length);
    batch.offsets[slot] = at;
    batch.lengths[slot] = partial.length;
    return partial.length > 0 ? 'packet' : 'waits';
  }

  /** The ring moves on with newer ids; an id far from the newest starts it over. */
  #placeOf(seqId: number): number {
    if (this.#seqId < 0) this.#seqId = seqId;
    let ahead = (seqId - this.#seqId) & (N_SEQ_ID - 1);
    if (ahead >= N_SEQ_ID / 2) ahead -= N_SEQ_ID;
    if (Math.abs(ahead) >= N_FRAG_BUF) {
      for (const partial of this.#partials) partial.defined = false;
      this.#index = 0;
      this.#seqId = seqId;
      return 0;
    }
    for (; ahead > 0; ahead--) {
      this.#index = (this.#index + 1) % N_FRAG_BUF;
      this.#partials[this.#index]!.defined = false;
      this.#seqId = (this.#seqId + 1) & (N_SEQ_ID - 1);
    }
    return (this.#index + ahead + N_FRAG_BUF) % N_FRAG_BUF;
  }

  /** Batches of one pipeline are of one size; should a larger one come, what waits is given up. */
  #reserve(packetBytes: number): void {
    if (packetBytes <= this.#packetBytes) return;
    for (const partial of this.#partials) partial.map = 0;
    this.#packetBytes = packetBytes;
    this.#store = Buffer.alloc(N_FRAG_BUF * packetBytes);
  }
}

function restart(partial: Partial, size: number): void {
  partial.defined = true;
  partial.size = size;
  partial.map = 0;
  partial.last = -1;
  partial.length = 0;
}

function prepend(batch: PacketBatch, slot: number, flags: number): void {
  const at = batch.offsets[slot]! - FRAGMENT_HEADER_BYTES;
  batch.slab.writeUInt32BE(flags >>> 0, at);
  batch.offsets[slot] = at;
  batch.lengths[slot] = batch.lengths[slot]! + FRAGMENT_HEADER_BYTES;
}

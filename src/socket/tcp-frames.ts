/**
 * OpenVPN's framing of a byte stream (2.x socket.c stream_buf): u16 length, then that many bytes.
 *
 *   | length hi | length lo | packet ........ | length hi | ...      1 <= length <= limit
 *
 * Chunks come in any cut; complete frames are copied straight into a PacketBatch. A length of 0 or
 * above the limit can't be resynchronized: the reader stays in error from there on. Large chunks are kept
 * by reference until consumed, so whoever pushes them must not reuse them; small ones are copied together, since each
 * would take some 200 bytes of its own: a peer chooses how it cuts its stream.
 */
import { PACKET_HEADROOM, type PacketBatch } from '../base/base.ts';

export const FRAME_HEAD_BYTES = 2;
export const MAX_FRAME_BYTES = 0xffff;
/** Chunks below this are copied. Ours. */
const SMALL_BYTES = 1024;
/** Blocks that small chunks are copied into: the first, and the largest of the following ones. Ours. */
const FIRST_BLOCK_BYTES = 512;
const MAX_BLOCK_BYTES = 4 << 10;

export class TcpFrameReader {
  #chunks: Uint8Array[] = [];
  /** Bytes used of each chunk: all, or of a block of small ones those written so far. */
  #ends: number[] = [];
  /** The block that the next small chunk goes into, if it is the last chunk. */
  #block: Uint8Array | undefined;
  /** Index of the first chunk with unread bytes, and the unread position in it. */
  #chunk = 0;
  #at = 0;
  #buffered = 0;
  #badLength: string | undefined;

  /** Bytes pushed and not consumed. */
  get bufferedBytes(): number {
    return this.#buffered;
  }

  /** 2.x's message about a bad length; set for good once one was met. */
  get error(): string | undefined {
    return this.#badLength;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0 || this.#badLength !== undefined) return;
    this.#buffered += chunk.length;
    if (chunk.length < SMALL_BYTES) this.#append(chunk);
    else this.#keep(chunk, chunk.length);
  }

  /**
   * Whether read() would do something: a frame is complete, or the next length is bad for a limit of
   * `maxFrameBytes`.
   */
  ready(maxFrameBytes: number): boolean {
    if (this.#buffered < FRAME_HEAD_BYTES || this.#badLength !== undefined) return false;
    const length = this.#peekLength();
    return length === 0 || length > maxFrameBytes || this.#buffered >= FRAME_HEAD_BYTES + length;
  }

  /** Fills `batch` from slot 0 with complete frames of at most batch.maxPacketBytes; returns how many. */
  read(batch: PacketBatch): number {
    batch.count = 0;
    const limit = batch.maxPacketBytes;
    while (batch.count < batch.capacity && this.ready(limit)) {
      const length = this.#peekLength();
      if (length === 0 || length > limit) {
        this.#fail(length, limit);
        break;
      }
      const slot = batch.count++;
      const offset = slot * batch.slotSize + PACKET_HEADROOM;
      this.#skip(FRAME_HEAD_BYTES);
      this.#take(batch.slab, offset, length);
      batch.offsets[slot] = offset;
      batch.lengths[slot] = length;
      batch.status[slot] = 0;
    }
    return batch.count;
  }

  /** Pieces that what is buffered lies in. */
  get chunks(): number {
    return this.#chunks.length;
  }

  /** Forgets everything buffered. */
  clear(): void {
    this.#chunks = [];
    this.#ends = [];
    this.#block = undefined;
    this.#chunk = 0;
    this.#at = 0;
    this.#buffered = 0;
  }

  /** Copies a small chunk behind what came before it. */
  #append(chunk: Uint8Array): void {
    const last = this.#chunks.length - 1;
    const block = this.#block;
    const isLast = block !== undefined && last >= 0 && this.#chunks[last] === block;
    if (isLast && this.#ends[last]! + chunk.length <= block.length) {
      block.set(chunk, this.#ends[last]);
      this.#ends[last]! += chunk.length;
      return;
    }
    // A block that is read to its end is used again.
    const size = isLast ? Math.min(MAX_BLOCK_BYTES, 2 * block.length) : FIRST_BLOCK_BYTES;
    const free = block !== undefined && last < 0 && block.length >= chunk.length;
    const next = free ? block : new Uint8Array(Math.max(size, chunk.length));
    next.set(chunk);
    this.#block = next;
    this.#keep(next, chunk.length);
  }

  #keep(chunk: Uint8Array, end: number): void {
    this.#chunks.push(chunk);
    this.#ends.push(end);
  }

  #peekLength(): number {
    const first = this.#chunks[this.#chunk]!;
    if (this.#at + 1 < this.#ends[this.#chunk]!) return (first[this.#at]! << 8) | first[this.#at + 1]!;
    return (first[this.#at]! << 8) | this.#chunks[this.#chunk + 1]![0]!;
  }

  #take(target: Buffer, offset: number, length: number): void {
    let done = 0;
    while (done < length) {
      const chunk = this.#chunks[this.#chunk]!;
      const part = Math.min(length - done, this.#ends[this.#chunk]! - this.#at);
      target.set(chunk.subarray(this.#at, this.#at + part), offset + done);
      done += part;
      this.#skip(part);
    }
  }

  #skip(bytes: number): void {
    this.#buffered -= bytes;
    this.#at += bytes;
    while (this.#chunk < this.#chunks.length && this.#at >= this.#ends[this.#chunk]!) {
      this.#at -= this.#ends[this.#chunk]!;
      this.#chunk++;
    }
    if (this.#buffered === 0) {
      this.#chunks.length = 0;
      this.#ends.length = 0;
      this.#chunk = 0;
      this.#at = 0;
    } else if (this.#chunk >= 32) {
      this.#chunks.splice(0, this.#chunk);
      this.#ends.splice(0, this.#chunk);
      this.#chunk = 0;
    }
  }

  #fail(length: number, limit: number): void {
    this.#badLength =
      `WARNING: Bad encapsulated packet length from peer (${length}), which must be > 0 and <= ${limit}` +
      ' -- please ensure that --tun-mtu or --link-mtu is equal on both peers' +
      ' -- this condition could also indicate a possible active attack on the TCP link' +
      ' -- [Attempting restart...]';
    this.clear();
  }
}

/**
 * Slots first..end-1 of `batch` as one buffer of frames, slots of length 0 left out. The buffer is
 * the caller's; undefined when there is nothing to write.
 */
export function writeFrames(batch: PacketBatch, first: number, end: number): Buffer | undefined {
  let total = 0;
  for (let slot = first; slot < end; slot++) {
    const length = batch.lengths[slot]!;
    if (length > 0) total += FRAME_HEAD_BYTES + length;
  }
  if (total === 0) return undefined;
  const out = Buffer.allocUnsafe(total);
  let at = 0;
  for (let slot = first; slot < end; slot++) {
    const length = batch.lengths[slot]!;
    if (length === 0) continue;
    const offset = batch.offsets[slot]!;
    at = out.writeUInt16BE(length, at);
    batch.slab.copy(out, at, offset, offset + length);
    at += length;
  }
  return out;
}

/** One packet as a frame. */
export function writeFrame(packet: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(FRAME_HEAD_BYTES + packet.length);
  out.writeUInt16BE(packet.length, 0);
  out.set(packet, FRAME_HEAD_BYTES);
  return out;
}

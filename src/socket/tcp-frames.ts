/**
 * OpenVPN's framing of a byte stream (2.x socket.c stream_buf): u16 length, then that many bytes.
 *
 *   | length hi | length lo | packet ........ | length hi | ...      1 <= length <= limit
 *
 * Chunks come in any cut; complete frames are copied straight into a PacketBatch. A length of 0 or
 * above the limit can't be resynchronized: the reader stays in error from there on. Chunks are kept
 * by reference until consumed, so whoever pushes them must not reuse them.
 */
import { PACKET_HEADROOM, type PacketBatch } from '../base/base.ts';

export const FRAME_HEAD_BYTES = 2;
export const MAX_FRAME_BYTES = 0xffff;

export class TcpFrameReader {
  #chunks: Uint8Array[] = [];
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
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
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
      batch.segmentSizes[slot] = 0;
      batch.status[slot] = 0;
    }
    return batch.count;
  }

  /** Forgets everything buffered. */
  clear(): void {
    this.#chunks = [];
    this.#chunk = 0;
    this.#at = 0;
    this.#buffered = 0;
  }

  #peekLength(): number {
    const first = this.#chunks[this.#chunk]!;
    if (this.#at + 1 < first.length) return (first[this.#at]! << 8) | first[this.#at + 1]!;
    return (first[this.#at]! << 8) | this.#chunks[this.#chunk + 1]![0]!;
  }

  #take(target: Buffer, offset: number, length: number): void {
    let done = 0;
    while (done < length) {
      const chunk = this.#chunks[this.#chunk]!;
      const part = Math.min(length - done, chunk.length - this.#at);
      target.set(chunk.subarray(this.#at, this.#at + part), offset + done);
      done += part;
      this.#skip(part);
    }
  }

  #skip(bytes: number): void {
    this.#buffered -= bytes;
    this.#at += bytes;
    while (this.#chunk < this.#chunks.length && this.#at >= this.#chunks[this.#chunk]!.length) {
      this.#at -= this.#chunks[this.#chunk]!.length;
      this.#chunk++;
    }
    if (this.#buffered === 0) {
      this.#chunks.length = 0;
      this.#chunk = 0;
    } else if (this.#chunk >= 32) {
      this.#chunks.splice(0, this.#chunk);
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

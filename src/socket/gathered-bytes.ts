/**
 * Bytes that arrive in any cut and are looked at as a whole: room is doubled, so that each byte is copied a bounded
 * number of times however small the chunks are.
 */
const FIRST_BYTES = 256;

export class GatheredBytes {
  #room: Buffer = Buffer.alloc(0);
  #length = 0;

  /** All of them; valid until the next push(). */
  get bytes(): Buffer {
    return this.#room.subarray(0, this.#length);
  }

  get length(): number {
    return this.#length;
  }

  push(chunk: Uint8Array): void {
    const length = this.#length + chunk.length;
    if (length > this.#room.length) {
      const room = Buffer.alloc(Math.max(FIRST_BYTES, 2 * this.#room.length, length));
      this.#room.copy(room, 0, 0, this.#length);
      this.#room = room;
    }
    this.#room.set(chunk, this.#length);
    this.#length = length;
  }
}

/**
 * How many packets wait in a stream that only tells its unsent bytes. A write counts as unsent until its
 * last byte is gone. Pure; one entry per write, not per packet.
 */
export class UnsentPackets {
  /** Sums of bytes and packets up to the end of each write that may be unsent. */
  #bytes: number[] = [];
  #packets: number[] = [];
  #head = 0;
  #totalBytes = 0;
  #totalPackets = 0;
  /** Packets up to the last write that is known to be sent. */
  #sentPackets = 0;

  /** Notes a write; `unsentBytes` is what the stream holds after it. */
  add(bytes: number, packets: number, unsentBytes: number): void {
    this.#totalBytes += bytes;
    this.#totalPackets += packets;
    if (unsentBytes === 0) {
      this.#clear();
      return;
    }
    this.#bytes.push(this.#totalBytes);
    this.#packets.push(this.#totalPackets);
  }

  /** Packets of writes that are not wholly sent, when the stream holds `unsentBytes`. */
  count(unsentBytes: number): number {
    if (unsentBytes === 0) this.#clear();
    const sent = this.#totalBytes - unsentBytes;
    while (this.#head < this.#bytes.length && this.#bytes[this.#head]! <= sent) {
      this.#sentPackets = this.#packets[this.#head]!;
      this.#head++;
    }
    if (this.#head > 64) {
      this.#bytes.splice(0, this.#head);
      this.#packets.splice(0, this.#head);
      this.#head = 0;
    }
    return this.#totalPackets - this.#sentPackets;
  }

  #clear(): void {
    this.#bytes.length = 0;
    this.#packets.length = 0;
    this.#head = 0;
    this.#totalBytes = 0;
    this.#totalPackets = 0;
    this.#sentPackets = 0;
  }
}

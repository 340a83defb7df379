/**
 * --comp-lzo adaptive (2.x lzo.c lzo_adaptive_compress_test()): looks every two seconds at what
 * compression gained; less than five percent turns it off for a minute. Sender's policy only.
 */

/** Numbers of 2.x lzo.h. Milliseconds, bytes, percent. */
const AC_SAMP_MS = 2_000;
const AC_MIN_BYTES = 1_000;
const AC_SAVE_PCT = 5;
const AC_OFF_MS = 60_000;

export class AdaptiveSending {
  readonly #onChange: (on: boolean) => void;
  #on = true;
  #nextMs = Number.NEGATIVE_INFINITY;
  #totalBytes = 0;
  #packedBytes = 0;

  constructor(onChange: (on: boolean) => void) {
    this.#onChange = onChange;
  }

  /** Whether the next packet may be compressed. */
  mayCompress(nowMs: number): boolean {
    if (nowMs < this.#nextMs) return this.#on;
    const saved = this.#totalBytes - this.#packedBytes;
    const poor = this.#totalBytes > AC_MIN_BYTES && saved < (this.#totalBytes * AC_SAVE_PCT) / 100;
    this.#set(!(this.#on && poor));
    this.#nextMs = nowMs + (this.#on ? AC_SAMP_MS : AC_OFF_MS);
    this.#totalBytes = 0;
    this.#packedBytes = 0;
    return this.#on;
  }

  /** One packet was compressed from `totalBytes` to `packedBytes`. */
  note(totalBytes: number, packedBytes: number): void {
    this.#totalBytes += totalBytes;
    this.#packedBytes += packedBytes;
  }

  #set(on: boolean): void {
    if (on !== this.#on) this.#onChange(on);
    this.#on = on;
  }
}

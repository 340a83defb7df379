/**
 * A seeded wire for whole-protocol tests in memory: packets get lost, doubled, delayed and thereby
 * reordered, the same way for the same seed. Time is the caller's (see ManualClock).
 */

import { createPrng } from './prng.ts';

export interface LossyWireOptions {
  readonly seed: number;
  /** Probability that a packet vanishes. */
  readonly loss?: number;
  /** Probability that a packet arrives twice. */
  readonly duplicate?: number;
  /** Probability that a packet is held back for up to `reorderMs` more. */
  readonly reorder?: number;
  readonly reorderMs?: number;
  readonly latencyMs?: number;
  /** Probability that a packet arrives with one bit changed. */
  readonly flip?: number;
}

export interface WireDelivery<Address> {
  readonly packet: Uint8Array;
  readonly from: Address;
  readonly to: Address;
}

interface InFlight<Address> extends WireDelivery<Address> {
  readonly dueMs: number;
}

export class LossyWire<Address> {
  /** What the wire did, for assertions. */
  readonly counts = { sent: 0, lost: 0, duplicated: 0, held: 0, flipped: 0, delivered: 0 };
  readonly #random: () => number;
  readonly #options: Required<LossyWireOptions>;
  /** By due time, then order of sending. */
  readonly #inFlight: InFlight<Address>[] = [];

  constructor(options: LossyWireOptions) {
    this.#random = createPrng(options.seed);
    this.#options = { loss: 0, duplicate: 0, reorder: 0, reorderMs: 100, latencyMs: 20, flip: 0, ...options };
  }

  get inFlight(): number {
    return this.#inFlight.length;
  }

  /** Takes a copy of the packet. */
  send(packet: Uint8Array, from: Address, to: Address, nowMs: number): void {
    this.counts.sent++;
    if (this.#random() < this.#options.loss) {
      this.counts.lost++;
      return;
    }
    this.#launch(packet, from, to, nowMs);
    if (this.#random() >= this.#options.duplicate) return;
    this.counts.duplicated++;
    this.#launch(packet, from, to, nowMs);
  }

  /** When poll() has something next; undefined = nothing on the wire. */
  nextDelivery(): number | undefined {
    return this.#inFlight[0]?.dueMs;
  }

  /** The next packet that has arrived at this time; call until undefined. */
  poll(nowMs: number): WireDelivery<Address> | undefined {
    const first = this.#inFlight[0];
    if (!first || first.dueMs > nowMs) return undefined;
    this.#inFlight.shift();
    this.counts.delivered++;
    return first;
  }

  #copy(packet: Uint8Array): Uint8Array {
    const copy = Uint8Array.from(packet);
    const { flip } = this.#options;
    if (flip === 0 || this.#random() >= flip || copy.length === 0) return copy;
    this.counts.flipped++;
    const bit = Math.floor(this.#random() * copy.length * 8);
    copy[bit >> 3]! ^= 1 << (bit & 7);
    return copy;
  }

  #launch(packet: Uint8Array, from: Address, to: Address, nowMs: number): void {
    let dueMs = nowMs + this.#options.latencyMs;
    if (this.#random() < this.#options.reorder) {
      this.counts.held++;
      dueMs += 1 + Math.floor(this.#random() * this.#options.reorderMs);
    }
    let at = this.#inFlight.length;
    while (at > 0 && this.#inFlight[at - 1]!.dueMs > dueMs) at--;
    this.#inFlight.splice(at, 0, { packet: this.#copy(packet), from, to, dueMs });
  }
}

/**
 * Opening a batch packet by packet, for keys over node:crypto: what a status means for slot and counters
 * is the same for every format. A packet that doesn't open gets length 0; the others of the batch go on.
 */
import { ApiMisuseError, type PacketBatch } from '../base/base.ts';
import type { OpeningKey } from './crypto.ts';
import { OPEN_AUTH_FAILED, OPEN_OK } from './crypto.ts';

export abstract class SlotOpener implements OpeningKey {
  #failures = 0;
  #destroyed = false;

  get failures(): number {
    return this.#failures;
  }

  openBatch(batch: PacketBatch, first: number, end: number): void {
    if (this.#destroyed) throw new ApiMisuseError('openBatch() on a destroyed key');
    for (let slot = first; slot < end; slot++) {
      if (batch.lengths[slot] === 0) continue;
      const status = this.openSlot(batch, slot);
      batch.status[slot] = status;
      if (status !== OPEN_OK) batch.lengths[slot] = 0;
      if (status === OPEN_AUTH_FAILED) this.#failures++;
    }
  }

  destroy(): void {
    this.#destroyed = true;
    this.wipe();
  }

  /** Opens one packet in place: offset, length and ids of the slot. Returns an OPEN_* status. */
  protected abstract openSlot(batch: PacketBatch, slot: number): number;

  /** Zeroes all key material. */
  protected abstract wipe(): void;
}

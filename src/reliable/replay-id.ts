/**
 * Replay ids of wrapped control packets (2.x packet_id.c, long form): u32 id || u32 Unix time.
 * A session's ids start at 1 and are never reused: retransmissions and acknowledgements get fresh
 * ones. The time is that of the session's first packet and changes only when the ids are used up.
 */
import { PacketIdRec, REPLAY_OK, type ReplayMemory } from '../crypto/crypto.ts';
import { readUint32, writeUint32 } from './control-packet.ts';

/** Bytes of a replay id with its time. */
export const REPLAY_ID_BYTES = 8;

/** --replay-window of the sessions of a wrap. */
export interface ReplayOptions {
  /** Packets, 64 by default; 0 demands strictly consecutive ids. */
  readonly replayWindow?: number | undefined;
  /** Seconds, 15 by default. */
  readonly replaySec?: number | undefined;
  /** --replay-persist: what sessions of this wrap received before. */
  readonly replayMemory?: ReplayMemory | undefined;
}

/** Replay ids of one session, both directions. */
export class ReplayIds {
  readonly #received: PacketIdRec;
  #nextId: number;
  #timeSec = 0;

  constructor(nextId: number, options: ReplayOptions) {
    this.#nextId = nextId;
    this.#received = new PacketIdRec(options.replayWindow, options.replaySec, options.replayMemory);
  }

  /** Writes the next id and its time, 8 bytes. */
  write(out: Uint8Array, offset: number, wallSec: number): void {
    if (this.#timeSec === 0) this.#timeSec = wallSec;
    if (this.#nextId > 0xffff_ffff) {
      this.#nextId = 1;
      this.#timeSec = Math.max(wallSec, this.#timeSec + 1);
    }
    writeReplayId(out, offset, this.#nextId++, this.#timeSec);
  }

  /** Whether a received id is new; marks it seen. Call it after the packet proved authentic. */
  accept(packet: Uint8Array, offset: number, wallSec: number): boolean {
    const id = readUint32(packet, offset);
    const timeSec = readUint32(packet, offset + 4);
    return this.#received.check(id, wallSec * 1000, timeSec) === REPLAY_OK;
  }
}

/** Writes `u32 id || u32 time`. */
export function writeReplayId(out: Uint8Array, offset: number, id: number, timeSec: number): void {
  writeUint32(out, offset, id);
  writeUint32(out, offset + 4, timeSec);
}

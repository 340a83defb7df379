/**
 * Replay protection of received packet ids (2.x packet_id.c). A window of `windowPackets` ids below
 * the highest one seen; one 32-bit mark per id in a ring:
 *
 *   marks[id mod windowPackets] = 0 not seen | 1 expired | 2 + second at which it was seen
 *
 * Long form ids (control packets, CFB/OFB, static keys) carry the sender's Unix time beside the
 * number: a later time starts a fresh window, an earlier one is rejected. Short form ids have time 0.
 * Call check() only after the packet has been authenticated. Nothing is allocated per packet.
 * A ReplayMemory makes long ids go on where an earlier session ended.
 */
import type { ReplayMemory } from './crypto.ts';

export const REPLAY_OK = 0;
/** Id 0 is never sent. */
export const REPLAY_ZERO_ID = 1;
/** Seen before. */
export const REPLAY_SEEN = 2;
/** Below the window (--replay-window N). */
export const REPLAY_TOO_OLD = 3;
/** Overtaken by a packet that came more than T seconds ago (--replay-window N T). */
export const REPLAY_EXPIRED = 4;
/** Long form: the sender's time went back. */
export const REPLAY_TIME_BACKTRACK = 5;
/** Window 0 only: the id isn't the previous one plus 1. */
export const REPLAY_OUT_OF_ORDER = 6;

export type ReplayResult = 0 | 1 | 2 | 3 | 4 | 5 | 6;

/** Limits and defaults of --replay-window (2.x packet_id.h). */
const DEFAULT_REPLAY_PACKETS = 64;
const MAX_REPLAY_PACKETS = 65536;
const DEFAULT_REPLAY_SEC = 15;
const MAX_REPLAY_SEC = 600;

const UNSEEN = 0;
const EXPIRED = 1;
/** Seconds between sweeps for expired ids. */
const REAP_SEC = 5;

export class PacketIdRec {
  readonly #window: number;
  readonly #backtrackSec: number;
  readonly #marks: Uint32Array;
  readonly #memory: ReplayMemory | undefined;
  #highest = 0;
  #time = 0;
  #lastReapSec = Number.NEGATIVE_INFINITY;

  /**
   * `windowPackets` 0..65536; 0 takes ids only in strict sequence. `windowSec` 0..600; 0 never expires.
   */
  constructor(
    windowPackets = DEFAULT_REPLAY_PACKETS,
    windowSec = DEFAULT_REPLAY_SEC,
    memory: ReplayMemory | undefined = undefined,
  ) {
    this.#window = Math.min(Math.max(windowPackets, 0), MAX_REPLAY_PACKETS);
    this.#backtrackSec = Math.min(Math.max(windowSec, 0), MAX_REPLAY_SEC);
    this.#marks = new Uint32Array(this.#window);
    this.#memory = memory;
    if (memory?.newest) this.#resume(memory.newest.packetId, memory.newest.time);
  }

  /** Highest id seen with the present time; 0 before the first. */
  get highest(): number {
    return this.#highest;
  }

  /** Highest sender time seen, seconds; 0 for short form ids. */
  get time(): number {
    return this.#time;
  }

  /**
   * Says whether `packetId` is new, and marks it seen if so. `nowMs` is monotonic and not negative;
   * `time` is the sender's Unix time of a long form id. 0 is good, see REPLAY_*.
   */
  check(packetId: number, nowMs: number, time = 0): ReplayResult {
    const nowSec = Math.floor(nowMs / 1000);
    if (nowSec - this.#lastReapSec >= REAP_SEC) this.#reap(nowSec);
    const result = this.#test(packetId, time);
    if (result === REPLAY_OK) {
      this.#add(packetId, nowSec, time);
      if (this.#time > 0) this.#memory?.note(this.#highest, this.#time);
    }
    return result;
  }

  /** Nothing up to this id is new. */
  #resume(packetId: number, time: number): void {
    this.#highest = packetId;
    this.#time = time;
    this.#marks.fill(EXPIRED);
  }

  #test(id: number, time: number): ReplayResult {
    if (id === 0) return REPLAY_ZERO_ID;
    if (time < this.#time) return REPLAY_TIME_BACKTRACK;
    if (this.#window === 0) return this.#testSequence(id, time);
    if (time > this.#time || id > this.#highest) return REPLAY_OK;
    if (this.#highest - id >= this.#window) return REPLAY_TOO_OLD;
    const mark = this.#marks[id % this.#window]!;
    if (mark === UNSEEN) return REPLAY_OK;
    return mark === EXPIRED ? REPLAY_EXPIRED : REPLAY_SEEN;
  }

  #testSequence(id: number, time: number): ReplayResult {
    const good = time > this.#time ? id === 1 : this.#highest === 0 || id === this.#highest + 1;
    return good ? REPLAY_OK : REPLAY_OUT_OF_ORDER;
  }

  #add(id: number, nowSec: number, time: number): void {
    const window = this.#window;
    if (window > 0) {
      if (time > this.#time || id - this.#highest > window) this.#marks.fill(UNSEEN);
      else for (let i = this.#highest + 1; i < id; i++) this.#marks[i % window] = UNSEEN;
      this.#marks[id % window] = nowSec + 2;
    }
    if (time > this.#time || id > this.#highest) this.#highest = id;
    this.#time = time;
  }

  /**
   * Expires every id at or below one seen more than the time window ago. Walks from the newest id
   * down and stops at the first expired one, below which all are.
   */
  #reap(nowSec: number): void {
    this.#lastReapSec = nowSec;
    if (this.#backtrackSec === 0) return;
    const oldest = nowSec + 2 - this.#backtrackSec;
    const size = Math.min(this.#window, this.#highest);
    let expire = false;
    for (let i = 0; i < size; i++) {
      const slot = (this.#highest - i) % this.#window;
      const mark = this.#marks[slot]!;
      if (mark === EXPIRED) return;
      if (mark !== UNSEEN && mark < oldest) expire = true;
      if (expire) this.#marks[slot] = EXPIRED;
    }
  }
}

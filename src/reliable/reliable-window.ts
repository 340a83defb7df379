/**
 * Reliability of one key's control channel, one direction per object (2.x reliable.c, reliable.h).
 * AckList: ids to acknowledge, and those acknowledged lately, which are repeated while there is room.
 * ReliableSend: messages until they are acknowledged; ids count up from 0 without gaps, and
 * `next id - lowest unacknowledged id < window` holds always. A message's timeout doubles with each transmission
 * as in 2.x only as long as the peer has acknowledged nothing: who answers isn't away but loses packets. (With
 * doubling throughout, one of five handshakes over 30 % loss each way takes longer than 30 s.)
 * ReliableReceive: stores ids of [expected, expected + window) and delivers strictly in order.
 * Ids are compared modulo 2^32. Memory is bounded by the windows.
 */
import { ApiMisuseError } from '../base/base.ts';
import { MAX_ACKS } from './control-packet.ts';
import { P_ACK_V1 } from './opcodes.ts';

/** Messages in flight (2.x TLS_RELIABLE_N_SEND_BUFFERS). */
export const SEND_WINDOW = 6;
/** Messages kept out of order (2.x TLS_RELIABLE_N_REC_BUFFERS). */
export const RECEIVE_WINDOW = 12;
/** Most acknowledgements on a packet that carries a message (2.x CONTROL_SEND_ACK_MAX). */
export const PIGGYBACK_ACKS = 4;
/** Later acknowledgements after which a message counts as lost (2.x N_ACK_RETRANSMIT). */
export const FAST_RETRANSMIT_ACKS = 3;
/** --tls-timeout. */
export const DEFAULT_TLS_TIMEOUT_MS = 2000;

/**
 * Most acknowledgements that a packet may carry. `fewAcks`: SoftEther servers can't read more than 4;
 * 2.x clients respect that while neither a wrap nor TLS key export shows that the peer is none.
 */
export function maxAcks(opcode: number, fewAcks: boolean): number {
  return opcode === P_ACK_V1 && !fewAcks ? MAX_ACKS : PIGGYBACK_ACKS;
}

/** Whether id `a` comes before `b`, modulo 2^32. */
function isBefore(a: number, b: number): boolean {
  return (a - b) >>> 0 >= 0x8000_0000;
}

/** Acknowledgements to send: pending ones first, then recent ones again. */
export class AckList {
  readonly #pending: number[] = [];
  /** Newest first, at most MAX_ACKS. */
  readonly #recent: number[] = [];

  /** Ids that wait for their first acknowledgement. */
  get pendingCount(): number {
    return this.#pending.length;
  }

  /** Acks that the next take() could return at most; for the size of the next packet. */
  get availableCount(): number {
    return Math.min(MAX_ACKS, this.#pending.length + this.#recent.length);
  }

  /** Notes an id to acknowledge. False when it waits already or the list is full (the peer repeats it then). */
  acknowledge(id: number): boolean {
    if (this.#pending.length >= MAX_ACKS || this.#pending.includes(id)) return false;
    this.#pending.push(id);
    return true;
  }

  /** Up to `max` ids for the next packet: the pending ones, oldest first, then recently sent ones. */
  take(max: number): number[] {
    const fresh = this.#pending.splice(0, max);
    const older = this.#recent.filter((id) => !fresh.includes(id));
    this.#recent.splice(0, this.#recent.length, ...fresh, ...older);
    this.#recent.length = Math.min(this.#recent.length, MAX_ACKS);
    return this.#recent.slice(0, max);
  }
}

/** A message on its way; `payload` is the sender's own copy. */
export interface OutgoingMessage {
  readonly opcode: number;
  readonly messageId: number;
  readonly payload: Uint8Array;
}

interface SendEntry extends OutgoingMessage {
  dueMs: number;
  timeoutMs: number;
  laterAcks: number;
}

/** Sending side of one key. */
export class ReliableSend {
  readonly #window: number;
  readonly #initialTimeoutMs: number;
  /** In order of ids: the first is the lowest unacknowledged one. */
  #entries: SendEntry[] = [];
  #nextId: number;
  #held: boolean;
  #heard = false;

  /**
   * `firstId` is 1 where a stateless reset stood for message 0. `hold` keeps everything back until
   * rescheduleNow(): TCP servers don't send their reset before the client's.
   */
  constructor(options: { timeoutMs?: number; window?: number; firstId?: number; hold?: boolean } = {}) {
    this.#initialTimeoutMs = options.timeoutMs ?? DEFAULT_TLS_TIMEOUT_MS;
    this.#window = options.window ?? SEND_WINDOW;
    this.#nextId = options.firstId ?? 0;
    this.#held = options.hold ?? false;
  }

  /** Whether everything queued was acknowledged. */
  get empty(): boolean {
    return this.#entries.length === 0;
  }

  /** The id that the next message gets. */
  get nextId(): number {
    return this.#nextId;
  }

  /** Messages that can be queued at present. */
  get available(): number {
    const lowest = this.#entries[0];
    return lowest ? this.#window - ((this.#nextId - lowest.messageId) >>> 0) : this.#window;
  }

  /** Queues a message, due at once, and returns its id. The payload is copied. Check `available` first. */
  queue(opcode: number, payload: Uint8Array, nowMs: number): number {
    if (this.available <= 0) throw new ApiMisuseError('control channel send window is full');
    const messageId = this.#nextId;
    this.#nextId = (messageId + 1) >>> 0;
    this.#entries.push({
      opcode,
      messageId,
      payload: Uint8Array.from(payload),
      dueMs: nowMs,
      timeoutMs: this.#initialTimeoutMs,
      laterAcks: 0,
    });
    return messageId;
  }

  /** Drops acknowledged messages; one that FAST_RETRANSMIT_ACKS later acks passed by is due at once. */
  handleAcks(acks: readonly number[], nowMs: number): void {
    for (const id of acks) {
      if (!isBefore(id, this.#nextId)) continue;
      if (!this.#heard) this.#hear(nowMs);
      this.#entries = this.#entries.filter((entry) => entry.messageId !== id);
      for (const entry of this.#entries) {
        if (isBefore(entry.messageId, id) && ++entry.laterAcks === FAST_RETRANSMIT_ACKS) {
          entry.dueMs = Math.min(entry.dueMs, nowMs);
        }
      }
    }
  }

  /**
   * The message to send at this time, lowest id first, or undefined. Each call counts as a
   * transmission and doubles that message's timeout before the first ack; call until undefined.
   */
  poll(nowMs: number): OutgoingMessage | undefined {
    if (this.#held) return undefined;
    const entry = this.#entries.find((candidate) => candidate.dueMs <= nowMs);
    if (!entry) return undefined;
    entry.dueMs = nowMs + entry.timeoutMs;
    if (!this.#heard) entry.timeoutMs *= 2;
    entry.laterAcks = 0;
    return entry;
  }

  #hear(nowMs: number): void {
    this.#heard = true;
    for (const entry of this.#entries) {
      entry.timeoutMs = this.#initialTimeoutMs;
      entry.dueMs = Math.min(entry.dueMs, nowMs + this.#initialTimeoutMs);
    }
  }

  /** Makes all messages due with their first timeout, and ends `hold`: the peer has shown up. */
  rescheduleNow(nowMs: number): void {
    this.#held = false;
    for (const entry of this.#entries) {
      entry.dueMs = nowMs;
      entry.timeoutMs = this.#initialTimeoutMs;
    }
  }

  /** When poll() has something next; undefined = nothing to wait for. */
  nextTimeout(): number | undefined {
    if (this.#held || this.#entries.length === 0) return undefined;
    return Math.min(...this.#entries.map((entry) => entry.dueMs));
  }

  /** Forgets all messages. */
  clear(): void {
    this.#entries = [];
  }
}

/** A message taken in; `payload` is the receiver's own copy. */
export interface IncomingMessage {
  readonly opcode: number;
  readonly messageId: number;
  readonly payload: Uint8Array;
}

/** What became of a message: 'stored' and 'replay' must be acknowledged, 'window' must not. */
export type ReceiveVerdict = 'stored' | 'replay' | 'window';

/** Receiving side of one key. */
export class ReliableReceive {
  readonly #window: number;
  readonly #stored = new Map<number, IncomingMessage>();
  #expectedId: number;

  /** `firstId` is 1 where a stateless reset stood for message 0. */
  constructor(options: { window?: number; firstId?: number } = {}) {
    this.#window = options.window ?? RECEIVE_WINDOW;
    this.#expectedId = options.firstId ?? 0;
  }

  /** The id that is delivered next. */
  get expectedId(): number {
    return this.#expectedId;
  }

  /** Messages kept until the ones before them arrive. */
  get storedCount(): number {
    return this.#stored.size;
  }

  /** Takes a message in; the payload is copied when stored. */
  handleMessage(messageId: number, opcode: number, payload: Uint8Array): ReceiveVerdict {
    if (isBefore(messageId, this.#expectedId) || this.#stored.has(messageId)) return 'replay';
    if ((messageId - this.#expectedId) >>> 0 >= this.#window) return 'window';
    this.#stored.set(messageId, { opcode, messageId, payload: Uint8Array.from(payload) });
    return 'stored';
  }

  /** The next message in order, or undefined while it is missing. */
  poll(): IncomingMessage | undefined {
    const message = this.#stored.get(this.#expectedId);
    if (!message) return undefined;
    this.#stored.delete(this.#expectedId);
    this.#expectedId = (this.#expectedId + 1) >>> 0;
    return message;
  }

  /** Forgets all messages. */
  clear(): void {
    this.#stored.clear();
  }
}

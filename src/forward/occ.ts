/**
 * OpenVPN configuration control: messages between data channels (2.x occ.c).
 *
 *   magic(16) || u8 op || body
 *   0 REQUEST -          1 REPLY options string, NUL     2 MTU_LOAD_REQUEST u16 size   3 MTU_LOAD filler
 *   4 MTU_REQUEST -      5 MTU_REPLY u16 received, u16 sent                            6 EXIT -
 *
 * Each kind of answer waits at most once, so a peer that asks often gets one answer per batch. Sizes
 * are those of link packets. Short and unknown messages are dropped. Without TLS each side asks the other
 * for its options string until it has got it, or the patience of 2.x is used up.
 */
import type { Logger } from '../base/base.ts';
import { D_PACKET_CONTENT, D_SHOW_OCC, D_STREAM_ERRORS, M_INFO } from '../base/errlevel.ts';
import type { LinkCounters, OccOptions } from './forward.ts';
import { readU16 } from './proto.ts';

export const OCC_REQUEST = 0;
export const OCC_REPLY = 1;
export const OCC_MTU_LOAD_REQUEST = 2;
export const OCC_MTU_LOAD = 3;
export const OCC_MTU_REQUEST = 4;
export const OCC_MTU_REPLY = 5;
export const OCC_EXIT = 6;

const OP_NAMES = [
  'OCC_REQUEST',
  'OCC_REPLY',
  'OCC_MTU_LOAD_REQUEST',
  'OCC_MTU_LOAD',
  'OCC_MTU_REQUEST',
  'OCC_MTU_REPLY',
  'OCC_EXIT',
];

/** Source: 2.x occ.c occ_magic. */
const OCC_MAGIC: Uint8Array = Uint8Array.of(
  ...[0x28, 0x7f, 0x34, 0x6b, 0xd4, 0xef, 0x7a, 0x81],
  ...[0x2d, 0x56, 0xb8, 0xd3, 0xaf, 0xc5, 0x45, 0x9c],
);
const HEADER_BYTES = 17;

/** --mtu-test: sizes relative to the largest link packet, three pairs of messages each, 3 s apart. */
const MTU_TEST_DELTAS = [-1000, -750, -500, -400, -300, -200, -150, -100, -50, 0];
const MTU_TEST_PAIRS = 3;
const MTU_TEST_REQUESTS = 10;
const MTU_TEST_INTERVAL_MS = 3000;
const MTU_TEST_LOADS = MTU_TEST_DELTAS.length * MTU_TEST_PAIRS * 2;
const TUN_MTU_MIN = 100;

/** OCC_REQUEST: time between two, and the one that isn't sent any more. Source: 2.x occ.h. */
const REQUEST_INTERVAL_MS = 10_000;
const REQUEST_TRIES = 12;

/** Whether the packet is an OCC message. */
export function isOcc(slab: Uint8Array, offset: number, length: number): boolean {
  if (length < OCC_MAGIC.length) return false;
  for (let i = 0; i < OCC_MAGIC.length; i++) if (slab[offset + i] !== OCC_MAGIC[i]) return false;
  return true;
}

/** Sizes of link packets, for OCC_MTU_*. */
export interface OccSizes {
  /** Largest link packet by configuration. */
  readonly linkMtu: number;
  /** Bytes of a link packet that aren't OCC message: headers of link and payload. */
  readonly overhead: number;
  /** Largest payload that the batch takes. */
  readonly maxPayload: number;
}

/** One peer's OCC state. */
export class Occ {
  readonly #options: OccOptions;
  readonly #log: Logger;
  /** Bit per op that waits to be sent. */
  #waiting = 0;
  #loadSize = 0;
  #testStep = 0;
  #nextTestMs: number | undefined;
  #tries = 0;
  #nextRequestMs: number | undefined;
  /** Largest authenticated link packet received and largest sent. */
  maxReceived = 0;
  maxSent = 0;

  constructor(options: OccOptions, log: Logger, nowMs: number) {
    this.#options = options;
    this.#log = log;
    if (options.mtuTest) this.#nextTestMs = nowMs + MTU_TEST_INTERVAL_MS;
    if (options.onReply) this.#nextRequestMs = nowMs + REQUEST_INTERVAL_MS;
  }

  get waiting(): boolean {
    return this.#waiting !== 0;
  }

  /** Handles a message for which isOcc() holds. Returns true when the peer says it exits. */
  handle(slab: Uint8Array, offset: number, length: number): boolean {
    if (length < HEADER_BYTES) return false;
    const op = slab[offset + HEADER_BYTES - 1]!;
    if (op <= OCC_EXIT && this.#log.enabled(D_PACKET_CONTENT)) {
      this.#log.log(D_PACKET_CONTENT, `RECEIVED ${OP_NAMES[op]}`);
    }
    const body = offset + HEADER_BYTES;
    const bodyBytes = length - HEADER_BYTES;
    if (op === OCC_REQUEST && this.#options.localOptions !== undefined) this.#queue(OCC_REPLY);
    if (op === OCC_REPLY) this.#handleReply(Buffer.from(slab.subarray(body, offset + length)));
    if (op === OCC_MTU_REQUEST) this.#queue(OCC_MTU_REPLY);
    if (op === OCC_MTU_LOAD_REQUEST && bodyBytes >= 2) {
      this.#loadSize = readU16(slab, body);
      this.#queue(OCC_MTU_LOAD);
    }
    if (op === OCC_MTU_REPLY && bodyBytes >= 4) {
      this.#handleMtuReply(readU16(slab, body), readU16(slab, body + 2));
    }
    if (op !== OCC_EXIT) return false;
    this.#log.log(D_STREAM_ERRORS, 'OCC exit message received by peer');
    return true;
  }

  sendExit(): void {
    this.#queue(OCC_EXIT);
  }

  /** The next waiting message as payload of a data packet, or undefined. */
  next(sizes: OccSizes): Uint8Array | undefined {
    for (let op = OCC_REQUEST; op <= OCC_EXIT; op++) {
      if ((this.#waiting & (1 << op)) === 0) continue;
      this.#waiting &= ~(1 << op);
      const message = this.#write(op, sizes);
      if (!message) continue;
      if (this.#log.enabled(D_PACKET_CONTENT)) this.#log.log(D_PACKET_CONTENT, `SENT ${OP_NAMES[op]}`);
      return message;
    }
    return undefined;
  }

  /** Requests and --mtu-test: the next step is due. `linkMtu` as in OccSizes; `established` = data keys exist. */
  handleTimeout(nowMs: number, linkMtu: number, established: boolean, counters: LinkCounters): void {
    if (this.#nextRequestMs !== undefined && nowMs >= this.#nextRequestMs) this.#request(nowMs, counters);
    if (this.#nextTestMs === undefined || nowMs < this.#nextTestMs) return;
    this.#nextTestMs = nowMs + MTU_TEST_INTERVAL_MS;
    if (!established) return;
    if (this.#testStep === 0) {
      this.#log.log(
        M_INFO,
        'NOTE: Beginning empirical MTU test -- results should be available in 3 to 4 minutes.',
      );
    }
    const step = this.#testStep++;
    if (step < MTU_TEST_LOADS) {
      const delta = MTU_TEST_DELTAS[Math.floor(step / (MTU_TEST_PAIRS * 2))] ?? 0;
      this.#loadSize = Math.max(0, linkMtu + delta);
      this.#queue(step % 2 === 0 ? OCC_MTU_LOAD_REQUEST : OCC_MTU_LOAD);
    } else if (step < MTU_TEST_LOADS + MTU_TEST_REQUESTS) {
      this.#queue(OCC_MTU_REQUEST);
    } else {
      this.#nextTestMs = undefined;
      this.#log.log(
        M_INFO,
        'NOTE: failed to empirically measure MTU (requires OpenVPN 1.5 or higher at other end of connection).',
      );
    }
  }

  nextTimeout(): number | undefined {
    const [test, request] = [this.#nextTestMs, this.#nextRequestMs];
    if (test === undefined || request === undefined) return test ?? request;
    return Math.min(test, request);
  }

  #request(nowMs: number, { linkReadBytes, authReadBytes }: LinkCounters): void {
    if (++this.#tries < REQUEST_TRIES) {
      this.#nextRequestMs = nowMs + REQUEST_INTERVAL_MS;
      this.#queue(OCC_REQUEST);
      return;
    }
    this.#nextRequestMs = undefined;
    this.#log.log(
      D_SHOW_OCC,
      `NOTE: failed to obtain options consistency info from peer -- this could occur if the remote peer is running a version of OpenVPN before 1.5-beta8 or if there is a network connectivity problem, and will not necessarily prevent OpenVPN from running (${linkReadBytes} bytes received from peer, ${authReadBytes} bytes authenticated data channel traffic) -- you can disable the options consistency check with --disable-occ.`,
    );
  }

  #handleReply(body: Buffer): void {
    this.#nextRequestMs = undefined;
    const end = body.indexOf(0);
    if (end >= 0) this.#options.onReply?.(body.toString('latin1', 0, end));
  }

  #queue(op: number): void {
    this.#waiting |= 1 << op;
  }

  /** Undefined when the message doesn't fit. */
  #write(op: number, sizes: OccSizes): Uint8Array | undefined {
    if (op === OCC_REPLY) {
      const text = Buffer.from(`${this.#options.localOptions ?? ''}\0`);
      return HEADER_BYTES + text.length <= sizes.maxPayload ? message(op, text) : undefined;
    }
    if (op === OCC_MTU_LOAD_REQUEST) return message(op, u16(this.#loadSize));
    if (op === OCC_MTU_REPLY) return message(op, Buffer.concat([u16(this.maxReceived), u16(this.maxSent)]));
    if (op !== OCC_MTU_LOAD) return message(op, new Uint8Array(0));
    const room = sizes.maxPayload - HEADER_BYTES;
    const filler = Math.min(this.#loadSize - sizes.overhead - HEADER_BYTES, room);
    return message(op, this.#options.randomBytes(Math.max(0, filler)));
  }

  #handleMtuReply(theirReceived: number, theirSent: number): void {
    if (!this.#options.mtuTest || theirReceived === 0 || theirSent === 0) return;
    this.#nextTestMs = undefined;
    const { maxSent, maxReceived } = this;
    this.#log.log(
      M_INFO,
      `NOTE: Empirical MTU test completed [Tried,Actual] local->remote=[${maxSent},${theirReceived}] remote->local=[${theirSent},${maxReceived}]`,
    );
    if (maxSent <= TUN_MTU_MIN || (theirReceived >= maxSent && maxReceived >= theirSent)) return;
    this.#log.log(
      M_INFO,
      `NOTE: This connection is unable to accommodate a UDP packet size of ${maxSent}. Consider using --fragment or --mssfix options as a workaround.`,
    );
  }
}

function message(op: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + body.length);
  bytes.set(OCC_MAGIC);
  bytes[HEADER_BYTES - 1] = op;
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

function u16(value: number): Uint8Array {
  const capped = Math.min(value, 0xffff);
  return Uint8Array.of(capped >>> 8, capped & 0xff);
}

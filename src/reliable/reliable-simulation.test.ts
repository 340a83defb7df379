/**
 * Two reliability endpoints over a lossy, doubling, reordering wire with a manual clock: every seed
 * must carry two streams completely and in order, and leave nothing behind.
 */
import { describe, expect, it } from 'vitest';
import { LossyWire } from '../../test-kit/lossy-wire.ts';
import { createPrng } from '../../test-kit/prng.ts';
import { ManualClock } from '../base/base.ts';
import { createNodeCrypto } from '../crypto/crypto-node.ts';
import {
  AckList,
  type ControlWrap,
  createNoWrap,
  createTlsCryptWrap,
  maxAcks,
  op,
  ReliableReceive,
  ReliableSend,
  type WrapSession,
} from './reliable.ts';

const SEEDS = 1000;
const WALL_SEC = 1_700_000_000;

describe('reliability over a bad wire', () => {
  it(`carries both streams completely for ${SEEDS} seeds`, () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = createPrng(seed ^ 0x5eed);
      const pair = new EndpointPair(seed, {
        loss: random() * 0.35,
        duplicate: random() * 0.3,
        reorder: random() * 0.5,
        streams: [randomBytes(random, random() * 6000), randomBytes(random, random() * 6000)],
      });
      pair.run();
      pair.expectComplete(`seed ${seed}`);
    }
  });

  it('does so through tls-crypt, whose sessions drop what the wire doubled', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = createPrng(seed ^ 0xc4a7);
      const pair = new EndpointPair(seed, {
        loss: random() * 0.35,
        duplicate: random() * 0.3,
        reorder: random() * 0.5,
        streams: [randomBytes(random, random() * 6000), randomBytes(random, random() * 6000)],
        wraps: [tlsCrypt('client'), tlsCrypt('server')],
      });
      pair.run();
      pair.expectComplete(`seed ${seed}`);
      expect(pair.left.replays + pair.right.replays).toBe(pair.doubled);
    }
  });

  it('needs no retransmission and no more than a few round trips on a good wire', () => {
    const random = createPrng(7);
    const pair = new EndpointPair(7, {
      loss: 0,
      duplicate: 0,
      reorder: 0,
      streams: [randomBytes(random, 6000), randomBytes(random, 10)],
    });
    pair.run();
    pair.expectComplete('good wire');
    expect(pair.clock.nowMs()).toBeLessThan(2000);
    expect(pair.left.transmissions).toBe(pair.left.messages);
  });

  it('repairs one loss from later acknowledgements before the first timeout', () => {
    const stream = randomBytes(createPrng(9), 2000);
    const pair = new EndpointPair(9, {
      loss: 0,
      duplicate: 0,
      reorder: 0,
      streams: [stream, new Uint8Array(0)],
    });
    pair.dropNext = 1;
    pair.run();
    pair.expectComplete('one loss');
    expect(pair.clock.nowMs()).toBeLessThan(2000);
    expect(pair.left.transmissions).toBe(pair.left.messages + 1);
  });
});

function tlsCrypt(role: 'client' | 'server'): ControlWrap {
  const key2 = Uint8Array.from({ length: 256 }, (_, i) => i);
  return createTlsCryptWrap({ key2, role, crypto: createNodeCrypto() });
}

function randomBytes(random: () => number, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random() * 256);
}

interface PairOptions {
  readonly loss: number;
  readonly duplicate: number;
  readonly reorder: number;
  readonly streams: readonly [Uint8Array, Uint8Array];
  readonly wraps?: readonly [ControlWrap, ControlWrap];
}

class EndpointPair {
  readonly clock = new ManualClock();
  readonly left: Endpoint;
  readonly right: Endpoint;
  /** Packets to swallow at the sender. */
  dropNext = 0;
  readonly #wire: LossyWire<Endpoint>;

  constructor(seed: number, options: PairOptions) {
    const wraps = options.wraps ?? [createNoWrap(), createNoWrap()];
    this.#wire = new LossyWire({ seed, ...options, latencyMs: 20, reorderMs: 3000 });
    this.left = new Endpoint(wraps[0], Uint8Array.of(1, 1, 1, 1, 1, 1, 1, 1), options.streams[0]);
    this.right = new Endpoint(wraps[1], Uint8Array.of(2, 2, 2, 2, 2, 2, 2, 2), options.streams[1]);
  }

  /** Packets that the wire delivered twice. */
  get doubled(): number {
    return this.#wire.counts.duplicated;
  }

  run(): void {
    for (let steps = 0; steps < 100_000; steps++) {
      this.#pump(this.left, this.right);
      this.#pump(this.right, this.left);
      const next = [this.left.nextTimeout(), this.right.nextTimeout(), this.#wire.nextDelivery()];
      const due = next.filter((time) => time !== undefined);
      if (due.length === 0) return;
      this.clock.advanceTo(Math.min(...due));
      for (;;) {
        const delivery = this.#wire.poll(this.clock.nowMs());
        if (!delivery) break;
        delivery.to.handlePacket(delivery.packet, this.clock.nowMs());
      }
    }
    throw new Error('the simulation does not come to rest');
  }

  expectComplete(what: string): void {
    for (const [from, to] of [
      [this.left, this.right],
      [this.right, this.left],
    ] as const) {
      expect(Buffer.compare(to.received, from.stream), what).toBe(0);
      expect(from.leftovers(), what).toEqual({ unsent: 0, unacknowledged: 0, stored: 0, pendingAcks: 0 });
      expect(to.deliveredIds, what).toEqual(to.deliveredIds.map((_, i) => i));
    }
    expect(this.#wire.inFlight, what).toBe(0);
  }

  #pump(from: Endpoint, to: Endpoint): void {
    for (;;) {
      const packet = from.pollTransmit(this.clock.nowMs());
      if (!packet) return;
      if (this.dropNext > 0) this.dropNext--;
      else this.#wire.send(packet, from, to, this.clock.nowMs());
    }
  }
}

/** What a key state does around the windows, without TLS. */
class Endpoint {
  readonly stream: Uint8Array;
  readonly deliveredIds: number[] = [];
  transmissions = 0;
  replays = 0;
  readonly #wrap: WrapSession;
  readonly #sessionId: Uint8Array;
  #peerSessionId: Uint8Array | undefined;
  readonly #acks = new AckList();
  readonly #send = new ReliableSend();
  readonly #receive = new ReliableReceive();
  readonly #chunks: Uint8Array[] = [];
  #sent = 0;

  constructor(wrap: ControlWrap, sessionId: Uint8Array, stream: Uint8Array) {
    this.#wrap = wrap.createSession();
    this.#sessionId = sessionId;
    this.stream = stream;
  }

  get received(): Uint8Array {
    return Buffer.concat(this.#chunks);
  }

  get messages(): number {
    return this.#send.nextId;
  }

  nextTimeout(): number | undefined {
    return this.#send.nextTimeout();
  }

  leftovers(): object {
    return {
      unsent: this.stream.length - this.#sent,
      unacknowledged: this.#send.empty ? 0 : 1,
      stored: this.#receive.storedCount,
      pendingAcks: this.#acks.pendingCount,
    };
  }

  handlePacket(packet: Uint8Array, nowMs: number): void {
    const control = this.#wrap.unwrap(packet, WALL_SEC + Math.floor(nowMs / 1000));
    if (control === 'replay') this.replays++;
    if (control === 'replay') return;
    if (typeof control === 'string') throw new Error(control);
    this.#peerSessionId = control.sessionId.slice();
    this.#send.handleAcks(control.acks, nowMs);
    if (control.messageId === undefined) return;
    const verdict = this.#receive.handleMessage(control.messageId, control.opcode, control.payload);
    if (verdict !== 'window') this.#acks.acknowledge(control.messageId);
    // An expect() costs more than all of the rest here, and this runs for each packet.
    if (this.#receive.storedCount > 12) expect.fail(`${this.#receive.storedCount} messages stored`);
    for (let message = this.#receive.poll(); message; message = this.#receive.poll()) {
      this.deliveredIds.push(message.messageId);
      this.#chunks.push(message.payload);
    }
  }

  pollTransmit(nowMs: number): Uint8Array | undefined {
    while (this.#send.available > 0 && this.#sent < this.stream.length) {
      const chunk = this.stream.subarray(this.#sent, this.#sent + 200);
      this.#send.queue(op.P_CONTROL_V1, chunk, nowMs);
      this.#sent += chunk.length;
    }
    if (this.#send.available < 0) expect.fail(`room for ${this.#send.available} messages`);
    const message = this.#send.poll(nowMs);
    if (message) {
      this.transmissions++;
      return this.#write(message.opcode, message.messageId, message.payload);
    }
    if (this.#acks.pendingCount === 0) return undefined;
    return this.#write(op.P_ACK_V1, undefined, new Uint8Array(0));
  }

  #write(opcode: number, messageId: number | undefined, payload: Uint8Array): Uint8Array {
    const acks = this.#peerSessionId ? this.#acks.take(maxAcks(opcode, false)) : [];
    const peerSessionId = acks.length > 0 ? this.#peerSessionId : undefined;
    return this.#wrap.wrap(
      { opcode, keyId: 0, sessionId: this.#sessionId, acks, peerSessionId, messageId, payload },
      WALL_SEC,
    );
  }
}

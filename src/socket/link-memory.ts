/**
 * Links in memory, for tests of whole tunnels without sockets, time or chance: a network whose wire
 * loses, duplicates, reorders, delays and flips bits as a seed says (as openvpn3's NoisyWire or
 * smoltcp's fault injector do), driven by a manual clock.
 *
 *   link.sendBatch() -> faults -> queue by arrival time -> net.run(nowMs) -> receiver's queue
 *                                                          -> onReadable once -> link.recvBatch()
 *
 * Nothing moves but in run(); the same seed and the same calls give the same run. A TCP net is a
 * perfect ordered stream of packets with latency; faults are for UDP.
 */
import {
  ApiMisuseError,
  addressFromWords,
  addressKey,
  addressToWords,
  type LinkAddress,
  type PacketBatch,
} from '../base/base.ts';
import type { Link } from './socket.ts';

/** Probabilities 0..1 per packet; 0 when left out. */
export interface MemoryFaults {
  readonly loss?: number;
  readonly duplicate?: number;
  /** Delays the packet by up to 4 extra latencies (at least 4 ms), so that others overtake it. */
  readonly reorder?: number;
  /** Flips one bit. */
  readonly flip?: number;
}

export interface MemoryNetOptions extends MemoryFaults {
  readonly transport?: 'udp' | 'tcp';
  /** Any integer; equal seeds give equal runs. */
  readonly seed?: number;
  readonly latencyMs?: number;
  /** Packets that a receiver holds before it drops (UDP) or the sender must wait (TCP); 1024 by default. */
  readonly queuePackets?: number;
}

/** A wire with any number of ends. */
export interface MemoryNet {
  /** Adds an end. A TCP net has two, each other's peer. */
  open(address: LinkAddress): Link;
  /** Delivers what has arrived by `nowMs` and calls onReadable and onWritable. `nowMs` never falls. */
  run(nowMs: number): void;
  /** When the next packet arrives; undefined while none is under way. */
  nextTimeout(): number | undefined;
  /** Changes faults from here on. */
  setFaults(faults: MemoryFaults): void;
  readonly stats: {
    readonly sent: number;
    readonly lost: number;
    readonly duplicated: number;
    readonly flipped: number;
    readonly delivered: number;
  };
}

export function createMemoryNet(options: MemoryNetOptions = {}): MemoryNet {
  return new Net(options);
}

/** Two links joined by a wire, at 192.0.2.1:1194 and 192.0.2.2:1195 unless told otherwise. */
export function createMemoryPair(
  options: MemoryNetOptions = {},
  addresses: readonly [LinkAddress, LinkAddress] = [
    { family: 4, address: '192.0.2.1', port: 1194 },
    { family: 4, address: '192.0.2.2', port: 1195 },
  ],
): { net: MemoryNet; a: Link; b: Link } {
  const net = createMemoryNet(options);
  return { net, a: net.open(addresses[0]), b: net.open(addresses[1]) };
}

interface Flight {
  readonly at: number;
  /** Breaks ties, so that equal arrival times keep their order. */
  readonly serial: number;
  readonly from: LinkAddress;
  readonly to: End;
  readonly packet: Buffer;
}

const DEFAULT_QUEUE_PACKETS = 1024;
const BATCH_SIZE = 64;
/** Least extra delay of a reordered packet. */
const REORDER_MS = 4;

class Net implements MemoryNet {
  readonly transport: 'udp' | 'tcp';
  readonly queuePackets: number;
  readonly stats = { sent: 0, lost: 0, duplicated: 0, flipped: 0, delivered: 0 };
  #faults: Required<MemoryFaults>;
  readonly #latencyMs: number;
  readonly #random: () => number;
  readonly #ends = new Map<string, End>();
  #flights: Flight[] = [];
  #serial = 0;
  #nowMs = 0;

  constructor(options: MemoryNetOptions) {
    this.transport = options.transport ?? 'udp';
    this.queuePackets = options.queuePackets ?? DEFAULT_QUEUE_PACKETS;
    this.#latencyMs = options.latencyMs ?? 0;
    this.#random = seededRandom(options.seed ?? 1);
    const { loss = 0, duplicate = 0, reorder = 0, flip = 0 } = options;
    this.#faults = { loss, duplicate, reorder, flip };
  }

  open(address: LinkAddress): Link {
    const key = addressKey(address);
    if (this.#ends.has(key)) throw new ApiMisuseError(`address ${key} is in use`);
    const peer = this.transport === 'tcp' ? [...this.#ends.values()][0] : undefined;
    if (peer?.peer !== undefined) throw new ApiMisuseError('a TCP net has two ends');
    const end = new End(this, address, peer);
    if (peer !== undefined) peer.peer = end;
    this.#ends.set(key, end);
    return end;
  }

  setFaults(faults: MemoryFaults): void {
    this.#faults = { ...this.#faults, ...faults };
  }

  nextTimeout(): number | undefined {
    let next: number | undefined;
    for (const flight of this.#flights) if (next === undefined || flight.at < next) next = flight.at;
    return next;
  }

  run(nowMs: number): void {
    if (nowMs > this.#nowMs) this.#nowMs = nowMs;
    const due = this.#flights.filter((flight) => flight.at <= this.#nowMs);
    this.#flights = this.#flights.filter((flight) => flight.at > this.#nowMs);
    due.sort((a, b) => a.at - b.at || a.serial - b.serial);
    for (const { to, packet, from } of due) if (to.deliver(packet, from)) this.stats.delivered++;
    for (const end of [...this.#ends.values()]) end.notify();
  }

  /** The end at an address; undefined when nobody is there. */
  find(address: LinkAddress): End | undefined {
    return this.#ends.get(addressKey(address));
  }

  /** Puts a packet on the wire. The caller keeps `packet`. */
  transmit(packet: Uint8Array, from: LinkAddress, to: End): void {
    this.stats.sent++;
    const perfect = this.transport === 'tcp';
    if (!perfect && this.#happens(this.#faults.loss)) {
      this.stats.lost++;
      return;
    }
    const copies = !perfect && this.#happens(this.#faults.duplicate) ? 2 : 1;
    if (copies === 2) this.stats.duplicated++;
    for (let copy = 0; copy < copies; copy++) {
      const bytes = Buffer.from(packet);
      let at = this.#nowMs + this.#latencyMs;
      if (!perfect && this.#happens(this.#faults.reorder)) {
        at += 1 + this.#random() * Math.max(4 * this.#latencyMs, REORDER_MS);
      }
      if (!perfect && this.#happens(this.#faults.flip)) {
        this.stats.flipped++;
        bytes[Math.floor(this.#random() * bytes.length)]! ^= 1 << Math.floor(this.#random() * 8);
      }
      this.#flights.push({ at, serial: this.#serial++, from, to, packet: bytes });
      to.underWay++;
    }
  }

  remove(end: End): void {
    this.#ends.delete(addressKey(end.local));
    this.#flights = this.#flights.filter((flight) => flight.to !== end);
  }

  #happens(probability: number): boolean {
    return probability > 0 && this.#random() < probability;
  }
}

class End implements Link {
  readonly local: LinkAddress;
  readonly batchSize = BATCH_SIZE;
  onReadable: () => void = nothing;
  onWritable: () => void = nothing;
  onError: (error: NodeJS.ErrnoException) => void = nothing;
  onClose: (error: NodeJS.ErrnoException | undefined) => void = nothing;
  /** TCP only. */
  peer: End | undefined;
  /** Packets on the wire to this end. */
  underWay = 0;
  readonly #net: Net;
  #waiting: { readonly packet: Buffer; readonly from: LinkAddress }[] = [];
  #announced = 0;
  #full = false;
  #peerGone = false;
  #dropped = 0;
  #closed = false;

  constructor(net: Net, local: LinkAddress, peer: End | undefined) {
    this.#net = net;
    this.local = local;
    this.peer = peer;
  }

  get transport(): 'udp' | 'tcp' {
    return this.#net.transport;
  }

  get remote(): LinkAddress | undefined {
    return this.peer?.local;
  }

  get dropped(): number {
    return this.#dropped;
  }

  recvBatch(batch: PacketBatch): number {
    batch.count = 0;
    while (this.#waiting.length > 0 && batch.count < batch.capacity) {
      const { packet, from } = this.#waiting.shift()!;
      const slot = batch.push(packet);
      if (slot < 0) this.#dropped++;
      else addressToWords(from, batch.addresses, slot);
    }
    this.#announced = this.#waiting.length;
    return batch.count;
  }

  sendBatch(batch: PacketBatch, first: number, end: number): number {
    if (this.#closed) return end - first;
    for (let slot = first; slot < end; slot++) {
      if (batch.lengths[slot] === 0) continue;
      const to = this.peer ?? this.#net.find(addressFromWords(batch.addresses, slot));
      if (to === undefined || to.#closed) continue;
      if (!this.#hasRoom(to)) {
        this.#full = true;
        return slot - first;
      }
      this.#net.transmit(batch.packet(slot), this.local, to);
    }
    return end - first;
  }

  send(packet: Uint8Array, to: LinkAddress): boolean {
    const end = this.peer ?? this.#net.find(to);
    if (this.#closed || packet.length === 0 || end === undefined) return false;
    if (end.#closed || !this.#hasRoom(end)) return false;
    this.#net.transmit(packet, this.local, end);
    return true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting = [];
    this.#net.remove(this);
    if (this.peer !== undefined) this.peer.#peerGone = true;
  }

  /** Takes a packet off the wire; false = dropped, as the queue is full. */
  deliver(packet: Buffer, from: LinkAddress): boolean {
    this.underWay--;
    if (this.#closed) return false;
    if (this.transport === 'udp' && this.#waiting.length >= this.#net.queuePackets) {
      this.#dropped++;
      return false;
    }
    this.#waiting.push({ packet, from });
    return true;
  }

  /** Calls back what run() has made true. */
  notify(): void {
    if (!this.#closed && this.#waiting.length > this.#announced) {
      this.#announced = this.#waiting.length;
      this.onReadable();
    }
    if (!this.#closed && this.#full && (this.peer === undefined || this.#hasRoom(this.peer))) {
      this.#full = false;
      this.onWritable();
    }
    if (!this.#closed && this.#peerGone && this.underWay === 0 && this.#waiting.length === 0) {
      this.#closed = true;
      this.#net.remove(this);
      this.onClose(undefined);
    }
  }

  #hasRoom(to: End): boolean {
    return this.transport === 'udp' || to.underWay + to.#waiting.length < this.#net.queuePackets;
  }
}

/** mulberry32: small, quick, good enough for faults; numbers in [0, 1). */
function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function nothing(): void {}

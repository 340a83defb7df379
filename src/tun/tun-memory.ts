/**
 * Devices in memory, in pairs: what is written to one end is read from the other, as if the far end
 * were the operating system's side of a TUN device. For tests and for programs without root.
 *
 * Each end keeps a bounded queue, like a kernel's txqueuelen; a full queue drops. onReadable is called when
 * there is something new to say and somebody listens: a packet came, resume() was called, a listener was set, or the
 * last call read some and left some. An end that nobody reads costs nothing, and a call that is on its way
 * keeps no process alive. When one end closes, the other does, too, and its onError is told.
 */
import { PACKET_HEADROOM, type PacketBatch } from '../base/base.ts';
import { soon } from './soon-node.ts';
import type { TunDevice, TunFactory, TunOpen } from './tun.ts';

const BATCH_SIZE = 64;
/** Packets that wait in one direction, as Linux' default txqueuelen for TUN. */
const QUEUE_PACKETS = 500;

export interface TunPairOptions {
  readonly name?: string;
  readonly type?: 'tun' | 'tap';
  /** Runs a callback soon; soon-node.ts by default. Tests with their own clock pass their own. */
  readonly schedule?: (run: () => void) => void;
}

export interface TunPair {
  /** The end that the VPN holds. */
  readonly device: TunDevice;
  /** The end that stands for the operating system: packets written here are read from `device`. */
  readonly system: TunDevice;
}

export function createTunPair(options: TunPairOptions = {}): TunPair {
  const { name = 'tun0', type = 'tun', schedule = soon } = options;
  const device = new MemoryTun(name, type, schedule);
  const system = new MemoryTun(name, type, schedule);
  device.connect(system);
  system.connect(device);
  return { device, system };
}

/** A factory of pairs; `onOpen` gets the system's end of each device that is opened. */
export function createTunMemory(
  onOpen: (system: TunDevice, options: TunOpen) => void,
  schedule?: (run: () => void) => void,
): TunFactory {
  const units = { tun: 0, tap: 0 };
  return {
    name: 'memory',
    open: (options) => {
      const { dev, type } = options;
      const name = dev === 'tun' || dev === 'tap' ? `${dev}${units[dev]++}` : dev;
      const pair = createTunPair({ name, type, ...(schedule ? { schedule } : {}) });
      onOpen(pair.system, options);
      return pair.device;
    },
  };
}

class MemoryTun implements TunDevice {
  readonly name: string;
  readonly type: 'tun' | 'tap';
  readonly batchSize = BATCH_SIZE;
  onError: (error: NodeJS.ErrnoException) => void = nothing;

  readonly #schedule: (run: () => void) => void;
  readonly #queue: Buffer[] = [];
  #peer: MemoryTun | undefined;
  #onReadable: () => void = nothing;
  /** Whether there is something that the listener wasn't told. */
  #news = false;
  #scheduled = false;
  #paused = false;
  #closed = false;

  constructor(name: string, type: 'tun' | 'tap', schedule: (run: () => void) => void) {
    this.name = name;
    this.type = type;
    this.#schedule = schedule;
  }

  connect(peer: MemoryTun): void {
    this.#peer = peer;
  }

  get onReadable(): () => void {
    return this.#onReadable;
  }

  set onReadable(listener: () => void) {
    this.#onReadable = listener;
    this.#announce();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#announce();
  }

  readBatch(batch: PacketBatch): number {
    batch.count = 0;
    if (this.#closed) return 0;
    const limit = Math.min(batch.capacity, BATCH_SIZE);
    while (batch.count < limit) {
      const packet = this.#queue.shift();
      if (packet === undefined) break;
      if (packet.length > batch.maxPacketBytes) continue;
      const slot = batch.count++;
      batch.offsets[slot] = slot * batch.slotSize + PACKET_HEADROOM;
      batch.lengths[slot] = packet.length;
      batch.status[slot] = 0;
      batch.slab.set(packet, batch.offsets[slot]);
    }
    return batch.count;
  }

  writeBatch(batch: PacketBatch, first: number, end: number): number {
    if (this.#closed) return 0;
    let written = 0;
    for (let slot = first; slot < end; slot++) {
      if (batch.lengths[slot]! > 0 && this.#peer?.receive(batch.packet(slot))) written++;
    }
    return written;
  }

  /** Takes a copy of a packet from the other end; false when it is dropped. */
  receive(packet: Uint8Array): boolean {
    if (this.#closed || this.#queue.length >= QUEUE_PACKETS) return false;
    this.#queue.push(Buffer.from(packet));
    this.#announce();
    return true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.length = 0;
    this.#peer?.handlePeerClosed();
  }

  /** The other end is closed: this one is of no more use. */
  handlePeerClosed(): void {
    if (this.#closed) return;
    this.close();
    this.onError(Object.assign(new Error('the other end of the device is closed'), { code: 'EBADFD' }));
  }

  #announce(): void {
    this.#news = true;
    this.#wake();
  }

  #wake(): void {
    if (!this.#news || this.#scheduled || !this.#isReadable) return;
    this.#scheduled = true;
    this.#schedule(() => {
      this.#scheduled = false;
      if (!this.#isReadable) return;
      this.#news = false;
      const before = this.#queue.length;
      this.#onReadable();
      if (this.#queue.length < before) this.#news = true;
      this.#wake();
    });
  }

  get #isReadable(): boolean {
    return !this.#paused && !this.#closed && this.#queue.length > 0 && this.#onReadable !== nothing;
  }
}

function nothing(): void {}

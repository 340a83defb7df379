/**
 * A UDP relay that spoils traffic on purpose: seeded loss, duplication, delay and reordering in both
 * directions, a change of source port (a floating client), and replay of what it has seen.
 *
 *   client --> [listen port | one upstream socket per client address] --> server
 *
 * Invariants: with the same seed and the same packet order it makes the same choices. At most
 * RECORD_LIMIT client packets are kept for replay.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { createPrng } from './prng.ts';

export interface RelayOptions {
  readonly listenHost: string;
  readonly listenPort: number;
  readonly targetHost: string;
  readonly targetPort: number;
  readonly seed?: number;
  /** Shares between 0 and 1. */
  readonly loss?: number;
  readonly duplicate?: number;
  readonly reorder?: number;
  /** Delay of every packet, and further delay of reordered ones, in milliseconds. */
  readonly delayMs?: number;
  readonly reorderMs?: number;
}

/** Counts of one relay's life. */
export interface RelayStats {
  forwarded: number;
  lost: number;
  duplicated: number;
  reordered: number;
  replayed: number;
}

export interface UdpRelay {
  readonly stats: RelayStats;
  /** What the server sees of the clients so far, in the order of their first packets. */
  readonly upstream: readonly Socket[];
  /** From the next packet on every client reaches the server from a new source port. */
  rebind(): void;
  /** Sends recorded client packets to the server again, cut to at most `lengthBytes` when given. */
  replay(count: number, lengthBytes?: number): void;
  close(): void;
}

const RECORD_LIMIT = 2_000;

/** Starts a relay; resolves when it listens. */
export async function createUdpRelay(options: RelayOptions): Promise<UdpRelay> {
  const relay = new Relay(options);
  await relay.listen();
  return relay;
}

class Relay implements UdpRelay {
  readonly stats: RelayStats = { forwarded: 0, lost: 0, duplicated: 0, reordered: 0, replayed: 0 };
  #options: RelayOptions;
  #random: () => number;
  #front: Socket;
  #upstream = new Map<string, Socket>();
  #retired: Socket[] = [];
  #record: Buffer[] = [];

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#random = createPrng(options.seed ?? 1);
    this.#front = createSocket(family(options.listenHost));
    this.#front.on('message', (packet, from) => this.#fromClient(packet, from));
    this.#front.on('error', () => undefined);
  }

  listen(): Promise<void> {
    return new Promise((resolve) => {
      this.#front.bind(this.#options.listenPort, this.#options.listenHost, resolve);
    });
  }

  get upstream(): readonly Socket[] {
    return [...this.#upstream.values()];
  }

  rebind(): void {
    this.#retired.push(...this.#upstream.values());
    this.#upstream.clear();
  }

  replay(count: number, lengthBytes?: number): void {
    const { targetPort, targetHost } = this.#options;
    const socket = [...this.#upstream.values()][0];
    for (let i = 0; socket && i < count && this.#record.length > 0; i++) {
      const packet = this.#record[i % this.#record.length]!;
      socket.send(packet.subarray(0, lengthBytes ?? packet.length), targetPort, targetHost);
      this.stats.replayed++;
    }
  }

  close(): void {
    for (const socket of [this.#front, ...this.#upstream.values(), ...this.#retired]) socket.close();
    this.#upstream.clear();
    this.#retired = [];
  }

  #fromClient(packet: Buffer, from: RemoteInfo): void {
    if (this.#record.length < RECORD_LIMIT) this.#record.push(Buffer.from(packet));
    const upstream = this.#upstreamFor(from);
    const { targetPort, targetHost } = this.#options;
    this.#spoil(() => upstream.send(packet, targetPort, targetHost));
  }

  #upstreamFor(from: RemoteInfo): Socket {
    const key = `${from.address} ${from.port}`;
    const known = this.#upstream.get(key);
    if (known) return known;
    const socket = createSocket(family(this.#options.targetHost));
    socket.on('message', (packet) => this.#spoil(() => this.#front.send(packet, from.port, from.address)));
    socket.on('error', () => undefined);
    this.#upstream.set(key, socket);
    return socket;
  }

  #spoil(send: () => void): void {
    const { loss = 0, duplicate = 0, reorder = 0, delayMs = 0, reorderMs = 30 } = this.#options;
    if (this.#random() < loss) {
      this.stats.lost++;
      return;
    }
    const late = this.#random() < reorder;
    if (late) this.stats.reordered++;
    const twice = this.#random() < duplicate;
    if (twice) this.stats.duplicated++;
    for (let copy = 0; copy < (twice ? 2 : 1); copy++) this.#later(send, delayMs + (late ? reorderMs : 0));
  }

  #later(send: () => void, waitMs: number): void {
    this.stats.forwarded++;
    if (waitMs === 0) this.#guarded(send);
    else setTimeout(() => this.#guarded(send), waitMs);
  }

  #guarded(send: () => void): void {
    try {
      send();
    } catch {
      // The relay was closed while the packet waited.
    }
  }
}

function family(host: string): 'udp4' | 'udp6' {
  return host.includes(':') ? 'udp6' : 'udp4';
}

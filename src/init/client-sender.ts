/**
 * The way out of a client or point-to-point peer (2.x process_incoming_tun(), process_outgoing_link() of
 * forward.c, shaper.c): from the tun device through the data channel to the link, and what the data channel
 * has to say itself.
 *
 * What the link doesn't take waits here, and the device isn't read meanwhile: packets then queue in the
 * kernel, which drops fairly. --shaper does the same by time.
 */
import {
  ADDRESS_WORDS,
  addressToWords,
  type Clock,
  type FaultEntry,
  type LinkAddress,
  type Logger,
  PacketBatch,
  sameAddressWords,
} from '../base/base.ts';
import { M_INFO } from '../base/errlevel.ts';
import {
  type DataChannel,
  type FrameOptions,
  type InnerOptions,
  MAX_FRAGS,
  Shaper,
} from '../forward/forward.ts';
import { type Link, sendByTos } from '../socket/socket.ts';
import type { TunDevice } from '../tun/tun.ts';

/** Batches taken from one side before other events get their turn. */
export const BATCHES_PER_TURN = 16;

export interface ClientSenderConfig {
  readonly link: Link;
  /** IP + UDP header bytes of the link's packets. */
  readonly linkOverheadBytes: number;
  readonly clock: Clock;
  readonly frame: FrameOptions;
  readonly inner: InnerOptions;
  readonly maxPacketBytes: number;
  readonly log: Logger;
  /** Something has thrown: the connection can't go on. */
  readonly onFault: (entry: FaultEntry, error: unknown) => void;
}

export class ClientSender {
  readonly #config: ClientSenderConfig;
  readonly #data: DataChannel;
  #tx: PacketBatch;
  /** Pieces of packets, with --fragment. */
  #pieces: PacketBatch | undefined;
  readonly #service: PacketBatch;
  #shaper: Shaper | undefined;
  #shaperTimer: NodeJS.Timeout | undefined;
  readonly #remoteWords = new Int32Array(ADDRESS_WORDS);
  #remote: LinkAddress | undefined;
  #tun: TunDevice | undefined;
  /** What the link would not take of `batch`, and of #tx what isn't split into #pieces yet. */
  #pending: { batch: PacketBatch; next: number; end: number; rest: number } | undefined;
  #closed = false;

  constructor(config: ClientSenderConfig, data: DataChannel) {
    this.#config = config;
    this.#data = data;
    const { link, frame, maxPacketBytes } = config;
    this.#tx = new PacketBatch(link.batchSize, maxPacketBytes);
    this.#service = new PacketBatch(frame.fragment ? MAX_FRAGS : 4, maxPacketBytes);
    link.onWritable = () => this.#handleWritable();
  }

  get tun(): TunDevice | undefined {
    return this.#tun;
  }

  /** Where packets go; undefined until the peer has shown up. */
  get remote(): LinkAddress | undefined {
    return this.#remote;
  }

  setRemote(remote: LinkAddress): void {
    this.#remote = remote;
    addressToWords(remote, this.#remoteWords, 0);
  }

  /** Whether the packet of a slot comes from where packets go. */
  isFromRemote(addresses: Int32Array, slot: number): boolean {
    return sameAddressWords(this.#remoteWords, 0, addresses, slot);
  }

  attach(tun: TunDevice): void {
    this.#tun = tun;
    tun.onReadable = () => this.#handleTun();
    tun.resume();
  }

  detach(): void {
    if (!this.#tun) return;
    this.#tun.pause();
    this.#tun.onReadable = () => undefined;
    this.#tun = undefined;
  }

  /** 0 changes nothing. */
  setShaper(bytesPerSecond: number): void {
    if (bytesPerSecond === 0 || bytesPerSecond === this.#shaper?.bytesPerSecond) return;
    this.#shaper = new Shaper(bytesPerSecond);
    const { link, maxPacketBytes, log } = this.#config;
    // Less is read at once, so that what is sent at once stays a small part of a second.
    if (!this.#pending)
      this.#tx = new PacketBatch(Math.min(this.#shaper.burst, link.batchSize), maxPacketBytes);
    log.log(M_INFO, `Output Traffic Shaping initialized at ${bytesPerSecond} bytes per second`);
  }

  /** Sends what the data channel has for the peer: pings, OCC messages. */
  sendService(nowMs: number): void {
    if (!this.#remote) return;
    const batch = this.#service;
    batch.clear();
    while (this.#data.pollTransmit(batch, nowMs) > 0) {
      this.#address(batch, 0, batch.count);
      this.#config.link.sendBatch(batch, 0, batch.count);
      batch.clear();
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#shaperTimer);
    this.detach();
  }

  #handleTun(): void {
    try {
      this.#readTun();
    } catch (error) {
      this.#tun?.pause();
      this.#config.onFault('device', error);
    }
  }

  #readTun(): void {
    const tun = this.#tun;
    if (!tun || this.#pending) return;
    for (let turn = 0; turn < BATCHES_PER_TURN && !this.#closed; turn++) {
      if (this.#shaper && this.#waitForShaper(this.#shaper, tun)) return;
      const count = tun.readBatch(this.#tx);
      if (count === 0) return;
      // Without an address nobody can be told.
      if (!this.#remote) continue;
      const { linkWriteBytes, linkWritePackets } = this.#data.counters;
      this.#forward(0, count);
      this.#answer(tun);
      if (this.#shaper) {
        const packets = this.#data.counters.linkWritePackets - linkWritePackets;
        const bytes = this.#data.counters.linkWriteBytes - linkWriteBytes;
        this.#shaper.note(
          packets,
          bytes + packets * this.#config.linkOverheadBytes,
          this.#config.clock.nowMs(),
        );
      }
      if (this.#pending) {
        tun.pause();
        return;
      }
    }
  }

  /** True when nothing may be sent yet; tun is read again when it may. */
  #waitForShaper(shaper: Shaper, tun: TunDevice): boolean {
    const delayMs = shaper.delayMs(this.#config.clock.nowMs());
    if (delayMs === 0) return false;
    tun.pause();
    this.#shaperTimer ??= setTimeout(() => {
      this.#shaperTimer = undefined;
      if (this.#closed || this.#pending) return;
      tun.resume();
      this.#handleTun();
    }, Math.ceil(delayMs));
    return true;
  }

  /** Seals and sends slots first..end-1 of #tx. */
  #forward(first: number, end: number): void {
    if (this.#data.splits) {
      this.#forwardPieces(first, end);
    } else if (this.#data.seal(this.#tx, first, end, this.#config.clock.nowMs()) > 0) {
      this.#address(this.#tx, first, end);
      this.#send(this.#tx, first, end, end);
    }
  }

  #forwardPieces(first: number, end: number): void {
    this.#pieces ??= new PacketBatch(
      Math.max(MAX_FRAGS, this.#config.link.batchSize),
      this.#config.maxPacketBytes,
    );
    const out = this.#pieces;
    let next = first;
    while (next < end && !this.#pending) {
      out.clear();
      next = this.#data.sealSplit(this.#tx, next, end, out, this.#config.clock.nowMs());
      this.#address(out, 0, out.count);
      this.#send(out, 0, out.count, next);
    }
  }

  /** Packets that the data channel has for tun (--block-ipv6). */
  #answer(tun: TunDevice): void {
    this.#service.clear();
    while (this.#data.pollTun(this.#service) > 0) {
      tun.writeBatch(this.#service, 0, this.#service.count);
      this.#service.clear();
    }
  }

  /** `rest`: first slot of #tx that comes after this batch. */
  #send(batch: PacketBatch, first: number, end: number, rest: number): void {
    const { link, inner } = this.#config;
    const sent = inner.passtos ? sendByTos(link, batch, first, end) : link.sendBatch(batch, first, end);
    if (sent < end - first) this.#pending = { batch, next: first + sent, end, rest };
  }

  #handleWritable(): void {
    const pending = this.#pending;
    if (!pending || this.#closed) return;
    this.#pending = undefined;
    try {
      this.#send(pending.batch, pending.next, pending.end, pending.rest);
      if (!this.#pending && pending.rest < this.#tx.count) this.#forward(pending.rest, this.#tx.count);
    } catch (error) {
      this.#config.onFault('link', error);
    }
    if (!this.#pending) this.#tun?.resume();
  }

  #address(batch: PacketBatch, first: number, end: number): void {
    const { addresses } = batch;
    const words = this.#remoteWords;
    for (let slot = first; slot < end; slot++) {
      const base = slot * ADDRESS_WORDS;
      for (let w = 0; w < ADDRESS_WORDS; w++) addresses[base + w] = words[w]!;
    }
  }
}

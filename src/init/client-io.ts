/**
 * The data path of a client or point-to-point peer (2.x the p2p event loop of openvpn.c and forward.c, shaper.c), both
 * ways: from the tun device through the data channel to the link, and back. Control packets that come in are
 * the session's, and so is what follows from a packet that proves its sender.
 *
 * What the link doesn't take waits here, and the device isn't read meanwhile: packets then queue in the
 * kernel, which drops fairly. --shaper does the same by time.
 *
 * Where packets go: to the remote that was given, or else to the peer that has proven itself: by TLS, or
 * without TLS by a packet that authenticates.
 */
import {
  type Clock,
  type FaultEntry,
  formatAddress,
  type LinkAddress,
  type Logger,
  PacketBatch,
  type PeerAddress,
  receivedAddress,
  sameAddressWords,
} from '../base/base.ts';
import { D_LINK_ERRORS, M_INFO, M_STRANGER } from '../base/errlevel.ts';
import {
  type DataChannel,
  type FrameOptions,
  type InnerOptions,
  MAX_FRAGS,
  Shaper,
} from '../forward/forward.ts';
import { op } from '../reliable/reliable.ts';
import { createNextTurn, type Link, sendByTos } from '../socket/socket.ts';
import type { TunDevice } from '../tun/tun.ts';

/** Batches taken from one side before other events get their turn. */
const BATCHES_PER_TURN = 16;

export interface ClientIoConfig {
  readonly link: Link;
  /** IP + UDP header bytes of the link's packets. */
  readonly linkOverheadBytes: number;
  readonly clock: Clock;
  readonly frame: FrameOptions;
  readonly inner: InnerOptions;
  readonly maxPacketBytes: number;
  readonly float: boolean;
  /** Undefined: whoever proves to be the peer. */
  readonly remote: LinkAddress | undefined;
  readonly log: Logger;
}

/** What the data path can't decide alone. */
export interface ClientIoHost {
  /** Packets have no opcode: all of them are data. */
  readonly isBare: boolean;
  handleControl(packet: Uint8Array, from: LinkAddress, nowMs: number): void;
  /** Data authenticated that came from there, for the first time or from another place than before. */
  handleProof(from: LinkAddress): void;
  /** A batch is done: what it has brought about is to be followed up. */
  drive(): void;
  /** Something has thrown: the connection can't go on. */
  handleFault(entry: FaultEntry, error: unknown): void;
}

/** What was taken of one side and has no place on the other yet. */
interface Pending {
  readonly batch: PacketBatch;
  readonly next: number;
  readonly end: number;
  /** First slot of #tx that isn't split into #pieces yet. */
  readonly rest: number;
}

export class ClientIo {
  readonly #config: ClientIoConfig;
  readonly #host: ClientIoHost;
  readonly #data: DataChannel;
  readonly #address: PeerAddress;
  readonly #rx: PacketBatch;
  #tx: PacketBatch;
  /** Pieces of packets, with --fragment. */
  #pieces: PacketBatch | undefined;
  readonly #service: PacketBatch;
  #shaper: Shaper | undefined;
  #shaperTimer: NodeJS.Timeout | undefined;
  #tun: TunDevice | undefined;
  /** What the link would not take. */
  #pending: Pending | undefined;
  /** Without TLS: a packet has authenticated. */
  #established = false;
  /** Of a busy TCP link. */
  readonly #continueLater = createNextTurn(() => this.readLink());
  #closed = false;

  constructor(config: ClientIoConfig, data: DataChannel, address: PeerAddress, host: ClientIoHost) {
    this.#config = config;
    this.#data = data;
    this.#address = address;
    this.#host = host;
    const { link, frame, maxPacketBytes } = config;
    this.#rx = new PacketBatch(link.batchSize, maxPacketBytes);
    this.#tx = new PacketBatch(link.batchSize, maxPacketBytes);
    this.#service = new PacketBatch(frame.fragment ? MAX_FRAGS : 4, maxPacketBytes);
    link.onReadable = () => this.readLink();
    link.onWritable = () => this.#handleWritable();
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
    if (!this.#address.current) return;
    const batch = this.#service;
    batch.clear();
    while (this.#data.pollTransmit(batch, nowMs) > 0) {
      batch.setAddress(this.#address.words, 0, batch.count);
      this.#config.link.sendBatch(batch, 0, batch.count);
      batch.clear();
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#shaperTimer);
    this.detach();
  }

  /** Takes what the link has received. */
  readLink(): void {
    try {
      this.#readLink();
    } catch (error) {
      this.#host.handleFault('link', error);
    }
  }

  #readLink(): void {
    for (let turn = 0; turn < BATCHES_PER_TURN && !this.#closed; turn++) {
      const count = this.#config.link.recvBatch(this.#rx);
      if (count === 0) return;
      this.#handleRx(count);
    }
    if (!this.#closed && this.#config.link.transport === 'tcp') this.#continueLater();
  }

  #handleRx(count: number): void {
    const batch = this.#rx;
    const { slab, offsets, lengths, addresses } = batch;
    const { link, float, remote, clock } = this.#config;
    const nowMs = clock.nowMs();
    const bare = this.#host.isBare;
    const movable = link.transport === 'udp' && (float || !remote);
    for (let first = 0, end = 0; first < count; first = end) {
      end = first + 1;
      if (!this.#isFromPeer(first)) continue;
      if (!bare && !isData(slab[offsets[first]!]!)) {
        this.#handleControl(first, nowMs);
        if (this.#closed) return;
        continue;
      }
      // Where the peer may come from elsewhere, a good packet vouches for its own source alone.
      while (end < count && this.#isFromPeer(end) && (bare || isData(slab[offsets[end]!]!))) {
        if (movable && !sameAddressWords(addresses, first, addresses, end)) break;
        end++;
      }
      this.#data.open(batch, first, end, nowMs);
      if (this.#data.authenticated > 0) this.#followPeer(first);
    }
    if (this.#tun) this.#tun.writeBatch(batch, 0, count);
    else lengths.fill(0, 0, count);
    this.#host.drive();
  }

  /** Packets of strangers are dropped, unless no remote was given or --float waits for the one that authenticates. */
  #isFromPeer(slot: number): boolean {
    const { addresses, lengths } = this.#rx;
    if (lengths[slot] === 0) return false;
    const { link, float, remote, log } = this.#config;
    if (link.transport === 'tcp' || float || !remote || this.#address.isAt(addresses, slot)) return true;
    lengths[slot] = 0;
    if (!log.enabled(D_LINK_ERRORS | M_STRANGER)) return false;
    const from = formatAddress(receivedAddress(addresses, slot));
    log.log(
      D_LINK_ERRORS | M_STRANGER,
      `TCP/UDP: Incoming packet rejected from ${from}[${remote.family === 6 ? 10 : 2}], expected peer address: ${formatAddress(remote)} (allow this incoming source address/port by removing --remote or adding --float)`,
    );
    return false;
  }

  #handleControl(slot: number, nowMs: number): void {
    const from = this.#sourceOf(slot);
    if (!from) return;
    this.#host.handleControl(this.#rx.packet(slot), from, nowMs);
    this.#rx.lengths[slot] = 0;
    this.#host.drive();
  }

  /** Data authenticated: the peer is where it came from. */
  #followPeer(slot: number): void {
    const { link, float, log } = this.#config;
    const bare = this.#host.isBare;
    if (!bare && !float) return;
    const moved =
      !this.#address.current || (link.transport !== 'tcp' && !this.#address.isAt(this.#rx.addresses, slot));
    if (!moved && (!bare || this.#established)) return;
    const from = this.#sourceOf(slot);
    if (!from) return;
    log.log(M_INFO, `Peer Connection Initiated with ${formatAddress(from)}`);
    this.#established = true;
    this.#host.handleProof(from);
  }

  /** A stream has one source, the connected peer. */
  #sourceOf(slot: number): LinkAddress | undefined {
    if (this.#config.link.transport === 'tcp') return this.#address.current;
    return receivedAddress(this.#rx.addresses, slot);
  }

  #handleTun(): void {
    try {
      this.#readTun();
    } catch (error) {
      this.#tun?.pause();
      this.#host.handleFault('device', error);
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
      if (!this.#address.current) continue;
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
      this.#tx.setAddress(this.#address.words, first, end);
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
      out.setAddress(this.#address.words, 0, out.count);
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
      this.#host.handleFault('link', error);
    }
    if (!this.#pending) this.#tun?.resume();
  }
}

function isData(first: number): boolean {
  return op.isDataOpcode(first >>> op.P_OPCODE_SHIFT);
}

/**
 * The data path of a server (2.x multi_process_incoming_link(), multi_process_incoming_tun()): batches
 * between the device and the clients' links, in place. Where a packet goes is the router's to say.
 *
 *   link   -> runs of one client -> DataChannel.open -> PacketRouter -> (other clients | device)
 *   device -> PacketRouter -> runs of one client -> DataChannel.seal -> link
 *
 * A full UDP socket stops reading from the device until there is room, and copies from client to client
 * wait as far as --bcast-buffers goes; a full TCP connection drops that client's packets, so that no client
 * can stall the others. Nothing is sealed while a socket is full: packets leave in the order of their ids.
 */

import { type FaultEntry, type Logger, PacketBatch } from '../base/base.ts';
import { D_MULTI_DROPPED } from '../base/errlevel.ts';
import { MAX_FRAGS } from '../forward/forward.ts';
import { type Link, sendByTos } from '../socket/socket.ts';
import type { TunDevice } from '../tun/tun.ts';
import type { MultiInstance } from './multi-instance.ts';
import { DROPPED, type MultiIoDrops, type PacketRouter, TO_ALL, TO_DEVICE } from './router.ts';

/** Batches taken from tun before other events get their turn. */
const TUN_BATCHES_PER_TURN = 16;

export interface MultiIoConfig {
  readonly tun: TunDevice;
  readonly router: PacketRouter<MultiInstance>;
  readonly drops: MultiIoDrops;
  readonly clients: () => Iterable<MultiInstance>;
  readonly passtos: boolean;
  readonly blockIpv6: boolean;
  /** --bcast-buffers: copies for clients that may wait while a socket is full. */
  readonly copyBuffers: number;
  readonly maxPacketBytes: number;
  readonly nowMs: () => number;
  readonly log: Logger;
  /** Something has thrown, with a client's packets or with nobody's: the rest of the batch goes on. */
  readonly onFault: (entry: FaultEntry, error: unknown, instance?: MultiInstance) => void;
}

/** Packets on their way to clients, in order. */
interface Lane {
  readonly batch: PacketBatch;
  readonly owners: (MultiInstance | undefined)[];
  /** Pieces of packets with --fragment. */
  pieces: PacketBatch | undefined;
  /** First slot that isn't sealed yet. */
  rest: number;
}

export class MultiIo {
  readonly #config: MultiIoConfig;
  readonly #router: PacketRouter<MultiInstance>;
  readonly #fromTun: Lane;
  /** Packets from client to client, and copies of those to all. */
  readonly #copies: Lane;
  #answers: PacketBatch | undefined;
  /** The UDP link that is full, and what it would not take of a lane's sealed packets. */
  #blocked: { link: Link; lane: Lane; batch: PacketBatch; next: number; end: number } | undefined;
  #tunPaused = false;

  constructor(config: MultiIoConfig) {
    this.#config = config;
    this.#router = config.router;
    const { tun, copyBuffers, maxPacketBytes } = config;
    this.#fromTun = createLane(tun.batchSize, maxPacketBytes);
    this.#copies = createLane(Math.max(tun.batchSize, copyBuffers), maxPacketBytes);
  }

  /** Packets wait in tun. */
  handleTun(): void {
    try {
      this.#readTun();
    } catch (error) {
      this.#handleFault('device', error);
    }
  }

  #readTun(): void {
    const { tun } = this.#config;
    for (let turn = 0; turn < TUN_BATCHES_PER_TURN; turn++) {
      if (this.#blocked) {
        this.#tunPaused = true;
        tun.pause();
        return;
      }
      const count = tun.readBatch(this.#fromTun.batch);
      if (count === 0) return;
      this.#routeTunBatch(count);
    }
  }

  /** A link that sendBatch() filled has room again. */
  handleWritable(link: Link): void {
    const blocked = this.#blocked;
    if (blocked?.link !== link) return;
    this.#blocked = undefined;
    const { lane, batch, next, end } = blocked;
    try {
      if (this.#sendRange(lane, link, batch, next, end, lane.rest)) this.#sendLanes();
    } catch (error) {
      this.#handleFault('link', error);
    }
  }

  /** A link closed: nothing waits for it any more. */
  handleLinkClosed(link: Link): void {
    if (this.#blocked?.link !== link) return;
    this.#blocked = undefined;
    try {
      this.#sendLanes();
    } catch (error) {
      this.#handleFault('link', error);
    }
  }

  /**
   * Slots first..end-1 are data packets of `instance`. What is for tun stays in its slot (the caller
   * writes the whole batch to tun afterwards); all else gets length 0. Call flush() at the end of a batch.
   */
  handleRun(instance: MultiInstance, batch: PacketBatch, first: number, end: number): void {
    if (this.openRun(instance, batch, first, end) > 0) this.deliverRun(instance, batch, first, end);
  }

  /** First half of handleRun(): decrypts, delivers nothing. Returns how many packets authenticated. */
  openRun(instance: MultiInstance, batch: PacketBatch, first: number, end: number): number {
    if (!instance.forwarding) {
      for (let slot = first; slot < end; slot++) batch.lengths[slot] = 0;
      return 0;
    }
    try {
      instance.data.open(batch, first, end, this.#config.nowMs());
      return instance.data.authenticated;
    } catch (error) {
      this.#dropRun(instance, error, batch, first, end);
      return 0;
    }
  }

  /** Second half of handleRun(), for slots that openRun() opened. */
  deliverRun(instance: MultiInstance, batch: PacketBatch, first: number, end: number): void {
    this.#router.begin(this.#config.nowMs());
    try {
      for (let slot = first; slot < end; slot++) {
        if (batch.lengths[slot]! > 0) this.#routeClientPacket(instance, batch, slot);
      }
    } catch (error) {
      this.#dropRun(instance, error, batch, first, end);
    }
  }

  /** A frame of a client that had to wait goes its way. */
  replay(instance: MultiInstance, frame: Uint8Array): void {
    const { tun, maxPacketBytes, nowMs } = this.#config;
    if (!instance.forwarding) return;
    const batch = new PacketBatch(1, maxPacketBytes);
    if (batch.push(frame) < 0) return;
    this.#router.begin(nowMs());
    this.#routeClientPacket(instance, batch, 0);
    tun.writeBatch(batch, 0, 1);
    this.flush();
  }

  /** Sends what handleRun() copied for other clients. */
  flush(): void {
    try {
      if (this.#copies.batch.count > 0) this.#sendLane(this.#copies);
    } catch (error) {
      this.#handleFault('link', error);
    }
  }

  /** Nothing of a client's run goes anywhere; the client ends. */
  #dropRun(instance: MultiInstance, error: unknown, batch: PacketBatch, first: number, end: number): void {
    batch.lengths.fill(0, first, end);
    this.#config.onFault('data', error, instance);
  }

  /** What went wrong belongs to no client: both lanes start over empty. */
  #handleFault(entry: FaultEntry, error: unknown): void {
    this.#blocked = undefined;
    for (const lane of [this.#fromTun, this.#copies]) {
      lane.batch.clear();
      lane.rest = 0;
    }
    this.#config.onFault(entry, error);
    if (!this.#tunPaused) return;
    this.#tunPaused = false;
    this.#config.tun.resume();
  }

  #routeTunBatch(count: number): void {
    const { batch, owners } = this.#fromTun;
    const router = this.#router;
    this.#fromTun.rest = 0;
    router.begin(this.#config.nowMs());
    for (let slot = 0; slot < count; slot++) {
      const to = router.fromDevice(batch, slot);
      if (typeof to === 'object') {
        owners[slot] = to;
        continue;
      }
      owners[slot] = undefined;
      if (to === TO_ALL) this.#copyToAll(batch, slot, undefined);
      batch.lengths[slot] = 0;
    }
    this.#sendLane(this.#fromTun);
    this.flush();
  }

  /** The link that was full has room again: what waits, then tun. */
  #sendLanes(): void {
    this.#sendLane(this.#fromTun);
    this.flush();
    if (this.#blocked || !this.#tunPaused) return;
    this.#tunPaused = false;
    this.#config.tun.resume();
  }

  /** What isn't for the device gets length 0. */
  #routeClientPacket(instance: MultiInstance, batch: PacketBatch, slot: number): void {
    const router = this.#router;
    const to = router.fromClient(instance, batch, slot);
    if (to === TO_DEVICE || to === TO_ALL) {
      if (to === TO_ALL) this.#copyToAll(batch, slot, instance);
      if (router.filtersDevice && !router.toDevice(instance, batch, slot)) batch.lengths[slot] = 0;
      return;
    }
    if (to !== DROPPED) this.#copyTo(to, batch, slot);
    batch.lengths[slot] = 0;
  }

  #copyToAll(batch: PacketBatch, slot: number, except: MultiInstance | undefined): void {
    for (const client of this.#config.clients()) {
      if (client !== except && client.forwarding && this.#router.reaches(client)) {
        this.#copyTo(client, batch, slot);
      }
    }
  }

  #copyTo(client: MultiInstance, batch: PacketBatch, slot: number): void {
    const { batch: copies, owners } = this.#copies;
    if (copies.count === copies.capacity) this.flush();
    const own = copies.pushFrom(batch, slot);
    if (own >= 0) owners[own] = client;
    else this.#dropSaturated(1);
  }

  /** Seals and sends a lane from where it stands; empties it unless a link is full, which #blocked then says. */
  #sendLane(lane: Lane): void {
    if (this.#blocked || !this.#sealAndSend(lane)) return;
    lane.batch.clear();
    lane.rest = 0;
  }

  /** Seals runs of one owner and sends neighbouring runs of one link in one call. False where a link is full. */
  #sealAndSend(lane: Lane): boolean {
    const { batch, owners } = lane;
    const nowMs = this.#config.nowMs();
    let link: Link | undefined;
    let linkFirst = lane.rest;
    for (let first = lane.rest, end = 0; first < batch.count; first = end) {
      const owner = owners[first];
      end = first + 1;
      while (end < batch.count && owners[end] === owner) end++;
      if (!owner) continue;
      if (!owner.forwarding) batch.lengths.fill(0, first, end);
      const next = owner.data.splits ? undefined : owner.bound.link;
      if (next !== link) {
        if (link && !this.#sendRange(lane, link, batch, linkFirst, first, first)) return false;
        link = next;
        linkFirst = first;
      }
      if (!link) {
        if (!this.#sendPieces(lane, owner, first, end)) return false;
      } else this.#sealRun(owner, batch, first, end, nowMs);
      this.#answer(owner);
    }
    return !link || this.#sendRange(lane, link, batch, linkFirst, batch.count, batch.count);
  }

  #sealRun(owner: MultiInstance, batch: PacketBatch, first: number, end: number, nowMs: number): void {
    try {
      if (owner.data.seal(batch, first, end, nowMs) > 0) batch.setAddress(owner.remoteWords, first, end);
    } catch (error) {
      this.#dropRun(owner, error, batch, first, end);
    }
  }

  /** Seals a run of one owner in pieces and sends them. False when the link is full. */
  #sendPieces(lane: Lane, owner: MultiInstance, first: number, end: number): boolean {
    const { tun, maxPacketBytes, nowMs } = this.#config;
    lane.pieces ??= new PacketBatch(Math.max(MAX_FRAGS, tun.batchSize), maxPacketBytes);
    const out = lane.pieces;
    for (let next = first; next < end; ) {
      out.clear();
      next = owner.data.sealSplit(lane.batch, next, end, out, nowMs());
      out.setAddress(owner.remoteWords, 0, out.count);
      if (!this.#sendRange(lane, owner.bound.link, out, 0, out.count, next)) return false;
    }
    return true;
  }

  /** Packets that the client's data channel has for tun (--block-ipv6). */
  #answer(owner: MultiInstance): void {
    const { tun, maxPacketBytes, blockIpv6 } = this.#config;
    if (!blockIpv6) return;
    this.#answers ??= new PacketBatch(8, maxPacketBytes);
    this.#answers.clear();
    const count = owner.data.pollTun(this.#answers);
    if (count > 0) tun.writeBatch(this.#answers, 0, count);
  }

  /**
   * Sends sealed packets. False when a UDP link is full: #blocked holds the others, and the lane goes on at
   * slot `rest` after them. What a TCP connection doesn't take is dropped.
   */
  #sendRange(lane: Lane, link: Link, batch: PacketBatch, first: number, end: number, rest: number): boolean {
    const sent = this.#config.passtos
      ? sendByTos(link, batch, first, end)
      : link.sendBatch(batch, first, end);
    if (sent >= end - first) return true;
    if (link.transport === 'udp') {
      lane.rest = rest;
      this.#blocked = { link, lane, batch, next: first + sent, end };
      return false;
    }
    this.#dropSaturated(end - first - sent);
    return true;
  }

  #dropSaturated(packets: number): void {
    this.#config.drops.saturation += packets;
    this.#config.log.log(
      D_MULTI_DROPPED,
      'MULTI: packet dropped due to output saturation (multi_process_incoming_tun)',
    );
  }
}

function createLane(slots: number, maxPacketBytes: number): Lane {
  return { batch: new PacketBatch(slots, maxPacketBytes), owners: [], pieces: undefined, rest: 0 };
}

/**
 * The data path of a server (2.x multi_process_incoming_link(), multi_process_incoming_tun()): batches
 * between the device and the clients' links, in place. Where a packet goes is the router's to say.
 *
 *   link   -> runs of one client -> DataChannel.open -> PacketRouter -> (other clients | device)
 *   device -> PacketRouter -> runs of one client -> DataChannel.seal -> link
 *
 * A full UDP socket stops reading from the device until there is room; a full TCP connection drops that
 * client's packets, so that no client can stall the others.
 */

import { ADDRESS_WORDS, type Logger, PacketBatch } from '../base/base.ts';
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
  readonly maxPacketBytes: number;
  readonly nowMs: () => number;
  readonly log: Logger;
}

export class MultiIo {
  readonly #config: MultiIoConfig;
  readonly #router: PacketRouter<MultiInstance>;
  readonly #tunBatch: PacketBatch;
  readonly #tunOwners: (MultiInstance | undefined)[] = [];
  /** Packets from client to client, and copies of those to all. */
  readonly #copies: PacketBatch;
  readonly #copyOwners: (MultiInstance | undefined)[] = [];
  /** Pieces of packets with --fragment: those from tun, which may wait, and those of copies, which may not. */
  #pieces: PacketBatch | undefined;
  #copyPieces: PacketBatch | undefined;
  #answers: PacketBatch | undefined;
  /** What a UDP link would not take of `batch`; `rest` is the first slot of the tun batch that isn't sealed yet. */
  #pending: { link: Link; batch: PacketBatch; next: number; end: number; rest: number } | undefined;

  constructor(config: MultiIoConfig) {
    this.#config = config;
    this.#router = config.router;
    this.#tunBatch = new PacketBatch(config.tun.batchSize, config.maxPacketBytes);
    this.#copies = new PacketBatch(config.tun.batchSize, config.maxPacketBytes);
  }

  /** Packets wait in tun. */
  handleTun(): void {
    if (this.#pending) return;
    const { tun } = this.#config;
    for (let turn = 0; turn < TUN_BATCHES_PER_TURN; turn++) {
      const count = tun.readBatch(this.#tunBatch);
      if (count === 0) return;
      this.#routeTunBatch(count);
      if (this.#pending) {
        tun.pause();
        return;
      }
    }
  }

  /** A link that sendBatch() filled has room again. */
  handleWritable(link: Link): void {
    const pending = this.#pending;
    if (pending?.link !== link) return;
    this.#pending = undefined;
    const { batch, next, end, rest } = pending;
    if (this.#sendRange(link, batch, next, end, rest, true)) this.#continue(rest);
  }

  /** A link closed: nothing waits for it any more. */
  handleLinkClosed(link: Link): void {
    const pending = this.#pending;
    if (pending?.link !== link) return;
    this.#pending = undefined;
    this.#continue(pending.rest);
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
    instance.data.open(batch, first, end, this.#config.nowMs());
    return instance.data.authenticated;
  }

  /** Second half of handleRun(), for slots that openRun() opened. */
  deliverRun(instance: MultiInstance, batch: PacketBatch, first: number, end: number): void {
    this.#router.begin(this.#config.nowMs());
    for (let slot = first; slot < end; slot++) {
      if (batch.lengths[slot]! > 0) this.#routeClientPacket(instance, batch, slot);
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
    if (this.#copies.count === 0) return;
    this.#sealAndSend(this.#copies, 0, this.#copyOwners, false);
    this.#copies.clear();
  }

  #routeTunBatch(count: number): void {
    const batch = this.#tunBatch;
    const router = this.#router;
    const owners = this.#tunOwners;
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
    this.#sealAndSend(batch, 0, owners, true);
    this.flush();
  }

  /** The link has room again: the rest of the tun batch, then tun. */
  #continue(rest: number): void {
    this.#sealAndSend(this.#tunBatch, rest, this.#tunOwners, true);
    if (this.#pending === undefined) this.#config.tun.resume();
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
    if (this.#copies.count === this.#copies.capacity) this.flush();
    const own = this.#copies.pushFrom(batch, slot);
    if (own >= 0) this.#copyOwners[own] = client;
    else this.#config.drops.saturation++;
  }

  /**
   * From slot `from` on seals runs of one owner and sends neighbouring runs of one link in one call. Stops
   * where a link is full and `mayWait`; #pending then says where to go on.
   */
  #sealAndSend(
    batch: PacketBatch,
    from: number,
    owners: (MultiInstance | undefined)[],
    mayWait: boolean,
  ): void {
    const nowMs = this.#config.nowMs();
    let link: Link | undefined;
    let linkFirst = from;
    for (let first = from, end = 0; first < batch.count; first = end) {
      const owner = owners[first];
      end = first + 1;
      while (end < batch.count && owners[end] === owner) end++;
      if (!owner) continue;
      if (!owner.forwarding) batch.lengths.fill(0, first, end);
      const next = owner.data.splits ? undefined : owner.bound.link;
      if (next !== link) {
        if (link && !this.#sendRange(link, batch, linkFirst, first, first, mayWait)) return;
        link = next;
        linkFirst = first;
      }
      if (!link) {
        if (!this.#sendPieces(owner, batch, first, end, mayWait)) return;
      } else if (owner.data.seal(batch, first, end, nowMs) > 0) {
        addressRun(batch, first, end, owner.remoteWords);
      }
      this.#answer(owner);
    }
    if (link) this.#sendRange(link, batch, linkFirst, batch.count, batch.count, mayWait);
  }

  /** Seals a run of one owner in pieces and sends them. False when the link is full: see #sealAndSend(). */
  #sendPieces(
    owner: MultiInstance,
    batch: PacketBatch,
    first: number,
    end: number,
    mayWait: boolean,
  ): boolean {
    const out = this.#piecesFor(mayWait);
    for (let next = first; next < end; ) {
      out.clear();
      next = owner.data.sealSplit(batch, next, end, out, this.#config.nowMs());
      addressRun(out, 0, out.count, owner.remoteWords);
      if (!this.#sendRange(owner.bound.link, out, 0, out.count, next, mayWait)) return false;
    }
    return true;
  }

  #piecesFor(mayWait: boolean): PacketBatch {
    const { tun, maxPacketBytes } = this.#config;
    const create = (): PacketBatch => new PacketBatch(Math.max(MAX_FRAGS, tun.batchSize), maxPacketBytes);
    if (mayWait) this.#pieces ??= create();
    else this.#copyPieces ??= create();
    return (mayWait ? this.#pieces : this.#copyPieces)!;
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

  /** False when the rest waits in #pending; what can't wait is dropped. */
  #sendRange(
    link: Link,
    batch: PacketBatch,
    first: number,
    end: number,
    rest: number,
    mayWait: boolean,
  ): boolean {
    const sent = this.#config.passtos
      ? sendByTos(link, batch, first, end)
      : link.sendBatch(batch, first, end);
    if (sent >= end - first) return true;
    if (mayWait && link.transport === 'udp') {
      this.#pending = { link, batch, next: first + sent, end, rest };
      return false;
    }
    this.#config.drops.saturation += end - first - sent;
    this.#config.log.log(
      D_MULTI_DROPPED,
      'MULTI: packet dropped due to output saturation (multi_process_incoming_tun)',
    );
    return true;
  }
}

function addressRun(batch: PacketBatch, first: number, end: number, words: Int32Array): void {
  const { addresses } = batch;
  for (let slot = first; slot < end; slot++) {
    const base = slot * ADDRESS_WORDS;
    for (let w = 0; w < ADDRESS_WORDS; w++) addresses[base + w] = words[w]!;
  }
}

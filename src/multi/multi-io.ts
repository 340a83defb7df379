/**
 * The data path of a server (2.x multi_process_incoming_link(), multi_process_incoming_tun()): batches
 * between tun and the clients' links, in place.
 *
 *   link -> runs of one client -> DataChannel.open -> source check -> (other client | tun)
 *   tun  -> owner of the destination -> runs of one client -> DataChannel.seal -> link
 *
 * A full UDP socket stops reading from tun until there is room; a full TCP connection drops that
 * client's packets, so that no client can stall the others.
 */

import type { Logger } from '../base/base.ts';
import { ADDRESS_WORDS, formatIp, PacketBatch } from '../base/base.ts';
import { D_MULTI_DROPPED } from '../base/errlevel.ts';
import {
  ipDestinationOffset,
  ipSourceOffset,
  ipVersion,
  isIpMulticast,
  isIpv6LinkLocalSource,
  readWord,
} from '../forward/forward.ts';
import type { Link } from '../socket/socket.ts';
import type { TunDevice } from '../tun/tun.ts';
import type { VirtualTable } from './mroute.ts';
import type { MultiInstance } from './multi-instance.ts';

/** Batches taken from tun before other events get their turn. */
const TUN_BATCHES_PER_TURN = 16;

export interface MultiIoConfig {
  readonly tun: TunDevice;
  readonly routes: VirtualTable<MultiInstance>;
  readonly clients: () => Iterable<MultiInstance>;
  readonly clientToClient: boolean;
  readonly maxPacketBytes: number;
  readonly nowMs: () => number;
  readonly log: Logger;
}

export interface MultiIoDrops {
  /** Inner source address not owned by the sending client. */
  badSource: number;
  /** No client owns the destination. */
  unknownDestination: number;
  /** The way out was full. */
  saturation: number;
}

export class MultiIo {
  readonly drops: MultiIoDrops = { badSource: 0, unknownDestination: 0, saturation: 0 };
  readonly #config: MultiIoConfig;
  readonly #tunBatch: PacketBatch;
  readonly #tunOwners: (MultiInstance | undefined)[] = [];
  /** Packets from client to client, and copies of multicasts. */
  readonly #copies: PacketBatch;
  readonly #copyOwners: (MultiInstance | undefined)[] = [];
  /** Rest of a tun batch that a UDP link would not take. */
  #pending: { link: Link; next: number; end: number } | undefined;

  constructor(config: MultiIoConfig) {
    this.#config = config;
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
    this.#sendRange(link, this.#tunBatch, pending.next, pending.end);
    if (this.#pending === undefined) this.#config.tun.resume();
  }

  /** A link closed: nothing waits for it any more. */
  handleLinkClosed(link: Link): void {
    if (this.#pending?.link !== link) return;
    this.#pending = undefined;
    this.#config.tun.resume();
  }

  /**
   * Slots first..end-1 are data packets of `instance`. What is for tun stays in its slot (the caller
   * writes the whole batch to tun afterwards); all else gets length 0. Call flush() at the end of a batch.
   */
  handleRun(instance: MultiInstance, batch: PacketBatch, first: number, end: number): void {
    if (!instance.forwarding) {
      for (let slot = first; slot < end; slot++) batch.lengths[slot] = 0;
      return;
    }
    instance.data.open(batch, first, end, this.#config.nowMs());
    for (let slot = first; slot < end; slot++) {
      if (batch.lengths[slot] === 0) continue;
      if (!this.#sourceIsGood(instance, batch, slot)) batch.lengths[slot] = 0;
      else if (this.#config.clientToClient) this.#toClients(instance, batch, slot);
    }
  }

  /** Sends what handleRun() copied for other clients. */
  flush(): void {
    if (this.#copies.count === 0) return;
    this.#sealAndSend(this.#copies, this.#copies.count, this.#copyOwners, false);
    this.#copies.clear();
  }

  #routeTunBatch(count: number): void {
    const batch = this.#tunBatch;
    const { slab, offsets, lengths } = batch;
    for (let slot = 0; slot < count; slot++) {
      const offset = offsets[slot]!;
      const version = ipVersion(slab, offset, lengths[slot]!);
      const owner = version === 0 ? undefined : this.#ownerOf(slab, offset, version);
      this.#tunOwners[slot] = owner;
      if (owner) continue;
      if (version !== 0 && isIpMulticast(slab, offset, version)) this.#copyToAll(batch, slot, undefined);
      else this.drops.unknownDestination++;
      lengths[slot] = 0;
    }
    this.#sealAndSend(batch, count, this.#tunOwners, true);
    this.flush();
  }

  #ownerOf(slab: Buffer, offset: number, version: 4 | 6): MultiInstance | undefined {
    const at = ipDestinationOffset(offset, version);
    if (version === 4) return this.#config.routes.find4(readWord(slab, at));
    return this.#config.routes.find6(
      readWord(slab, at),
      readWord(slab, at + 4),
      readWord(slab, at + 8),
      readWord(slab, at + 12),
    );
  }

  #sourceIsGood(instance: MultiInstance, batch: PacketBatch, slot: number): boolean {
    const { slab } = batch;
    const offset = batch.offsets[slot]!;
    const version = ipVersion(slab, offset, batch.lengths[slot]!);
    if (version === 0) return false;
    const at = ipSourceOffset(offset, version);
    if (version === 4 && this.#config.routes.find4(readWord(slab, at)) === instance) return true;
    if (version === 6) {
      const w0 = readWord(slab, at);
      const w3 = readWord(slab, at + 12);
      const owner = this.#config.routes.find6(w0, readWord(slab, at + 4), readWord(slab, at + 8), w3);
      if (owner === instance) return true;
      if (isIpv6LinkLocalSource(slab, offset)) return false;
    }
    this.drops.badSource++;
    if (instance.log.enabled(D_MULTI_DROPPED)) {
      instance.log.log(
        D_MULTI_DROPPED,
        `MULTI: bad source address from client [${sourceText(slab, at, version)}], packet dropped`,
      );
    }
    return false;
  }

  /** client-to-client: to the owner of the destination, or multicast to everybody and tun. */
  #toClients(instance: MultiInstance, batch: PacketBatch, slot: number): void {
    const offset = batch.offsets[slot]!;
    const version = ipVersion(batch.slab, offset, batch.lengths[slot]!);
    if (version === 0) return;
    if (isIpMulticast(batch.slab, offset, version)) {
      this.#copyToAll(batch, slot, instance);
      return;
    }
    const owner = this.#ownerOf(batch.slab, offset, version);
    if (!owner) return;
    this.#copyTo(owner, batch, slot);
    batch.lengths[slot] = 0;
  }

  #copyToAll(batch: PacketBatch, slot: number, except: MultiInstance | undefined): void {
    for (const client of this.#config.clients()) {
      if (client !== except && client.forwarding) this.#copyTo(client, batch, slot);
    }
  }

  #copyTo(client: MultiInstance, batch: PacketBatch, slot: number): void {
    if (this.#copies.count === this.#copies.capacity) this.flush();
    const own = this.#copies.pushFrom(batch, slot);
    if (own >= 0) this.#copyOwners[own] = client;
    else this.drops.saturation++;
  }

  /** Seals runs of one owner and sends neighbouring runs of one link in one call. */
  #sealAndSend(
    batch: PacketBatch,
    count: number,
    owners: (MultiInstance | undefined)[],
    mayWait: boolean,
  ): void {
    const nowMs = this.#config.nowMs();
    let link: Link | undefined;
    let linkFirst = 0;
    for (let first = 0, end = 0; first < count; first = end) {
      const owner = owners[first];
      end = first + 1;
      while (end < count && owners[end] === owner) end++;
      if (!owner) continue;
      if (owner.bound.link !== link) {
        if (link) this.#sendRange(link, batch, linkFirst, first, mayWait);
        link = owner.bound.link;
        linkFirst = first;
      }
      if (owner.data.seal(batch, first, end, nowMs) > 0) addressRun(batch, first, end, owner.remoteWords);
    }
    if (link) this.#sendRange(link, batch, linkFirst, count, mayWait);
  }

  #sendRange(link: Link, batch: PacketBatch, first: number, end: number, mayWait = true): void {
    const sent = link.sendBatch(batch, first, end);
    if (sent >= end - first) return;
    if (mayWait && link.transport === 'udp' && end === batch.count && !this.#pending) {
      this.#pending = { link, next: first + sent, end };
      return;
    }
    this.drops.saturation += end - first - sent;
    this.#config.log.log(
      D_MULTI_DROPPED,
      'MULTI: packet dropped due to output saturation (multi_process_incoming_tun)',
    );
  }
}

function addressRun(batch: PacketBatch, first: number, end: number, words: Int32Array): void {
  const { addresses } = batch;
  for (let slot = first; slot < end; slot++) {
    const base = slot * ADDRESS_WORDS;
    for (let w = 0; w < ADDRESS_WORDS; w++) addresses[base + w] = words[w]!;
  }
}

function sourceText(slab: Buffer, at: number, version: 4 | 6): string {
  if (version === 4) return formatIp(slab.subarray(at, at + 4));
  return formatIp(slab.subarray(at, at + 16));
}

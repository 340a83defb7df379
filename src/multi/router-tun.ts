/**
 * Routing of IP packets on a tun server (2.x multi_process_incoming_link() and _tun() for
 * DEV_TYPE_TUN): the inner source has to belong to the sending client; destinations are found by host,
 * else by the longest network. A host found by a network is learned, so that the next look-up is exact
 * and status files show it.
 */
import { formatIp, type PacketBatch } from '../base/base.ts';
import { D_MULTI_DROPPED } from '../base/errlevel.ts';
import {
  ipDestinationOffset,
  ipSourceOffset,
  ipVersion,
  isIpMulticast,
  isIpv6LinkLocalSource,
  readWord,
} from '../forward/forward.ts';
import type { AddressLearner } from './learn.ts';
import type { VirtualRoute, VirtualTable } from './mroute.ts';
import {
  type Destination,
  DROPPED,
  type MultiIoDrops,
  type PacketRouter,
  type RoutedClient,
  TO_ALL,
  TO_DEVICE,
} from './router.ts';

export interface TunRouterConfig<C extends RoutedClient> {
  readonly routes: VirtualTable<C>;
  readonly learner: AddressLearner<C>;
  readonly clientToClient: boolean;
  /** The server's own IPv4 address in the tunnel, which no client's network may take; 0 = none. */
  readonly local4: number;
  readonly drops: MultiIoDrops;
}

export class TunRouter<C extends RoutedClient> implements PacketRouter<C> {
  readonly filtersDevice = false;
  readonly #routes: VirtualTable<C>;
  readonly #learner: AddressLearner<C>;
  readonly #clientToClient: boolean;
  readonly #local4: number;
  readonly #drops: MultiIoDrops;

  constructor(config: TunRouterConfig<C>) {
    this.#routes = config.routes;
    this.#learner = config.learner;
    this.#clientToClient = config.clientToClient;
    this.#local4 = config.local4 | 0;
    this.#drops = config.drops;
  }

  begin(nowMs: number): void {
    this.#routes.nowMs = nowMs;
  }

  fromDevice(batch: PacketBatch, slot: number): Destination<C> {
    const { slab } = batch;
    const offset = batch.offsets[slot]!;
    const version = ipVersion(slab, offset, batch.lengths[slot]!);
    if (version !== 0) {
      const owner = this.#owner(slab, ipDestinationOffset(offset, version), version);
      if (owner) return owner;
      if (isIpMulticast(slab, offset, version)) return TO_ALL;
    }
    this.#drops.unknownDestination++;
    return DROPPED;
  }

  fromClient(instance: C, batch: PacketBatch, slot: number): Destination<C> {
    const { slab } = batch;
    const offset = batch.offsets[slot]!;
    const version = ipVersion(slab, offset, batch.lengths[slot]!);
    if (version === 0) return DROPPED;
    const source = ipSourceOffset(offset, version);
    if (this.#owner(slab, source, version) !== instance) {
      if (version === 4 || !isIpv6LinkLocalSource(slab, offset))
        this.#dropBadSource(instance, slab, source, version);
      return DROPPED;
    }
    if (!this.#clientToClient) return TO_DEVICE;
    if (isIpMulticast(slab, offset, version)) return TO_ALL;
    return this.#owner(slab, ipDestinationOffset(offset, version), version) ?? TO_DEVICE;
  }

  reaches(): boolean {
    return true;
  }

  toDevice(): boolean {
    return true;
  }

  #owner(slab: Buffer, at: number, version: 4 | 6): C | undefined {
    if (version === 4) {
      const address = readWord(slab, at);
      const route = this.#routes.find4(address);
      if (!route || route.prefix === 32) return route?.owner;
      if (address === this.#local4) return undefined;
      this.#cache(route, address, 0, 0, 0);
      return route.owner;
    }
    const w0 = readWord(slab, at);
    const w1 = readWord(slab, at + 4);
    const w2 = readWord(slab, at + 8);
    const w3 = readWord(slab, at + 12);
    const route = this.#routes.find6(w0, w1, w2, w3);
    if (route && route.prefix !== 128) this.#cache(route, w0, w1, w2, w3);
    return route?.owner;
  }

  /** Once a host and its time of rest. */
  #cache(network: VirtualRoute<C>, w0: number, w1: number, w2: number, w3: number): void {
    const prefix = network.family === 4 ? 32 : 128;
    this.#learner.cacheHost(network.owner, { family: network.family, words: [w0, w1, w2, w3], prefix });
  }

  #dropBadSource(instance: C, slab: Buffer, at: number, version: 4 | 6): void {
    this.#drops.badSource++;
    if (!instance.log.enabled(D_MULTI_DROPPED)) return;
    const source = formatIp(slab.subarray(at, at + (version === 4 ? 4 : 16)));
    instance.log.log(D_MULTI_DROPPED, `MULTI: bad source address from client [${source}], packet dropped`);
  }
}

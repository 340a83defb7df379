/**
 * Routing of Ethernet frames on a tap server (2.x multi_process_incoming_link() and _tun() for
 * DEV_TYPE_TAP, vlan.c): source MAC addresses are learned from traffic and may move between clients;
 * group frames go to everybody of the VLAN, other frames to the client that has the address.
 *
 *   client --untagged--> VLAN of its vlan-pvid --> tap: tagged or not, see toDevice()
 *   tap    --tag or global vlan-pvid--> VLAN --untagged--> clients of that VLAN
 *
 * Without --vlan-tagging all is VLAN 0, which reaches every client.
 */
import type { PacketBatch } from '../base/base.ts';
import { D_MULTI_DROPPED, D_VLAN_DEBUG } from '../base/errlevel.ts';
import { readWord } from '../forward/forward.ts';
import type { AddressLearner } from './learn.ts';
import { routeText, type VirtualTable } from './mroute.ts';
import {
  type Destination,
  DROPPED,
  type MultiIoDrops,
  type PacketRouter,
  type RoutedClient,
  TO_ALL,
  TO_DEVICE,
} from './router.ts';
import { ETHERNET_HEADER_BYTES, tagFrame, untagFrame, vlanIdOf } from './vlan.ts';

const SOURCE = 6;
/** Lowest bit of the first byte of a MAC address: group. */
const GROUP_BIT = 0x01;

export interface VlanConfig {
  readonly accept: 'tagged' | 'untagged' | 'all';
  /** VLAN of untagged frames on the device. */
  readonly pvid: number;
}

export interface TapRouterConfig<C extends RoutedClient> {
  readonly routes: VirtualTable<C>;
  readonly learner: AddressLearner<C>;
  readonly clientToClient: boolean;
  /** Undefined without --vlan-tagging. */
  readonly vlan: VlanConfig | undefined;
  readonly drops: MultiIoDrops;
}

export class TapRouter<C extends RoutedClient> implements PacketRouter<C> {
  readonly filtersDevice: boolean;
  readonly #routes: VirtualTable<C>;
  readonly #learner: AddressLearner<C>;
  readonly #clientToClient: boolean;
  readonly #vlan: VlanConfig | undefined;
  readonly #drops: MultiIoDrops;
  /** VLAN of the frame at hand; 0 = any. */
  #vid = 0;

  constructor(config: TapRouterConfig<C>) {
    this.#routes = config.routes;
    this.#learner = config.learner;
    this.#clientToClient = config.clientToClient;
    this.#vlan = config.vlan;
    this.#drops = config.drops;
    this.filtersDevice = config.vlan !== undefined;
  }

  begin(nowMs: number): void {
    this.#routes.nowMs = nowMs;
  }

  fromDevice(batch: PacketBatch, slot: number): Destination<C> {
    const vid = this.#vlan ? this.#vlanOfDevice(this.#vlan, batch, slot) : 0;
    if (vid < 0 || batch.lengths[slot]! < ETHERNET_HEADER_BYTES) return this.#dropFrame();
    this.#vid = vid;
    const { slab } = batch;
    const at = batch.offsets[slot]!;
    if ((slab[at]! & GROUP_BIT) !== 0) return TO_ALL;
    const owner = this.#owner(slab, at, vid);
    if (owner) return owner;
    this.#drops.unknownDestination++;
    return DROPPED;
  }

  fromClient(instance: C, batch: PacketBatch, slot: number): Destination<C> {
    const { slab } = batch;
    const at = batch.offsets[slot]!;
    const length = batch.lengths[slot]!;
    if (length < ETHERNET_HEADER_BYTES) return this.#dropFrame();
    if (this.#vlan && vlanIdOf(slab, at, length) > 0) {
      instance.log.log(D_VLAN_DEBUG, 'dropping incoming VLAN-tagged frame');
      return this.#dropFrame();
    }
    const vid = this.#vlan ? instance.options.vlanPvid : 0;
    this.#vid = vid;
    if (!this.#sourceIsOwn(instance, batch, slot, vid)) return DROPPED;
    if (!this.#clientToClient) return TO_DEVICE;
    if ((slab[at]! & GROUP_BIT) !== 0) return TO_ALL;
    return this.#owner(slab, at, vid) ?? TO_DEVICE;
  }

  reaches(client: C): boolean {
    return this.#vid === 0 || client.options.vlanPvid === this.#vid;
  }

  toDevice(instance: C, batch: PacketBatch, slot: number): boolean {
    const vlan = this.#vlan;
    const { vlanPvid } = instance.options;
    if (!vlan || (vlan.accept !== 'tagged' && vlanPvid === vlan.pvid)) return true;
    if (vlan.accept !== 'untagged' && tagFrame(batch, slot, vlanPvid)) return true;
    this.#drops.badFrame++;
    return false;
  }

  /** The VLAN of a frame that the device gave, its tag taken off; -1 drops it. */
  #vlanOfDevice(vlan: VlanConfig, batch: PacketBatch, slot: number): number {
    const tag = vlanIdOf(batch.slab, batch.offsets[slot]!, batch.lengths[slot]!);
    if (tag === -2) return -1;
    if (tag === -1) return vlan.accept === 'tagged' ? -1 : vlan.pvid;
    // A priority tag stays on the frame.
    if (tag === 0) return vlan.pvid;
    if (vlan.accept === 'untagged') return -1;
    untagFrame(batch, slot);
    return tag;
  }

  /** Learns where the address is. A frame whose address is in question waits with the learner. */
  #sourceIsOwn(instance: C, batch: PacketBatch, slot: number, vid: number): boolean {
    const { slab } = batch;
    const source = batch.offsets[slot]! + SOURCE;
    const w0 = readWord(slab, source);
    const w1 = (slab[source + 4]! << 24) | (slab[source + 5]! << 16) | vid;
    if (this.#routes.findEther(w0, w1)?.owner === instance) return true;
    const key = { family: 'ether', words: [w0, w1, 0, 0], prefix: 64 } as const;
    const answer = this.#learner.learnSource(instance, key);
    if (answer === 'own') return true;
    if (answer === 'asking') {
      this.#learner.hold(instance, key, batch.packet(slot));
      return false;
    }
    this.#drops.badSource++;
    if (instance.log.enabled(D_MULTI_DROPPED)) {
      instance.log.log(
        D_MULTI_DROPPED,
        `MULTI: bad source address from client [${routeText(key)}], packet dropped`,
      );
    }
    return false;
  }

  #owner(slab: Buffer, at: number, vid: number): C | undefined {
    const w1 = (slab[at + 4]! << 24) | (slab[at + 5]! << 16) | vid;
    return this.#routes.findEther(readWord(slab, at), w1)?.owner;
  }

  #dropFrame(): typeof DROPPED {
    this.#drops.badFrame++;
    return DROPPED;
  }
}

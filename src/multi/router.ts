/**
 * What tells a layer 3 server from a layer 2 one: where a packet goes. MultiIo has the one batch loop;
 * router-tun.ts routes IP packets by address, router-tap.ts frames by MAC address and VLAN.
 */
import type { PacketBatch } from '../base/base.ts';
import type { MultiInstance } from './multi-instance.ts';

/** Nowhere; the router has counted it. */
export const DROPPED = 'dropped';
/** To the tun or tap device. */
export const TO_DEVICE = 'device';
/** To all (other) clients; from a client to the device as well. */
export const TO_ALL = 'all';

export type Destination = MultiInstance | typeof DROPPED | typeof TO_DEVICE | typeof TO_ALL;

export interface MultiIoDrops {
  /** Inner source address not owned by the sending client. */
  badSource: number;
  /** No client owns the destination. */
  unknownDestination: number;
  /** The way out was full. */
  saturation: number;
  /** Too short, or of a VLAN that the device doesn't take. */
  badFrame: number;
}

/** Strategies read and change slots in place; nothing is allocated for a packet whose addresses are known. */
export interface PacketRouter {
  /** Whether toDevice() has anything to say. */
  readonly filtersDevice: boolean;
  /** Before a batch: the time that look-ups note. */
  begin(nowMs: number): void;
  /** A packet that the device gave. */
  fromDevice(batch: PacketBatch, slot: number): Destination;
  /** A packet of a client, opened. */
  fromClient(instance: MultiInstance, batch: PacketBatch, slot: number): Destination;
  /** Whether a packet that the last from*() sent TO_ALL is for this client. */
  reaches(client: MultiInstance): boolean;
  /** Last changes to a client's packet for the device; false drops it. */
  toDevice(instance: MultiInstance, batch: PacketBatch, slot: number): boolean;
}

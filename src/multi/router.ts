/**
 * What tells a layer 3 server from a layer 2 one: where a packet goes. MultiIo has the one batch loop;
 * router-tun.ts routes IP packets by address, router-tap.ts frames by MAC address and VLAN.
 */
import type { Logger, PacketBatch } from '../base/base.ts';
import type { Options } from '../options/options.ts';
import type { EnvSet } from '../script/script.ts';

/** What routing and learning know of a client. */
export interface RoutedClient {
  /** Not closed, not about to be. */
  readonly open: boolean;
  readonly commonName: string;
  /** For logs: `CN/address`. */
  readonly prefix: string;
  readonly log: Logger;
  readonly env: EnvSet;
  readonly options: Pick<Options, 'maxRoutesPerClient' | 'vlanPvid' | 'iroutes' | 'iroutesIpv6'>;
}

/** Nowhere; the router has counted it. */
export const DROPPED = 'dropped';
/** To the tun or tap device. */
export const TO_DEVICE = 'device';
/** To all (other) clients; from a client to the device as well. */
export const TO_ALL = 'all';

export type Destination<C> = C | typeof DROPPED | typeof TO_DEVICE | typeof TO_ALL;

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
export interface PacketRouter<C extends RoutedClient> {
  /** Whether toDevice() has anything to say. */
  readonly filtersDevice: boolean;
  /** Before a batch: the time that look-ups note. */
  begin(nowMs: number): void;
  /** A packet that the device gave. */
  fromDevice(batch: PacketBatch, slot: number): Destination<C>;
  /** A packet of a client, opened. */
  fromClient(instance: C, batch: PacketBatch, slot: number): Destination<C>;
  /** Whether a packet that the last from*() sent TO_ALL is for this client. */
  reaches(client: C): boolean;
  /** Last changes to a client's packet for the device; false drops it. */
  toDevice(instance: C, batch: PacketBatch, slot: number): boolean;
}

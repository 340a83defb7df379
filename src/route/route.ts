/**
 * Header of route/ (2.x networking.h, route.h): addresses, link state and routes of the machine.
 * Backends: networking-netlink-linux.ts (the kernel's routing socket, by the addon), networking-iproute2.ts
 * (the program `ip`, where the addon is missing), networking-dry-run.ts (records, for tests). Calls are
 * carried out in the order they were made.
 *
 *   configureTun(net, setup)          addresses of the device, before routes; undo() takes them away
 *   RouteList.create(net, input)      looks up gateways and names, computes the routes
 *     .exportTo(env) .add() .remove()
 */
export interface RouteEntry {
  readonly family: 4 | 6;
  /** Network address without prefix. */
  readonly network: string;
  readonly prefix: number;
  readonly gateway?: string;
  readonly dev?: string;
  readonly metric?: number;
  readonly table?: number;
}

export interface Gateway {
  /** Undefined when the way leads straight onto the link. */
  readonly gateway: string | undefined;
  readonly dev: string;
}

/** One address of an interface that is up. */
export interface InterfaceAddress {
  readonly name: string;
  readonly family: 4 | 6;
  readonly address: string;
  readonly prefix: number;
  /** `aa:bb:cc:dd:ee:ff` */
  readonly mac: string;
}

/** Every call rejects with TunError when the system refuses; the reason is logged before. */
export interface NetworkConfig {
  readonly name: string;
  setMtu(dev: string, mtu: number): Promise<void>;
  setUp(dev: string, up: boolean): Promise<void>;
  /** --lladdr: the device's hardware address, before setUp(). */
  setLinkAddress(dev: string, mac: string): Promise<void>;
  /**
   * Adds or replaces `address/prefix`. `noDad` (IPv6): usable at once; without it the kernel's duplicate
   * detection ends some time after this call, also on devices where there is nothing to detect.
   */
  addAddress(dev: string, address: string, prefix: number, noDad?: boolean): Promise<void>;
  /** Point-to-point pair: `ip addr add local peer remote`. */
  addPeerAddress(dev: string, local: string, remote: string): Promise<void>;
  deleteAddress(dev: string, address: string, prefix: number): Promise<void>;
  deletePeerAddress(dev: string, local: string, remote: string): Promise<void>;
  /** Resolves false when the same route was there already (2.x logs and does not delete it later). */
  addRoute(route: RouteEntry): Promise<boolean>;
  deleteRoute(route: RouteEntry): Promise<void>;
  /**
   * The best route towards `target` (default: the default route of the main table). Undefined when the system
   * refuses to tell. Without an IPv4 default route `dev` is empty, as 2.x takes it.
   */
  bestRoute(family: 4 | 6, target?: string): Promise<Gateway | undefined>;
  /** Addresses of the interfaces that are up. */
  interfaces(): InterfaceAddress[];
}

/** Where route and ifconfig variables go; script/'s EnvSet is one. */
export interface EnvSink {
  set(name: string, value: string | number | undefined): void;
}

export { type ConfiguredTun, configureTun, type TunSetup } from './configure-tun.ts';
export { defaultHardwareAddress, warnOfCommonSubnets } from './gateway.ts';
export { RouteList } from './route-list.ts';
export type { RouteListInput } from './route-plan.ts';

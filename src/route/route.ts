/**
 * Header of route/ (2.x networking.h, route.h): addresses, link state and routes of the machine.
 * Backends: networking-iproute2.ts (the `ip` program), networking-dry-run.ts (records, for tests and
 * --ifconfig-noexec style runs). All calls are asynchronous and run in the order they were made.
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
  readonly gateway: string | undefined;
  readonly dev: string;
}

/** Every call rejects with TunError whose message has the failing command and its output. */
export interface NetworkConfig {
  readonly name: string;
  /** Brings the device up with this MTU; `lladdr` first when given. */
  linkUp(dev: string, mtu: number): Promise<void>;
  linkDown(dev: string): Promise<void>;
  /** Adds `address/prefix`, IPv4 with broadcast. */
  addAddress(dev: string, address: string, prefix: number): Promise<void>;
  /** Point-to-point pair: `ip addr add local peer remote`. */
  addPeerAddress(dev: string, local: string, remote: string): Promise<void>;
  deleteAddress(dev: string, address: string, prefix: number): Promise<void>;
  deletePeerAddress(dev: string, local: string, remote: string): Promise<void>;
  /** Resolves false when the same route was there already (2.x logs and does not delete it later). */
  addRoute(route: RouteEntry): Promise<boolean>;
  deleteRoute(route: RouteEntry): Promise<void>;
  /** The best route towards `target` (default: the default route). undefined = none. */
  bestRoute(family: 4 | 6, target?: string): Promise<Gateway | undefined>;
}

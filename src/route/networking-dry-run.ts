/**
 * NetworkConfig that changes nothing: it keeps addresses and routes in memory and records each change
 * as one line in iproute2's words. For tests and for running without the right to configure.
 */
import { TunError } from '../base/base.ts';
import type { Gateway, InterfaceAddress, NetworkConfig, RouteEntry } from './route.ts';

export interface DryRunOptions {
  /** Default route and further ways by family; none by default. */
  readonly gateway4?: Gateway | undefined;
  readonly gateway6?: Gateway | undefined;
  readonly interfaces?: readonly InterfaceAddress[];
  /** Routes that are there before. */
  readonly routes?: readonly RouteEntry[];
  /** Makes the call whose line matches reject, for tests of failures. */
  readonly refuse?: (line: string) => boolean;
}

export class DryRunNetwork implements NetworkConfig {
  readonly name = 'dry-run';
  /** Every change so far, e.g. `route add 10.0.0.0/24 via 10.8.0.1`. */
  readonly lines: string[] = [];
  readonly #options: DryRunOptions;
  readonly #routes: Map<string, RouteEntry>;
  readonly #addresses = new Set<string>();

  constructor(options: DryRunOptions = {}) {
    this.#options = options;
    this.#routes = new Map((options.routes ?? []).map((route) => [routeKey(route), route]));
  }

  /** Routes in place, in the order they were added. */
  get routes(): RouteEntry[] {
    return [...this.#routes.values()];
  }

  /** `dev address/prefix` and `dev local peer remote` lines in place. */
  get addresses(): string[] {
    return [...this.#addresses];
  }

  async setMtu(dev: string, mtu: number): Promise<void> {
    this.#record(`link set ${dev} mtu ${mtu}`);
  }

  async setUp(dev: string, up: boolean): Promise<void> {
    this.#record(`link set ${dev} ${up ? 'up' : 'down'}`);
  }

  async setLinkAddress(dev: string, mac: string): Promise<void> {
    this.#record(`link set ${dev} addr ${mac}`);
  }

  async addAddress(dev: string, address: string, prefix: number): Promise<void> {
    this.#record(`addr add ${dev} ${address}/${prefix}`);
    this.#addresses.add(`${dev} ${address}/${prefix}`);
  }

  async addPeerAddress(dev: string, local: string, remote: string): Promise<void> {
    this.#record(`addr add ${dev} ${local} peer ${remote}`);
    this.#addresses.add(`${dev} ${local} peer ${remote}`);
  }

  async deleteAddress(dev: string, address: string, prefix: number): Promise<void> {
    this.#removeAddress(`${dev} ${address}/${prefix}`);
  }

  async deletePeerAddress(dev: string, local: string, remote: string): Promise<void> {
    this.#removeAddress(`${dev} ${local} peer ${remote}`);
  }

  async addRoute(route: RouteEntry): Promise<boolean> {
    this.#record(`route add ${routeKey(route)}`);
    if (this.#routes.has(routeKey(route))) return false;
    this.#routes.set(routeKey(route), route);
    return true;
  }

  async deleteRoute(route: RouteEntry): Promise<void> {
    this.#record(`route del ${routeKey(route)}`);
    const found = [...this.#routes].find(([, known]) => matches(route, known));
    if (found === undefined) throw new TunError(`route del ${routeKey(route)}: No such process`);
    this.#routes.delete(found[0]);
  }

  async bestRoute(family: 4 | 6): Promise<Gateway | undefined> {
    return family === 4 ? this.#options.gateway4 : this.#options.gateway6;
  }

  interfaces(): InterfaceAddress[] {
    return [...(this.#options.interfaces ?? [])];
  }

  #removeAddress(key: string): void {
    this.#record(`addr del ${key}`);
    if (!this.#addresses.delete(key)) throw new TunError(`addr del ${key}: Cannot assign requested address`);
  }

  #record(line: string): void {
    if (this.#options.refuse?.(line)) throw new TunError(`${line}: refused`);
    this.lines.push(line);
  }
}

/** The words that tell one route from another. */
function routeKey(route: RouteEntry): string {
  const { network, prefix, gateway, dev, metric, table } = route;
  const words = [`${network}/${prefix}`];
  if (gateway !== undefined) words.push('via', gateway);
  if (dev !== undefined) words.push('dev', dev);
  if (metric !== undefined) words.push('metric', String(metric));
  if (table !== undefined && table !== 0) words.push('table', String(table));
  return words.join(' ');
}

/** As the kernel looks for the route to delete: what isn't asked for may be anything. */
function matches(asked: RouteEntry, known: RouteEntry): boolean {
  return routeKey({ ...known, ...asked }) === routeKey(known);
}

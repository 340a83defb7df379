/**
 * NetworkConfig over iproute2's `ip` (2.x networking_iproute2.c; messages and semantics of
 * networking_sitnl.c, the default backend of 2.6 builds). One child process per call, one call at a
 * time in the order of asking, never blocking. Where netlink's flags differ from `ip ... add`, the verb
 * with sitnl's meaning is used: `addr replace`, `route prepend`.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { Logger } from '../base/base.ts';
import { TunError } from '../base/base.ts';
import { D_ROUTE, M_INFO } from '../base/errlevel.ts';
import type { Gateway, InterfaceAddress, NetworkConfig, RouteEntry } from './route.ts';

export interface Iproute2Options {
  readonly log: Logger;
  /** --iproute CMD; the first usual place that has `ip` by default. */
  readonly command?: string | undefined;
}

const USUAL_PLACES = ['/usr/sbin/ip', '/sbin/ip', '/usr/bin/ip', '/bin/ip'];
/** Most bytes of a command's output that are kept. */
const MAX_OUTPUT = 256 * 1024;

export function createIproute2(options: Iproute2Options): NetworkConfig {
  return new Iproute2(options);
}

class Iproute2 implements NetworkConfig {
  readonly name = 'iproute2';
  readonly #log: Logger;
  readonly #command: string;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: Iproute2Options) {
    this.#log = options.log;
    this.#command = options.command ?? USUAL_PLACES.find((path) => existsSync(path)) ?? 'ip';
  }

  async linkUp(dev: string, mtu: number): Promise<void> {
    this.#log.log(M_INFO, `net_iface_mtu_set: mtu ${mtu} for ${dev}`);
    this.#log.log(M_INFO, `net_iface_up: set ${dev} up`);
    await this.#ip(['link', 'set', 'dev', dev, 'up', 'mtu', String(mtu)]);
  }

  async linkDown(dev: string): Promise<void> {
    this.#log.log(M_INFO, `net_iface_up: set ${dev} down`);
    await this.#ip(['link', 'set', 'dev', dev, 'down']);
  }

  async setLinkAddress(dev: string, mac: string): Promise<void> {
    this.#log.log(M_INFO, `net_addr_ll_set: lladdr ${mac} for ${dev}`);
    await this.#ip(['link', 'set', 'addr', mac, 'dev', dev]);
  }

  async addAddress(dev: string, address: string, prefix: number, noDad = false): Promise<void> {
    this.#log.log(M_INFO, `net_addr_${version(address)}_add: ${address}/${prefix} dev ${dev}`);
    const flags = noDad && version(address) === 'v6' ? ['nodad'] : [];
    await this.#ip([familyFlag(address), 'addr', 'replace', `${address}/${prefix}`, 'dev', dev, ...flags]);
  }

  async addPeerAddress(dev: string, local: string, remote: string): Promise<void> {
    this.#log.log(M_INFO, `net_addr_ptp_v4_add: ${local} peer ${remote} dev ${dev}`);
    await this.#ip(['addr', 'replace', local, 'peer', remote, 'dev', dev]);
  }

  async deleteAddress(dev: string, address: string, prefix: number): Promise<void> {
    // 2.x leaves out the length for IPv4.
    const shown = version(address) === 'v4' ? address : `${address}/${prefix}`;
    this.#log.log(M_INFO, `net_addr_${version(address)}_del: ${shown} dev ${dev}`);
    await this.#ip([familyFlag(address), 'addr', 'del', `${address}/${prefix}`, 'dev', dev]);
  }

  async deletePeerAddress(dev: string, local: string, remote: string): Promise<void> {
    this.#log.log(M_INFO, `net_addr_ptp_v4_del: ${local} dev ${dev}`);
    await this.#ip(['addr', 'del', local, 'peer', remote, 'dev', dev]);
  }

  async addRoute(route: RouteEntry): Promise<boolean> {
    this.#log.log(D_ROUTE, `net_route_v${route.family}_add: ${describe(route)}`);
    try {
      await this.#ip([`-${route.family}`, 'route', 'prepend', ...routeWords(route)]);
      return true;
    } catch (error) {
      if (error instanceof TunError && error.message.includes('File exists')) return false;
      throw error;
    }
  }

  async deleteRoute(route: RouteEntry): Promise<void> {
    this.#log.log(D_ROUTE, `net_route_v${route.family}_del: ${describe(route)}`);
    await this.#ip([`-${route.family}`, 'route', 'del', ...routeWords(route)]);
  }

  async bestRoute(family: 4 | 6, target?: string): Promise<Gateway | undefined> {
    const name = `net_route_v${family}_best_gw`;
    const any = family === 4 ? '0.0.0.0' : '::';
    this.#log.log(D_ROUTE, `${name} query: dst ${target ?? any}`);
    const query = target === undefined ? ['show', 'default'] : ['get', target];
    const output = await this.#ip([`-${family}`, '-o', 'route', ...query]).catch(() => '');
    const best = parseBestRoute(output);
    if (best !== undefined) {
      this.#log.log(D_ROUTE, `${name} result: via ${best.gateway ?? any} dev ${best.dev}`);
    }
    return best;
  }

  interfaces(): InterfaceAddress[] {
    const result: InterfaceAddress[] = [];
    for (const [name, addresses] of Object.entries(networkInterfaces())) {
      for (const { address, family, cidr, mac } of addresses ?? []) {
        const prefix = Number(cidr?.split('/')[1] ?? (family === 'IPv4' ? 32 : 128));
        result.push({ name, family: family === 'IPv4' ? 4 : 6, address, prefix, mac });
      }
    }
    return result;
  }

  /** Runs one command after all earlier ones. */
  #ip(args: readonly string[]): Promise<string> {
    const result = this.#queue.then(() => runIp(this.#command, args));
    this.#queue = result.catch(() => undefined);
    return result;
  }
}

/** The route of lowest metric in the output of `ip -o route show default` or `ip -o route get`. */
export function parseBestRoute(output: string): Gateway | undefined {
  let best: (Gateway & { metric: number }) | undefined;
  for (const line of output.split('\n')) {
    const words = line.trim().split(/\s+/);
    const after = (key: string): string | undefined => {
      const at = words.indexOf(key);
      return at < 0 ? undefined : words[at + 1];
    };
    const dev = after('dev');
    if (dev === undefined || /^(unreachable|blackhole|prohibit|throw)$/.test(words[0] ?? '')) continue;
    const via = after('via');
    const metric = Number(after('metric') ?? 0);
    // `via inet6 fe80::1` is an IPv4 route over an IPv6 neighbour: there is no IPv4 gateway to name.
    const gateway = via === 'inet6' ? undefined : via;
    if (best === undefined || metric < best.metric) best = { gateway, dev, metric };
  }
  return best === undefined ? undefined : { gateway: best.gateway, dev: best.dev };
}

function routeWords(route: RouteEntry): string[] {
  const words = [`${route.network}/${route.prefix}`];
  const { gateway, dev, metric, table } = route;
  if (gateway !== undefined && gateway !== '0.0.0.0' && gateway !== '::') words.push('via', gateway);
  if (dev !== undefined) words.push('dev', dev);
  if (table !== undefined && table !== 0) words.push('table', String(table));
  if (metric !== undefined && metric > 0) words.push('metric', String(metric));
  return words;
}

/** 2.x's form, with its words for what isn't given. */
function describe(route: RouteEntry): string {
  const gateway = route.gateway ?? (route.family === 4 ? '0.0.0.0' : '::');
  const { network, prefix, dev, table, metric } = route;
  return `${network}/${prefix} via ${gateway} dev ${dev ?? '[NULL]'} table ${table ?? 0} metric ${metric ?? -1}`;
}

function version(address: string): 'v4' | 'v6' {
  return address.includes(':') ? 'v6' : 'v4';
}

function familyFlag(address: string): '-4' | '-6' {
  return version(address) === 'v6' ? '-6' : '-4';
}

function runIp(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { LC_ALL: 'C', PATH: USUAL_PATH },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let complaint = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (output.length < MAX_OUTPUT) output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (complaint.length < MAX_OUTPUT) complaint += text;
    });
    const fail = (why: string, cause?: Error): void =>
      reject(new TunError(`${command} ${args.join(' ')}: ${why}`, cause ? { cause } : undefined));
    child.on('error', (error) => fail(error.message, error));
    child.on('close', (status, signal) => {
      if (status === 0) resolve(output);
      else
        fail(complaint.trim() || `ended with ${status === null ? `signal ${signal}` : `status ${status}`}`);
    });
  });
}

const USUAL_PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * NetworkConfig over iproute2's `ip`, where the addon isn't used (2.x networking_iproute2.c; messages and
 * semantics of networking_sitnl.c, as networking-netlink-linux.ts has them). One child process per call, one
 * call at a time in the order of asking, never blocking. Where netlink's flags differ from `ip ... add`, the
 * verb with sitnl's meaning is used: `addr replace`, `route prepend`.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { errnoText, type Logger, TunError } from '../base/base.ts';
import { D_ROUTE, M_INFO, M_WARN } from '../base/errlevel.ts';
import { interfaceAddresses, lines, version } from './networking-lines.ts';
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

  async setMtu(dev: string, mtu: number): Promise<void> {
    this.#log.log(M_INFO, lines.mtu(dev, mtu));
    await this.#ip(['link', 'set', 'dev', dev, 'mtu', String(mtu)]);
  }

  async setUp(dev: string, up: boolean): Promise<void> {
    this.#log.log(M_INFO, lines.up(dev, up));
    await this.#ip(['link', 'set', 'dev', dev, up ? 'up' : 'down']);
  }

  async setLinkAddress(dev: string, mac: string): Promise<void> {
    this.#log.log(M_INFO, lines.linkAddress(dev, mac));
    await this.#ip(['link', 'set', 'addr', mac, 'dev', dev]);
  }

  async addAddress(dev: string, address: string, prefix: number, noDad = false): Promise<void> {
    this.#log.log(M_INFO, lines.addAddress(dev, address, prefix));
    const isIpv6 = version(address) === 'v6';
    // `ip` sets no broadcast address by itself; "+" makes it the last address of the network, as sitnl has it.
    const flags = isIpv6 ? (noDad ? ['nodad'] : []) : prefix <= 30 ? ['broadcast', '+'] : [];
    await this.#ip([familyFlag(address), 'addr', 'replace', `${address}/${prefix}`, 'dev', dev, ...flags]);
  }

  async addPeerAddress(dev: string, local: string, remote: string): Promise<void> {
    this.#log.log(M_INFO, lines.addPeer(dev, local, remote));
    await this.#ip(['addr', 'replace', local, 'peer', remote, 'dev', dev]);
  }

  async deleteAddress(dev: string, address: string, prefix: number): Promise<void> {
    this.#log.log(M_INFO, lines.deleteAddress(dev, address, prefix));
    await this.#ip([familyFlag(address), 'addr', 'del', `${address}/${prefix}`, 'dev', dev]);
  }

  async deletePeerAddress(dev: string, local: string, remote: string): Promise<void> {
    this.#log.log(M_INFO, lines.deletePeer(dev, local));
    await this.#ip(['addr', 'del', local, 'peer', remote, 'dev', dev]);
  }

  async addRoute(route: RouteEntry): Promise<boolean> {
    this.#log.log(D_ROUTE, lines.addRoute(route));
    try {
      // Straight onto the link, `ip` would take a narrower scope than netlink is asked for.
      const scope = route.family === 4 && route.dev !== undefined ? ['scope', 'global'] : [];
      await this.#ip([`-${route.family}`, 'route', 'prepend', ...routeWords(route), ...scope]);
      return true;
    } catch (error) {
      if (error instanceof TunError && error.message.includes('File exists')) return false;
      throw error;
    }
  }

  async deleteRoute(route: RouteEntry): Promise<void> {
    this.#log.log(D_ROUTE, lines.deleteRoute(route));
    await this.#ip([`-${route.family}`, 'route', 'del', ...routeWords(route)]);
  }

  async bestRoute(family: 4 | 6, target?: string): Promise<Gateway | undefined> {
    this.#log.log(D_ROUTE, lines.query(family, target));
    const query = target === undefined ? ['show', 'default'] : ['get', target];
    const output = await this.#ip([`-${family}`, '-o', 'route', ...query]).catch(() => undefined);
    const nowhere = family === 4 && target === undefined ? { gateway: undefined, dev: '' } : undefined;
    const best = output === undefined ? undefined : (parseBestRoute(output) ?? nowhere);
    if (best !== undefined) this.#log.log(D_ROUTE, lines.result(family, best));
    return best;
  }

  interfaces(): InterfaceAddress[] {
    return interfaceAddresses();
  }

  /** Runs one command after all earlier ones; a complaint of it is logged. */
  #ip(args: readonly string[]): Promise<string> {
    const result = this.#queue.then(() => runIp(this.#command, args));
    this.#queue = result.catch((error: Error) => this.#log.log(M_WARN, error.message));
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
    child.on('error', (error) => fail(errnoText(error), error));
    child.on('close', (status, signal) => {
      if (status === 0) resolve(output);
      else
        fail(complaint.trim() || `ended with ${status === null ? `signal ${signal}` : `status ${status}`}`);
    });
  });
}

const USUAL_PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

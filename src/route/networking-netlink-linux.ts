/**
 * NetworkConfig over the kernel's routing socket (2.x networking_sitnl.c, the default backend of 2.6 builds):
 * no program is started, so it works where there is none, in a chroot, and as long as this process has
 * CAP_NET_ADMIN. Log lines are 2.x's, with the names of its functions.
 *
 * Each call is done within itself. So that thousands of routes don't hold up traffic, a call waits for the next
 * turn of the event loop once this one has lasted for TURN_MS; those made after it wait behind it.
 */
import { performance } from 'node:perf_hooks';
import { formatIp, type Logger, parseIpBytes, TunError } from '../base/base.ts';
import { D_ROUTE, M_INFO, M_WARN } from '../base/errlevel.ts';
import type { NativeAddon, NativeNetlink } from '../native/native.ts';
import { any, interfaceAddresses, lines, version } from './networking-lines.ts';
import type { Gateway, InterfaceAddress, NetworkConfig, RouteEntry } from './route.ts';
import {
  isMainDefault,
  type KernelRoute,
  RTM_DELADDR,
  RTM_DELROUTE,
  RTM_NEWADDR,
  RTM_NEWROUTE,
  type RtnetlinkReply,
  RtnetlinkWriter,
  readReplies,
} from './rtnetlink.ts';

export interface NetlinkOptions {
  readonly log: Logger;
  readonly addon: NativeAddon;
}

/** Longest work in one turn of the event loop; ours. */
const TURN_MS = 5;
/** A dump comes in parts of up to 32 KiB. */
const REPLY_BYTES = 64 * 1024;
const EEXIST = 17;
const ENXIO = 6;
const EPROTO = 71;
const MALFORMED: RtnetlinkReply = { kind: 'malformed' };

export function createNetlink(options: NetlinkOptions): NetworkConfig {
  return new Netlink(options);
}

class Netlink implements NetworkConfig {
  readonly name = 'netlink';
  readonly #log: Logger;
  readonly #addon: NativeAddon;
  readonly #writer = new RtnetlinkWriter();
  readonly #reply = new Uint8Array(REPLY_BYTES);
  /** When work began in this turn of the loop. */
  #turnBegan: number | undefined;
  /** Kept until the end of the turn. */
  #socket: NativeNetlink | undefined;
  /** The next turn, while calls wait for it. */
  #nextTurn: Promise<void> | undefined;

  constructor(options: NetlinkOptions) {
    this.#log = options.log;
    this.#addon = options.addon;
  }

  async setMtu(dev: string, mtu: number): Promise<void> {
    await this.#turn();
    const index = this.#index(dev, 'net_iface_mtu_set: rtnl: cannot get ifindex for', true);
    this.#change(lines.mtu(dev, mtu), this.#writer.link(index, { mtu }));
  }

  async setUp(dev: string, up: boolean): Promise<void> {
    await this.#turn();
    const index = this.#index(dev, 'net_iface_up: rtnl: cannot get ifindex for', false);
    this.#change(lines.up(dev, up), this.#writer.link(index, { up }));
  }

  async setLinkAddress(dev: string, mac: string): Promise<void> {
    await this.#turn();
    const index = this.#index(dev, 'net_addr_ll_set: rtnl: cannot get ifindex for', true);
    const address = Uint8Array.from(mac.split(':'), (byte) => Number.parseInt(byte, 16));
    this.#change(lines.linkAddress(dev, mac), this.#writer.link(index, { address }));
  }

  async addAddress(dev: string, address: string, prefix: number, noDad = false): Promise<void> {
    await this.#turn();
    this.#log.log(M_INFO, lines.addAddress(dev, address, prefix));
    const index = this.#index(dev, 'sitnl_addr_add: rtnl: cannot get ifindex for', true);
    const given = { local: bytesOf(address), prefix, noDad: noDad && version(address) === 'v6' };
    this.#carryOut(
      this.#writer.address(RTM_NEWADDR, index, given),
      `${address}/${prefix} dev ${dev}`,
      EEXIST,
    );
  }

  async addPeerAddress(dev: string, local: string, remote: string): Promise<void> {
    await this.#turn();
    this.#log.log(M_INFO, lines.addPeer(dev, local, remote));
    const index = this.#index(dev, 'sitnl_addr_ptp_add: cannot get ifindex for', false);
    const given = { local: bytesOf(local), peer: bytesOf(remote), prefix: 32 };
    this.#carryOut(this.#writer.address(RTM_NEWADDR, index, given), `${local} dev ${dev}`, EEXIST);
  }

  async deleteAddress(dev: string, address: string, prefix: number): Promise<void> {
    await this.#turn();
    this.#log.log(M_INFO, lines.deleteAddress(dev, address, prefix));
    const index = this.#index(dev, 'sitnl_addr_del: rtnl: cannot get ifindex for', true);
    const given = { local: bytesOf(address), prefix };
    this.#carryOut(this.#writer.address(RTM_DELADDR, index, given), `${address}/${prefix} dev ${dev}`);
  }

  async deletePeerAddress(dev: string, local: string, _remote: string): Promise<void> {
    await this.#turn();
    this.#log.log(M_INFO, lines.deletePeer(dev, local));
    const index = this.#index(dev, 'sitnl_addr_ptp_del: cannot get ifindex for', true);
    const given = { local: bytesOf(local), prefix: 32 };
    this.#carryOut(this.#writer.address(RTM_DELADDR, index, given), `${local} dev ${dev}`);
  }

  async addRoute(route: RouteEntry): Promise<boolean> {
    await this.#turn();
    if (this.#log.enabled(D_ROUTE)) this.#log.log(D_ROUTE, lines.addRoute(route));
    const message = this.#routeMessage(RTM_NEWROUTE, route);
    return this.#carryOut(message, `${route.network}/${route.prefix}`, EEXIST) === 0;
  }

  async deleteRoute(route: RouteEntry): Promise<void> {
    await this.#turn();
    if (this.#log.enabled(D_ROUTE)) this.#log.log(D_ROUTE, lines.deleteRoute(route));
    this.#carryOut(this.#routeMessage(RTM_DELROUTE, route), `${route.network}/${route.prefix}`);
  }

  async bestRoute(family: 4 | 6, target?: string): Promise<Gateway | undefined> {
    await this.#turn();
    this.#log.log(D_ROUTE, lines.query(family, target));
    // The kernel has no answer for 0.0.0.0, so all routes are asked for then.
    const dump = family === 4 && target === undefined;
    const query = this.#writer.routeQuery(bytesOf(target ?? any(family)), dump);
    const found = this.#query(query, (route) => !dump || isMainDefault(route));
    if (found === 'failed') return undefined;
    const best = found === 'none' ? { gateway: undefined, dev: '' } : this.#gatewayOf(found);
    if (best !== undefined) this.#log.log(D_ROUTE, lines.result(family, best));
    return best;
  }

  interfaces(): InterfaceAddress[] {
    return interfaceAddresses();
  }

  /** Waits for the next turn of the event loop when this one has lasted long enough, or when others wait. */
  #turn(): Promise<void> | undefined {
    if (this.#nextTurn !== undefined) return this.#nextTurn;
    const now = performance.now();
    if (this.#turnBegan === undefined) {
      this.#turnBegan = now;
      setImmediate(() => {
        this.#turnBegan = undefined;
        this.#close();
      });
    } else if (now - this.#turnBegan > TURN_MS) {
      this.#nextTurn = new Promise((resolve) => {
        setImmediate(() => {
          this.#nextTurn = undefined;
          resolve();
        });
      });
    }
    return this.#nextTurn;
  }

  #routeMessage(type: typeof RTM_NEWROUTE | typeof RTM_DELROUTE, route: RouteEntry): Uint8Array {
    const { family, network, prefix, dev, table = 0, metric = 0 } = route;
    const name = type === RTM_NEWROUTE ? 'add' : 'del';
    const index =
      dev === undefined ? 0 : this.#index(dev, `sitnl_route_${name}: rtnl: can't get ifindex for`, true);
    // 2.x names a gateway always, but for an IPv6 route to be added that has none.
    const named = family === 4 || type === RTM_DELROUTE;
    const gateway = route.gateway ?? (named ? any(family) : undefined);
    return this.#writer.route(type, {
      network: bytesOf(network),
      prefix,
      ...(gateway !== undefined && { gateway: bytesOf(gateway) }),
      index,
      table,
      metric,
    });
  }

  #change(line: string, message: Uint8Array): void {
    this.#log.log(M_INFO, line);
    this.#carryOut(message, line);
  }

  /** Returns 0, or `allowed` when that is the errno; throws TunError for all others. */
  #carryOut(message: Uint8Array, what: string, allowed = 0): number {
    const errno = this.#exchange(message, (reply) => (reply.kind === 'done' ? 0 : undefined));
    if (errno === 0 || errno === allowed) return errno;
    throw new TunError(`${what}: ${this.#addon.errorText(errno)}`);
  }

  /** The first route that fits; 'none' when the kernel has told all. */
  #query(message: Uint8Array, fits: (route: KernelRoute) => boolean): KernelRoute | 'none' | 'failed' {
    let found: KernelRoute | 'none' = 'none';
    const errno = this.#exchange(message, (reply) => {
      if (reply.kind === 'done') return 0;
      if (reply.kind !== 'route' || !fits(reply.route)) return undefined;
      found = reply.route;
      return 0;
    });
    return errno === 0 ? found : 'failed';
  }

  #gatewayOf({ index, gateway }: KernelRoute): Gateway | undefined {
    const dev = this.#addon.interfaceName(index);
    if (dev === '') {
      this.#logErrno(`sitnl_route_save: rtnl: can't get ifname for index ${index}`, ENXIO);
      return undefined;
    }
    const text = gateway === undefined ? undefined : formatIp(gateway);
    return { gateway: text === '0.0.0.0' || text === '::' ? undefined : text, dev };
  }

  /**
   * Sends a request and hands over what comes back until `handle` returns a result: 0, or an errno, which is
   * logged here.
   */
  #exchange(message: Uint8Array, handle: (reply: RtnetlinkReply) => number | undefined): number {
    const socket = this.#socket ?? this.#open();
    if (typeof socket === 'number') return socket;
    // Only a socket whose answers were all read can serve again.
    this.#socket = undefined;
    const failed = socket.send(message);
    if (failed !== 0) {
      socket.close();
      return this.#logErrno('sitnl_send: rtnl: error on sendmsg()', failed);
    }
    const { result, whole } = this.#read(socket, handle);
    if (whole) this.#socket = socket;
    else socket.close();
    return result;
  }

  /** `whole`: nothing more is to come. */
  #read(
    socket: NativeNetlink,
    handle: (reply: RtnetlinkReply) => number | undefined,
  ): { result: number; whole: boolean } {
    for (;;) {
      const size = socket.receive(this.#reply);
      if (size < 0) {
        return { result: this.#logErrno('sitnl_send: rtnl: error on recvmsg()', -size), whole: false };
      }
      for (const reply of size > 0 ? readReplies(this.#reply.subarray(0, size)) : [MALFORMED]) {
        if (reply.kind === 'refused') return { result: this.#logRefusal(reply.errno), whole: true };
        if (reply.kind === 'malformed') return { result: this.#logMalformed(), whole: false };
        const result = handle(reply);
        if (result !== undefined) return { result, whole: reply.kind === 'done' };
      }
    }
  }

  #close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  #open(): NativeNetlink | number {
    try {
      return new this.#addon.Netlink();
    } catch (error) {
      const { errno } = error as NodeJS.ErrnoException;
      if (errno === undefined) throw error;
      this.#log.log(M_WARN, 'sitnl_socket: cannot open netlink socket');
      return this.#logErrno("sitnl_send: can't open rtnl socket", errno);
    }
  }

  #logRefusal(errno: number): number {
    this.#log.log(M_WARN, `sitnl_send: rtnl: generic error (-${errno}): ${this.#addon.errorText(errno)}`);
    return errno;
  }

  #logMalformed(): number {
    this.#log.log(M_WARN, 'sitnl_send: malformed message');
    return EPROTO;
  }

  /** As 2.x's M_ERRNO. */
  #logErrno(text: string, errno: number): number {
    this.#log.log(M_WARN, `${text}: ${this.#addon.errorText(errno)} (errno=${errno})`);
    return errno;
  }

  /** The number of an interface; without one `complaint` is logged, and TunError thrown. */
  #index(dev: string, complaint: string, withNumber: boolean): number {
    const index = this.#addon.interfaceIndex(dev);
    if (index > 0) return index;
    const text = this.#addon.errorText(-index);
    if (withNumber) this.#logErrno(`${complaint} ${dev}`, -index);
    else this.#log.log(M_WARN, `${complaint} ${dev}: ${text}`);
    throw new TunError(`${dev}: ${text}`);
  }
}

function bytesOf(address: string): Uint8Array {
  const bytes = parseIpBytes(address);
  if (bytes === undefined) throw new TunError(`not an address: ${address}`);
  return bytes;
}

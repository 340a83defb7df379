/**
 * The routes of one tunnel (2.x init_route_list(), add_routes(), delete_routes(),
 * redirect_default_route_to_vpn() of route.c). create() looks up gateways and names and plans; add()
 * carries out in 2.x's order: redirection (server bypass, gateway bypass, default route), IPv4
 * routes, IPv6 routes; remove() takes them away at any moment, also in the middle of add().
 *
 * A route of an option that was there before stays. Those of a redirection go even then, as in 2.x: what was
 * there is most often what a run left behind that was killed, and would keep the machine's traffic for good.
 */
import { ipv4FromNumber, type Logger, netmaskOfPrefix } from '../base/base.ts';
import { D_ROUTE, M_INFO, M_WARN } from '../base/errlevel.ts';
import { type Gateway4, isLocalHost } from './gateway.ts';
import type { EnvSink, NetworkConfig, RouteEntry } from './route.ts';
import type { PlannedRoute4, PlannedRoute6 } from './route-options.ts';
import {
  makePlan,
  needsIpv4,
  needsIpv6,
  type RouteListInput,
  type RoutePlan,
  type RoutesWanted,
} from './route-plan.ts';

/** Groups in the order of removal. */
const GROUPS = ['routes', 'redirect', 'routes6'] as const;
type Group = (typeof GROUPS)[number];

/** What remove() does; `restore` adds the machine's default route that was taken away. */
interface Undo {
  readonly group: Group;
  readonly restore: boolean;
  readonly entry: RouteEntry;
}

/** When a route is to be taken away later: it was added; it is there now, whoever added it; it was tried. */
type UndoWhen = 'added' | 'there' | 'tried';

export class RouteList {
  readonly #net: NetworkConfig;
  readonly #input: RouteListInput;
  readonly #log: Logger;
  #plan: RoutePlan;
  readonly #undos: Undo[] = [];
  #dev = '';
  #adding: Promise<boolean> | undefined;
  #stopped = false;
  #redirected = false;

  private constructor(net: NetworkConfig, input: RouteListInput, log: Logger, plan: RoutePlan) {
    this.#net = net;
    this.#input = input;
    this.#log = log;
    this.#plan = plan;
  }

  /** Looks up gateways and names. Never rejects for bad options: they are logged and left out. */
  static async create(net: NetworkConfig, input: RouteListInput, log: Logger): Promise<RouteList> {
    return new RouteList(net, input, log, await makePlan(net, input, log));
  }

  /** Whether there is anything to do. */
  static isNeeded(input: RoutesWanted): boolean {
    return needsIpv4(input) || needsIpv6(input);
  }

  /** redirect-gateway or redirect-private was carried out (`redirect_gateway` for scripts, after add()). */
  get redirected(): boolean {
    return this.#redirected;
  }

  /** route_net_gateway, route_vpn_gateway, route_network_1, route_ipv6_network_1 and so on. */
  exportTo(env: EnvSink): void {
    const { special, routes, routesIpv6, netGatewayIpv6, ok4, ok6 } = this.#plan;
    if (special.netGateway !== undefined) env.set('route_net_gateway', special.netGateway);
    if (netGatewayIpv6 !== undefined) env.set('net_gateway_ipv6', netGatewayIpv6);
    if (special.vpnGateway !== undefined) env.set('route_vpn_gateway', special.vpnGateway);
    for (const [index, route] of ok4 ? routes.entries() : []) {
      const n = index + 1;
      env.set(`route_network_${n}`, route.network);
      env.set(`route_netmask_${n}`, netmaskText(route.prefix));
      env.set(`route_gateway_${n}`, route.gateway);
      if (route.metric !== undefined) env.set(`route_metric_${n}`, route.metric);
    }
    for (const [index, route] of ok6 ? routesIpv6.entries() : []) {
      const n = index + 1;
      env.set(`route_ipv6_network_${n}`, `${route.network}/${route.prefix}`);
      env.set(`route_ipv6_gateway_${n}`, route.gateway ?? '::');
      if (route.metric !== undefined) env.set(`route_ipv6_metric_${n}`, route.metric);
    }
  }

  /**
   * The other end became known late, from a DHCP server: it counts for a redirection that add() has yet to
   * do. Routes that needed it before were left out with a warning, as in 2.x.
   */
  useGateway(vpnGateway: string): void {
    this.#plan = { ...this.#plan, special: { ...this.#plan.special, vpnGateway } };
  }

  /** Resolves false when something could not be added. `dev` is the kernel's name of the tunnel's device. */
  add(dev: string): Promise<boolean> {
    if (this.#adding === undefined) {
      this.#dev = dev;
      this.#stopped = false;
      this.#adding = this.#addAll();
    }
    return this.#adding;
  }

  /** Takes away what was added so far; a running add() ends early. May be called at any time. */
  async remove(): Promise<void> {
    this.#stopped = true;
    await this.#adding;
    const undos = this.#undos.splice(0);
    for (const group of GROUPS) {
      for (const undo of undos) if (undo.group === group) await this.#undo(undo);
    }
    this.#redirected = false;
    this.#adding = undefined;
  }

  async #addAll(): Promise<boolean> {
    let ok = this.#plan.ok4 && this.#plan.ok6;
    ok = (await this.#redirect()) && ok;
    ok = (await this.#addIpv4()) && ok;
    return (await this.#addIpv6()) && ok;
  }

  async #addIpv4(): Promise<boolean> {
    const { routes } = this.#plan;
    if (routes.length > 0 && !this.#input.didIpv4) this.#warnUnconfigured('IPv4');
    let ok = true;
    for (const route of routes) ok = (await this.#add4('routes', route, 'added')) && ok;
    return ok;
  }

  async #addIpv6(): Promise<boolean> {
    const { routesIpv6 } = this.#plan;
    if (routesIpv6.length > 0 && !this.#input.didIpv6) this.#warnUnconfigured('IPv6');
    let ok = true;
    for (const route of routesIpv6) ok = (await this.#add6(route)) && ok;
    return ok;
  }

  /** Bypass routes, then the default route itself. */
  async #redirect(): Promise<boolean> {
    const { redirectGateway: flags } = this.#input;
    if (!flags.enabled) return true;
    const { gateway, special } = this.#plan;
    const problem = 'NOTE: unable to redirect IPv4 default gateway --';
    if (special.vpnGateway === undefined && flags.reroute) {
      this.#log.log(M_WARN, `${problem} VPN gateway parameter (--route-gateway or --ifconfig) is missing`);
      return false;
    }
    if (gateway === undefined && !flags.local && special.remoteHost !== undefined) {
      this.#log.log(M_WARN, `${problem} Cannot read current default gateway from system`);
      return false;
    }
    let ok = await this.#bypass();
    if (flags.reroute && special.vpnGateway !== undefined) {
      ok = (await this.#replaceDefault(special.vpnGateway)) && ok;
    }
    this.#redirected = true;
    return ok;
  }

  async #bypass(): Promise<boolean> {
    const { redirectGateway: flags } = this.#input;
    const { gateway, special, remoteIsLocal, bypass } = this.#plan;
    let local = flags.local;
    if (flags.autolocal && special.remoteHost !== undefined) {
      this.#log.log(D_ROUTE, `ROUTE remote_host is ${remoteIsLocal ? 'LOCAL' : 'NOT LOCAL'}`);
      local = remoteIsLocal;
    }
    let ok = true;
    if (!local && special.remoteHost === undefined) {
      this.#log.log(D_ROUTE, 'ROUTE remote_host protocol differs from tunneled');
    } else if (!local && gateway !== undefined) {
      ok = await this.#addHostBypass(special.remoteHost!, gateway, 'there');
    }
    for (const host of bypass) ok = (await this.#addHostBypass(host, gateway!, 'tried')) && ok;
    return ok;
  }

  #addHostBypass(host: string, gateway: Gateway4, when: UndoWhen): Promise<boolean> {
    const route = { network: host, prefix: 32, gateway: gateway.address, metric: undefined, table: 0 };
    return this.#add4('redirect', route, when, gateway.onLink);
  }

  async #replaceDefault(vpnGateway: string): Promise<boolean> {
    const way = { gateway: vpnGateway, metric: undefined, table: 0 };
    const add = (network: string, prefix: number): Promise<boolean> =>
      this.#add4('redirect', { network, prefix, ...way }, 'tried');
    if (this.#input.redirectGateway.def1) {
      const lower = await add('0.0.0.0', 1);
      return (await add('128.0.0.0', 1)) && lower;
    }
    const { gateway } = this.#plan;
    const taken = gateway !== undefined && (await this.#takeDefaultAway(gateway));
    const ok = await add('0.0.0.0', 0);
    if (taken) this.#undos.push({ group: 'redirect', restore: true, entry: defaultRoute(gateway) });
    return ok;
  }

  /** False when add() was stopped before. A refusal is logged, and the route restored all the same. */
  async #takeDefaultAway(gateway: Gateway4): Promise<boolean> {
    if (this.#stopped) return false;
    await this.#delete4(defaultRoute(gateway));
    return true;
  }

  async #add4(group: Group, route: PlannedRoute4, when: UndoWhen, onLink = false): Promise<boolean> {
    const { gateway: net } = this.#plan;
    // Hosts in the gateway's own network, and a default route without a gateway, need the interface.
    const isLocal = route.prefix === 32 && route.gateway === net?.address && isLocalHost(route.network, net);
    const dev = isLocal || onLink ? net?.iface : undefined;
    return this.#apply(group, { family: 4, ...withoutUndefined({ ...route, dev }) }, when);
  }

  async #add6(route: PlannedRoute6): Promise<boolean> {
    const { devType } = this.#input;
    const dev = route.iface ?? this.#dev;
    const shown = `${route.network}/${route.prefix}`;
    this.#log.log(
      D_ROUTE,
      `add_route_ipv6(${shown} -> ${route.gateway ?? '::'} metric ${route.metric ?? -1}) dev ${dev}`,
    );
    const isServerRoute = route.iface !== undefined;
    const needsGateway = isServerRoute
      ? route.gateway !== undefined
      : devType === 'tap' && route.metric !== 0;
    if (needsGateway && route.gateway === undefined) {
      this.#log.log(
        M_WARN,
        `ROUTE6 WARNING: OpenVPN needs a gateway parameter for a --route-ipv6 option and no default was set via --ifconfig-ipv6 or --route-ipv6-gateway option.  Not installing IPv6 route to ${shown}.`,
      );
      return false;
    }
    const { network, prefix, table } = route;
    const gateway = needsGateway ? route.gateway : undefined;
    const metric = route.metric === 0 ? undefined : route.metric;
    const entry: RouteEntry = {
      family: 6,
      ...withoutUndefined({ network, prefix, gateway, dev, metric, table }),
    };
    return this.#apply('routes6', entry, 'added');
  }

  async #apply(group: Group, entry: RouteEntry, when: UndoWhen): Promise<boolean> {
    if (this.#stopped) return true;
    const result = await this.#tryAdd(entry);
    if (result === 'added' || when === 'tried' || (when === 'there' && result === 'there'))
      this.#undos.push({ group, restore: false, entry });
    return result !== 'failed';
  }

  async #undo({ entry, restore }: Undo): Promise<void> {
    if (restore) await this.#tryAdd(entry);
    else if (entry.family === 4) await this.#delete4(entry);
    else await this.#delete6(entry);
  }

  async #tryAdd(entry: RouteEntry): Promise<'added' | 'there' | 'failed'> {
    try {
      if (await this.#net.addRoute(entry)) return 'added';
      this.#log.log(D_ROUTE, 'NOTE: Linux route add command failed because route exists');
      return 'there';
    } catch {
      this.#log.log(M_WARN, 'ERROR: Linux route add command failed');
      return 'failed';
    }
  }

  /** 2.x names no interface here: network, gateway and metric say which it is. */
  async #delete4({ dev: _, ...entry }: RouteEntry): Promise<void> {
    await this.#tryDelete(entry, 'route');
  }

  async #delete6(entry: RouteEntry): Promise<void> {
    this.#log.log(D_ROUTE, `delete_route_ipv6(${entry.network}/${entry.prefix})`);
    await this.#tryDelete(entry, 'route v6');
  }

  async #tryDelete(entry: RouteEntry, kind: string): Promise<void> {
    try {
      await this.#net.deleteRoute(entry);
    } catch {
      this.#log.log(M_WARN, `ERROR: Linux ${kind} delete command failed`);
    }
  }

  #warnUnconfigured(family: string): void {
    this.#log.log(
      M_INFO,
      `WARNING: OpenVPN was configured to add an ${family} route. However, no ${family} has been configured for ${this.#dev}, therefore the route installation may fail or may not work as expected.`,
    );
  }
}

/** The machine's own, as it was found. */
function defaultRoute(gateway: Gateway4): RouteEntry {
  const route = { family: 4, network: '0.0.0.0', prefix: 0, gateway: gateway.address } as const;
  return gateway.onLink ? { ...route, dev: gateway.iface } : route;
}

function netmaskText(prefix: number): string {
  return ipv4FromNumber(netmaskOfPrefix(prefix));
}

/** The same object without its undefined members and without table 0. */
function withoutUndefined(route: {
  network: string;
  prefix: number;
  gateway: string | undefined;
  dev: string | undefined;
  metric: number | undefined;
  table: number;
}): Omit<RouteEntry, 'family'> {
  const { network, prefix, gateway, dev, metric, table } = route;
  return {
    network,
    prefix,
    ...(gateway === undefined ? {} : { gateway }),
    ...(dev === undefined ? {} : { dev }),
    ...(metric === undefined ? {} : { metric }),
    ...(table === 0 ? {} : { table }),
  };
}

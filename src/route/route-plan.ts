/**
 * Plans the routes of one tunnel before any is added (2.x init_route_list(), init_route_ipv6_list() of
 * route.c, do_init_route_list() of init.c): gateways of the machine, keywords and names, the pieces of
 * `redirect-gateway ipv6`, block-local, and the host route that keeps an IPv6 server reachable.
 */
import { lookup } from 'node:dns/promises';
import type { Logger } from '../base/base.ts';
import { parseIp, parseIpBytes } from '../base/base.ts';
import { D_ROUTE, M_WARN } from '../base/errlevel.ts';
import type { RedirectGateway, RouteIpv6Option, RouteOption } from '../options/options.ts';
import { defaultGateway4, defaultGateway6, type Gateway4, isLocalHost } from './gateway.ts';
import type { NetworkConfig } from './route.ts';
import {
  blockLocalRoutes,
  isDefined,
  type PlannedRoute4,
  type PlannedRoute6,
  planRoute4,
  planRoute6,
  type Resolve,
  type SpecialAddresses,
} from './route-options.ts';

export interface RouteListInput {
  readonly devType: 'tun' | 'tap' | 'null';
  readonly routes: readonly RouteOption[];
  readonly routesIpv6: readonly RouteIpv6Option[];
  readonly redirectGateway: RedirectGateway;
  /** --route-metric; 0 or undefined = none. */
  readonly routeMetric?: number | undefined;
  /** --route-gateway, else the remote of ifconfig in p2p and net30 topology (see vpnGatewayOf). */
  readonly vpnGateway?: string | undefined;
  /** --route-ipv6-gateway, else the remote of ifconfig-ipv6. */
  readonly vpnGatewayIpv6?: string | undefined;
  /** Address of the peer that the tunnel's own packets go to, by family; undefined on servers. */
  readonly remoteHost?: string | undefined;
  readonly remoteHostIpv6?: string | undefined;
  /** Whether the device has addresses; only warned about. */
  readonly didIpv4: boolean;
  readonly didIpv6: boolean;
  /** IPv4 addresses of a host name; the system's resolver by default. */
  readonly resolve?: Resolve;
}

/** Where all IPv6 traffic goes with `redirect-gateway ipv6`. */
const REDIRECT_IPV6 = ['::/3', '2000::/4', '3000::/4', 'fc00::/7'];

export interface RoutePlan {
  readonly gateway: Gateway4 | undefined;
  readonly special: SpecialAddresses;
  readonly remoteIsLocal: boolean;
  /** Hosts that a redirection leaves to the machine's own gateway: with block-local, that gateway. */
  readonly bypass: readonly string[];
  readonly routes: readonly PlannedRoute4[];
  readonly routesIpv6: readonly PlannedRoute6[];
  readonly netGatewayIpv6: string | undefined;
  /** Every option of the family could be used. */
  readonly ok4: boolean;
  readonly ok6: boolean;
}

export type RoutesWanted = Pick<RouteListInput, 'routes' | 'routesIpv6' | 'redirectGateway'>;

/** Whether there is anything to do. `!ipv4` turns the redirection off, but it was asked for. */
export function needsIpv4({ routes, redirectGateway: { enabled, ipv4 } }: RoutesWanted): boolean {
  return routes.length > 0 || enabled || !ipv4;
}

export function needsIpv6({ routesIpv6, redirectGateway: { ipv6 } }: RoutesWanted): boolean {
  return routesIpv6.length > 0 || ipv6;
}

/** Looks up what is needed and plans; bad options are logged and left out. */
export async function makePlan(net: NetworkConfig, input: RouteListInput, log: Logger): Promise<RoutePlan> {
  const resolve = input.resolve ?? resolveIpv4;
  const { redirectGateway: flags, remoteHost } = input;
  const needs4 = needsIpv4(input);
  const needs6 = needsIpv6(input);
  const gateway = needs4 ? await defaultGateway4(net, log) : undefined;
  const vpnGateway = isDefined(input.vpnGateway) ? await resolveOne(input.vpnGateway, resolve) : undefined;
  let ok4 = true;
  if (needs4 && isDefined(input.vpnGateway) && vpnGateway === undefined) {
    log.log(M_WARN, `OpenVPN ROUTE: failed to parse/resolve default gateway: ${input.vpnGateway}`);
    ok4 = false;
  }
  const special: SpecialAddresses = {
    vpnGateway,
    netGateway: gateway?.address,
    remoteHost,
    defaultMetric: input.routeMetric || undefined,
  };
  const remoteIsLocal = remoteHost !== undefined && isLocalHost(remoteHost, gateway);
  const blocking = isBlockingLocal(flags, gateway, special, remoteIsLocal);
  const bypass = blocking ? [gateway!.address] : [];
  for (const [at, host] of bypass.entries()) log.log(D_ROUTE, `ROUTE: bypass_host_route[${at}]=${host}`);
  const routes = blocking ? blockLocalRoutes(gateway!, vpnGateway!).reverse() : [];
  // 2.x puts each in front of its list, and reads the options from the last to the first.
  for (const option of input.routes.toReversed()) {
    const planned = await planRoute4(option, special, resolve, log);
    if (planned === undefined) ok4 = false;
    else routes.push(...planned);
  }
  routes.reverse();
  const ipv6 = needs6 ? await planIpv6(net, input, log) : NO_IPV6;
  return { gateway, special, remoteIsLocal, bypass, routes, ok4, ...ipv6 };
}

const NO_IPV6 = { routesIpv6: [], netGatewayIpv6: undefined, ok6: true };

async function planIpv6(
  net: NetworkConfig,
  input: RouteListInput,
  log: Logger,
): Promise<Pick<RoutePlan, 'routesIpv6' | 'netGatewayIpv6' | 'ok6'>> {
  const remote = input.remoteHostIpv6;
  const gateway = await defaultGateway6(net, remote, log);
  const extra = input.redirectGateway.ipv6 ? REDIRECT_IPV6 : [];
  const options = [
    ...input.routesIpv6,
    ...extra.map((prefix) => ({ prefix, gateway: undefined, metric: undefined, table: 0 })),
  ];
  const routes: PlannedRoute6[] = [];
  let overlaps = false;
  for (const option of options.toReversed()) {
    const route = planRoute6(option, input.vpnGatewayIpv6, input.routeMetric || undefined, log);
    if (route === undefined) continue;
    routes.push(route);
    if (remote === undefined || !containsIpv6(route, remote)) continue;
    overlaps = true;
    log.log(
      D_ROUTE,
      `ROUTE6: ${route.network}/${route.prefix} overlaps IPv6 remote ${remote}, adding host route to VPN endpoint`,
    );
  }
  routes.reverse();
  const ok6 = routes.length === options.length;
  if (overlaps && gateway !== undefined) {
    const way = { gateway: gateway.address, metric: 1, table: 0, iface: gateway.iface };
    routes.unshift({ network: remote!, prefix: 128, ...way });
  } else if (overlaps) {
    log.log(
      M_WARN,
      'ROUTE6: IPv6 route overlaps with IPv6 remote address, but could not determine IPv6 gateway address + interface, expect failure\n',
    );
  }
  const netGatewayIpv6 = gateway === undefined ? undefined : (gateway.address ?? remote ?? '::');
  return { routesIpv6: routes, netGatewayIpv6, ok6 };
}

/** block-local is asked for and can be done. */
function isBlockingLocal(
  flags: RedirectGateway,
  gateway: Gateway4 | undefined,
  special: SpecialAddresses,
  remoteIsLocal: boolean,
): boolean {
  if (!flags.enabled || !flags.blockLocal) return false;
  return gateway?.prefix !== undefined && special.vpnGateway !== undefined && !remoteIsLocal;
}

async function resolveOne(host: string, resolve: Resolve): Promise<string | undefined> {
  return parseIp(host)?.family === 4 ? host : (await resolve(host))[0];
}

async function resolveIpv4(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { family: 4, all: true })).map((entry) => entry.address);
  } catch {
    return [];
  }
}

function containsIpv6(route: PlannedRoute6, host: string): boolean {
  const [a, b] = [parseIpBytes(route.network), parseIpBytes(host)];
  if (a?.length !== 16 || b?.length !== 16) return false;
  for (let bit = 0; bit < route.prefix; bit++) {
    const mask = 0x80 >> (bit & 7);
    if ((a[bit >> 3]! & mask) !== (b[bit >> 3]! & mask)) return false;
  }
  return true;
}

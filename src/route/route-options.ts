/**
 * From route options to routes (2.x init_route(), init_route_ipv6(), get_special_addr(),
 * add_block_local() of route.c): keywords vpn_gateway, net_gateway and remote_host, host names,
 * `default` as "not given", default metric and gateway. An option that can't be used is logged and
 * left out; the rest of the list still holds.
 */

import type { Logger } from '../base/base.ts';
import {
  formatIp,
  ipv4FromNumber,
  ipv4ToNumber,
  netmaskOfPrefix,
  parseIp,
  parseIpBytes,
  prefixOfNetmask,
} from '../base/base.ts';
import { M_INFO, M_WARN } from '../base/errlevel.ts';
import { parseIpv6Prefix, type RouteIpv6Option, type RouteOption } from '../options/options.ts';
import type { Gateway4 } from './gateway.ts';

export interface PlannedRoute4 {
  readonly network: string;
  readonly prefix: number;
  readonly gateway: string;
  readonly metric: number | undefined;
  readonly table: number;
}

export interface PlannedRoute6 {
  readonly network: string;
  readonly prefix: number;
  readonly gateway: string | undefined;
  readonly metric: number | undefined;
  readonly table: number;
  /** Set only for the route to the VPN server itself, which stays outside the tunnel. */
  readonly iface?: string;
}

/** What keywords and defaults stand for. */
export interface SpecialAddresses {
  readonly vpnGateway: string | undefined;
  readonly netGateway: string | undefined;
  readonly remoteHost: string | undefined;
  /** --route-metric; undefined = none. */
  readonly defaultMetric: number | undefined;
}

/** All IPv4 addresses of a host name, none when it can't be resolved. Literals aren't asked. */
export type Resolve = (host: string) => Promise<readonly string[]>;

/** One route per address of the network's name; undefined when the option can't be used. */
export async function planRoute4(
  option: RouteOption,
  special: SpecialAddresses,
  resolve: Resolve,
  log: Logger,
): Promise<PlannedRoute4[] | undefined> {
  const networks = isDefined(option.network) ? await addressesOf(option.network, special, resolve, log) : [];
  const prefix = isDefined(option.netmask) ? prefixOfNetmask(ipv4ToNumber(option.netmask)) : 32;
  if (networks.length === 0 || prefix === undefined) return failed(option.network, log);
  let gateway = special.vpnGateway;
  if (isDefined(option.gateway)) {
    gateway = (await addressesOf(option.gateway, special, resolve, log))[0];
  } else if (gateway === undefined) {
    log.log(
      M_WARN,
      'OpenVPN ROUTE: OpenVPN needs a gateway parameter for a --route option and no default was specified by either --route-gateway or --ifconfig options',
    );
  }
  const metric = option.metric ?? special.defaultMetric;
  if (gateway === undefined || !isMetric(metric, option.network, log)) return failed(option.network, log);
  const way = { prefix, gateway, metric, table: option.table };
  return networks.map((network) => ({ network, ...way }));
}

/** Undefined when the option can't be used. `defaultGateway` is --route-ipv6-gateway or ifconfig-ipv6's remote. */
export function planRoute6(
  option: RouteIpv6Option,
  defaultGateway: string | undefined,
  defaultMetric: number | undefined,
  log: Logger,
): PlannedRoute6 | undefined {
  const target = parseIpv6Prefix(option.prefix);
  if (target === undefined) return failed(option.prefix, log);
  let gateway = defaultGateway;
  if (isDefined(option.gateway)) {
    gateway = parseIp(option.gateway)?.address;
    if (gateway === undefined)
      log.log(M_WARN, `OpenVPNROUTE6: cannot parse gateway spec '${option.gateway}'`);
  }
  const metric = option.metric ?? defaultMetric;
  if (!isMetric(metric, option.prefix, log)) return failed(option.prefix, log);
  const { address, netbits: prefix } = target;
  return { network: withoutHostBits(address, prefix), prefix, gateway, metric, table: option.table };
}

/** redirect-gateway block-local: the gateway's own network in two halves, into the tunnel. */
export function blockLocalRoutes(netGateway: Gateway4, vpnGateway: string): PlannedRoute4[] {
  const { prefix } = netGateway;
  const address = ipv4ToNumber(netGateway.address);
  if (prefix === undefined || prefix >= 32 || address === undefined) return [];
  const lower = (address & netmaskOfPrefix(prefix)) >>> 0;
  const upper = (lower + 2 ** (31 - prefix)) >>> 0;
  // 2.x puts each in front of its list, so the upper half comes first.
  return [upper, lower].map((network) => ({
    network: ipv4FromNumber(network),
    prefix: prefix + 1,
    gateway: vpnGateway,
    metric: undefined,
    table: 0,
  }));
}

/** `default` stands for "not given", as in 2.x is_route_parm_defined(). */
export function isDefined(text: string | undefined): text is string {
  return text !== undefined && text !== 'default';
}

async function addressesOf(
  text: string,
  special: SpecialAddresses,
  resolve: Resolve,
  log: Logger,
): Promise<readonly string[]> {
  if (ipv4ToNumber(text) !== undefined) return [text];
  const known: Record<string, [string | undefined, string]> = {
    vpn_gateway: [special.vpnGateway, 'vpn_gateway undefined'],
    net_gateway: [special.netGateway, 'net_gateway undefined -- unable to get default gateway from system'],
    remote_host: [special.remoteHost, 'remote_host undefined'],
  };
  const keyword = Object.hasOwn(known, text) ? known[text] : undefined;
  if (keyword === undefined) return resolve(text);
  const [address, complaint] = keyword;
  if (address !== undefined) return [address];
  log.log(M_INFO, `OpenVPN ROUTE: ${complaint}`);
  return [];
}

function withoutHostBits(address: string, prefix: number): string {
  const bytes = parseIpBytes(address) ?? new Uint8Array(16);
  for (let bit = prefix; bit < 128; bit++) bytes[bit >> 3]! &= ~(0x80 >> (bit & 7));
  return formatIp(bytes);
}

function isMetric(metric: number | undefined, network: string, log: Logger): boolean {
  if (metric === undefined || metric >= 0) return true;
  log.log(M_WARN, `OpenVPN ROUTE: route metric for network ${network} (${metric}) must be >= 0`);
  return false;
}

function failed(network: string, log: Logger): undefined {
  log.log(M_WARN, `OpenVPN ROUTE: failed to parse/resolve route for host/network: ${network}`);
  return undefined;
}

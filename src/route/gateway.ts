/**
 * The machine's own way out (2.x get_default_gateway(), get_default_gateway_ipv6(),
 * print_default_gateway() of route.c, Linux parts).
 */
import { ipv4FromNumber, ipv4ToNumber, type Logger, netmaskOfPrefix, sameNetwork } from '../base/base.ts';
import { D_ROUTE, M_WARN } from '../base/errlevel.ts';
import type { Gateway, InterfaceAddress, NetworkConfig } from './route.ts';

export interface Gateway4 {
  /** `0.0.0.0` when the default route has no gateway (onLink). */
  readonly address: string;
  readonly onLink: boolean;
  /** Interface in whose network the gateway lies, empty when there is none, and that network's prefix length. */
  readonly iface: string;
  readonly prefix: number | undefined;
}

export interface Gateway6 {
  /** Undefined when the target is on link. */
  readonly address: string | undefined;
  readonly iface: string;
}

/**
 * The IPv4 default gateway, logged as `ROUTE_GATEWAY ...`. Undefined when the system refuses to tell; without a
 * default route it is 0.0.0.0, as 2.x has it.
 */
export async function defaultGateway4(net: NetworkConfig, log: Logger): Promise<Gateway4 | undefined> {
  const best = await net.bestRoute(4);
  if (best === undefined) {
    log.log(D_ROUTE, 'ROUTE: default_gateway=UNDEF');
    return undefined;
  }
  const onLink = best.gateway === undefined && best.dev !== '';
  const address = best.gateway ?? '0.0.0.0';
  const found = interfaceTowards(net, best);
  const prefix = onLink ? undefined : found?.prefix;
  const netmask = prefix === undefined ? '' : `/${ipv4FromNumber(netmaskOfPrefix(prefix))}`;
  const tail = found === undefined ? '' : ` IFACE=${found.name} HWADDR=${found.mac}`;
  log.log(D_ROUTE, `ROUTE_GATEWAY ${onLink ? 'ON_LINK' : address}${netmask}${tail}`);
  return { address, onLink, prefix, iface: found?.name ?? '' };
}

/** Hardware address of the interface towards the IPv4 default gateway, for --push-peer-info; undefined = none. */
export async function defaultHardwareAddress(net: NetworkConfig): Promise<string | undefined> {
  const best = await net.bestRoute(4);
  return best && interfaceTowards(net, best)?.mac;
}

/**
 * A server tells of a home network that many have (2.x warn_on_use_of_common_subnets() of tun.c): clients from
 * such networks may not reach what is behind it.
 */
export async function warnOfCommonSubnets(net: NetworkConfig, log: Logger): Promise<void> {
  const best = await net.bestRoute(4);
  const prefix = best?.gateway === undefined ? undefined : interfaceTowards(net, best)?.prefix;
  if (best?.gateway === undefined || prefix === undefined) return;
  const network = ipv4FromNumber(((ipv4ToNumber(best.gateway) ?? 0) & netmaskOfPrefix(prefix)) >>> 0);
  if (network !== '192.168.0.0' && network !== '192.168.1.0') return;
  log.log(
    M_WARN,
    'NOTE: your local LAN uses the extremely common subnet address 192.168.0.x or 192.168.1.x.  Be aware that this might create routing conflicts if you connect to the VPN server from public locations such as internet cafes that use the same subnet.',
  );
}

/** The way to `target` (or to the Internet), logged as `ROUTE6_GATEWAY ...`; undefined = none. */
export async function defaultGateway6(
  net: NetworkConfig,
  target: string | undefined,
  log: Logger,
): Promise<Gateway6 | undefined> {
  log.log(D_ROUTE, `GDG6: remote_host_ipv6=${target ?? 'n/a'}`);
  const best = await net.bestRoute(6, target);
  if (best === undefined) {
    log.log(D_ROUTE, 'ROUTE6: default_gateway=UNDEF');
    return undefined;
  }
  const shown = best.gateway ?? `${target ?? '::'} ON_LINK`;
  log.log(D_ROUTE, `ROUTE6_GATEWAY ${shown} IFACE=${best.dev}`);
  return { address: best.gateway, iface: best.dev };
}

/** 2.x local_route(): the host lies in the gateway's own network, so no gateway is to be crossed. */
export function isLocalHost(host: string, gateway: Gateway4 | undefined): boolean {
  if (gateway?.prefix === undefined || gateway.iface === '') return false;
  const [a, b] = [ipv4ToNumber(host), ipv4ToNumber(gateway.address)];
  return a !== undefined && b !== undefined && sameNetwork(a, b, gateway.prefix);
}

function interfaceTowards(net: NetworkConfig, { gateway, dev }: Gateway): InterfaceAddress | undefined {
  const fits = (entry: InterfaceAddress): boolean =>
    gateway === undefined ? entry.name === dev : covers(entry, gateway);
  return net.interfaces().find((entry) => entry.family === 4 && fits(entry));
}

function covers(entry: InterfaceAddress, address: string): boolean {
  const [a, b] = [ipv4ToNumber(entry.address), ipv4ToNumber(address)];
  return a !== undefined && b !== undefined && sameNetwork(a, b, entry.prefix);
}

/**
 * What all backends of NetworkConfig have in common: 2.x's log lines, which carry the names of functions of
 * networking_sitnl.c whatever does the work, and the interfaces that Node knows.
 */
import { networkInterfaces } from 'node:os';
import type { Gateway, InterfaceAddress, RouteEntry } from './route.ts';

export const lines = {
  mtu: (dev: string, mtu: number) => `net_iface_mtu_set: mtu ${mtu} for ${dev}`,
  up: (dev: string, up: boolean) => `net_iface_up: set ${dev} ${up ? 'up' : 'down'}`,
  linkAddress: (dev: string, mac: string) => `net_addr_ll_set: lladdr ${mac.toLowerCase()} for ${dev}`,
  addAddress: (dev: string, address: string, prefix: number) =>
    `net_addr_${version(address)}_add: ${address}/${prefix} dev ${dev}`,
  addPeer: (dev: string, local: string, remote: string) =>
    `net_addr_ptp_v4_add: ${local} peer ${remote} dev ${dev}`,
  /** 2.x leaves out the length for IPv4. */
  deleteAddress: (dev: string, address: string, prefix: number) =>
    `net_addr_${version(address)}_del: ${version(address) === 'v4' ? address : `${address}/${prefix}`} dev ${dev}`,
  deletePeer: (dev: string, local: string) => `net_addr_ptp_v4_del: ${local} dev ${dev}`,
  addRoute: (route: RouteEntry) => `net_route_v${route.family}_add: ${describe(route)}`,
  deleteRoute: (route: RouteEntry) => `net_route_v${route.family}_del: ${describe(route)}`,
  query: (family: 4 | 6, target: string | undefined) =>
    `net_route_v${family}_best_gw query: dst ${target ?? any(family)}`,
  result: (family: 4 | 6, best: Gateway) =>
    `net_route_v${family}_best_gw result: via ${best.gateway ?? any(family)} dev ${best.dev}`,
};

export function version(address: string): 'v4' | 'v6' {
  return address.includes(':') ? 'v6' : 'v4';
}

/** The address of zeros, which stands for "none". */
export function any(family: 4 | 6): string {
  return family === 4 ? '0.0.0.0' : '::';
}

/** Addresses of the interfaces that are up. */
export function interfaceAddresses(): InterfaceAddress[] {
  const result: InterfaceAddress[] = [];
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    for (const { address, family, cidr, mac } of addresses ?? []) {
      const prefix = Number(cidr?.split('/')[1] ?? (family === 'IPv4' ? 32 : 128));
      result.push({ name, family: family === 'IPv4' ? 4 : 6, address, prefix, mac });
    }
  }
  return result;
}

/** 2.x's form, with its words for what isn't given. */
function describe(route: RouteEntry): string {
  const { family, network, prefix, gateway, dev, table, metric } = route;
  const way = `via ${gateway ?? any(family)} dev ${dev ?? '[NULL]'}`;
  return `${network}/${prefix} ${way} table ${table ?? 0} metric ${metric ?? -1}`;
}

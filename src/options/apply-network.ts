/**
 * Actions of routing and DNS options (2.x options.c, route.c RG_* flags, dns.c in the 2.6 syntax).
 * Route arguments stay text: keywords and host names are resolved when routes are made.
 */

import { isDottedQuad, isIpOrName, isIpv6, isSpecialAddress } from './addresses.ts';
import { logUnresolved, readIpv4, readIpv6Prefix } from './apply-address.ts';
import { isDomain } from './dns-options.ts';
import type { ClientNatOption, DnsOptions, DnsServer } from './network-options.ts';
import { type Apply, type ApplyContext, atoi, positiveAtoi } from './option-row.ts';
import type { Options } from './option-types.ts';

/** Most addresses of one DNS server; 2.x's limit. */
const MAX_DNS_ADDRESSES = 8;

export const applyRoute: Apply = ([network = '', netmask, gateway, metric], options, context) => {
  if (context.context === 'P') checkPulledRoute(network, netmask, gateway, options, context);
  options.routes.push({
    network,
    netmask: given(netmask),
    gateway: given(gateway),
    metric: routeMetric(given(metric)),
    table: options.routeTable,
  });
};

export const applyRouteIpv6: Apply = ([prefix = '', gateway, metric], options, context) => {
  if (context.context === 'P') {
    if (readIpv6Prefix(prefix, context) === undefined) {
      return context.fail(`route-ipv6 parameter network/IP '${prefix}' must be a valid address`);
    }
    if (gateway !== undefined && !isIpv6(gateway)) {
      return context.fail(`route-ipv6 parameter gateway '${gateway}' must be a valid address`);
    }
  }
  options.routesIpv6.push({
    prefix,
    gateway: given(gateway),
    metric: routeMetric(given(metric)),
    table: options.routeTable,
  });
};

export const applyRedirect: Apply = (values, options, context) => {
  const flags = options.redirectGateway;
  if (flags.enabled) {
    context.warn(
      'WARNING: You have specified redirect-gateway and redirect-private at the same time (or the same option multiple times). This is not well supported and may lead to unexpected results',
    );
  }
  flags.enabled = true;
  if (context.name === 'redirect-gateway') flags.reroute = true;
  for (const word of values) {
    if (word === '!ipv4') {
      flags.ipv4 = false;
      flags.enabled = false;
      flags.reroute = false;
    } else {
      const key = REDIRECT_FLAGS.get(word);
      if (key === undefined) return context.fail(`unknown --${context.name} flag: ${word}`);
      flags[key] = true;
    }
  }
};

const REDIRECT_FLAGS = new Map([
  ['local', 'local'],
  ['autolocal', 'autolocal'],
  ['def1', 'def1'],
  ['bypass-dhcp', 'bypassDhcp'],
  ['bypass-dns', 'bypassDns'],
  ['block-local', 'blockLocal'],
  ['ipv6', 'ipv6'],
] as const) as ReadonlyMap<
  string,
  'local' | 'autolocal' | 'def1' | 'bypassDhcp' | 'bypassDns' | 'blockLocal' | 'ipv6'
>;

export const applyLinkMtu: Apply = ([mtu = ''], { ce }) => {
  ce.linkMtu = positiveAtoi(mtu);
  ce.linkMtuDefined = true;
};

/** 2.x's limit of rules. */
const MAX_CLIENT_NAT = 64;

export const applyClientNat: Apply = (
  [type = '', network = '', netmask = '', foreign = ''],
  options,
  context,
) => {
  if (type !== 'snat' && type !== 'dnat') {
    return context.fail("client-nat: type must be 'snat' or 'dnat'");
  }
  const number = (text: string, what: string): number =>
    readIpv4(text, context) ?? context.fail(`client-nat: bad ${what}: ${text}`);
  const rule: ClientNatOption = {
    type,
    network: number(network, 'network'),
    netmask: number(netmask, 'netmask'),
    foreign: number(foreign, 'foreign network'),
  };
  if (options.clientNat.length < MAX_CLIENT_NAT) options.clientNat.push(rule);
  else context.warn(`WARNING: client-nat table overflow (max ${MAX_CLIENT_NAT} entries)`);
};

export const applyDns: Apply = (values, options, context) => {
  const [kind = '', priorityText, key, value] = values;
  if (kind === 'search-domains' && priorityText !== undefined) {
    const domains = values.slice(1);
    if (!domains.every(isDomain)) return context.fail(`--dns ${kind} contain invalid characters`);
    options.dns.searchDomains.push(...domains);
  } else if (kind === 'server' && priorityText !== undefined && key !== undefined && value !== undefined) {
    const priority = dnsPriority(priorityText, context);
    setDnsServer(dnsServer(options.dns, priority), key, values.slice(3), context);
  } else {
    return context.fail(`--dns: unknown option type '${kind}' or missing or unknown parameter`);
  }
};

/** What scripts get as foreign_option_n. A server may push addresses of DNS servers, no names. */
export const applyDhcpOption: Apply = (values, options, context) => {
  const [type = '', value] = values;
  if (DOMAIN_TYPES.has(type) && value !== undefined && !isDomain(value)) {
    return context.fail(`--dhcp-option ${type} contains invalid characters`);
  }
  const pushed = context.context === 'P';
  if (pushed && (type === 'DNS' || type === 'DNS6') && value !== undefined) {
    if (!isDottedQuad(value) && !isIpv6(value))
      return context.fail(`dhcp-option parameter ${type} '${value}' must be an IP address`);
  }
  options.dhcpOptions.push(values.join(' '));
};

const DOMAIN_TYPES = new Set(['DOMAIN', 'ADAPTER_DOMAIN_SUFFIX', 'DOMAIN-SEARCH']);

/** `address`, `address:port` or `[address]:port`, not checked to be one; undefined when malformed. */
function splitDnsAddress(text: string): { host: string; port: number } | undefined {
  const v6 = text.indexOf(':') !== text.lastIndexOf(':');
  const parts = v6 ? /^\[(.+)\]:([^:]*)$/.exec(text) : /^([^:]+):(.*)$/.exec(text);
  if (parts === null)
    return (v6 && text.startsWith('[')) || text.startsWith(':') ? undefined : { host: text, port: 0 };
  const port = /^\d{1,5}$/.test(parts[2]!) ? Number(parts[2]) : 0;
  return port < 1 || port > 65535 ? undefined : { host: parts[1]!, port };
}

function checkPulledRoute(
  network: string,
  netmask: string | undefined,
  gateway: string | undefined,
  { allowPullFqdn }: Options,
  context: ApplyContext,
): void {
  if (!isIpOrName(network, allowPullFqdn) && !isSpecialAddress(network)) {
    context.fail(`route parameter network/IP '${network}' must be a valid address`);
  }
  if (netmask !== undefined && !isDottedQuad(netmask)) {
    context.fail(`route parameter netmask '${netmask}' must be an IP address`);
  }
  if (gateway !== undefined && !isIpOrName(gateway, allowPullFqdn) && !isSpecialAddress(gateway)) {
    context.fail(`route parameter gateway '${gateway}' must be a valid address`);
  }
}

/** The word `default` keeps a place without giving a value. */
function given(value: string | undefined): string | undefined {
  return value === 'default' ? undefined : value;
}

/** Negative ones are told of when routes are made. */
function routeMetric(text: string | undefined): number | undefined {
  return text === undefined ? undefined : atoi(text);
}

function dnsPriority(text: string, context: ApplyContext): number {
  const priority = Number(text);
  const min = context.context === 'P' ? 0 : -128;
  if (!/^(\s*[+-]?\d+)?$/.test(text) || priority < min || priority > 127) {
    return context.fail(`--dns server: invalid priority value '${text}'`);
  }
  return priority;
}

function dnsServer(dns: DnsOptions, priority: number): DnsServer {
  const found = dns.servers.find((server) => server.priority === priority);
  if (found !== undefined) return found;
  const server: DnsServer = {
    priority,
    addresses: [],
    domains: [],
    dnssec: undefined,
    transport: undefined,
    sni: undefined,
  };
  dns.servers.push(server);
  dns.servers.sort((a, b) => a.priority - b.priority);
  return server;
}

function setDnsServer(server: DnsServer, key: string, values: string[], context: ApplyContext): void {
  const [value = ''] = values;
  if (key === 'address') {
    for (const text of values) addDnsAddress(server, text, context);
  } else if (key === 'resolve-domains') {
    if (!values.every(isDomain))
      context.fail(`--dns server ${server.priority}: ${key} contain invalid characters`);
    server.domains.push(...values);
  } else if (key === 'dnssec' && values.length === 1) {
    server.dnssec = oneOf(value, ['yes', 'no', 'optional'] as const);
    if (server.dnssec === undefined) {
      context.fail(`--dns server ${server.priority}: malformed dnssec value '${value}'`);
    }
  } else if (key === 'transport' && values.length === 1) {
    server.transport = oneOf(value, ['plain', 'DoH', 'DoT'] as const);
    if (server.transport === undefined) {
      context.fail(`--dns server ${server.priority}: malformed transport value '${value}'`);
    }
  } else if (key === 'sni' && values.length === 1) {
    if (!isDomain(value)) context.fail(`--dns server ${server.priority}: ${key} contains invalid characters`);
    server.sni = value;
  } else {
    context.fail(
      `--dns server ${server.priority}: unknown option type '${key}' or missing or unknown parameter`,
    );
  }
}

function addDnsAddress(server: DnsServer, text: string, context: ApplyContext): void {
  const parts = splitDnsAddress(text);
  const good = parts !== undefined && (isDottedQuad(parts.host) || isIpv6(parts.host));
  if (parts !== undefined && !good) logUnresolved(parts.host, context, false);
  if (!good || server.addresses.length >= MAX_DNS_ADDRESSES) {
    context.fail(`--dns server ${server.priority}: malformed address or maximum exceeded '${text}'`);
  }
  server.addresses.push({ address: parts.host, port: parts.port });
}

function oneOf<T extends string>(value: string, allowed: readonly T[]): T | undefined {
  return allowed.find((word) => word === value);
}

/**
 * --dns beside --dhcp-option (2.x dns.c dns_options_verify(), dns_options_preprocess_pull(),
 * dns_options_postprocess_pull(); options.c foreign_options_copy_dns()).
 */
import type { DnsOptions } from './network-options.ts';
import type { Options } from './option-types.ts';

/**
 * Whether scripts, which may source what they are given, can't be made to run it: since CVE-2025-10680 2.x takes
 * letters, digits, `.`, `-`, `_` and everything beyond ASCII (2.7 domain_helper.h).
 */
export function isDomain(text: string): boolean {
  return /^[A-Za-z0-9._\-\u0080-\u{10ffff}]*$/u.test(text);
}

/** Why the servers can't be used, or undefined. */
export function dnsProblem(dns: DnsOptions): string | undefined {
  const servers = dns.servers.length > 0 ? dns.servers : dns.serversPrePull;
  const bare = servers.find((server) => server.addresses.length === 0);
  return bare && `ERROR: dns server ${bare.priority} does not have an address assigned`;
}

/** Local servers step aside while pulling. */
export function parkLocalServers(dns: DnsOptions): void {
  dns.serversPrePull = dns.servers;
  dns.servers = [];
}

/** Brings the local servers back, except those whose priority the push took. */
export function mergeLocalServers(dns: DnsOptions): void {
  const taken = new Set(dns.servers.map((server) => server.priority));
  dns.servers = [...dns.servers, ...dns.serversPrePull.filter((server) => !taken.has(server.priority))].sort(
    (a, b) => a.priority - b.priority,
  );
  dns.serversPrePull = [];
}

/** Makes --dhcp-option entries of --dns servers and domains, in place of those given directly. */
export function localDnsToDhcp(options: Options): void {
  const { servers, searchDomains } = options.dns;
  const replaced = (option: string): boolean =>
    (searchDomains.length > 0 && option.startsWith('DOMAIN-SEARCH')) ||
    (servers.length > 0 && option.startsWith('DNS'));
  options.dhcpOptions = [
    ...options.dhcpOptions.filter((option) => !replaced(option)),
    ...servers.flatMap((server) =>
      server.addresses.map(({ address }) => `DNS${address.includes(':') ? '6' : ''} ${address}`),
    ),
    ...searchDomains.map((domain) => `DOMAIN-SEARCH ${domain}`),
  ];
}

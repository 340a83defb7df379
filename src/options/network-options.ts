/**
 * Fields of profiles, addresses, routes, sockets and timers with their defaults: see table-network.ts,
 * table-route.ts, table-client.ts and table-proxy.ts.
 */
import {
  type ConnectionEntry,
  defaultConnectionEntry,
  type HttpProxyOptions,
  type ProtoName,
} from './connection-entry.ts';

/** --route: texts as given; undefined where absent. Keywords vpn_gateway, net_gateway, remote_host stay. */
export interface RouteOption {
  network: string;
  netmask: string | undefined;
  gateway: string | undefined;
  metric: number | undefined;
  /** --route-table in force when the route was read; 0 = main. */
  table: number;
}

/** --route-ipv6: `prefix` is `address/bits`. */
export interface RouteIpv6Option {
  prefix: string;
  gateway: string | undefined;
  metric: number | undefined;
  table: number;
}

/** Flags of --redirect-gateway and --redirect-private, ORed over repetitions. */
export interface RedirectGateway {
  /** The option was given at all. */
  enabled: boolean;
  /** Default route is replaced (redirect-gateway, not redirect-private). */
  reroute: boolean;
  local: boolean;
  autolocal: boolean;
  def1: boolean;
  bypassDhcp: boolean;
  bypassDns: boolean;
  blockLocal: boolean;
  /** IPv4 is redirected (false with `!ipv4`). */
  ipv4: boolean;
  ipv6: boolean;
}

/** One --dns server N. Source: 2.x dns.c, 2.6 syntax plus 2.7's transports. */
export interface DnsServer {
  priority: number;
  addresses: { address: string; port: number }[];
  domains: string[];
  dnssec: 'yes' | 'no' | 'optional' | undefined;
  transport: 'plain' | 'DoH' | 'DoT' | undefined;
  sni: string | undefined;
}

export interface DnsOptions {
  searchDomains: string[];
  /** Sorted by priority. While pulling only the pushed ones; finishPull() merges the local ones in. */
  servers: DnsServer[];
  /** Local servers of a pulling client. */
  serversPrePull: DnsServer[];
}

export interface ClientNatOption {
  type: 'snat' | 'dnat';
  network: number;
  netmask: number;
  foreign: number;
}

export interface NetworkOptions {
  // Profiles
  /** While parsing: settings outside of blocks. Later: the profile in use, see useConnection(). */
  ce: ConnectionEntry;
  /** At least one after post-processing; --remote-random is for the connection logic to apply. */
  connectionList: ConnectionEntry[];
  /** --remote lines before they became profiles. */
  remoteList: { remote: string; rport: string | undefined; proto: ProtoName | undefined }[];
  remoteRandom: boolean;
  remoteRandomHostname: boolean;
  protoForce: 'udp' | 'tcp' | 'tcp-server' | 'tcp-client' | undefined;
  /** --http-proxy-override: replaces the proxy of all TCP profiles. */
  httpProxyOverride: HttpProxyOptions | undefined;
  /** --connect-retry-max rounds; 0 = no limit. */
  connectRetryMax: number;
  /** Seconds; Infinity for "infinite". */
  resolvRetry: number;
  preresolve: boolean;
  ipRemoteHint: string | undefined;

  // Network
  routes: RouteOption[];
  routesIpv6: RouteIpv6Option[];
  redirectGateway: RedirectGateway;
  routeGateway: string | undefined;
  routeGatewayViaDhcp: boolean;
  routeIpv6Gateway: string | undefined;
  routeMetric: number;
  routeTable: number;
  routeNoexec: boolean;
  routeNopull: boolean;
  /** --route-delay: seconds and window; `defined` says that it was given. */
  routeDelay: number;
  routeDelayWindow: number;
  routeDelayDefined: boolean;
  blockIpv6: boolean;
  allowPullFqdn: boolean;
  allowRecursiveRouting: boolean;
  /** --dhcp-option texts after the word, e.g. `DNS 10.8.0.1`. */
  dhcpOptions: string[];
  dns: DnsOptions;
  sndbuf: number;
  rcvbuf: number;
  /** SO_MARK; 0 = off. */
  mark: number;
  bindDev: string | undefined;
  /** TCP_NODELAY by --socket-flags or --tcp-nodelay. */
  tcpNodelay: boolean;
  fastIo: boolean;
  /** --client-nat rules, in order; addresses as unsigned numbers. */
  clientNat: ClientNatOption[];
  mtuTest: boolean;
  shaper: number;
  passtos: boolean;
  multihome: boolean;

  // Timers, seconds
  ping: number;
  /** 0 = no receive timer. */
  pingRecTimeout: number;
  pingRecAction: 'none' | 'exit' | 'restart';
  pingTimerRem: boolean;
  /** As given; expanded into ping* by post-processing. */
  keepalive: { ping: number; timeout: number } | undefined;
  inactive: number;
  inactiveMinimumBytes: number;
  sessionTimeout: number;
}

export function networkDefaults(): NetworkOptions {
  return {
    ce: defaultConnectionEntry(),
    connectionList: [],
    remoteList: [],
    remoteRandom: false,
    remoteRandomHostname: false,
    protoForce: undefined,
    httpProxyOverride: undefined,
    connectRetryMax: 0,
    resolvRetry: Number.POSITIVE_INFINITY,
    preresolve: false,
    ipRemoteHint: undefined,
    routes: [],
    routesIpv6: [],
    redirectGateway: {
      enabled: false,
      reroute: false,
      local: false,
      autolocal: false,
      def1: false,
      bypassDhcp: false,
      bypassDns: false,
      blockLocal: false,
      ipv4: true,
      ipv6: false,
    },
    routeGateway: undefined,
    routeGatewayViaDhcp: false,
    routeIpv6Gateway: undefined,
    routeMetric: 0,
    routeTable: 0,
    routeNoexec: false,
    routeNopull: false,
    routeDelay: 0,
    routeDelayWindow: 30,
    routeDelayDefined: false,
    blockIpv6: false,
    allowPullFqdn: false,
    allowRecursiveRouting: false,
    dhcpOptions: [],
    dns: { searchDomains: [], servers: [], serversPrePull: [] },
    sndbuf: 0,
    rcvbuf: 0,
    mark: 0,
    bindDev: undefined,
    tcpNodelay: false,
    fastIo: false,
    clientNat: [],
    mtuTest: false,
    shaper: 0,
    passtos: false,
    multihome: false,
    ping: 0,
    pingRecTimeout: 0,
    pingRecAction: 'none',
    pingTimerRem: false,
    keepalive: undefined,
    inactive: 0,
    inactiveMinimumBytes: 0,
    sessionTimeout: 0,
  };
}

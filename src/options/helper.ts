/**
 * Directives that stand for several others (2.x helper.c): client, server, server-ipv6,
 * server-bridge, keepalive, tcp-nodelay. Addresses: N is the network, B its last address.
 */
import { ipv4FromNumber, prefixOfNetmask } from '../base/base.ts';
import { M_WARN } from '../base/errlevel.ts';
import { addToIpv6, describeNetmask, dottedQuadToNumber, parseIpv6Prefix } from './addresses.ts';
import { poolRangeProblem } from './apply-server.ts';
import { ConfigError, type LogLine } from './config-error.ts';
import type { Options } from './option-types.ts';
import { devTypeOf } from './proto.ts';

/** Largest IPv4 network of --server. */
const IFCONFIG_POOL_MIN_NETBITS = 16;

/** Expands client and server directives. Throws ConfigError. */
export function expandClientServer(options: Options, messages: LogLine[]): void {
  if (options.serverIpv6 !== undefined) expandServerIpv6(options, options.serverIpv6);
  if (options.server !== undefined) {
    expandServer(options, options.server, messages);
  } else if (options.serverBridge !== undefined) {
    expandServerBridge(options, options.serverBridge);
  } else if (options.client) {
    options.pull = true;
    options.tlsClient = true;
  }
}

/** Expands keepalive into ping and ping-restart; a server pushes them too. Throws ConfigError. */
export function expandKeepalive(options: Options): void {
  const { ping, timeout } = options.keepalive ?? { ping: 0, timeout: 0 };
  if (ping === 0 && timeout === 0) return;
  if (ping <= 0 || timeout <= 0) throw new ConfigError('--keepalive parameters must be > 0');
  if (ping * 2 > timeout) {
    throw new ConfigError(
      `the second parameter to --keepalive (restart timeout=${timeout}) must be at least twice the value of the first parameter (ping interval=${ping}).  A ratio of 1:5 or 1:6 would be even better.  Recommended setting is --keepalive 10 60.`,
    );
  }
  if (options.ping !== 0 || options.pingRecTimeout !== 0) {
    throw new ConfigError(
      "--keepalive conflicts with --ping, --ping-exit, or --ping-restart.  If you use --keepalive, you don't need any of the other --ping directives.",
    );
  }
  const server = options.mode === 'server';
  options.ping = ping;
  options.pingRecAction = 'restart';
  options.pingRecTimeout = server ? timeout * 2 : timeout;
  if (server) options.push.push(`ping ${ping}`, `ping-restart ${timeout}`);
}

export function expandTcpNodelay(options: Options): void {
  if (!options.tcpNodelayHelper) return;
  options.tcpNodelay = true;
  if (options.mode === 'server') options.push.push('socket-flags TCP_NODELAY');
}

function expandServerIpv6(options: Options, server: NonNullable<Options['serverIpv6']>): void {
  if (options.client) throw new ConfigError('--server-ipv6 and --client cannot be used together');
  if (options.server?.nopool) throw new ConfigError("--server-ipv6 is incompatible with 'nopool' option");
  if (options.ifconfigIpv6Pool !== undefined) {
    throw new ConfigError(
      "--server-ipv6 already defines an ifconfig-ipv6-pool, so you can't also specify --ifconfig-pool explicitly",
    );
  }
  const { netbits } = server;
  const network = parseIpv6Prefix(server.network)?.bytes ?? new Uint8Array(16);
  options.mode = 'server';
  options.tlsServer = true;
  options.ifconfigIpv6 = { local: addToIpv6(network, 1), netbits, remote: addToIpv6(network, 2) };
  options.ifconfigIpv6Pool = { base: addToIpv6(network, netbits < 112 ? 0x1000 : 2), netbits };
  options.push.push('tun-ipv6');
}

function expandServer(options: Options, server: NonNullable<Options['server']>, messages: LogLine[]): void {
  const dev = devTypeOf(options);
  checkServer(options, server);
  if (dev !== 'tun' && dev !== 'tap') {
    throw new ConfigError('--server directive only makes sense with --dev tun or --dev tap');
  }
  const network = dottedQuadToNumber(server.network) ?? 0;
  const netmask = dottedQuadToNumber(server.netmask) ?? 0;
  const prefix = checkServerNetwork(network, netmask, dev);
  options.mode = 'server';
  options.tlsServer = true;
  if (dev === 'tun' && options.topology !== 'subnet') {
    expandPointToPoint(options, server, { network, netmask, prefix });
  } else {
    expandSubnet(options, server, { network, netmask });
    if (dev === 'tun') options.routeGateway ??= ipv4FromNumber(network + 2);
  }
  if (dev === 'tun') options.push.push(`topology ${options.topology}`);
  if (dev === 'tun' && options.topology === 'net30' && !server.nopool) {
    messages.push({
      level: M_WARN,
      text: 'WARNING: --topology net30 support for server configs with IPv4 pools will be removed in a future release. Please migrate to --topology subnet as soon as possible.',
    });
  }
  if (dev === 'tap' || options.topology === 'subnet') {
    options.ifconfigPushConstraint = { network: server.network, netmask: server.netmask };
  }
}

function checkServer(options: Options, server: NonNullable<Options['server']>): void {
  if (options.client) throw new ConfigError('--server and --client cannot be used together');
  if (options.serverBridge !== undefined) {
    throw new ConfigError('--server and --server-bridge cannot be used together');
  }
  if (options.secret !== undefined) {
    throw new ConfigError('--server and --secret cannot be used together (you must use SSL/TLS keys)');
  }
  if (!server.nopool && options.ifconfigPool !== undefined) {
    throw new ConfigError(
      "--server already defines an ifconfig-pool, so you can't also specify --ifconfig-pool explicitly",
    );
  }
}

/** Prefix length of the network; throws when --server can't use it. */
function checkServerNetwork(network: number, netmask: number, dev: 'tun' | 'tap'): number {
  const prefix = prefixOfNetmask(netmask);
  if (prefix === undefined || (network & ~netmask) !== 0) {
    throw new ConfigError('--server directive network/netmask combination is invalid');
  }
  if (prefix === 32) throw new ConfigError('--server directive netmask is invalid');
  if (prefix < IFCONFIG_POOL_MIN_NETBITS) {
    throw new ConfigError(
      `--server directive netmask allows for too many host addresses (subnet must be ${describeNetmask(IFCONFIG_POOL_MIN_NETBITS)} or higher)`,
    );
  }
  const longest = dev === 'tun' ? 29 : 30;
  if (prefix > longest) {
    throw new ConfigError(
      `--server directive when used with --dev ${dev} must define a subnet of ${describeNetmask(longest)} or lower`,
    );
  }
  return prefix;
}

function expandPointToPoint(
  options: Options,
  server: NonNullable<Options['server']>,
  { network, netmask, prefix }: { network: number; netmask: number; prefix: number },
): void {
  options.ifconfig = { local: ipv4FromNumber(network + 1), remoteNetmask: ipv4FromNumber(network + 2) };
  const last = (network | ~netmask) >>> 0;
  if (!server.nopool) setPool(options, network + 4, last - (prefix === 29 ? 0 : 4), undefined);
  options.routes.push({
    network: server.network,
    netmask: server.netmask,
    gateway: undefined,
    metric: undefined,
    table: options.routeTable,
  });
  if (options.clientToClient) options.push.push(`route ${server.network} ${server.netmask}`);
  else if (options.topology === 'net30') options.push.push(`route ${ipv4FromNumber(network + 1)}`);
}

function expandSubnet(
  options: Options,
  server: NonNullable<Options['server']>,
  { network, netmask }: { network: number; netmask: number },
): void {
  const own = ipv4FromNumber(network + 1);
  options.ifconfig = { local: own, remoteNetmask: server.netmask };
  const last = (network | ~netmask) >>> 0;
  if (!server.nopool) setPool(options, network + 2, last - 1, server.netmask);
  options.push.push(`route-gateway ${own}`);
}

function setPool(options: Options, first: number, last: number, netmask: string | undefined): void {
  const pool = { start: ipv4FromNumber(first), end: ipv4FromNumber(last), netmask };
  const problem = poolRangeProblem(pool.start, pool.end);
  if (problem !== undefined) throw new ConfigError(problem);
  options.ifconfigPool = pool;
}

function expandServerBridge(options: Options, bridge: NonNullable<Options['serverBridge']>): void {
  if (options.client) throw new ConfigError('--server-bridge and --client cannot be used together');
  if (options.ifconfigPool !== undefined) {
    throw new ConfigError(
      "--server-bridge already defines an ifconfig-pool, so you can't also specify --ifconfig-pool explicitly",
    );
  }
  if (options.secret !== undefined) {
    throw new ConfigError('--server-bridge and --secret cannot be used together (you must use SSL/TLS keys)');
  }
  if (devTypeOf(options) !== 'tap') {
    throw new ConfigError('--server-bridge directive only makes sense with --dev tap');
  }
  options.mode = 'server';
  options.tlsServer = true;
  if (bridge === 'dhcp') options.push.push('route-gateway dhcp');
  if (typeof bridge === 'string') return;
  const { ip, netmask, start, end } = bridge;
  for (const [a, b] of [
    [ip, start],
    [start, end],
    [ip, end],
  ] as const) {
    checkCommonSubnet(a, b, netmask);
  }
  setPool(options, dottedQuadToNumber(start) ?? 0, dottedQuadToNumber(end) ?? 0, netmask);
  options.push.push(`route-gateway ${ip}`);
}

function checkCommonSubnet(a: string, b: string, netmask: string): void {
  const mask = dottedQuadToNumber(netmask) ?? 0;
  if ((((dottedQuadToNumber(a) ?? 0) ^ (dottedQuadToNumber(b) ?? 0)) & mask) === 0) return;
  throw new ConfigError(`--server-bridge IP addresses ${a} and ${b} are not in the same ${netmask} subnet`);
}

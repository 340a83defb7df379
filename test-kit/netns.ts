/**
 * Network namespaces for tests and benches: one server side and any number of client sides, each client
 * joined to the server by its own veth pair.
 *
 *   ovt<pid>-<n>s                      ovt<pid>-<n>c0, c1, ...
 *   [ v0  10.99.0.1/24 fd99:0::1/64 ]--[ v0  10.99.0.2/24 fd99:0::2/64 ]
 *   [ v1  10.99.1.1/24 fd99:1::1/64 ]--[ v0  10.99.1.2/24 fd99:1::2/64 ]
 *
 * Invariants: every name holds the pid of the process that made it; a namespace is removed when its
 * network is closed, when the process exits for any reason it can see (error, SIGINT, SIGTERM), and
 * otherwise by the next run's sweep. Addresses are usable at once (no duplicate address detection).
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { isAlive, onProcessEnd } from './process.ts';

/** One client's link to the server. */
export interface ClientSide {
  /** Namespace name. */
  readonly ns: string;
  readonly device: string;
  readonly ip4: string;
  readonly ip6: string;
  /** The server as this client sees it. */
  readonly server4: string;
  readonly server6: string;
  /** The server's end of the veth pair. */
  readonly serverDevice: string;
}

/** A test network; `close` may be called more than once. */
export interface TestNetwork {
  readonly server: string;
  readonly clients: readonly ClientSide[];
  close(): void;
}

const NAME = /^ovt(\d+)-\d+[sc]\d*$/;
const live = new Set<string>();
let counter = 0;

/** Says why namespaces can't be made here, or undefined when they can. */
export function namespacesUnavailable(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root for network namespaces';
  if (spawnSync('ip', ['-V']).error) return 'needs the program ip (Debian package iproute2)';
  const probe = `ovt${process.pid}-${counter++}s`;
  const made = spawnSync('ip', ['netns', 'add', probe], { encoding: 'utf8' });
  spawnSync('ip', ['netns', 'del', probe]);
  return made.status === 0 ? undefined : `can't make a network namespace: ${made.stderr.trim()}`;
}

/** Makes a server namespace and `clientCount` client namespaces with addresses set. Throws with ip's message. */
export function createNetwork(clientCount = 1): TestNetwork {
  onProcessEnd(removeAll);
  const base = `ovt${process.pid}-${counter++}`;
  const server = `${base}s`;
  const clients = Array.from({ length: clientCount }, (_, k) => describeClient(`${base}c${k}`, k));
  const names = [server, ...clients.map((client) => client.ns)];
  for (const name of names) live.add(name);
  const network = { server, clients, close: () => removeNamespaces(names) };
  try {
    ipBatch(undefined, [
      ...names.map((name) => `netns add ${name}`),
      ...clients.map(
        (c) => `link add name ${c.serverDevice} netns ${server} type veth peer name v0 netns ${c.ns}`,
      ),
    ]);
    for (const name of names) skipAddressDetection(name);
    ipBatch(server, serverLines(clients));
    for (const client of clients) ipBatch(client.ns, clientLines(client));
  } catch (error) {
    network.close();
    throw error;
  }
  return network;
}

/** Runs `ip` inside `ns` and returns its output. Throws with ip's message. */
export function ip(ns: string, ...args: string[]): string {
  return run('ip', ['-n', ns, ...args]);
}

/** Says whether something in `ns` listens on a TCP port. */
export function isListening(ns: string, port: number): boolean {
  return run('ip', ['netns', 'exec', ns, 'ss', '-Hltn', `sport = :${port}`]).trim() !== '';
}

/** What listens for TCP connections in `ns`, one socket a line with its process. */
export function tcpListeners(ns: string): string[] {
  return run('ip', ['netns', 'exec', ns, 'ss', '-Hltnp'])
    .split('\n')
    .filter((line) => line !== '');
}

/** Drops a share of the UDP and TCP packets that arrive at `ns` (0 to 99 percent; 0 removes the rule). */
export function setLoss(ns: string, percent: number): void {
  const drop = `numgen random mod 100 < ${percent} drop`;
  const table = 'add table inet loss; delete table inet loss;';
  const chain = `${table} add table inet loss; add chain inet loss in { type filter hook input priority 0; };`;
  const rule = `add rule inet loss in iifname "v*" ${drop};`;
  run('ip', ['netns', 'exec', ns, 'nft', percent > 0 ? `${chain} ${rule}` : table]);
}

/**
 * Counts the packets that leave `ns` (or reach it) and match an nftables expression, e.g. `udp dport 1194 meta mark 7`.
 * Read the count with packetCount().
 */
export function countPackets(
  ns: string,
  name: string,
  match: string,
  hook: 'output' | 'input' = 'output',
): void {
  const table = `add table inet counted; add counter inet counted ${name};`;
  const chain = `add chain inet counted ${hook}s { type filter hook ${hook} priority 0; };`;
  const rule = `add rule inet counted ${hook}s ${match} counter name ${name};`;
  run('ip', ['netns', 'exec', ns, 'nft', `${table} ${chain} ${rule}`]);
}

/** Packets counted since countPackets(). */
export function packetCount(ns: string, name: string): number {
  const text = run('ip', ['netns', 'exec', ns, 'nft', 'list', 'counter', 'inet', 'counted', name]);
  return Number(/packets (\d+)/.exec(text)?.[1] ?? Number.NaN);
}

/** Makes every address of a prefix one of the first client's, so that it can send from there; the server's answers reach it. */
export function ownPrefix(network: TestNetwork, prefix: string): void {
  const { ns, ip4, ip6, server4, server6, device, serverDevice } = network.clients[0]!;
  const v6 = prefix.includes(':');
  const family = v6 ? '-6' : '-4';
  ip(ns, family, 'route', 'add', 'local', prefix, 'dev', 'lo');
  ip(network.server, family, 'route', 'add', prefix, 'via', v6 ? ip6 : ip4);
  // IPv6 has addresses bound only that a device has, unless told otherwise.
  run('ip', ['netns', 'exec', ns, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind']);
  // Asked for from such an address, neighbours don't answer.
  const macs = [macOf(ns, device), macOf(network.server, serverDevice)] as const;
  ip(ns, 'neigh', 'replace', v6 ? server6 : server4, 'lladdr', macs[1], 'dev', device, 'nud', 'permanent');
  ip(
    network.server,
    'neigh',
    'replace',
    v6 ? ip6 : ip4,
    'lladdr',
    macs[0],
    'dev',
    serverDevice,
    'nud',
    'permanent',
  );
}

function macOf(ns: string, device: string): string {
  return /link\/ether (\S+)/.exec(ip(ns, '-o', 'link', 'show', device))?.[1] ?? '';
}

/** Local ports of the UDP sockets in `ns`. */
export function udpPorts(ns: string): number[] {
  const lines = run('ip', ['netns', 'exec', ns, 'ss', '-Huan']).trim().split('\n');
  return lines.flatMap((line) => /^\S+\s+\d+\s+\d+\s+\S+:(\d+)\s/.exec(line)?.slice(1).map(Number) ?? []);
}

/** UDP datagrams that programs in `ns` have read from their sockets so far, and those that found no room there. */
export function udpCounts(ns: string): { readonly read: number; readonly lost: number } {
  const text = run('ip', ['netns', 'exec', ns, 'cat', '/proc/net/snmp', '/proc/net/snmp6']);
  const [names = [], values = []] = text.match(/^Udp: .*$/gm)?.map((line) => line.split(' ')) ?? [];
  const of4 = (name: string) => Number(values[names.indexOf(name)] ?? 0);
  const of6 = (name: string) => Number(new RegExp(`^Udp6${name}\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  const both = (name: string) => of4(name) + of6(name);
  return { read: both('InDatagrams'), lost: both('RcvbufErrors') };
}

/** Lets a veth pass UDP super-packets whole (true, the default of veth) or splits them as a network card does. */
export function setUdpSegmentation(ns: string, device: string, on: boolean): void {
  run('ip', ['netns', 'exec', ns, 'ethtool', '-K', device, 'tx-udp-segmentation', on ? 'on' : 'off']);
}

/** Everything a VPN program could leave behind in `ns`: devices, addresses, routes of both families, sorted. */
export function snapshot(ns: string): string[] {
  const lines = [
    ...ip(ns, '-o', 'link').split('\n').map(deviceName),
    ...ip(ns, '-o', 'addr').split('\n').map(addressOf),
    ...ip(ns, '-4', 'route', 'show', 'table', 'main').split('\n'),
    ...ip(ns, '-6', 'route', 'show', 'table', 'main').split('\n'),
  ];
  return lines
    .map((line) => line.trim().replace(/ (linkdown|dead)\b/g, ''))
    .filter((line) => line !== '')
    .sort();
}

/** Removes namespaces whose making process is dead, with what still runs inside. Returns their names. */
export function sweepStaleNamespaces(): string[] {
  const stale = namespaceNames().filter((name) => {
    const pid = Number(NAME.exec(name)?.[1]);
    return pid > 0 && !isAlive(pid);
  });
  for (const name of stale) {
    endProcessesIn(name);
    spawnSync('ip', ['netns', 'del', name]);
  }
  return stale;
}

/** Addresses of devices made later (tap) are usable at once, too. */
function skipAddressDetection(ns: string): void {
  const switchOff = 'echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad';
  run('ip', ['netns', 'exec', ns, 'sh', '-c', switchOff]);
}

function describeClient(ns: string, k: number): ClientSide {
  return {
    ns,
    device: 'v0',
    serverDevice: `v${k}`,
    ip4: `10.99.${k}.2`,
    ip6: `fd99:${k}::2`,
    server4: `10.99.${k}.1`,
    server6: `fd99:${k}::1`,
  };
}

function serverLines(clients: readonly ClientSide[]): string[] {
  return ['link set lo up', ...clients.flatMap((c) => deviceLines(c.serverDevice, c.server4, c.server6))];
}

/** No default route: an inner address must be reachable through the tunnel only, and the server answers for all of its addresses. */
function clientLines(client: ClientSide): string[] {
  return ['link set lo up', ...deviceLines('v0', client.ip4, client.ip6)];
}

function deviceLines(device: string, ip4: string, ip6: string): string[] {
  return [
    `link set ${device} addrgenmode none`,
    `link set ${device} up`,
    `addr add ${ip4}/24 dev ${device}`,
    `addr add ${ip6}/64 dev ${device} nodad`,
  ];
}

function deviceName(line: string): string {
  return `link ${line.split(':')[1]?.trim() ?? ''}`.replace(/^link $/, '');
}

function addressOf(line: string): string {
  const words = line.trim().split(/\s+/);
  return words.length < 4 ? '' : `addr ${words[1]} ${words[3]}`;
}

function ipBatch(ns: string | undefined, lines: readonly string[]): void {
  run('ip', [...(ns === undefined ? [] : ['-n', ns]), '-batch', '-'], `${lines.join('\n')}\n`);
}

function run(file: string, args: readonly string[], input = ''): string {
  const result = spawnSync(file, args, { encoding: 'utf8', input });
  if (result.error) throw result.error;
  if (result.status !== 0) throw new Error(`${file} ${args.join(' ')}: ${result.stderr.trim()}`);
  return result.stdout;
}

function removeNamespaces(names: readonly string[]): void {
  for (const name of names) {
    if (!live.delete(name)) continue;
    endProcessesIn(name);
    spawnSync('ip', ['netns', 'del', name]);
  }
}

function removeAll(): void {
  removeNamespaces([...live]);
}

function endProcessesIn(name: string): void {
  const pids = spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' }).stdout ?? '';
  for (const pid of pids.split('\n').map(Number)) {
    if (pid > 1) kill(pid);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself in the meantime.
  }
}

function namespaceNames(): string[] {
  try {
    return readdirSync('/run/netns').filter((name) => NAME.test(name));
  } catch {
    return [];
  }
}

/**
 * Status texts, line by line (2.x print_status() of sig.c, multi_print_status() of multi.c). Programs
 * read them: words, order and separators are fixed; fields may be appended, never inserted.
 */
import { timeText } from '../base/base.ts';
import type { ClientEntry, ClientStatus, RouteRow, ServerStatus, StatusVersion } from './manage.ts';

const CLIENT_COLUMNS = [
  'Common Name',
  'Real Address',
  'Virtual Address',
  'Virtual IPv6 Address',
  'Bytes Received',
  'Bytes Sent',
  'Connected Since',
  'Connected Since (time_t)',
  'Username',
  'Client ID',
  'Peer ID',
  'Data Channel Cipher',
];
const ROUTE_COLUMNS = ['Virtual Address', 'Common Name', 'Real Address', 'Last Ref', 'Last Ref (time_t)'];

/** Statistics of a client or p2p tunnel; the same for every status version. */
export function clientStatusLines(status: ClientStatus, wallMs: number): string[] {
  const lines = [
    'OpenVPN STATISTICS',
    `Updated,${timeText(wallMs)}`,
    `TUN/TAP read bytes,${status.tunReadBytes}`,
    `TUN/TAP write bytes,${status.tunWriteBytes}`,
    `TCP/UDP read bytes,${status.linkReadBytes}`,
    `TCP/UDP write bytes,${status.linkWriteBytes}`,
    `Auth read bytes,${status.authReadBytes}`,
  ];
  const { compression } = status;
  if (compression !== undefined) {
    lines.push(
      `pre-compress bytes,${compression.preCompressBytes}`,
      `post-compress bytes,${compression.postCompressBytes}`,
      `pre-decompress bytes,${compression.preDecompressBytes}`,
      `post-decompress bytes,${compression.postDecompressBytes}`,
    );
  }
  lines.push('END');
  return lines;
}

/** Clients and routes of a server. `title` is the version banner, shown by versions 2 and 3. */
export function serverStatusLines(
  status: ServerStatus,
  version: StatusVersion,
  title: string,
  wallMs: number,
): string[] {
  return version === 1
    ? version1(status, wallMs)
    : version2(status, version === 2 ? ',' : '\t', title, wallMs);
}

function version1(status: ServerStatus, wallMs: number): string[] {
  return [
    'OpenVPN CLIENT LIST',
    `Updated,${timeText(wallMs)}`,
    'Common Name,Real Address,Bytes Received,Bytes Sent,Connected Since',
    ...status.clients.map((client) =>
      [
        client.commonName,
        client.realAddress,
        client.bytesReceived,
        client.bytesSent,
        timeText(client.connectedSinceMs),
      ].join(','),
    ),
    'ROUTING TABLE',
    'Virtual Address,Common Name,Real Address,Last Ref',
    ...status.routes.map((route) => routeFields(route).slice(0, 4).join(',')),
    'GLOBAL STATS',
    `Max bcast/mcast queue length,${status.maxBcastQueue}`,
    'END',
  ];
}

function version2(status: ServerStatus, separator: string, title: string, wallMs: number): string[] {
  const rows: (string | number)[][] = [
    ['TITLE', title],
    ['TIME', timeText(wallMs), unixTime(wallMs)],
    ['HEADER', 'CLIENT_LIST', ...CLIENT_COLUMNS],
    ...status.clients.map((client) => ['CLIENT_LIST', ...clientFields(client)]),
    ['HEADER', 'ROUTING_TABLE', ...ROUTE_COLUMNS],
    ...status.routes.map((route) => ['ROUTING_TABLE', ...routeFields(route)]),
    ['GLOBAL_STATS', 'Max bcast/mcast queue length', status.maxBcastQueue],
    ['GLOBAL_STATS', 'dco_enabled', 0],
    ['END'],
  ];
  return rows.map((row) => row.join(separator));
}

function clientFields(client: ClientEntry): (string | number)[] {
  return [
    client.commonName,
    client.realAddress,
    client.virtualAddress,
    client.virtualIpv6Address,
    client.bytesReceived,
    client.bytesSent,
    timeText(client.connectedSinceMs),
    unixTime(client.connectedSinceMs),
    client.username,
    client.clientId,
    client.peerId,
    client.cipher,
  ];
}

function routeFields(route: RouteRow): (string | number)[] {
  return [
    `${route.virtualAddress}${route.cached ? 'C' : ''}`,
    route.commonName,
    route.realAddress,
    timeText(route.lastRefMs),
    unixTime(route.lastRefMs),
  ];
}

function unixTime(wallMs: number): number {
  return Math.floor(wallMs / 1000);
}

/**
 * Snapshot of a server for status files and the management interface (2.x multi_print_status()).
 */
import { formatIp } from '../base/base.ts';
import type { ClientEntry, RouteRow, ServerStatus } from '../manage/manage.ts';
import { routeBytes } from './mroute.ts';
import type { MultiInstance } from './multi-instance.ts';
import type { MultiServer } from './multi-server.ts';
import { realAddressText } from './real-address.ts';

/** 2.x's word for a client that isn't authenticated. */
const UNDEF = 'UNDEF';
/** What 2.x shows as data cipher before one is negotiated and none is configured. */
const UNSET_CIPHER = 'BF-CBC';

export function serverStatus(server: MultiServer): ServerStatus {
  return {
    clients: [...server.instances()].map((instance) => clientEntry(instance)),
    routes: [...server.routes.routes()].map((route) => {
      const bytes = routeBytes(route);
      const address = formatIp(bytes);
      return routeRow(
        route.owner,
        route.prefix === bytes.length * 8 ? address : `${address}/${route.prefix}`,
      );
    }),
    maxBcastQueue: 0,
  };
}

function clientEntry(instance: MultiInstance): ClientEntry {
  const { addresses, counters, identity, tls } = instance;
  return {
    commonName: instance.commonName || UNDEF,
    realAddress: realAddressText(instance.remote),
    virtualAddress: addresses.local4 ?? '',
    virtualIpv6Address: addresses.local6 ?? '',
    bytesReceived: counters.linkReadBytes,
    bytesSent: counters.linkWriteBytes,
    connectedSinceMs: instance.connectedWallMs,
    username: identity?.username || UNDEF,
    clientId: instance.clientId,
    peerId: instance.peerId,
    cipher: tls.params?.cipher.name ?? (instance.options.cipher || UNSET_CIPHER),
  };
}

function routeRow(owner: MultiInstance, virtualAddress: string): RouteRow {
  return {
    virtualAddress,
    cached: false,
    commonName: owner.commonName || UNDEF,
    realAddress: realAddressText(owner.remote),
    lastRefMs: owner.connectedWallMs,
  };
}

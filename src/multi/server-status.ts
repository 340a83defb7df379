/**
 * Snapshot of a server for status files and the management interface (2.x multi_print_status()).
 */
import type { Clock } from '../base/base.ts';
import type { ClientEntry, RouteRow, ServerStatus } from '../manage/manage.ts';
import { routeText, type VirtualRoute } from './mroute.ts';
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
    routes: [...server.routes.routes()]
      .filter((route) => route.deadMs === undefined)
      .map((route) => routeRow(route, server.config.clock)),
    maxBcastQueue: 0,
  };
}

function clientEntry(instance: MultiInstance): ClientEntry {
  const { addresses, counters, identity, peer } = instance;
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
    cipher: peer.params?.cipher.name ?? (instance.options.cipher || UNSET_CIPHER),
  };
}

function routeRow(route: VirtualRoute<MultiInstance>, clock: Clock): RouteRow {
  const { owner } = route;
  return {
    virtualAddress: routeText(route),
    cached: route.cached,
    commonName: owner.commonName || UNDEF,
    realAddress: realAddressText(owner.remote),
    lastRefMs: clock.wallMs() - (clock.nowMs() - route.lastRefMs),
  };
}

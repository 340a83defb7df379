/**
 * The script environment of a server's client (2.x ssl_verify.c set_common_name(), setenv_untrusted(),
 * multi.c multi_client_connect_setenv(), multi_set_virtual_addr_env()).
 */
import type { LinkAddress } from '../base/base.ts';
import { type EnvSet, setChain, setPeerAddress, type TrackedAttribute } from '../script/script.ts';
import type { PeerIdentity } from '../ssl/ssl.ts';
import type { MultiInstance } from './multi-instance.ts';

/** Names of variables that come from the client's peer info. */
const PEER_INFO_PREFIXES = ['IV_', 'UV_'] as const;

/** What the peer said and proved, for all scripts from authentication on. */
export function setIdentity(
  env: EnvSet,
  identity: PeerIdentity,
  remote: LinkAddress,
  tracked: readonly TrackedAttribute[] | undefined,
): void {
  setChain(env, identity.chain, tracked);
  // What the client said at an earlier renegotiation doesn't pile up.
  for (const prefix of PEER_INFO_PREFIXES) env.deletePrefix(prefix);
  for (const [name, value] of identity.peerInfo.shown.lines) env.set(name, value);
  if (identity.commonName !== '') env.set('common_name', identity.commonName);
  setPeerAddress(env, 'untrusted', remote);
}

/** Time and addresses, for client-connect and later. */
export function setConnection(env: EnvSet, instance: MultiInstance, topologySubnet: boolean): void {
  const { addresses } = instance;
  setPeerAddress(env, 'trusted', instance.remote);
  env.set('time_unix', Math.floor(instance.connectedWallMs / 1000));
  env.set('time_ascii', asciiTime(new Date(instance.connectedWallMs)));
  env.set('ifconfig_pool_remote_ip', addresses.local4);
  env.set(topologySubnet ? 'ifconfig_pool_netmask' : 'ifconfig_pool_local_ip', addresses.remoteNetmask4);
  env.set('ifconfig_pool_remote_ip6', addresses.local6);
  env.set('ifconfig_pool_local_ip6', addresses.remote6);
  env.set('ifconfig_pool_ip6_netbits', addresses.netbits6);
}

/** Totals, for client-disconnect. */
export function setTotals(env: EnvSet, instance: MultiInstance, wallMs: number): void {
  env.set('bytes_received', instance.counters.linkReadBytes);
  env.set('bytes_sent', instance.counters.linkWriteBytes);
  env.set('time_duration', Math.max(0, Math.floor((wallMs - instance.connectedWallMs) / 1000)));
}

/** `YYYY-MM-DD HH:MM:SS` in local time. */
function asciiTime(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/**
 * What a server says before it serves (2.x multi.c multi_init(), pool.c ifconfig_pool_init(), ifconfig_pool_read(),
 * mtcp.c multi_tcp_init()), and the addresses that names had before, from the file of --ifconfig-pool-persist.
 */
import { formatIp, ipv4FromNumber, type Logger, parseIpBytes } from '../base/base.ts';
import { D_IFCONFIG_POOL, D_MULTI_LOW, M_INFO, M_WARN } from '../base/errlevel.ts';
import type { PoolPersistEntry } from '../manage/manage.ts';
import { isTcp } from '../options/options.ts';
import { addressWords } from './mroute.ts';
import type { MultiConfig } from './multi.ts';
import type { AddressPlan } from './multi-addresses.ts';
import type { IfconfigPool } from './pool.ts';

/** Events that 2.x's TCP server waits for besides its clients. */
const BASE_EVENTS = 5;

/** To be called once, when the sockets are bound. */
export function openPool({ config, plan }: { config: MultiConfig; plan: AddressPlan }): void {
  const { options, log } = config;
  const { hashSize, maxClients, ifconfigPoolPersist } = options;
  log.log(D_MULTI_LOW, `MULTI: multi_init called, r=${hashSize.real} v=${hashSize.virtual}`);
  const { pool } = plan;
  if (pool) {
    logPool(pool, options.ifconfigIpv6Pool, log);
    if (ifconfigPoolPersist) {
      restore(pool, config, ifconfigPoolPersist.refreshSec === 0);
      logNames(plan, log);
    }
  }
  if (options.connectionList.some(({ proto }) => isTcp(proto))) {
    const events = maxClients + BASE_EVENTS;
    log.log(D_MULTI_LOW, `MULTI: TCP INIT maxclients=${maxClients} maxevents=${events}`);
  }
}

function logPool(
  { base4, size4, base6, size6 }: IfconfigPool,
  ipv6: MultiConfig['options']['ifconfigIpv6Pool'],
  log: Logger,
): void {
  if (size4 !== undefined)
    log.log(D_IFCONFIG_POOL, `IFCONFIG POOL IPv4: base=${ipv4FromNumber(base4)} size=${size4}`);
  if (!base6 || !ipv6) return;
  const base = formatIp(base6);
  if (base !== ipv6.base)
    log.log(D_IFCONFIG_POOL, 'IFCONFIG POOL IPv6: incrementing pool start to avoid ::0 assignment');
  log.log(D_IFCONFIG_POOL, `IFCONFIG POOL IPv6: base=${base} size=${size6} netbits=${ipv6.netbits}`);
  if (size4 === undefined || size4 === size6) return;
  const sizes = `IPv4 pool size is ${size4}, IPv6 pool size is ${size6}`;
  const limit = `pool size limits the number of clients that can be served from the pool`;
  if (size4 < size6!) log.log(M_INFO, `NOTE: ${sizes}. IPv4 ${limit}`);
  else
    log.log(
      M_WARN,
      `WARNING: ${sizes}. IPv6 ${limit}. This is likely a MISTAKE - please check your configuration`,
    );
}

function restore(pool: IfconfigPool, { persisted, log }: MultiConfig, fixed: boolean): void {
  for (const { text, entry, warnings } of persisted) {
    log.log(M_INFO, `ifconfig_pool_read(), in='${text}'`);
    for (const warning of warnings) log.log(M_WARN, warning);
    const handle = entry === undefined ? -1 : handleOf(pool, entry, log);
    if (handle < 0) continue;
    log.log(M_INFO, `succeeded -> ifconfig_pool_set(hand=${handle})`);
    pool.restore(handle, entry!.commonName, fixed);
  }
}

/** Both families share the handles: where the file says otherwise IPv4 counts. */
function handleOf(pool: IfconfigPool, { commonName, ipv4, ipv6 }: PoolPersistEntry, log: Logger): number {
  const bytes4 = ipv4 === undefined ? undefined : parseIpBytes(ipv4);
  const bytes6 = ipv6 === undefined ? undefined : parseIpBytes(ipv6);
  const handle4 = bytes4 ? pool.handleOf4(addressWords(bytes4)[0] >>> 0) : -1;
  const handle6 = bytes6 ? pool.handleOf6(bytes6) : -1;
  if (bytes4 && handle4 < 0) log.log(M_WARN, `pool: IPv4 (${ipv4}) out of pool range for CN=${commonName}`);
  if (bytes6 && handle6 < 0) log.log(M_WARN, `pool: IPv6 (${ipv6}) out of pool range for CN=${commonName}`);
  if (handle4 >= 0 && handle6 >= 0 && handle4 !== handle6) {
    const text = `pool: IPv4 (${ipv4}) and IPv6 (${ipv6}) have different offsets! Relying on IPv4`;
    log.log(M_WARN, text);
  }
  return handle4 >= 0 ? handle4 : handle6;
}

function logNames(plan: AddressPlan, log: Logger): void {
  log.log(D_IFCONFIG_POOL, 'IFCONFIG POOL LIST');
  for (const { commonName, ipv4, ipv6 } of plan.remembered())
    log.log(D_IFCONFIG_POOL, `${commonName},${ipv4 ?? ''},${ipv6 ?? ''}`);
}

/**
 * Which tunnel addresses a client gets (2.x multi_select_virtual_addr(), multi_add_iroutes()): from
 * ifconfig-push, else from the pool; and which virtual routes it owns.
 */
import { formatIp, ipv4FromNumber, ipv4ToNumber, parseIpBytes } from '../base/base.ts';
import { D_MULTI_ERRORS, D_MULTI_LOW, M_INFO } from '../base/errlevel.ts';
import type { PoolPersistEntry } from '../manage/manage.ts';
import { devTypeOf, type Options } from '../options/options.ts';
import type { AddressChange } from '../push/push.ts';
import { addressWords } from './mroute.ts';
import type { MultiConfig } from './multi.ts';
import type { ClientAddresses, MultiInstance } from './multi-instance.ts';
import { IfconfigPool } from './pool.ts';

/** A route of one client, ready for the virtual table. */
export interface ClientRoute {
  readonly family: 4 | 6;
  readonly words: readonly [number, number, number, number];
  readonly prefix: number;
  readonly network: boolean;
  /** `10.8.0.2` for the client's own address, `192.168.77.0/24` for an iroute, as learn-address and logs show it. */
  readonly text: string;
  /** The client's own address rather than an iroute. */
  readonly primary: boolean;
}

const STATIC_IPV4_POOL_IPV6 =
  'MULTI_sva: WARNING: if --ifconfig-push is used for IPv4, automatic IPv6 assignment from --ifconfig-ipv6-pool does not work.  Use --ifconfig-ipv6-push for IPv6 then.';

export class AddressPlan {
  readonly #config: MultiConfig;
  readonly #pool: IfconfigPool | undefined;

  /** Throws OpenVpnError for a pool that is too small. */
  constructor(config: MultiConfig) {
    this.#config = config;
    this.#pool = createPool(config.options);
  }

  get pool(): IfconfigPool | undefined {
    return this.#pool;
  }

  /**
   * Chooses the client's addresses: from the pool at first, and again whenever its options changed. An
   * ifconfig-push replaces the pool's IPv4 address; the IPv6 address that came with it stays in use,
   * as in 2.x, and so the pool entry stays taken.
   */
  assign(instance: MultiInstance): void {
    const { options } = this.#config;
    const { ifconfigPush, ifconfigIpv6Push } = instance.options;
    const { log } = instance;
    if (ifconfigPush) {
      const { local, remoteNetmask } = ifconfigPush;
      instance.addresses = { ...instance.addresses, local4: local, remoteNetmask4: remoteNetmask };
      if (options.ifconfigIpv6Pool && !ifconfigIpv6Push) log.log(M_INFO, STATIC_IPV4_POOL_IPV6);
    } else if (this.#pool && !instance.lease) {
      instance.addresses = this.#fromPool(this.#pool, instance);
    }
    if (ifconfigIpv6Push) {
      const { local, netbits, remote } = ifconfigIpv6Push;
      instance.addresses = { ...instance.addresses, local6: local, netbits6: netbits, remote6: remote };
      log.log(M_INFO, `MULTI_sva: push_ifconfig_ipv6 ${local}/${netbits}`);
    }
  }

  release(instance: MultiInstance): void {
    if (instance.lease) this.#pool?.release(instance.lease.handle);
    instance.lease = undefined;
  }

  /** Names and their addresses for ifconfig-pool-persist. */
  *remembered(): Iterable<PoolPersistEntry> {
    for (const { commonName, lease } of this.#pool?.remembered() ?? []) {
      // 2.x writes the first address of a /30.
      const first = lease.local4 === undefined ? lease.remote4 : lease.local4 - 1;
      yield {
        commonName,
        ipv4: first === undefined ? undefined : ipv4FromNumber(first),
        ipv6: lease.remote6 ? formatIp(lease.remote6) : undefined,
      };
    }
  }

  /** Own addresses first, then iroutes, the last given first: the order of 2.x, which counts when there are too many. */
  routesOf(instance: MultiInstance): ClientRoute[] {
    const { addresses, options } = instance;
    const routes: ClientRoute[] = [];
    if (addresses.local4 !== undefined && addresses.remoteNetmask4 !== undefined)
      routes.push(clientRoute(addresses.local4, 32, true));
    if (addresses.local6 !== undefined) routes.push(clientRoute(addresses.local6, 128, true));
    for (const list of [options.iroutes, options.iroutesIpv6]) {
      for (const { network, prefix } of list.toReversed()) routes.push(clientRoute(network, prefix, false));
    }
    return routes;
  }

  #fromPool(pool: IfconfigPool, instance: MultiInstance): ClientAddresses {
    const { options } = this.#config;
    const { log } = instance;
    // What has no name is bound to nothing.
    const lease = pool.acquire(instance.commonName || undefined);
    if (!lease) {
      log.log(D_MULTI_ERRORS, 'MULTI: no free --ifconfig-pool addresses are available');
      return {};
    }
    instance.lease = lease;
    const local4 = lease.remote4 === undefined ? undefined : ipv4FromNumber(lease.remote4);
    const local6 = lease.remote6 ? formatIp(lease.remote6) : undefined;
    const netmask = this.#poolNetmask(lease.local4);
    const shown4 = local4 ?? '(Not enabled)';
    log.log(M_INFO, `MULTI_sva: pool returned IPv4=${shown4}, IPv6=${local6 ?? '(Not enabled)'}`);
    if (local4 !== undefined && netmask === undefined) {
      const text = `MULTI: no --ifconfig-pool netmask parameter is available to push to ${instance.prefix}`;
      log.log(D_MULTI_ERRORS, text);
    }
    return {
      ...(local4 !== undefined && { local4 }),
      ...(local4 !== undefined && netmask !== undefined && { remoteNetmask4: netmask }),
      ...(local6 !== undefined && {
        local6,
        netbits6: options.ifconfigIpv6?.netbits ?? 64,
        remote6: options.ifconfigIpv6?.local ?? '::',
      }),
    };
  }

  #poolNetmask(serverEnd: number | undefined): string | undefined {
    const { options } = this.#config;
    if (serverEnd !== undefined) return ipv4FromNumber(serverEnd);
    if (devTypeOf(options) === 'tun' && options.topology === 'p2p') return options.ifconfig?.local;
    return options.ifconfigPool?.netmask ?? options.ifconfig?.remoteNetmask;
  }
}

/** Reports routes given to a client: 2.x's lines of multi_learn_in_addr_t() and friends. */
export function logPrimary(instance: MultiInstance, route: ClientRoute): void {
  const family = route.family === 4 ? 'IP' : 'IPv6';
  instance.log.log(D_MULTI_LOW, `MULTI: primary virtual ${family} for ${instance.prefix}: ${route.text}`);
}

/** What 2.x says when a client's address is outside of --ifconfig-push-constraint; undefined when all is well. */
export function constraintViolation(instance: MultiInstance): string | undefined {
  const { ifconfigPushConstraint: constraint } = instance.options;
  const { local4, remoteNetmask4 } = instance.addresses;
  if (!constraint || local4 === undefined || remoteNetmask4 === undefined) return undefined;
  if ((ipWord(local4) & ipWord(constraint.netmask)) >>> 0 === ipWord(constraint.network)) return undefined;
  const { network, netmask } = constraint;
  return `MULTI ERROR: primary virtual IP for ${instance.prefix} (${local4}) violates tunnel network/netmask constraint (${network}/${netmask})`;
}

/** A client's addresses after a PUSH_UPDATE; what can't be read changes nothing. */
export function changedAddresses(
  addresses: ClientAddresses,
  v4: AddressChange,
  v6: AddressChange,
): ClientAddresses {
  const { local4, remoteNetmask4, local6, netbits6, remote6 } = addresses;
  let four: ClientAddresses = {
    ...(local4 !== undefined && { local4 }),
    ...(remoteNetmask4 !== undefined && { remoteNetmask4 }),
  };
  let six: ClientAddresses = {
    ...(local6 !== undefined && { local6 }),
    ...(netbits6 !== undefined && { netbits6 }),
    ...(remote6 !== undefined && { remote6 }),
  };
  if (v4?.type === 'removed') four = {};
  if (v4?.type === 'set') {
    const [local = '', netmask = ''] = v4.words;
    if (parseIpBytes(local)?.length === 4) four = { local4: local, remoteNetmask4: netmask };
  }
  if (v6?.type === 'removed') six = {};
  if (v6?.type === 'set') {
    const [pair = '', remote = '::'] = v6.words;
    const [local = '', bits] = pair.split('/');
    if (parseIpBytes(local)?.length === 16) {
      six = { local6: local, netbits6: bits === undefined ? 64 : Number(bits), remote6: remote };
    }
  }
  return { ...four, ...six };
}

function clientRoute(network: string, prefix: number, primary: boolean): ClientRoute {
  const bytes = parseIpBytes(network) ?? new Uint8Array(4);
  return {
    family: bytes.length === 4 ? 4 : 6,
    words: addressWords(bytes),
    prefix,
    network: !primary,
    primary,
    text: primary ? network : `${network}/${prefix}`,
  };
}

function createPool(options: Options): IfconfigPool | undefined {
  const { ifconfigPool, ifconfigIpv6Pool } = options;
  if (!ifconfigPool && !ifconfigIpv6Pool) return undefined;
  const ipv6Base = ifconfigIpv6Pool && parseIpBytes(ifconfigIpv6Pool.base);
  return new IfconfigPool({
    duplicateCn: options.duplicateCn,
    ...(ifconfigPool && {
      ipv4: {
        type: devTypeOf(options) === 'tun' && options.topology === 'net30' ? 'net30' : 'individual',
        start: ipWord(ifconfigPool.start),
        end: ipWord(ifconfigPool.end),
      },
    }),
    ...(ipv6Base && { ipv6: { base: ipv6Base, netbits: ifconfigIpv6Pool!.netbits } }),
  });
}

function ipWord(text: string): number {
  return ipv4ToNumber(text) ?? 0;
}

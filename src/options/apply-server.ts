/** Actions of server options (2.x options.c, pool.c ifconfig_pool_verify_range()). */

import { prefixOfNetmask } from '../base/base.ts';
import { dottedQuadToNumber, isDottedQuad } from './addresses.ts';
import { readIpv4, readIpv6Prefix } from './apply-address.ts';
import type { Apply } from './option-row.ts';

/** Peer ids are 24 bits, all ones meaning "none". Source: 2.x openvpn.h. */
export const MAX_PEER_ID = 0xffffff;
/** Most addresses of an IPv4 pool. Source: 2.x pool.h IFCONFIG_POOL_MAX. */
const IFCONFIG_POOL_MAX = 65536;

/** Why a pool's range can't be used, or undefined. */
export function poolRangeProblem(start: string, end: string): string | undefined {
  const first = dottedQuadToNumber(start) ?? 0;
  const last = dottedQuadToNumber(end) ?? 0;
  if (first > last) return `--ifconfig-pool start IP [${start}] is greater than end IP [${end}]`;
  if (last - first < IFCONFIG_POOL_MAX) return undefined;
  return `--ifconfig-pool address range is too large [${start} -> ${end}].  Current maximum is ${IFCONFIG_POOL_MAX} addresses, as defined by IFCONFIG_POOL_MAX variable.`;
}

export const applyIfconfigPool: Apply = ([start = '', end = '', netmask], options, context) => {
  const given = netmask === undefined ? [start, end] : [start, end, netmask];
  if (given.map((text) => readIpv4(text, context)).includes(undefined)) {
    return context.fail('error parsing --ifconfig-pool parameters');
  }
  const problem = poolRangeProblem(start, end);
  if (problem !== undefined) return context.fail(problem);
  options.ifconfigPool = { start, end, netmask };
};

export const applyIfconfigIpv6Push: Apply = ([local = '', remote], options, context) => {
  const prefix = readIpv6Prefix(local, context, true);
  if (prefix === undefined) return context.fail('cannot parse --ifconfig-ipv6-push addresses');
  const peer = remote ?? options.ifconfigIpv6?.local;
  if (peer === undefined) {
    return context.fail(
      'second argument to --ifconfig-ipv6-push missing and no global --ifconfig-ipv6 address set',
    );
  }
  const peerPrefix = readIpv6Prefix(peer, context, true);
  if (peerPrefix === undefined) return context.fail('cannot parse --ifconfig-ipv6-push addresses');
  options.ifconfigIpv6Push = { local: prefix.address, netbits: prefix.netbits, remote: peerPrefix.address };
  options.pushIfconfigIpv6Blocked = false;
};

export const applyIroute: Apply = ([network = '', netmask], options, context) => {
  const mask = netmask === undefined ? 0xffffffff : dottedQuadToNumber(netmask);
  const prefix = prefixOfNetmask(mask);
  if (prefix === undefined) {
    return context.fail(`in --iroute ${network} ${netmask} : Bad network/subnet specification`);
  }
  if (!isDottedQuad(network)) {
    return context.fail(`in --iroute ${network} ${netmask ?? ''} : Bad network/subnet specification`);
  }
  options.iroutes.push({ network, prefix });
};

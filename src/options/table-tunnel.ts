/**
 * Option rows for the tunnel device (2.x options.c add_option(), manual section "tunnel").
 * Fields: option-row.ts. Arity and contexts are those of test-kit/options.tsv.
 */

import { isIpOrName, isIpv6 } from './addresses.ts';
import { readIpv6Prefix } from './apply-address.ts';
import { count, flag, MANY, type OptionRow, text } from './option-row.ts';

export const tunnelOptions: readonly OptionRow[] = [
  {
    name: 'dev',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'NAME',
    help: 'Tunnel device name or prefix tun/tap/null; a bare prefix picks a free unit',
    apply: text('dev'),
  },
  {
    name: 'dev-node',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'PATH',
    help: 'Explicit device node; 2.7: unix:PATH starts a user-space tun program',
    apply: text('devNode'),
  },
  {
    name: 'dev-type',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'TYPE',
    help: 'Force device type tun or tap when the name does not say',
    apply: text('devType'),
  },
  {
    name: 'disable-dco',
    min: 0,
    max: MANY,
    contexts: 'N',
    supported: 'yes',
    usage: '',
    help: 'Never use kernel data-channel offload',
    apply: flag('disableDco'),
  },
  {
    name: 'ifconfig',
    min: 2,
    max: 2,
    contexts: 'GPU',
    supported: 'yes',
    usage: 'LOCAL REMOTE',
    help: 'Local VPN address and peer address (tun p2p/net30) or netmask (tap/subnet)',
    imports: 'up',
    apply: ([local = '', remoteNetmask = ''], options, context) => {
      const names = options.allowPullFqdn;
      if (!isIpOrName(local, names) || !isIpOrName(remoteNetmask, names)) {
        return context.fail(`ifconfig parms '${local}' and '${remoteNetmask}' must be valid addresses`);
      }
      options.ifconfig = { local, remoteNetmask };
    },
  },
  {
    name: 'ifconfig-ipv6',
    min: 2,
    max: 2,
    contexts: 'GPU',
    supported: 'yes',
    usage: 'LOCAL/BITS REMOTE',
    help: 'Local VPN IPv6 address/bits (64..124) and remote address',
    imports: 'up',
    apply: ([local = '', remote = ''], options, context) => {
      const prefix = readIpv6Prefix(local, context, true);
      if (prefix === undefined || !isIpv6(remote)) {
        return context.fail(`ifconfig-ipv6 parms '${local}' and '${remote}' must be valid addresses`);
      }
      const { netbits } = prefix;
      if (netbits < 64 || netbits > 124) {
        return context.fail(`ifconfig-ipv6: /netbits must be between 64 and 124, not '/${netbits}'`);
      }
      options.ifconfigIpv6 = { local: prefix.address, netbits, remote };
    },
  },
  {
    name: 'ifconfig-noexec',
    min: 0,
    max: 0,
    contexts: 'GP',
    supported: 'yes',
    usage: '',
    help: 'Do not configure the interface; only export values to scripts',
    imports: 'up',
    apply: flag('ifconfigNoexec'),
  },
  {
    name: 'ifconfig-nowarn',
    min: 0,
    max: 0,
    contexts: 'GP',
    supported: 'yes',
    usage: '',
    help: 'Suppress ifconfig consistency warnings versus the peer',
    imports: 'up',
    apply: flag('ifconfigNowarn'),
  },
  {
    name: 'iproute',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'rejected',
    usage: 'PROGRAM',
    help: 'Path of the ip program to use',
  },
  {
    name: 'lladdr',
    min: 1,
    max: 1,
    contexts: 'GP',
    supported: 'yes',
    usage: 'ADDRESS',
    help: 'Set the MAC address of a tap device',
    imports: 'up',
    apply: ([address = ''], options, context) => {
      if (!/^[\da-f]{1,2}(:[\da-f]{1,2})*$/i.test(address) || address.length > 17) {
        return context.fail(`lladdr parm '${address}' must be a MAC address`);
      }
      options.lladdr = address;
    },
  },
  {
    name: 'persist-tun',
    min: 0,
    max: 0,
    contexts: 'GP',
    supported: 'yes',
    usage: '',
    help: 'Keep the device open across soft restarts',
    imports: 'persist',
    apply: flag('persistTun'),
  },
  {
    name: 'topology',
    min: 1,
    max: 1,
    contexts: 'GPU',
    supported: 'yes',
    usage: 'KIND',
    help: 'tun addressing scheme: net30, p2p or subnet',
    imports: 'up',
    apply: ([kind = ''], options, context) => {
      if (kind !== 'net30' && kind !== 'p2p' && kind !== 'subnet') {
        return context.fail('--topology must be net30, p2p, or subnet');
      }
      options.topology = kind;
    },
  },
  {
    name: 'txqueuelen',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'N',
    help: 'Device transmit queue length',
    apply: count('txqueuelen'),
  },
];

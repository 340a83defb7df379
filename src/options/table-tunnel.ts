/**
 * Option rows for the tunnel device (2.x options.c add_option(), manual section "tunnel").
 * Fields: option-row.ts. Arity and contexts are those of test-kit/options.tsv.
 */

import { isIpOrName, isIpv6 } from './addresses.ts';
import { readIpv6Prefix } from './apply-address.ts';
import { count, flag, MANY, type OptionRow, rejected, row, text } from './option-row.ts';

export const tunnelOptions: readonly OptionRow[] = [
  row('dev NAME', 1, 1, 'G', {
    help: 'Tunnel device name or prefix tun/tap/null; a bare prefix picks a free unit',
    apply: text('dev'),
  }),
  row('dev-node PATH', 1, 1, 'G', {
    help: 'Explicit device node; 2.7: unix:PATH starts a user-space tun program',
    apply: text('devNode'),
  }),
  row('dev-type TYPE', 1, 1, 'G', 'Force device type tun or tap when the name does not say', text('devType')),
  row('disable-dco', 0, MANY, 'N', 'Never use kernel data-channel offload', flag('disableDco')),
  row('ifconfig LOCAL REMOTE', 2, 2, 'GPU', {
    help: 'Local VPN address and peer address (tun p2p/net30) or netmask (tap/subnet)',
    imports: 'up',
    apply: ([local = '', remoteNetmask = ''], options, context) => {
      const names = options.allowPullFqdn;
      if (!isIpOrName(local, names) || !isIpOrName(remoteNetmask, names)) {
        return context.fail(`ifconfig parms '${local}' and '${remoteNetmask}' must be valid addresses`);
      }
      options.ifconfig = { local, remoteNetmask };
    },
  }),
  row('ifconfig-ipv6 LOCAL/BITS REMOTE', 2, 2, 'GPU', {
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
  }),
  row('ifconfig-noexec', 0, 0, 'GP', {
    help: 'Do not configure the interface; only export values to scripts',
    imports: 'up',
    apply: flag('ifconfigNoexec'),
  }),
  row('ifconfig-nowarn', 0, 0, 'GP', {
    help: 'Suppress ifconfig consistency warnings versus the peer',
    imports: 'up',
    apply: flag('ifconfigNowarn'),
  }),
  rejected('iproute PROGRAM', 1, 1, 'G', 'Path of the ip program to use'),
  row('lladdr ADDRESS', 1, 1, 'GP', {
    help: 'Set the MAC address of a tap device',
    imports: 'up',
    apply: ([address = ''], options, context) => {
      if (!/^[\da-f]{1,2}(:[\da-f]{1,2})*$/i.test(address) || address.length > 17) {
        return context.fail(`lladdr parm '${address}' must be a MAC address`);
      }
      options.lladdr = address;
    },
  }),
  row('persist-tun', 0, 0, 'GP', 'Keep the device open across soft restarts', flag('persistTun'), 'persist'),
  row('topology KIND', 1, 1, 'GPU', {
    help: 'tun addressing scheme: net30, p2p or subnet',
    imports: 'up',
    apply: ([kind = ''], options, context) => {
      if (kind !== 'net30' && kind !== 'p2p' && kind !== 'subnet') {
        return context.fail('--topology must be net30, p2p, or subnet');
      }
      options.topology = kind;
    },
  }),
  row('txqueuelen N', 1, 1, 'G', 'Device transmit queue length', count('txqueuelen')),
];

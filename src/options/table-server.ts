/**
 * Option rows for server options (2.x options.c add_option(), manual section "server").
 * Fields: option-row.ts. Arity and contexts are those of test-kit/options.tsv.
 */

import { D_PUSH } from '../base/errlevel.ts';
import { areUsableIpv4, readIpv4, readIpv6Prefix } from './apply-address.ts';
import { applyIfconfigIpv6Push, applyIfconfigPool, applyIroute, MAX_PEER_ID } from './apply-server.ts';
import { atoi, flag, MANY, material, notYet, type OptionRow, positiveAtoi, row, text } from './option-row.ts';
import { pushRemove, pushReset } from './push-list.ts';

/** VLAN ids that 802.1Q allows a port. */
const MIN_VLAN_ID = 1;
const MAX_VLAN_ID = 4094;

export const serverOptions: readonly OptionRow[] = [
  row('auth-gen-token [LIFETIME] [RENEWAL] [external-auth]', 0, MANY, 'G', {
    help: 'Generate auth-token for clients: lifetime, renewal, external-auth',
    apply: ([lifetime = '', ...words], options, context) => {
      const token = { lifetimeSec: positiveAtoi(lifetime), renewalSec: 0, externalAuth: false };
      for (const [i, word] of words.entries()) {
        if (i === 0 && positiveAtoi(word) > 0) token.renewalSec = positiveAtoi(word);
        else if (word === 'external-auth') token.externalAuth = true;
        else context.error(`Invalid argument to auth-gen-token: ${word} (${i + 2})`);
      }
      options.authGenToken = token;
    },
  }),
  row('auth-gen-token-secret FILE', 1, 1, 'GI', {
    help: 'Key file for auth-token HMAC',
    apply: material('authGenTokenSecret'),
  }),
  row('auth-user-pass-optional', 0, 0, 'G', {
    help: 'Let auth hook decide about missing credentials',
    apply: flag('authUserPassOptional'),
  }),
  row('bcast-buffers N', 1, 1, 'G', 'Broadcast buffer count', ([value = ''], options, context) => {
    const buffers = atoi(value);
    if (buffers < 1) context.error('--bcast-buffers parameter must be > 0');
    options.bcastBuffers = buffers;
  }),
  row('ccd-exclusive', 0, 0, 'G', 'Require a CCD file for each client', flag('ccdExclusive')),
  row('client-config-dir DIR', 1, 1, 'G', {
    help: 'Directory with per-CN config files (or DEFAULT)',
    apply: text('clientConfigDir'),
  }),
  row('client-to-client', 0, 0, 'G', 'Route between clients internally', flag('clientToClient')),
  row('connect-freq N SECONDS', 2, 2, 'G', {
    help: 'Max new connections n per s seconds (UDP)',
    apply: ([max = '', seconds = ''], options, context) => {
      const rate = { max: atoi(max), perSec: atoi(seconds) };
      if (rate.max < 0 || rate.perSec < 0) return context.fail('--connect-freq parms must be > 0');
      options.connectFreq = rate;
    },
  }),
  row('connect-freq-initial N SECONDS', 2, 2, 'G', {
    help: 'Rate limit for unauthenticated initial packets',
    apply: ([max = '', seconds = ''], options, context) => {
      // As by strtol(): nothing at all is 0.
      if (![max, seconds].every((text) => /^(\s*\+?\d+)?$/.test(text))) {
        return context.fail('--connect-freq-initial parameters must be integers and >= 0');
      }
      options.connectFreqInitial = { max: Number(max), perSec: Number(seconds) };
    },
  }),
  row('disable', 0, 0, 'D', 'Reject this client', flag('disable')),
  row('duplicate-cn', 0, 0, 'G', 'Allow several clients with one CN', flag('duplicateCn')),
  row('hash-size REAL VIRTUAL', 2, 2, 'G', {
    help: 'Hash table sizes',
    apply: ([real = '', virtual = ''], options, context) => {
      const sizes = { real: atoi(real), virtual: atoi(virtual) };
      if (sizes.real < 1 || sizes.virtual < 1) {
        return context.fail('--hash-size sizes must be >= 1 (preferably a power of 2)');
      }
      options.hashSize = sizes;
    },
  }),
  row('ifconfig-ipv6-pool NETWORK/BITS', 1, 1, 'G', 'Dynamic IPv6 pool', ([text6 = ''], options, context) => {
    const prefix = readIpv6Prefix(text6, context);
    if (prefix === undefined) return context.fail('error parsing --ifconfig-ipv6-pool parameters');
    const { address, netbits } = prefix;
    if (netbits < 64 || netbits > 124) {
      return context.fail(
        `--ifconfig-ipv6-pool settings: network must be between /64 and /124 (not /${netbits})`,
      );
    }
    options.ifconfigIpv6Pool = { base: address, netbits };
  }),
  row('ifconfig-ipv6-push LOCAL/BITS [REMOTE]', 1, 2, 'D', {
    help: 'Static IPv6 for this client',
    apply: applyIfconfigIpv6Push,
  }),
  row('ifconfig-pool START END [NETMASK]', 2, 3, 'G', {
    help: 'Dynamic IPv4 pool start, end, netmask',
    apply: applyIfconfigPool,
  }),
  row('ifconfig-pool-persist FILE [SECONDS]', 1, 2, 'G', {
    help: 'Persist CN to address leases; 0 = read-only',
    apply: ([file = '', seconds], options) => {
      const refreshSec = seconds === undefined ? 600 : positiveAtoi(seconds);
      options.ifconfigPoolPersist = { file, refreshSec };
    },
  }),
  row('ifconfig-push LOCAL REMOTE [ALIAS]', 2, 3, 'D', {
    help: 'Static IPv4 for this client, optional NAT alias',
    apply: ([local = '', remoteNetmask = '', alias], options, context) => {
      if (!areUsableIpv4([local, remoteNetmask], context)) {
        return context.fail('cannot parse --ifconfig-push addresses');
      }
      options.ifconfigPush = { local, remoteNetmask, alias };
    },
  }),
  row('ifconfig-push-constraint NETWORK NETMASK', 2, 2, 'G', {
    help: 'Network that pushed addresses must fall into',
    apply: ([network = '', netmask = ''], options, context) => {
      const value = readIpv4(network, context, true);
      if (!areUsableIpv4([netmask], context) || !value) {
        return context.fail('cannot parse --ifconfig-push-constraint addresses');
      }
      options.ifconfigPushConstraint = { network, netmask };
    },
  }),
  row('iroute NETWORK [NETMASK]', 1, 2, 'D', 'Client-owned IPv4 subnet', applyIroute),
  row('iroute-ipv6 NETWORK/BITS', 1, 1, 'D', 'Client-owned IPv6 subnet', ([text6 = ''], options, context) => {
    const prefix = readIpv6Prefix(text6, context);
    if (prefix === undefined) return context.fail(`in --iroute-ipv6 ${text6}: Bad IPv6 prefix specification`);
    options.iroutesIpv6.push({ network: prefix.address, prefix: prefix.netbits });
  }),
  row('max-clients N', 1, 1, 'G', 'Maximum concurrent clients', ([value = ''], options, context) => {
    const clients = atoi(value);
    if (clients < 0) return context.fail('--max-clients must be at least 1');
    if (clients >= MAX_PEER_ID) return context.fail(`--max-clients must be less than ${MAX_PEER_ID}`);
    options.maxClients = clients;
  }),
  row('max-routes-per-client N', 1, 1, 'GD', 'Internal routes per client', ([value = ''], options) => {
    options.maxRoutesPerClient = Math.max(atoi(value), 1);
  }),
  row('mode MODE', 1, 1, 'G', 'Operating mode p2p or server', ([mode = ''], options, context) => {
    if (mode !== 'p2p' && mode !== 'server') return context.fail(`Bad --mode parameter: ${mode}`);
    options.mode = mode;
  }),
  notYet('override-username NAME', 1, 1, 'D', "Replace the client's username after auth (for tokens)"),
  row('port-share HOST PORT [DIR]', 2, 3, 'G', {
    help: 'Hand non-OpenVPN TCP connections to another server',
    apply: ([host = '', port = '', journalDir], options) => {
      options.portShare = { host, port, journalDir };
    },
  }),
  row('push OPTION', 1, 1, 'GD', 'Option text sent to clients', ([option = ''], options, context) => {
    if (option.includes(',')) {
      context.error(`PUSH OPTION FAILED (illegal comma (',') in string): '${option}'`);
      return;
    }
    options.push.push(option);
  }),
  row('push-continuation N', 1, 1, 'PU', {
    help: 'Protocol-internal marker for split PUSH_REPLY (2 more follow, 1 last)',
    apply: ([value = ''], options) => {
      options.pushContinuation = atoi(value);
    },
  }),
  row('push-remove PREFIX', 1, 1, 'D', {
    help: 'Drop pushed options with this prefix for this client',
    apply: ([prefix = ''], options, context) => {
      context.log(D_PUSH, `PUSH_REMOVE '${prefix}'`);
      pushRemove(options, prefix);
    },
  }),
  row('push-reset', 0, 0, 'D', 'Forget globally pushed options for this client', (_values, options) =>
    pushReset(options),
  ),
  row('server NETWORK NETMASK [nopool]', 2, 3, 'G', {
    help: 'Helper: VPN subnet for server; optional nopool',
    apply: ([network = '', netmask = '', word], options, context) => {
      if (!areUsableIpv4([network, netmask], context))
        return context.fail('error parsing --server parameters');
      if (word !== undefined && word !== 'nopool') {
        return context.fail(`error parsing --server: ${word} is not a recognized flag`);
      }
      options.server = { network, netmask, nopool: word === 'nopool' };
    },
  }),
  row('server-bridge [GATEWAY NETMASK START END | nogw]', 0, 4, 'G', {
    help: 'Helper for tap bridging: 0, 1 (nogw) or 4 arguments',
    apply: ([ip, netmask, start, end], options, context) => {
      if (ip === undefined) options.serverBridge = 'dhcp';
      else if (ip === 'nogw' && netmask === undefined) options.serverBridge = 'nogw';
      else if (netmask === undefined || start === undefined || end === undefined)
        return context.unrecognized();
      else {
        if (!areUsableIpv4([ip, netmask, start, end], context)) {
          return context.fail('error parsing --server-bridge parameters');
        }
        options.serverBridge = { ip, netmask, start, end };
      }
    },
  }),
  row('server-ipv6 NETWORK/BITS', 1, 1, 'G', {
    help: 'Helper: VPN IPv6 subnet /64../124',
    apply: ([text6 = ''], options, context) => {
      const prefix = readIpv6Prefix(text6, context);
      if (prefix === undefined) return context.fail('error parsing --server-ipv6 parameter');
      const { address, netbits } = prefix;
      if (netbits < 64 || netbits > 124) {
        return context.fail(`--server-ipv6 settings: network must be between /64 and /124 (not /${netbits})`);
      }
      options.serverIpv6 = { network: address, netbits };
    },
  }),
  row('stale-routes-check AGE [INTERVAL]', 1, 2, 'G', {
    help: 'Drop learned routes idle for n s',
    apply: ([age = '', interval], options, context) => {
      const ageSec = atoi(age);
      const intervalSec = interval === undefined ? ageSec : atoi(interval);
      if (ageSec < 1 || intervalSec < 1) {
        return context.fail('--stale-routes-check aging time and check interval must be >= 1');
      }
      options.staleRoutesCheck = { ageSec, intervalSec };
    },
  }),
  row('tcp-queue-limit N', 1, 1, 'G', 'Queued packets per TCP client', ([value = ''], options, context) => {
    const limit = atoi(value);
    if (limit < 1) context.error('--tcp-queue-limit parameter must be > 0');
    options.tcpQueueLimit = limit;
  }),
  row('tmp-dir DIR', 1, 1, 'G', 'Directory for temporary files', text('tmpDir')),
  row('username-as-common-name', 0, 0, 'G', {
    help: 'Use the auth username as common name',
    apply: flag('usernameAsCommonName'),
  }),
  row('verify-client-cert [MODE]', 0, 1, 'G', {
    help: 'none, optional or require',
    apply: ([mode = 'require'], options, context) => {
      if (mode !== 'none' && mode !== 'optional' && mode !== 'require') {
        return context.fail("parameter to --verify-client-cert must be 'none', 'optional' or 'require'");
      }
      options.verifyClientCert = mode;
    },
  }),
  row('vlan-accept KIND', 1, 1, 'G', 'tagged, untagged or all', ([kind = ''], options, context) => {
    if (kind !== 'tagged' && kind !== 'untagged' && kind !== 'all') {
      return context.fail("--vlan-accept must be 'tagged', 'untagged' or 'all'");
    }
    options.vlanAccept = kind;
  }),
  row('vlan-pvid ID', 1, 1, 'GD', 'Port VLAN id 1..4094', ([value = ''], options, context) => {
    const vid = positiveAtoi(value);
    if (vid < MIN_VLAN_ID || vid > MAX_VLAN_ID) {
      return context.fail(
        `the parameter of --vlan-pvid parameters must be >= ${MIN_VLAN_ID} and <= ${MAX_VLAN_ID}`,
      );
    }
    options.vlanPvid = vid;
  }),
  row('vlan-tagging', 0, 0, 'G', '802.1Q awareness in tap server', flag('vlanTagging')),
];

/**
 * Option rows for server options (2.x options.c add_option(), manual section "server").
 * Fields: option-row.ts. Arity and contexts are those of test-kit/options.tsv.
 */

import { D_PUSH } from '../base/errlevel.ts';
import { areUsableIpv4, readIpv4, readIpv6Prefix } from './apply-address.ts';
import { applyIfconfigIpv6Push, applyIfconfigPool, applyIroute, MAX_PEER_ID } from './apply-server.ts';
import { atoi, flag, MANY, material, type OptionRow, positiveAtoi, text } from './option-row.ts';
import { pushRemove, pushReset } from './push-list.ts';

/** VLAN ids that 802.1Q allows a port. */
const MIN_VLAN_ID = 1;
const MAX_VLAN_ID = 4094;

export const serverOptions: readonly OptionRow[] = [
  {
    name: 'auth-gen-token',
    min: 0,
    max: MANY,
    contexts: 'G',
    supported: 'yes',
    usage: '[LIFETIME] [RENEWAL] [external-auth]',
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
  },
  {
    name: 'auth-gen-token-secret',
    min: 1,
    max: 1,
    contexts: 'GI',
    supported: 'yes',
    usage: 'FILE',
    help: 'Key file for auth-token HMAC',
    apply: material('authGenTokenSecret'),
  },
  {
    name: 'auth-user-pass-optional',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Let auth hook decide about missing credentials',
    apply: flag('authUserPassOptional'),
  },
  {
    name: 'bcast-buffers',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'N',
    help: 'Broadcast buffer count',
    apply: ([value = ''], options, context) => {
      const buffers = atoi(value);
      if (buffers < 1) context.error('--bcast-buffers parameter must be > 0');
      options.bcastBuffers = buffers;
    },
  },
  {
    name: 'ccd-exclusive',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Require a CCD file for each client',
    apply: flag('ccdExclusive'),
  },
  {
    name: 'client-config-dir',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'DIR',
    help: 'Directory with per-CN config files (or DEFAULT)',
    apply: text('clientConfigDir'),
  },
  {
    name: 'client-to-client',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Route between clients internally',
    apply: flag('clientToClient'),
  },
  {
    name: 'connect-freq',
    min: 2,
    max: 2,
    contexts: 'G',
    supported: 'yes',
    usage: 'N SECONDS',
    help: 'Max new connections n per s seconds (UDP)',
    apply: ([max = '', seconds = ''], options, context) => {
      const rate = { max: atoi(max), perSec: atoi(seconds) };
      if (rate.max < 0 || rate.perSec < 0) return context.fail('--connect-freq parms must be > 0');
      options.connectFreq = rate;
    },
  },
  {
    name: 'connect-freq-initial',
    min: 2,
    max: 2,
    contexts: 'G',
    supported: 'yes',
    usage: 'N SECONDS',
    help: 'Rate limit for unauthenticated initial packets',
    apply: ([max = '', seconds = ''], options, context) => {
      // As by strtol(): nothing at all is 0.
      if (![max, seconds].every((text) => /^(\s*\+?\d+)?$/.test(text))) {
        return context.fail('--connect-freq-initial parameters must be integers and >= 0');
      }
      options.connectFreqInitial = { max: Number(max), perSec: Number(seconds) };
    },
  },
  {
    name: 'disable',
    min: 0,
    max: 0,
    contexts: 'D',
    supported: 'yes',
    usage: '',
    help: 'Reject this client',
    apply: flag('disable'),
  },
  {
    name: 'duplicate-cn',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Allow several clients with one CN',
    apply: flag('duplicateCn'),
  },
  {
    name: 'hash-size',
    min: 2,
    max: 2,
    contexts: 'G',
    supported: 'yes',
    usage: 'REAL VIRTUAL',
    help: 'Hash table sizes',
    apply: ([real = '', virtual = ''], options, context) => {
      const sizes = { real: atoi(real), virtual: atoi(virtual) };
      if (sizes.real < 1 || sizes.virtual < 1) {
        return context.fail('--hash-size sizes must be >= 1 (preferably a power of 2)');
      }
      options.hashSize = sizes;
    },
  },
  {
    name: 'ifconfig-ipv6-pool',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'NETWORK/BITS',
    help: 'Dynamic IPv6 pool',
    apply: ([text6 = ''], options, context) => {
      const prefix = readIpv6Prefix(text6, context);
      if (prefix === undefined) return context.fail('error parsing --ifconfig-ipv6-pool parameters');
      const { address, netbits } = prefix;
      if (netbits < 64 || netbits > 124) {
        return context.fail(
          `--ifconfig-ipv6-pool settings: network must be between /64 and /124 (not /${netbits})`,
        );
      }
      options.ifconfigIpv6Pool = { base: address, netbits };
    },
  },
  {
    name: 'ifconfig-ipv6-push',
    min: 1,
    max: 2,
    contexts: 'D',
    supported: 'yes',
    usage: 'LOCAL/BITS [REMOTE]',
    help: 'Static IPv6 for this client',
    apply: applyIfconfigIpv6Push,
  },
  {
    name: 'ifconfig-pool',
    min: 2,
    max: 3,
    contexts: 'G',
    supported: 'yes',
    usage: 'START END [NETMASK]',
    help: 'Dynamic IPv4 pool start, end, netmask',
    apply: applyIfconfigPool,
  },
  {
    name: 'ifconfig-pool-persist',
    min: 1,
    max: 2,
    contexts: 'G',
    supported: 'yes',
    usage: 'FILE [SECONDS]',
    help: 'Persist CN to address leases; 0 = read-only',
    apply: ([file = '', seconds], options) => {
      const refreshSec = seconds === undefined ? 600 : positiveAtoi(seconds);
      options.ifconfigPoolPersist = { file, refreshSec };
    },
  },
  {
    name: 'ifconfig-push',
    min: 2,
    max: 3,
    contexts: 'D',
    supported: 'yes',
    usage: 'LOCAL REMOTE [ALIAS]',
    help: 'Static IPv4 for this client, optional NAT alias',
    apply: ([local = '', remoteNetmask = '', alias], options, context) => {
      if (!areUsableIpv4([local, remoteNetmask], context)) {
        return context.fail('cannot parse --ifconfig-push addresses');
      }
      options.ifconfigPush = { local, remoteNetmask, alias };
    },
  },
  {
    name: 'ifconfig-push-constraint',
    min: 2,
    max: 2,
    contexts: 'G',
    supported: 'yes',
    usage: 'NETWORK NETMASK',
    help: 'Network that pushed addresses must fall into',
    apply: ([network = '', netmask = ''], options, context) => {
      const value = readIpv4(network, context, true);
      if (!areUsableIpv4([netmask], context) || !value) {
        return context.fail('cannot parse --ifconfig-push-constraint addresses');
      }
      options.ifconfigPushConstraint = { network, netmask };
    },
  },
  {
    name: 'iroute',
    min: 1,
    max: 2,
    contexts: 'D',
    supported: 'yes',
    usage: 'NETWORK [NETMASK]',
    help: 'Client-owned IPv4 subnet',
    apply: applyIroute,
  },
  {
    name: 'iroute-ipv6',
    min: 1,
    max: 1,
    contexts: 'D',
    supported: 'yes',
    usage: 'NETWORK/BITS',
    help: 'Client-owned IPv6 subnet',
    apply: ([text6 = ''], options, context) => {
      const prefix = readIpv6Prefix(text6, context);
      if (prefix === undefined)
        return context.fail(`in --iroute-ipv6 ${text6}: Bad IPv6 prefix specification`);
      options.iroutesIpv6.push({ network: prefix.address, prefix: prefix.netbits });
    },
  },
  {
    name: 'max-clients',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'N',
    help: 'Maximum concurrent clients',
    apply: ([value = ''], options, context) => {
      const clients = atoi(value);
      if (clients < 0) return context.fail('--max-clients must be at least 1');
      if (clients >= MAX_PEER_ID) return context.fail(`--max-clients must be less than ${MAX_PEER_ID}`);
      options.maxClients = clients;
    },
  },
  {
    name: 'max-routes-per-client',
    min: 1,
    max: 1,
    contexts: 'GD',
    supported: 'yes',
    usage: 'N',
    help: 'Internal routes per client',
    apply: ([value = ''], options) => {
      options.maxRoutesPerClient = Math.max(atoi(value), 1);
    },
  },
  {
    name: 'mode',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'MODE',
    help: 'Operating mode p2p or server',
    apply: ([mode = ''], options, context) => {
      if (mode !== 'p2p' && mode !== 'server') return context.fail(`Bad --mode parameter: ${mode}`);
      options.mode = mode;
    },
  },
  {
    name: 'override-username',
    min: 1,
    max: 1,
    contexts: 'D',
    supported: 'not-yet',
    usage: 'NAME',
    help: "Replace the client's username after auth (for tokens)",
  },
  {
    name: 'port-share',
    min: 2,
    max: 3,
    contexts: 'G',
    supported: 'yes',
    usage: 'HOST PORT [DIR]',
    help: 'Hand non-OpenVPN TCP connections to another server',
    apply: ([host = '', port = '', journalDir], options) => {
      options.portShare = { host, port, journalDir };
    },
  },
  {
    name: 'push',
    min: 1,
    max: 1,
    contexts: 'GD',
    supported: 'yes',
    usage: 'OPTION',
    help: 'Option text sent to clients',
    apply: ([option = ''], options, context) => {
      if (option.includes(',')) {
        context.error(`PUSH OPTION FAILED (illegal comma (',') in string): '${option}'`);
        return;
      }
      options.push.push(option);
    },
  },
  {
    name: 'push-continuation',
    min: 1,
    max: 1,
    contexts: 'PU',
    supported: 'yes',
    usage: 'N',
    help: 'Protocol-internal marker for split PUSH_REPLY (2 more follow, 1 last)',
    apply: ([value = ''], options) => {
      options.pushContinuation = atoi(value);
    },
  },
  {
    name: 'push-remove',
    min: 1,
    max: 1,
    contexts: 'D',
    supported: 'yes',
    usage: 'PREFIX',
    help: 'Drop pushed options with this prefix for this client',
    apply: ([prefix = ''], options, context) => {
      context.log(D_PUSH, `PUSH_REMOVE '${prefix}'`);
      pushRemove(options, prefix);
    },
  },
  {
    name: 'push-reset',
    min: 0,
    max: 0,
    contexts: 'D',
    supported: 'yes',
    usage: '',
    help: 'Forget globally pushed options for this client',
    apply: (_values, options) => pushReset(options),
  },
  {
    name: 'server',
    min: 2,
    max: 3,
    contexts: 'G',
    supported: 'yes',
    usage: 'NETWORK NETMASK [nopool]',
    help: 'Helper: VPN subnet for server; optional nopool',
    apply: ([network = '', netmask = '', word], options, context) => {
      if (!areUsableIpv4([network, netmask], context))
        return context.fail('error parsing --server parameters');
      if (word !== undefined && word !== 'nopool') {
        return context.fail(`error parsing --server: ${word} is not a recognized flag`);
      }
      options.server = { network, netmask, nopool: word === 'nopool' };
    },
  },
  {
    name: 'server-bridge',
    min: 0,
    max: 4,
    contexts: 'G',
    supported: 'yes',
    usage: '[GATEWAY NETMASK START END | nogw]',
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
  },
  {
    name: 'server-ipv6',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'NETWORK/BITS',
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
  },
  {
    name: 'stale-routes-check',
    min: 1,
    max: 2,
    contexts: 'G',
    supported: 'yes',
    usage: 'AGE [INTERVAL]',
    help: 'Drop learned routes idle for n s',
    apply: ([age = '', interval], options, context) => {
      const ageSec = atoi(age);
      const intervalSec = interval === undefined ? ageSec : atoi(interval);
      if (ageSec < 1 || intervalSec < 1) {
        return context.fail('--stale-routes-check aging time and check interval must be >= 1');
      }
      options.staleRoutesCheck = { ageSec, intervalSec };
    },
  },
  {
    name: 'tcp-queue-limit',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'N',
    help: 'Queued packets per TCP client',
    apply: ([value = ''], options, context) => {
      const limit = atoi(value);
      if (limit < 1) context.error('--tcp-queue-limit parameter must be > 0');
      options.tcpQueueLimit = limit;
    },
  },
  {
    name: 'tmp-dir',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'DIR',
    help: 'Directory for temporary files',
    apply: text('tmpDir'),
  },
  {
    name: 'username-as-common-name',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Use the auth username as common name',
    apply: flag('usernameAsCommonName'),
  },
  {
    name: 'verify-client-cert',
    min: 0,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: '[MODE]',
    help: 'none, optional or require',
    apply: ([mode = 'require'], options, context) => {
      if (mode !== 'none' && mode !== 'optional' && mode !== 'require') {
        return context.fail("parameter to --verify-client-cert must be 'none', 'optional' or 'require'");
      }
      options.verifyClientCert = mode;
    },
  },
  {
    name: 'vlan-accept',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'KIND',
    help: 'tagged, untagged or all',
    apply: ([kind = ''], options, context) => {
      if (kind !== 'tagged' && kind !== 'untagged' && kind !== 'all') {
        return context.fail("--vlan-accept must be 'tagged', 'untagged' or 'all'");
      }
      options.vlanAccept = kind;
    },
  },
  {
    name: 'vlan-pvid',
    min: 1,
    max: 1,
    contexts: 'GD',
    supported: 'yes',
    usage: 'ID',
    help: 'Port VLAN id 1..4094',
    apply: ([value = ''], options, context) => {
      const vid = positiveAtoi(value);
      if (vid < MIN_VLAN_ID || vid > MAX_VLAN_ID) {
        return context.fail(
          `the parameter of --vlan-pvid parameters must be >= ${MIN_VLAN_ID} and <= ${MAX_VLAN_ID}`,
        );
      }
      options.vlanPvid = vid;
    },
  },
  {
    name: 'vlan-tagging',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: '802.1Q awareness in tap server',
    apply: flag('vlanTagging'),
  },
];

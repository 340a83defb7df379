/**
 * Option rows for client options (2.x options.c add_option(), manual section "client").
 * Fields: option-row.ts. Arity and contexts are those of test-kit/options.tsv.
 */

import { D_PUSH } from '../base/errlevel.ts';
import { applyConnectTimeout, applyPreresolve, applyRemote, decodeBase64 } from './apply-client.ts';
import { applyClientNat } from './apply-network.ts';
import { atoi, count, fileOrInline, flag, type OptionRow, positiveAtoi, text } from './option-row.ts';
import { parseProto, protoKind } from './proto.ts';

export const clientOptions: readonly OptionRow[] = [
  {
    name: 'allow-pull-fqdn',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Allow host names in pushed ifconfig/route',
    apply: flag('allowPullFqdn'),
  },
  {
    name: 'auth-retry',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'KIND',
    help: 'After AUTH_FAILED: none, nointeract or interact',
    apply: ([kind = ''], options, context) => {
      if (kind !== 'none' && kind !== 'nointeract' && kind !== 'interact') {
        return context.fail("--auth-retry method must be 'interact', 'nointeract', or 'none'");
      }
      options.authRetry = kind;
    },
  },
  {
    name: 'auth-token',
    min: 1,
    max: 1,
    contexts: 'GPD',
    supported: 'yes',
    usage: 'TOKEN',
    help: 'Pushed: replace password by token',
    imports: 'echo',
    apply: text('authToken'),
  },
  {
    name: 'auth-token-user',
    min: 1,
    max: 1,
    contexts: 'GPD',
    supported: 'yes',
    usage: 'BASE64',
    help: 'Pushed: base64 username for token auth',
    imports: 'echo',
    apply: ([encoded = ''], options, context) => {
      const user = decodeBase64(encoded);
      if (user === undefined) context.log(D_PUSH, 'Error decoding auth-token-username');
      options.authTokenUser = user;
    },
  },
  {
    name: 'auth-user-pass',
    min: 0,
    max: 1,
    contexts: 'GI',
    supported: 'yes',
    usage: '[FILE]',
    help: 'Send username/password; from file, inline or prompt; 2.7.1 username-only',
    apply: ([file], options, context) => {
      options.authUserPass = file === undefined ? 'prompt' : fileOrInline(file, context.inline);
    },
  },
  {
    name: 'client',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Helper: pull + tls-client',
    apply: flag('client'),
  },
  {
    name: 'client-nat',
    min: 4,
    max: 4,
    contexts: 'GR',
    supported: 'yes',
    usage: 'snat|dnat NETWORK NETMASK ALIAS',
    help: 'One-to-one NAT: snat/dnat network netmask alias',
    imports: 'route',
    apply: applyClientNat,
  },
  {
    name: 'connect-retry',
    min: 1,
    max: 2,
    contexts: 'GC',
    supported: 'yes',
    usage: 'SECONDS [MAX]',
    help: 'Base and maximum seconds between reconnects (exponential after 5 tries per remote)',
    apply: ([seconds = '', max], { ce }, context) => {
      ce.connectRetry = positiveAtoi(seconds);
      if (ce.connectRetry > 0xffff) {
        ce.connectRetry = 0xffff;
        context.warn(`connect retry wait interval truncated to ${ce.connectRetry}`);
      }
      if (max !== undefined) ce.connectRetryMaxDelay = Math.max(positiveAtoi(max), ce.connectRetry);
    },
  },
  {
    name: 'connect-retry-max',
    min: 1,
    max: 1,
    contexts: 'GC',
    supported: 'yes',
    usage: 'N',
    help: 'Rounds through all remotes before giving up fatally',
    apply: count('connectRetryMax'),
  },
  {
    name: 'connect-timeout',
    min: 1,
    max: 1,
    contexts: 'GC',
    supported: 'yes',
    usage: 'SECONDS',
    help: 'Seconds to wait for the first server reply before next remote',
    apply: applyConnectTimeout,
  },
  {
    name: 'connection',
    min: 1,
    max: 2,
    contexts: 'GI',
    supported: 'yes',
    usage: '',
    help: 'Inline block defining one connection profile; as a plain option it is parsed and ignored',
    apply: ([block = ''], _options, context) => {
      if (context.inline) context.connection(block);
    },
  },
  {
    name: 'ip-remote-hint',
    min: 0,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: '[ADDRESS]',
    help: 'Compat spelling of preresolve; argument is a pre-resolved address',
    apply: applyPreresolve,
  },
  {
    name: 'preresolve',
    min: 0,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: '[ADDRESS]',
    help: 'Resolve all remotes at start-up',
    apply: applyPreresolve,
  },
  {
    name: 'proto-force',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'PROTO',
    help: 'Skip connection entries of other protocols',
    apply: ([name = ''], options, context) => {
      const proto = parseProto(name);
      if (proto === undefined) return context.fail(`Bad --proto-force protocol: '${name}'`);
      options.protoForce = protoKind(proto);
    },
  },
  {
    name: 'pull',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Accept options pushed by the server',
    apply: flag('pull'),
  },
  {
    name: 'pull-filter',
    min: 2,
    max: 2,
    contexts: 'G',
    supported: 'yes',
    usage: 'accept|ignore|reject PREFIX',
    help: 'Prefix filter on pushed options: accept, ignore or reject',
    apply: ([type = '', prefix = ''], options, context) => {
      if (type !== 'accept' && type !== 'ignore' && type !== 'reject') {
        return context.fail(`Unknown --pull-filter type: ${type}`);
      }
      options.pullFilters.push({ type, prefix });
    },
  },
  {
    name: 'push-peer-info',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Send IV_*/UV_* details to server',
    apply: flag('pushPeerInfo'),
  },
  {
    name: 'remote',
    min: 1,
    max: 3,
    contexts: 'GC',
    supported: 'yes',
    usage: 'HOST [PORT] [PROTO]',
    help: 'Peer host, optional port and protocol; repeatable on clients',
    apply: applyRemote,
  },
  {
    name: 'remote-random',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Shuffle the list of remotes at start',
    apply: flag('remoteRandom'),
  },
  {
    name: 'remote-random-hostname',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Prefix remote name with a random label',
    apply: flag('remoteRandomHostname'),
  },
  {
    name: 'resolv-retry',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'SECONDS',
    help: 'Seconds to keep retrying DNS resolution, or infinite',
    apply: ([seconds = ''], options) => {
      options.resolvRetry = seconds === 'infinite' ? Number.POSITIVE_INFINITY : positiveAtoi(seconds);
    },
  },
  {
    name: 'route-nopull',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Ignore pushed routes and dhcp/dns options',
    apply: flag('routeNopull'),
  },
  {
    name: 'server-poll-timeout',
    min: 1,
    max: 1,
    contexts: 'GC',
    supported: 'yes',
    usage: 'SECONDS',
    help: 'Alias of connect-timeout',
    apply: applyConnectTimeout,
  },
  {
    name: 'static-challenge',
    min: 2,
    max: 3,
    contexts: 'G',
    supported: 'yes',
    usage: 'TEXT ECHO',
    help: 'Challenge text, echo flag; 2.7 adds third arg scrv1/concat (2.6: exactly 2)',
    apply: ([text = '', echo = '', format = 'scrv1'], options, context) => {
      if (format !== 'scrv1' && format !== 'concat')
        return context.error(`--static-challenge: unknown format indicator '${format}'`);
      options.staticChallenge = { text, echo: atoi(echo) !== 0, format };
    },
  },
];

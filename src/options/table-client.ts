/**
 * Option rows for client options (2.x options.c add_option(), manual section "client").
 * Fields: option-row.ts. Arity and contexts are those of test-kit/options.tsv.
 */

import { D_PUSH } from '../base/errlevel.ts';
import { applyConnectTimeout, applyPreresolve, applyRemote, decodeBase64 } from './apply-client.ts';
import { applyClientNat } from './apply-network.ts';
import { atoi, count, fileOrInline, flag, type OptionRow, positiveAtoi, row, text } from './option-row.ts';
import { parseProto, protoKind } from './proto.ts';

export const clientOptions: readonly OptionRow[] = [
  row('allow-pull-fqdn', 0, 0, 'G', 'Allow host names in pushed ifconfig/route', flag('allowPullFqdn')),
  row('auth-retry KIND', 1, 1, 'G', {
    help: 'After AUTH_FAILED: none, nointeract or interact',
    apply: ([kind = ''], options, context) => {
      if (kind !== 'none' && kind !== 'nointeract' && kind !== 'interact') {
        return context.fail("--auth-retry method must be 'interact', 'nointeract', or 'none'");
      }
      options.authRetry = kind;
    },
  }),
  row('auth-token TOKEN', 1, 1, 'GPD', 'Pushed: replace password by token', text('authToken'), 'echo'),
  row('auth-token-user BASE64', 1, 1, 'GPD', {
    help: 'Pushed: base64 username for token auth',
    imports: 'echo',
    apply: ([encoded = ''], options, context) => {
      const user = decodeBase64(encoded);
      if (user === undefined) context.log(D_PUSH, 'Error decoding auth-token-username');
      options.authTokenUser = user;
    },
  }),
  row('auth-user-pass [FILE]', 0, 1, 'GI', {
    help: 'Send username/password; from file, inline or prompt; 2.7.1 username-only',
    apply: ([file], options, context) => {
      options.authUserPass = file === undefined ? 'prompt' : fileOrInline(file, context.inline);
    },
  }),
  row('client', 0, 0, 'G', 'Helper: pull + tls-client', flag('client')),
  row('client-nat snat|dnat NETWORK NETMASK ALIAS', 4, 4, 'GR', {
    help: 'One-to-one NAT: snat/dnat network netmask alias',
    imports: 'route',
    apply: applyClientNat,
  }),
  row('connect-retry SECONDS [MAX]', 1, 2, 'GC', {
    help: 'Base and maximum seconds between reconnects (exponential after 5 tries per remote)',
    apply: ([seconds = '', max], { ce }, context) => {
      ce.connectRetry = positiveAtoi(seconds);
      if (ce.connectRetry > 0xffff) {
        ce.connectRetry = 0xffff;
        context.warn(`connect retry wait interval truncated to ${ce.connectRetry}`);
      }
      if (max !== undefined) ce.connectRetryMaxDelay = Math.max(positiveAtoi(max), ce.connectRetry);
    },
  }),
  row('connect-retry-max N', 1, 1, 'GC', {
    help: 'Rounds through all remotes before giving up fatally',
    apply: count('connectRetryMax'),
  }),
  row('connect-timeout SECONDS', 1, 1, 'GC', {
    help: 'Seconds to wait for the first server reply before next remote',
    apply: applyConnectTimeout,
  }),
  row('connection', 1, 2, 'GI', {
    help: 'Inline block defining one connection profile; as a plain option it is parsed and ignored',
    apply: ([block = ''], _options, context) => {
      if (context.inline) context.connection(block);
    },
  }),
  row('ip-remote-hint [ADDRESS]', 0, 1, 'G', {
    help: 'Compat spelling of preresolve; argument is a pre-resolved address',
    apply: applyPreresolve,
  }),
  row('preresolve [ADDRESS]', 0, 1, 'G', 'Resolve all remotes at start-up', applyPreresolve),
  row('proto-force PROTO', 1, 1, 'G', {
    help: 'Skip connection entries of other protocols',
    apply: ([name = ''], options, context) => {
      const proto = parseProto(name);
      if (proto === undefined) return context.fail(`Bad --proto-force protocol: '${name}'`);
      options.protoForce = protoKind(proto);
    },
  }),
  row('pull', 0, 0, 'G', 'Accept options pushed by the server', flag('pull')),
  row('pull-filter accept|ignore|reject PREFIX', 2, 2, 'G', {
    help: 'Prefix filter on pushed options: accept, ignore or reject',
    apply: ([type = '', prefix = ''], options, context) => {
      if (type !== 'accept' && type !== 'ignore' && type !== 'reject') {
        return context.fail(`Unknown --pull-filter type: ${type}`);
      }
      options.pullFilters.push({ type, prefix });
    },
  }),
  row('push-peer-info', 0, 0, 'G', 'Send IV_*/UV_* details to server', flag('pushPeerInfo')),
  row('remote HOST [PORT] [PROTO]', 1, 3, 'GC', {
    help: 'Peer host, optional port and protocol; repeatable on clients',
    apply: applyRemote,
  }),
  row('remote-random', 0, 0, 'G', 'Shuffle the list of remotes at start', flag('remoteRandom')),
  row('remote-random-hostname', 0, 0, 'G', {
    help: 'Prefix remote name with a random label',
    apply: flag('remoteRandomHostname'),
  }),
  row('resolv-retry SECONDS', 1, 1, 'G', {
    help: 'Seconds to keep retrying DNS resolution, or infinite',
    apply: ([seconds = ''], options) => {
      options.resolvRetry = seconds === 'infinite' ? Number.POSITIVE_INFINITY : positiveAtoi(seconds);
    },
  }),
  row('route-nopull', 0, 0, 'G', 'Ignore pushed routes and dhcp/dns options', flag('routeNopull')),
  row('server-poll-timeout SECONDS', 1, 1, 'GC', 'Alias of connect-timeout', applyConnectTimeout),
  row('static-challenge TEXT ECHO', 2, 3, 'G', {
    help: 'Challenge text, echo flag; 2.7 adds third arg scrv1/concat (2.6: exactly 2)',
    apply: ([text = '', echo = '', format = 'scrv1'], options, context) => {
      if (format !== 'scrv1' && format !== 'concat')
        return context.error(`--static-challenge: unknown format indicator '${format}'`);
      options.staticChallenge = { text, echo: atoi(echo) !== 0, format };
    },
  }),
];

/**
 * Option rows for obsolete options: refused, or accepted without effect (2.x options.c add_option(), manual section "obsolete").
 * Fields: option-row.ts. Arity and contexts are those of test-kit/options.tsv.
 */

import { M_INFO } from '../base/errlevel.ts';
import { proxyRetry, removedIn25 } from './apply-tool.ts';
import { ignored, MANY, type OptionRow, rejected, row } from './option-row.ts';

export const obsoleteOptions: readonly OptionRow[] = [
  rejected('auto-proxy', 0, MANY, '-', 'Automatic proxy detection'),
  rejected('client-cert-not-required', 0, 0, 'G', {
    help: 'Former way to make client cert optional',
    apply: (_values, _options, context) =>
      context.fatal("REMOVED OPTION: --client-cert-not-required, use '--verify-client-cert none' instead"),
  }),
  rejected('compat-names', 0, MANY, 'G', 'Former name remapping compat', removedIn25),
  rejected('dhcp-rr', 0, MANY, '-', 'Old name of dhcp-renew variant'),
  rejected('foreign-option', 0, MANY, '-', 'Store an arbitrary foreign option'),
  rejected('http-proxy-fallback', 0, MANY, '-', 'Proxy fallback'),
  ignored('http-proxy-retry', 0, MANY, 'GC', 'Former proxy retry switch', proxyRetry),
  ignored('http-proxy-timeout SECONDS', 0, MANY, 'GC', {
    help: 'Former proxy timeout (2.6: exactly 1 arg)',
    apply: (values, _options, context) => {
      if (values.length !== 1) return context.unrecognized();
      context.warn(
        'DEPRECATED OPTION: http-proxy-timeout: In OpenVPN 2.4 the timeout until a connection to a server is established is managed with a single timeout set by connect-timeout',
      );
    },
  }),
  rejected('ifconfig-pool-linear', 0, MANY, '-', 'Linear pool allocation (use topology p2p)'),
  rejected('inetd', 0, MANY, '-', 'Start from inetd'),
  rejected('key-method', 0, MANY, '-', 'Old key exchange method selector'),
  rejected('keysize', 0, MANY, '-', 'Override cipher key size'),
  rejected('management-client-pf', 0, MANY, '-', 'Packet-filter via management'),
  ignored('max-routes [N]', 0, 1, 'N', 'Former limit on number of routes', (_values, _options, context) =>
    context.warn(
      'DEPRECATED OPTION: --max-routes option ignored. The number of routes is unlimited as of OpenVPN 2.4. This option will be removed in a future version, please remove it from your configuration.',
    ),
  ),
  rejected('mtu-dynamic', 0, MANY, 'GC', 'Former name of fragment', (_values, _options, context) =>
    context.fail('--mtu-dynamic has been replaced by --fragment'),
  ),
  rejected('ncp-disable', 0, MANY, '-', 'Turn off cipher negotiation'),
  rejected('nice-work', 0, MANY, '-', 'Priority of worker thread'),
  rejected('no-iv', 0, MANY, '-', 'Disable IV'),
  rejected('no-name-remapping', 0, 0, 'G', 'Former remapping switch', removedIn25),
  rejected('no-replay', 0, 0, 'G', 'Disable replay protection', (_values, _options, context) =>
    context.fatal('--no-replay was removed in OpenVPN 2.7. Update your configuration.'),
  ),
  row('opt-verify', 0, 0, 'G', {
    help: 'Reject clients with mismatching option strings',
    apply: (_values, options, context) => {
      context.log(M_INFO, 'DEPRECATION: opt-verify is deprecated and will be removed in OpenVPN 2.7');
      options.optVerify = true;
    },
  }),
  ignored('prng DIGEST [BYTES]', 1, 2, 'N', 'Former PRNG settings', (_values, _options, context) =>
    context.warn('NOTICE: --prng option ignored (SSL library PRNG is used)'),
  ),
  rejected('remote-ip-hint', 0, MANY, '-', 'Old name of ip-remote-hint'),
  rejected('show-proxy-settings', 0, MANY, '-', 'Show system proxy settings'),
  ignored('socks-proxy-retry', 0, MANY, 'GC', 'Former SOCKS retry switch', proxyRetry),
  rejected('threads', 0, MANY, '-', 'Threaded build tuning'),
  rejected('tls-remote', 0, MANY, '-', 'Old subject check (use verify-x509-name)'),
  ignored('tun-ipv6', 0, 0, 'N', {
    help: 'Former switch to enable IPv6 in the tunnel',
    apply: (_values, _options, context) => {
      if (context.context === 'P') return;
      context.warn(
        'Note: option tun-ipv6 is ignored because modern operating systems do not need special IPv6 tun handling anymore.',
      );
    },
  }),
];

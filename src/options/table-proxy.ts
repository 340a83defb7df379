/**
 * Option rows for proxies (2.x options.c add_option(), manual section "proxy").
 * Fields: option-row.ts. Arity and contexts are those of test-kit/options.tsv.
 */

import { applyHttpProxy, applyHttpProxyOption, proxyOverride, userPassOf } from './apply-proxy.ts';
import { MANY, type OptionRow, row } from './option-row.ts';

export const proxyOptions: readonly OptionRow[] = [
  row('http-proxy HOST PORT [FILE|auto|auto-nct] [METHOD]', 2, 4, 'GC', {
    help: 'HTTP proxy host, port, auth file or auto/auto-nct, method',
    apply: applyHttpProxy,
  }),
  row('http-proxy-option NAME VALUE...', 2, 3, 'GC', {
    help: 'VERSION, AGENT or CUSTOM-HEADER for the proxy request',
    apply: applyHttpProxyOption,
  }),
  row('http-proxy-override HOST PORT [nct]', 2, 3, 'G', {
    help: 'Force all remotes through this HTTP proxy over TCP',
    apply: ([server = '', port = '', flags], options) => {
      options.httpProxyOverride = proxyOverride(server, port, flags === 'nct');
    },
  }),
  row('http-proxy-user-pass FILE', 1, MANY, 'GI', {
    help: 'Credentials for HTTP proxy, mostly as inline block',
    apply: userPassOf,
  }),
  row('socks-proxy HOST [PORT] [FILE]', 1, 3, 'GC', {
    help: 'SOCKS5 proxy host, port, auth file',
    apply: ([server = '', port = '1080', authFile], { ce }) => {
      ce.socksProxy = { server, port, authFile };
    },
  }),
];

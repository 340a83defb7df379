/**
 * Option rows for proxies (2.x options.c add_option(), manual section "proxy").
 * Fields: option-row.ts. Arity and contexts are those of test-kit/options.tsv.
 */

import { applyHttpProxy, applyHttpProxyOption, proxyOverride, userPassOf } from './apply-proxy.ts';
import { MANY, type OptionRow } from './option-row.ts';

export const proxyOptions: readonly OptionRow[] = [
  {
    name: 'http-proxy',
    min: 2,
    max: 4,
    contexts: 'GC',
    supported: 'yes',
    usage: 'HOST PORT [FILE|auto|auto-nct] [METHOD]',
    help: 'HTTP proxy host, port, auth file or auto/auto-nct, method',
    apply: applyHttpProxy,
  },
  {
    name: 'http-proxy-option',
    min: 2,
    max: 3,
    contexts: 'GC',
    supported: 'yes',
    usage: 'NAME VALUE...',
    help: 'VERSION, AGENT or CUSTOM-HEADER for the proxy request',
    apply: applyHttpProxyOption,
  },
  {
    name: 'http-proxy-override',
    min: 2,
    max: 3,
    contexts: 'G',
    supported: 'yes',
    usage: 'HOST PORT [nct]',
    help: 'Force all remotes through this HTTP proxy over TCP',
    apply: ([server = '', port = '', flags], options) => {
      options.httpProxyOverride = proxyOverride(server, port, flags === 'nct');
    },
  },
  {
    name: 'http-proxy-user-pass',
    min: 1,
    max: MANY,
    contexts: 'GI',
    supported: 'yes',
    usage: 'FILE',
    help: 'Credentials for HTTP proxy, mostly as inline block',
    apply: userPassOf,
  },
  {
    name: 'socks-proxy',
    min: 1,
    max: 3,
    contexts: 'GC',
    supported: 'yes',
    usage: 'HOST [PORT] [FILE]',
    help: 'SOCKS5 proxy host, port, auth file',
    apply: ([server = '', port = '1080', authFile], { ce }) => {
      ce.socksProxy = { server, port, authFile };
    },
  },
];

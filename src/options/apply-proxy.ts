/**
 * Actions of --http-proxy and its relatives (2.x options.c, proxy.c init_http_proxy_options_once()). The
 * options may come in any order: the first one makes the record, the others fill it.
 */

import type { ConnectionEntry, HttpProxyOptions } from './connection-entry.ts';
import { type Apply, fileOrInline } from './option-row.ts';
import type { Options } from './option-types.ts';

/** 2.x's MAX_CUSTOM_HTTP_HEADER. */
const MAX_CUSTOM_HEADERS = 10;
/** The agent that 2.x names in requests of --http-proxy-override. */
const OVERRIDE_AGENT = 'OpenVPN-Autoproxy/1.0';

export const applyHttpProxy: Apply = ([server = '', port = '', auth, method], { ce }: Options) => {
  const proxy = proxyOf(ce);
  proxy.server = server;
  proxy.port = port;
  if (auth === 'auto' || auth === 'auto-nct') {
    proxy.auth = auth;
    return;
  }
  proxy.auth = auth === undefined ? 'none' : (method ?? 'basic');
  proxy.authFile = auth === undefined ? undefined : fileOrInline(auth, false);
};

export const applyHttpProxyOption: Apply = ([name = '', value = '', content], { ce }, context) => {
  const proxy = proxyOf(ce);
  if (name === 'VERSION' && content === undefined) {
    proxy.version = value;
  } else if (name === 'AGENT' && content === undefined) {
    proxy.agent = value;
  } else if (name === 'CUSTOM-HEADER' || name === 'EXT1' || name === 'EXT2') {
    if (proxy.customHeaders.length < MAX_CUSTOM_HEADERS) proxy.customHeaders.push({ name: value, content });
    else
      context.error(`Cannot use more than ${MAX_CUSTOM_HEADERS} http-proxy-option CUSTOM-HEADER : '${name}'`);
  } else {
    context.error(`Bad http-proxy-option or missing or extra parameter: '${name}'`);
  }
};

export const userPassOf: Apply = ([value = ''], { ce }, { inline }) => {
  proxyOf(ce).userPass = fileOrInline(value, inline);
};

/** The proxy of --http-proxy-override; `nct` = no clear-text login. */
export function proxyOverride(server: string, port: string, nct: boolean): HttpProxyOptions {
  return { ...newProxy(), server, port, auth: nct ? 'auto-nct' : 'auto', agent: OVERRIDE_AGENT };
}

function proxyOf(ce: ConnectionEntry): HttpProxyOptions {
  ce.httpProxy ??= newProxy();
  return ce.httpProxy;
}

function newProxy(): HttpProxyOptions {
  return {
    server: '',
    port: '',
    auth: 'none',
    authFile: undefined,
    userPass: undefined,
    version: '1.0',
    agent: undefined,
    customHeaders: [],
  };
}

/** Actions of tool modes and removed options (2.x options.c). */

import type { ToolMode } from './generic-options.ts';
import type { Apply } from './option-row.ts';

export const applyGenkey: Apply = ([type = 'secret', file, extra], options, context) => {
  options.tool = 'genkey';
  if (type === 'secret' || type === 'tls-auth' || type === 'tls-crypt') {
    options.genkey = { type: 'secret', file, extra: undefined };
  } else if (type === 'tls-crypt-v2-server' || type === 'tls-crypt-v2-client' || type === 'auth-token') {
    options.genkey = { type, file, extra };
  } else {
    return context.fail(`unknown --genkey type: ${type}`);
  }
};

/** A list to print; the first one asked for wins. */
export function showMode(tool: ToolMode): Apply {
  return (_values, options) => {
    options.tool ??= tool;
  };
}

export const proxyRetry: Apply = (_values, _options, context) =>
  context.warn(
    'DEPRECATED OPTION: http-proxy-retry and socks-proxy-retry: In OpenVPN 2.4 proxy connection retries are handled like regular connections. Use connect-retry-max 1 to get a similar behavior as before.',
  );

export const removedIn25: Apply = (_values, _options, context) =>
  context.fail(`--${context.name} was removed in OpenVPN 2.5. Update your configuration.`);

/**
 * The typed result of option parsing (2.x struct options, options.h 2.6), put together from its sections
 * (tls-options.ts and the like), each with its defaults beside it.
 *
 * Names are the option's own in camelCase; `undefined` means "not given and no default". Seconds stay
 * seconds, as the options say them. Addresses are canonical text; ports stay text, since 2.x
 * takes service names (`portNumber()` gives the number). Values are filled by the table in
 * table-*.ts and by the post-processing of postprocess.ts; later only `applyPulledOptions()`,
 * `restorePrePull()` and `parseClientConfig()` change them.
 */
import type { ClientOptions } from './client-options.ts';
import type { DataChannelOptions } from './data-channel-options.ts';
import type { GenericOptions } from './generic-options.ts';
import type { LogOptions } from './log-options.ts';
import type { NetworkOptions } from './network-options.ts';
import type { ScriptOptions } from './script-options.ts';
import type { ServerOptions } from './server-options.ts';
import type { TlsOptions } from './tls-options.ts';
import type { TunnelOptions } from './tunnel-options.ts';

/** Everything of one configuration. One object a process; clones for clients of a server. */
export interface Options
  extends GenericOptions,
    TunnelOptions,
    NetworkOptions,
    ClientOptions,
    ServerOptions,
    DataChannelOptions,
    TlsOptions,
    ScriptOptions,
    LogOptions {
  /** What PUSH_REPLY may change, as it was before the first pull. */
  prePull: PrePull | undefined;
}

/** 2.x struct options_pre_connect. */
export type PrePull = Pick<
  Options,
  | 'routes'
  | 'routesIpv6'
  | 'redirectGateway'
  | 'routeGateway'
  | 'routeIpv6Gateway'
  | 'routeGatewayViaDhcp'
  | 'dhcpOptions'
  | 'dns'
  | 'cipher'
  | 'auth'
  | 'ping'
  | 'pingRecTimeout'
  | 'pingRecAction'
  | 'compress'
  | 'clientNat'
  | 'blockIpv6'
  | 'setenv'
>;

/**
 * Script hooks and their environment from options (2.x init_env(), setenv_settings() of options.c,
 * context_init_1() of init.c).
 */
import { type DnsServer, isTcp, type Options, portNumber } from '../options/options.ts';
import {
  chain,
  EnvSet,
  type HookFunctions,
  type Hooks,
  hooksOf,
  ScriptHooks,
  type ScriptLimits,
  type ScriptRunner,
} from '../script/script.ts';
import type { Providers } from './init.ts';
import { isRestart, type SignalState } from './sig.ts';

/** How long scripts may hold up the end of a program, or a restart asked for from outside; 2.x waits for ever. */
const STOP_LIMITS: ScriptLimits = { runningMs: 5_000, newMs: 20_000 };

/** Scripts of the options, and before them, as plugins of 2.x are, the caller's functions. */
export function createHooks(options: Options, providers: Providers, functions?: HookFunctions): Hooks {
  const scripts = new ScriptHooks({
    runner: providers.scripts,
    log: providers.log,
    scriptSecurity: options.scriptSecurity,
    tmpDir: options.tmpDir,
    exportCertDir: options.tlsExportCert,
    commands: {
      up: options.up,
      down: options.down,
      routeUp: options.routeUp,
      routePreDown: options.routePreDown,
      ipchange: options.ipchange,
      tlsVerify: options.tlsVerify,
      tlsCryptV2Verify: options.tlsCryptV2Verify,
      clientConnect: options.clientConnect,
      clientDisconnect: options.clientDisconnect,
      clientCrresponse: options.clientCrresponse,
      learnAddress: options.learnAddress,
      authUserPassVerify: options.authUserPassVerify,
    },
  });
  return functions ? chain(hooksOf(functions, providers.log), scripts) : scripts;
}

/** Once a program is told to end, scripts must end, too. Soft restarts wait for whatever script is at work. */
export function limitScripts(signals: SignalState, scripts: ScriptRunner): void {
  signals.onPending = (signal) => {
    if (!signal) scripts.limit?.();
    else if (signal.source === 'hard' || !isRestart(signal)) scripts.limit?.(STOP_LIMITS);
  };
}

/** What every script sees from the start. */
export function createEnv(options: Options, wallMs: number): EnvSet {
  const env = new EnvSet();
  for (const { name, value } of options.setenv) env.set(name, value);
  env.set('config', options.config);
  env.set('verb', options.verb);
  env.set('daemon', options.daemon ? 1 : 0);
  env.set('daemon_log_redirect', options.log ? 1 : 0);
  env.set('daemon_start_time', Math.floor(wallMs / 1000));
  env.set('daemon_pid', process.pid);
  for (const [index, entry] of options.connectionList.entries()) {
    const n = index + 1;
    env.set(
      `proto_${n}`,
      isTcp(entry.proto) && !entry.proto.includes('-') ? `${entry.proto}-client` : entry.proto,
    );
    if (entry.local !== undefined) env.set(`local_${n}`, entry.local);
    if (entry.lport !== undefined) env.set(`local_port_${n}`, portNumber(entry.lport) ?? entry.lport);
    if (entry.remote !== undefined) env.set(`remote_${n}`, entry.remote);
    env.set(`remote_port_${n}`, portNumber(entry.rport) ?? entry.rport);
    for (const [name, proxy] of [
      ['http', entry.httpProxy],
      ['socks', entry.socksProxy],
    ] as const) {
      if (proxy === undefined) continue;
      env.set(`${name}_proxy_server_${n}`, proxy.server);
      env.set(`${name}_proxy_port_${n}`, proxy.port);
    }
  }
  if (!options.pull) setDnsVariables(env, options);
  setForeignOptions(env, options);
  return env;
}

/** What a pull brings for scripts: variables of setenv-safe, foreign_option_1 and so on. */
export function setPulledVariables(env: EnvSet, options: Options): void {
  for (const { name, value } of options.setenv) if (name.startsWith('OPENVPN_')) env.set(name, value);
  setDnsVariables(env, options);
  setForeignOptions(env, options);
}

/** --dns as 2.6 tells it (dns.c setenv_dns_options()). */
function setDnsVariables(env: EnvSet, { dns }: Options): void {
  env.deletePrefix('dns_search_domain_');
  env.deletePrefix('dns_server_');
  for (const [index, domain] of dns.searchDomains.entries())
    env.set(`dns_search_domain_${index + 1}`, domain);
  for (const [index, server] of dns.servers.entries()) setDnsServer(env, `dns_server_${index + 1}`, server);
}

function setDnsServer(env: EnvSet, prefix: string, server: DnsServer): void {
  for (const [index, { address, port }] of server.addresses.entries()) {
    env.set(`${prefix}_address_${index + 1}`, address);
    if (port !== 0) env.set(`${prefix}_port_${index + 1}`, port);
  }
  for (const [index, domain] of server.domains.entries())
    env.set(`${prefix}_resolve_domain_${index + 1}`, domain);
  env.set(`${prefix}_dnssec`, server.dnssec);
  env.set(`${prefix}_transport`, server.transport);
  env.set(`${prefix}_sni`, server.sni);
}

function setForeignOptions(env: EnvSet, options: Options): void {
  env.deletePrefix('foreign_option_');
  for (const [index, option] of options.dhcpOptions.entries()) {
    env.set(`foreign_option_${index + 1}`, `dhcp-option ${option}`);
  }
}

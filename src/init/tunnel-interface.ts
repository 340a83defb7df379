/**
 * The tun device with everything the machine knows of it (2.x do_open_tun(), do_close_tun(), do_route()
 * of init.c): device, addresses, up script, routes, route-up script; and back in reverse. What was
 * made is remembered step by step, so that close() at any moment removes all of it and nothing else.
 */
import { type LinkAddress, OpenVpnError } from '../base/base.ts';
import { D_CLOSE, M_INFO, M_WARN } from '../base/errlevel.ts';
import {
  type ConnectionEntry,
  devTypeOf,
  ifconfigAdvice,
  isNullDevice,
  type Options,
} from '../options/options.ts';
import {
  type ConfiguredTun,
  configureTun,
  RouteList,
  type RouteListInput,
  type TunSetup,
} from '../route/route.ts';
import type { EnvSet, Hooks, UpDownContext } from '../script/script.ts';
import type { TunDevice } from '../tun/tun.ts';
import type { Providers } from './init.ts';
import type { SignalState } from './sig.ts';

/** The parts of a client's or server's run that it needs. */
export interface TunnelInterfaceParts {
  readonly providers: Pick<Providers, 'tun' | 'network' | 'log'>;
  readonly hooks: Hooks;
  readonly env: EnvSet;
  readonly signals: SignalState;
}

type ScriptContext = UpDownContext['context'];

export class TunnelInterface {
  readonly #parts: TunnelInterfaceParts;
  #device: TunDevice | undefined;
  #configured: ConfiguredTun | undefined;
  #routes: RouteList | undefined;
  #routesAdded = false;
  #up: UpDownContext | undefined;
  #options: Options | undefined;
  /** Names of the variables that tell scripts of routes. */
  readonly #routeVariables = new Set<string>();
  /** open() or addRoutes() at work; close() waits for its end. */
  #working: Promise<unknown> = Promise.resolve();
  /** close() was called: what is at work stops at its next step. */
  #closing = false;

  constructor(parts: TunnelInterfaceParts) {
    this.#parts = parts;
  }

  get device(): TunDevice | undefined {
    return this.#device;
  }

  /** Opens the device, sets addresses and runs the up script. Throws TunError, or OpenVpnError when the script fails. */
  open(
    options: Options,
    ce: ConnectionEntry,
    remote: LinkAddress | undefined,
    context: ScriptContext,
  ): Promise<TunDevice> {
    return this.#work(this.#open(options, ce, remote, context));
  }

  async #open(
    options: Options,
    ce: ConnectionEntry,
    remote: LinkAddress | undefined,
    context: ScriptContext,
  ): Promise<TunDevice> {
    const { env, hooks } = this.#parts;
    const { log, network, tun } = this.#parts.providers;
    this.#closing = false;
    this.#options = options;
    const advice = ifconfigAdvice(options);
    if (advice !== undefined) log.log(M_WARN, advice);
    const addresses = tunAddresses(options, ce);
    // Before the device, as 2.x has it: the machine's ways are looked at as they are without it.
    const input = routeInput(options, remote);
    const routes = RouteList.isNeeded(input) ? await RouteList.create(network, input, log) : undefined;
    this.#forgetRouteVariables();
    routes?.exportTo({ set: (name, value) => this.#setRouteVariable(name, value) });
    const device = tun.open({
      dev: isNullDevice(options) ? 'null' : (options.dev ?? 'tun'),
      type: devTypeOf(options) === 'tap' ? 'tap' : 'tun',
      ...(options.devNode !== undefined && { node: options.devNode }),
      ...(options.txqueuelen > 0 && { txqueuelen: options.txqueuelen }),
    });
    this.#device = device;
    this.#routes = routes;
    device.onError = () => this.#handleLost();
    const configured = await configureTun(
      network,
      { ...addresses, dev: device.name, type: device.type },
      log,
    );
    this.#configured = configured;
    configured.exportTo(env);
    if (this.#closing) return device;
    const up = this.#upContext(ce, context);
    await this.#mustSucceed(hooks.up(env, up), 'up');
    // Scripts that take down run only where up has run.
    this.#up = up;
    return device;
  }

  /** A DHCP server named the gateway of routes that are still to be added (`route-gateway dhcp`). */
  readonly useGateway = (address: string): void => {
    this.#routes?.useGateway(address);
    this.#setRouteVariable('route_vpn_gateway', address);
  };

  /** What is opened or left next has other routes. */
  #forgetRouteVariables(): void {
    for (const name of this.#routeVariables) this.#parts.env.delete(name);
    this.#routeVariables.clear();
  }

  #setRouteVariable(name: string, value: string | number | undefined): void {
    this.#routeVariables.add(name);
    this.#parts.env.set(name, value);
  }

  /** Adds the routes and runs route-up. Resolves false when a route could not be added. */
  addRoutes(options: Options): Promise<boolean> {
    return this.#work(this.#addRoutes(options));
  }

  async #addRoutes(options: Options): Promise<boolean> {
    const { env, hooks } = this.#parts;
    let ok = true;
    if (this.#routes && !options.routeNoexec) {
      this.#routesAdded = true;
      ok = await this.#routes.add(this.#device?.name ?? '');
    }
    if (!options.routeNoexec) this.#setRouteVariable('redirect_gateway', this.#routes?.redirected ? 1 : 0);
    if (!this.#closing) await hooks.routeUp(env);
    return ok;
  }

  /** The connection is lost and the device stays: with --up-restart, scripts hear of it at once. */
  async suspend(signal: string): Promise<void> {
    if (!this.#device || !this.#up || !this.#options?.upRestart) return;
    const { env, hooks } = this.#parts;
    await this.#mustSucceed(hooks.down(env, this.#downContext(this.#up, 'restart', signal)), 'down');
  }

  /** The connection is back. The environment is a new one by then. */
  async resume(ce: ConnectionEntry): Promise<void> {
    const { env, hooks, providers } = this.#parts;
    providers.log.log(M_INFO, `Preserving previous TUN/TAP instance: ${this.#device?.name}`);
    this.#configured?.exportTo(env);
    if (!this.#options?.upRestart) return;
    await this.#mustSucceed(hooks.up(env, this.#upContext(ce, 'restart')), 'up');
  }

  /** Takes everything away. `signal` is the reason that scripts see. Throws OpenVpnError when a script fails, after the work. */
  async close(signal: string): Promise<void> {
    this.#closing = true;
    await this.#working;
    const { env, hooks, providers } = this.#parts;
    const device = this.#device;
    if (!device) return;
    this.#device = undefined;
    const up = this.#up && this.#downContext(this.#up, 'init', signal);
    const failed: string[] = [];
    if (up && !(await hooks.routePreDown(env, up))) failed.push('route-pre-down');
    if (this.#routesAdded) await this.#routes?.remove();
    if (up && this.#options?.downPre && !(await hooks.down(env, up))) failed.push('down');
    if (device.type !== 'null') providers.log.log(D_CLOSE, 'Closing TUN/TAP interface');
    await this.#configured?.undo();
    device.close();
    if (up && !this.#options?.downPre && !(await hooks.down(env, up))) failed.push('down');
    this.#forget();
    if (failed.length > 0) throw new OpenVpnError(`ERROR: ${failed[0]} script failed`, 'ERR_OVPN_SCRIPT');
  }

  /**
   * Somebody deleted the device. 2.x on Linux then reads the same error for ever; this starts anew, which is
   * what it does where a driver aborts (forward.c read_incoming_tun(), tuntap_abort()).
   */
  #handleLost(): void {
    this.#parts.providers.log.log(M_INFO, 'TUN/TAP I/O operation aborted, restarting');
    this.#parts.signals.raise('SIGHUP', 'soft', 'tun-abort');
  }

  /** Remembers the work, so that close() can wait for it; failures go to the caller alone. */
  #work<T>(work: Promise<T>): Promise<T> {
    this.#working = Promise.allSettled([this.#working, work]);
    return work;
  }

  #forget(): void {
    this.#forgetRouteVariables();
    this.#configured = undefined;
    this.#routes = undefined;
    this.#routesAdded = false;
    this.#up = undefined;
  }

  #upContext(ce: ConnectionEntry, context: ScriptContext): UpDownContext {
    const configured = this.#configured;
    return {
      dev: this.#device?.name ?? '',
      devType: this.#device?.type ?? 'null',
      tunMtu: ce.tunMtu,
      ...(configured?.ifconfigLocal !== undefined && { ifconfigLocal: configured.ifconfigLocal }),
      ...(configured?.ifconfigRemote !== undefined && { ifconfigRemote: configured.ifconfigRemote }),
      context,
    };
  }

  #downContext({ devType: _, ...up }: UpDownContext, context: ScriptContext, signal: string): UpDownContext {
    return { ...up, context, signal };
  }

  async #mustSucceed(result: Promise<boolean>, name: string): Promise<void> {
    if (!(await result)) throw new OpenVpnError(`ERROR: ${name} script failed`, 'ERR_OVPN_SCRIPT');
  }
}

function tunAddresses(options: Options, ce: ConnectionEntry): Omit<TunSetup, 'dev' | 'type'> {
  return {
    topology: options.topology,
    mtu: ce.tunMtu,
    ifconfig: options.ifconfig,
    ifconfigIpv6: options.ifconfigIpv6,
    lladdr: options.lladdr,
    noexec: options.ifconfigNoexec,
  };
}

function routeInput(options: Options, remote: LinkAddress | undefined): RouteListInput {
  const devType = isNullDevice(options) ? 'null' : devTypeOf(options) === 'tap' ? 'tap' : 'tun';
  const pointToPoint = devType === 'tun' && options.topology !== 'subnet';
  return {
    devType,
    routes: options.routes,
    routesIpv6: options.routesIpv6,
    redirectGateway: options.redirectGateway,
    routeMetric: options.routeMetric,
    vpnGateway: options.routeGateway ?? (pointToPoint ? options.ifconfig?.remoteNetmask : undefined),
    vpnGatewayIpv6: options.routeIpv6Gateway ?? options.ifconfigIpv6?.remote,
    remoteHost: remote?.family === 4 ? remote.address : undefined,
    remoteHostIpv6: remote?.family === 6 ? remote.address : undefined,
    didIpv4: options.ifconfig !== undefined,
    didIpv6: options.ifconfigIpv6 !== undefined,
  };
}

/**
 * A client or server as an object with start(), stop() and events: what the library hands out. Silent
 * unless given a logger.
 */
import { EventEmitter } from 'node:events';
import { ApiMisuseError, nullLogger, OpenVpnError } from '../base/base.ts';
import type { ServerStatus } from '../manage/manage.ts';
import type { ParseResult } from '../options/options.ts';
import { runClient } from './client.ts';
import type { Providers, RunEnd, TunnelState } from './init.ts';
import { Passphrase } from './passphrase.ts';
import { createProviders } from './providers.ts';
import { createEnv, createHooks, limitScripts } from './script-setup.ts';
import { runServer, type ServerHandle } from './server.ts';
import { SignalState } from './sig.ts';

export interface TunnelOptions extends Partial<Providers> {
  /** Name that status files show. */
  readonly title?: string;
}

export interface TunnelEventMap {
  state: [state: TunnelState];
  /** The tunnel ended by itself; `error` when it could not go on. */
  end: [error: Error | undefined];
}

/** One client or server. Made by createClient() and createServer(); runs once. */
export interface Tunnel extends EventEmitter<TunnelEventMap> {
  /** Resolves when the tunnel is up the first time. Rejects with OpenVpnError when it ends before. */
  start(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Ends the tunnel in order; resolves when everything is taken down. */
  stop(): Promise<void>;
  /** Reconnects as SIGUSR1 does. */
  restart(): void;
  /**
   * Changes options of connected clients (PUSH_UPDATE of 2.7): comma-separated, `-option` takes back,
   * `?option` may be ignored. Returns how many clients were told; undefined for a client, before start,
   * or when the options can't be sent.
   */
  pushUpdate(options: string, clientId?: number): number | undefined;
  /** Clients and routes of a server; undefined for a client or before start. */
  status(): ServerStatus | undefined;
}

/** A client of a parsed configuration. `parts` replace default backends. */
export function createClient(config: ParseResult, parts: TunnelOptions = {}): Tunnel {
  if (config.options.mode === 'server')
    throw new ApiMisuseError("the configuration is a server's: use createServer()");
  return new TunnelObject(config, parts);
}

/** A server of a parsed configuration. */
export function createServer(config: ParseResult, parts: TunnelOptions = {}): Tunnel {
  if (config.options.mode !== 'server')
    throw new ApiMisuseError("the configuration is no server's: use createClient()");
  return new TunnelObject(config, parts);
}

class TunnelObject extends EventEmitter<TunnelEventMap> implements Tunnel {
  readonly #config: ParseResult;
  readonly #parts: TunnelOptions;
  readonly #signals = new SignalState();
  #run: Promise<void> | undefined;
  #handle: ServerHandle | undefined;

  constructor(config: ParseResult, parts: TunnelOptions) {
    super();
    this.#config = config;
    this.#parts = parts;
  }

  start(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (this.#run !== undefined) throw new ApiMisuseError('a tunnel can be started once');
    options.signal?.addEventListener('abort', () => this.#signals.raise('SIGTERM', 'soft', 'aborted'), {
      once: true,
    });
    return new Promise<void>((resolve, reject) => {
      this.#run = this.#go(resolve).then(
        () => this.#ended(undefined, reject),
        (error: unknown) =>
          this.#ended(error instanceof Error ? error : new OpenVpnError(String(error)), reject),
      );
    });
  }

  async stop(): Promise<void> {
    // As from the kernel, so that exit notifications are sent; a second call cuts their time short.
    this.#signals.raise('SIGTERM', 'hard');
    await this.#run;
  }

  restart(): void {
    this.#signals.raise('SIGUSR1', 'soft', 'restart');
  }

  pushUpdate(options: string, clientId?: number): number | undefined {
    return this.#handle?.pushUpdate(options, clientId);
  }

  status(): ServerStatus | undefined {
    return this.#handle?.status();
  }

  #ended(error: Error | undefined, reject: (error: Error) => void): void {
    reject(error ?? new OpenVpnError('the tunnel ended before it was up', 'ERR_OVPN_ENDED'));
    this.emit('end', error);
  }

  async #go(onUp: () => void): Promise<void> {
    const { options } = this.#config;
    const { title, ...replaced } = this.#parts;
    const providers = createProviders({ log: replaced.log ?? nullLogger }, replaced);
    const common = {
      options,
      providers,
      signals: this.#signals,
      hooks: createHooks(options, providers),
      env: createEnv(options, providers.clock.wallMs()),
      passphrase: new Passphrase(),
    };
    limitScripts(this.#signals, providers.scripts);
    let end: RunEnd = 'reload';
    // A library has no files to read again: SIGHUP is a restart with the same configuration.
    while (end === 'reload') {
      end =
        options.mode === 'server'
          ? await runServer({
              ...common,
              title: title ?? 'openvpn-ts',
              onUp: (handle) => this.#serverUp(handle, onUp),
            })
          : await runClient({ ...common, onUp, onState: (state) => this.emit('state', state) });
    }
  }

  #serverUp(handle: ServerHandle, onUp: () => void): void {
    this.#handle = handle;
    this.emit('state', 'CONNECTED');
    onUp();
  }
}

/**
 * A client or server as an object with start(), stop() and events: what the library hands out. Silent
 * unless given a logger.
 */
import { EventEmitter } from 'node:events';
import { ApiMisuseError, nullLogger, OpenVpnError } from '../base/base.ts';
import { M_WARN } from '../base/errlevel.ts';
import type { ServerStatus } from '../manage/manage.ts';
import { cloneOptions, optionWarnings, type ParseResult } from '../options/options.ts';
import type { HookFunctions } from '../script/script.ts';
import { runClient } from './client.ts';
import type { ClientInfo, StateInfo } from './client-info.ts';
import type { ClientHandle, ClientRun } from './client-run.ts';
import { ClientStatusFile } from './client-status.ts';
import { callbackError, guardLog, guardScripts, guardTun } from './guards.ts';
import type { Providers, RunEnd, TunnelState } from './init.ts';
import { Passphrase } from './passphrase.ts';
import { processOptionWarnings } from './process-options.ts';
import { questionsTo } from './prompter.ts';
import { createProviders } from './providers.ts';
import { createEnv, createHooks, limitScripts } from './script-setup.ts';
import { runServer, type ServerHandle } from './server.ts';
import { SignalState } from './sig.ts';

export interface TunnelOptions extends Partial<Providers> {
  /** Name that status files show. */
  readonly title?: string;
  /**
   * Functions that decide or are told, before scripts of the configuration. A server whose logins they alone judge is
   * parsed with `judgesLogins`.
   */
  readonly hooks?: HookFunctions;
}

export interface TunnelEventMap {
  /** `info`: why, and the addresses in use by then. */
  state: [state: TunnelState, info: StateInfo];
  /** Something in the configuration that a library doesn't do, in a sentence; the log has it, too. */
  warning: [text: string];
  /** The tunnel ended by itself; `error` when it could not go on. */
  end: [error: Error | undefined];
}

/**
 * One client or server. Made by createClient() and createServer(); runs once.
 *
 * A listener that throws, or a device or log of the caller's that does, ends its own tunnel with
 * ERR_OVPN_CALLBACK; other listeners and other tunnels go on.
 */
export interface Tunnel extends EventEmitter<TunnelEventMap> {
  /**
   * Resolves when the tunnel is up the first time. Rejects with OpenVpnError when it ends before. `signal` is
   * start()'s alone: aborted before the tunnel is up, it ends it, and when everything is taken down
   * start() rejects with the signal's reason; later it means nothing.
   */
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
  /** State, addresses, cipher, counters of a client; undefined for a server or before start. */
  info(): ClientInfo | undefined;
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
  #server: ServerHandle | undefined;
  #client: ClientHandle | undefined;
  /** What the caller's own code threw. */
  #thrown: OpenVpnError | undefined;
  /** What a client ended for by itself. */
  #failure: OpenVpnError | undefined;

  constructor(config: ParseResult, parts: TunnelOptions) {
    super();
    // A run changes its options: what was given may serve another tunnel, too.
    this.#config = { ...config, options: cloneOptions(config.options) };
    this.#parts = parts;
  }

  start({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (this.#run !== undefined) throw new ApiMisuseError('a tunnel can be started once');
    if (signal?.aborted) {
      this.#run = Promise.resolve().then(() => this.#tell('end', undefined));
      return Promise.reject(signal.reason);
    }
    return new Promise<void>((resolve, reject) => {
      const abort = (): void => void this.#signals.raise('SIGTERM', 'soft', 'aborted');
      const settle = (): void => signal?.removeEventListener('abort', abort);
      signal?.addEventListener('abort', abort, { once: true });
      const up = (): void => {
        settle();
        resolve();
      };
      const ended = (thrown?: unknown): void => {
        settle();
        const error = this.#errorOf(thrown);
        reject(signal?.aborted ? signal.reason : (error ?? endedEarly()));
        this.#tell('end', error);
      };
      this.#run = this.#go(up).then(() => ended(), ended);
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
    return this.#server?.pushUpdate(options, clientId);
  }

  status(): ServerStatus | undefined {
    return this.#server?.status();
  }

  info(): ClientInfo | undefined {
    return this.#client?.info();
  }

  #errorOf(thrown: unknown): Error | undefined {
    if (this.#thrown) return this.#thrown;
    if (thrown === undefined) return this.#failure;
    return thrown instanceof Error ? thrown : new OpenVpnError(String(thrown));
  }

  async #go(onUp: () => void): Promise<void> {
    const providers = this.#createProviders();
    const { log, clock } = providers;
    const { messages, options } = this.#config;
    for (const { level, text } of [...messages, ...optionWarnings(options)]) log.log(level, text);
    for (const text of processOptionWarnings(options)) {
      log.log(M_WARN, text);
      this.#tell('warning', text);
    }
    const signals = this.#signals;
    signals.remapUsr1 = options.remapUsr1;
    limitScripts(signals, providers.scripts);
    const passphrase = new Passphrase(questionsTo(providers.prompter, signals));
    const env = createEnv(options, clock.wallMs());
    let end: RunEnd = 'reload';
    // A library has no files to read again: SIGHUP is a restart with the same configuration.
    for (let restarted = false; end === 'reload'; restarted = true) {
      const own = cloneOptions(options);
      const hooks = createHooks(own, providers, this.#parts.hooks);
      const common = { options: own, providers, signals, hooks, env, passphrase, restarted };
      end = options.mode === 'server' ? await this.#serve(common, onUp) : await this.#connect(common, onUp);
    }
  }

  #createProviders(): Providers {
    const { title: _title, hooks: _hooks, log: given = nullLogger, tun, scripts, ...others } = this.#parts;
    const thrown = (what: string, cause: unknown): void => this.#endFor(callbackError(what, cause));
    const log = guardLog(given, thrown);
    return createProviders(
      { log },
      {
        ...others,
        ...(tun && { tun: guardTun(tun, thrown) }),
        ...(scripts && { scripts: guardScripts(scripts, log) }),
      },
    );
  }

  #serve(common: Common, onUp: () => void): Promise<RunEnd> {
    return runServer({
      ...common,
      title: this.#parts.title ?? 'openvpn-ts',
      onUp: (handle) => {
        this.#server = handle;
        this.#tell('state', 'CONNECTED', {});
        onUp();
      },
    });
  }

  async #connect(common: Common, onUp: () => void): Promise<RunEnd> {
    const status = new ClientStatusFile(common.options, common.providers, common.signals);
    const run: ClientRun = {
      ...common,
      onUp,
      onState: (state, info) => this.#tell('state', state, info),
      onFailure: (error) => {
        this.#failure = error;
      },
    };
    try {
      return await runClient(run, (current) => {
        this.#client = current;
        status.start(current);
      });
    } finally {
      status.stop();
    }
  }

  /** As emit(), but a listener that throws keeps no other from being called. */
  #tell<E extends keyof TunnelEventMap>(event: E, ...args: TunnelEventMap[E]): void {
    for (const listener of this.rawListeners(event)) {
      try {
        Reflect.apply(listener, this, args);
      } catch (error) {
        this.#handleThrown(event, error);
      }
    }
  }

  #handleThrown(event: keyof TunnelEventMap, cause: unknown): void {
    // After the end nothing is left to end: the process hears of it.
    if (event === 'end') queueMicrotask(() => rethrow(cause));
    else this.#endFor(callbackError(`a listener of '${event}'`, cause));
  }

  #endFor(error: OpenVpnError): void {
    this.#thrown ??= error;
    this.#signals.raise('SIGTERM', 'soft', 'callback-failed');
  }
}

type Common = Pick<
  ClientRun,
  'options' | 'providers' | 'signals' | 'hooks' | 'env' | 'passphrase' | 'restarted'
>;

function endedEarly(): OpenVpnError {
  return new OpenVpnError('the tunnel ended before it was up', 'ERR_OVPN_ENDED');
}

function rethrow(error: unknown): never {
  throw error;
}

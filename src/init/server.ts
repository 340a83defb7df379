/**
 * A server from configuration to the end (2.x tunnel_server() of multi.c, init_instance()): device,
 * routes, sockets, MultiServer; then status files and statistics until a signal comes.
 */
import { type Logger, OpenVpnError, OptionsError, timerDelay } from '../base/base.ts';
import { D_RESTART, M_INFO } from '../base/errlevel.ts';
import { compressionProblem } from '../comp/comp.ts';
import { SHUTDOWN_DELAY_MS } from '../forward/forward.ts';
import { type ServerStatus, serverStatusLines } from '../manage/manage.ts';
import { type LinkProfile, MultiServer, openPool, serverStatus } from '../multi/multi.ts';
import { type ConnectionEntry, isTcp, listenEntries, type Options } from '../options/options.ts';
import type { ControlWrap } from '../reliable/reliable.ts';
import { warnOfCommonSubnets } from '../route/route.ts';
import type { EnvSet, Hooks } from '../script/script.ts';
import { isAborted, type PortShare } from '../socket/socket.ts';
import { clientFiles } from './client-files.ts';
import { restartPauseSec } from './connection-list.ts';
import { frameLines, frameOptions, maxPacketBytes } from './frame-setup.ts';
import type { Providers, RunEnd } from './init.ts';
import { bindFamily, namesUntil } from './local-bind.ts';
import type { Passphrase } from './passphrase.ts';
import { QuestionEnded } from './prompter.ts';
import { ServerKeep } from './server-keep.ts';
import { type Attach, bindServerLink, createPortShare } from './server-link.ts';
import { isRestart, logSignal, pausedSignal, type SignalState, signalText } from './sig.ts';
import type { TlsMaterials } from './tls-materials.ts';
import { tlsMultiConfig } from './tls-setup.ts';

export interface ServerRun {
  readonly options: Options;
  readonly providers: Providers;
  readonly signals: SignalState;
  readonly hooks: Hooks;
  readonly env: EnvSet;
  /** Of the private key. */
  readonly passphrase: Passphrase;
  /** Not the first run of this program: a pause comes before it. */
  readonly restarted?: boolean;
  /** The title line of status files: program version. */
  readonly title: string;
  /** Called once sockets and device are there. */
  readonly onUp?: (handle: ServerHandle) => void;
  /** Called before that, when nothing that is still to come needs privileges. */
  readonly dropPrivileges?: () => void;
}

/** What the outside may ask of a running server. */
export interface ServerHandle {
  status(): ServerStatus;
  /** Sends changed options to one client or all: MultiServer.pushUpdate(). */
  pushUpdate(options: string, clientId?: number): number | undefined;
}

/** Runs until a signal ends it. Rejects with OpenVpnError for what 2.x calls fatal. */
export async function runServer(run: ServerRun): Promise<RunEnd> {
  const { options, providers, signals } = run;
  const { socket, log } = providers;
  let portShare: PortShare | undefined;
  try {
    portShare = await createPortShare(options, socket, namesUntil(signals, socket), log);
    return await serveAndRestart(run, portShare);
  } catch (error) {
    if (!isAborted(error)) throw error;
    const signal = signals.pending!;
    logSignal(log, signal);
    signals.clear();
    return isRestart(signal) ? 'reload' : 'exit';
  } finally {
    portShare?.close();
  }
}

async function serveAndRestart(run: ServerRun, portShare: PortShare | undefined): Promise<RunEnd> {
  const { signals, providers } = run;
  const log = providers.log;
  const keep = new ServerKeep(run);
  const environment = run.env.child();
  try {
    for (let again = run.restarted ?? false; ; again = true) {
      // What the last server brought goes with it.
      run.env.reset(environment);
      if (again && (await pause(run))) return await endPaused(run, keep);
      const server = new Server(run, keep, portShare);
      try {
        await server.start();
        await signals.wait();
      } catch (error) {
        // The pending signal has ended a question or a look-up.
        if (!(error instanceof QuestionEnded) && !isAborted(error)) throw error;
      } finally {
        await server.stop();
      }
      // One that counts more may have come while everything was taken down.
      if (signals.pending!.name === 'SIGUSR1') await keep.settle(signalText(signals.pending));
      const signal = signals.pending!;
      if (signal.name !== 'SIGUSR1') await keep.close(signalText(signal));
      logSignal(log, signal);
      signals.clear();
      if (signal.name === 'SIGHUP') return 'reload';
      if (!isRestart(signal)) return 'exit';
    }
  } finally {
    await keep.close(signalText(signals.pending));
  }
}

/** Before every start but the first; says whether a signal other than a soft restart came meanwhile. */
async function pause({ options, signals, providers }: ServerRun): Promise<boolean> {
  const [entry] = options.connectionList;
  const seconds = entry ? restartPauseSec(entry, options) : 0;
  if (seconds > 0) providers.log.log(D_RESTART, `Restart pause, ${seconds} second(s)`);
  if (!(await signals.sleep(seconds * 1000))) return false;
  if (signals.pending?.name !== 'SIGUSR1') return true;
  signals.clear();
  return false;
}

async function endPaused({ signals, providers }: ServerRun, keep: ServerKeep): Promise<RunEnd> {
  const signal = pausedSignal(signals.pending!);
  await keep.close(signalText(signal));
  logSignal(providers.log, signal);
  signals.clear();
  return signal.name === 'SIGHUP' ? 'reload' : 'exit';
}

class Server implements ServerHandle {
  readonly #run: ServerRun;
  readonly #log: Logger;
  readonly #keep: ServerKeep;
  readonly #closers: (() => void)[] = [];
  readonly #portShare: PortShare | undefined;
  #multi: MultiServer | undefined;

  constructor(run: ServerRun, keep: ServerKeep, portShare: PortShare | undefined) {
    this.#run = run;
    this.#keep = keep;
    this.#portShare = portShare;
    this.#log = run.providers.log;
  }

  async start(): Promise<void> {
    const { options, providers, signals } = this.#run;
    const ce = options.connectionList[0];
    if (!ce) throw new OpenVpnError('No usable connection profiles are present', 'ERR_OVPN_NO_PROFILE');
    await warnOfCommonSubnets(providers.network, this.#log);
    for (const { level, text } of frameLines(options, ce)) this.#log.log(level, text);
    const refused = compressionProblem(options.compress, providers.comp);
    if (refused !== undefined) throw new OptionsError(refused);
    const entries = listenEntries(options);
    const keys = await this.#keep.keys(entries);
    const links = {
      options,
      socket: providers.socket,
      names: namesUntil(signals, providers.socket),
      portShare: this.#portShare,
      log: this.#log,
      closers: this.#closers,
    };
    const attach: Attach[] = [];
    for (const [index, entry] of entries.entries()) {
      const profile = this.#profile(entry, keys.materials, keys.wraps[index]!);
      attach.push(await bindServerLink(links, profile, entry));
    }
    const tun = await this.#keep.openTunnel(ce);
    if (signals.pending) return;
    const bytes = maxPacketBytes(ce);
    const multi = new MultiServer(
      {
        options,
        tun,
        crypto: providers.crypto,
        comp: providers.comp,
        clock: providers.clock,
        log: this.#log,
        hooks: this.#run.hooks,
        env: this.#run.env,
        clientFiles: clientFiles(options),
        authTokens: keys.authTokens,
        persisted: this.#keep.pool?.read() ?? [],
        random: providers.random,
      },
      bytes,
    );
    this.#multi = multi;
    for (const serve of attach) serve(multi, bytes);
    tun.resume();
    openPool(multi);
    this.#startStatus();
    signals.onStatistics = () => this.#logStatistics();
    this.#run.dropPrivileges?.();
    this.#log.log(M_INFO, 'Initialization Sequence Completed');
    this.#run.onUp?.(this);
  }

  /** Ends the service; what outlives it is the keep's. */
  async stop(): Promise<void> {
    const { signals, options } = this.#run;
    const notify = options.connectionList[0]?.explicitExitNotify ?? 0;
    if (this.#multi && notify > 0 && this.#multi.notifyRestart(notify === 2) > 0) await this.#linger();
    signals.onStatistics = () => undefined;
    this.#writePersisted();
    for (const close of this.#closers.splice(0).reverse()) close();
    await this.#multi?.close();
  }

  pushUpdate(options: string, clientId?: number): number | undefined {
    return this.#multi?.pushUpdate(options, clientId);
  }

  status(): ServerStatus {
    return this.#multi ? serverStatus(this.#multi) : { clients: [], routes: [], maxBcastQueue: 0 };
  }

  /** Serves on while clients hear of the end; a further signal ends that, and counts in place of the first. */
  async #linger(): Promise<void> {
    const { signals } = this.#run;
    const first = signals.pending;
    signals.clear();
    if (!(await signals.sleep(SHUTDOWN_DELAY_MS)) && first) {
      signals.raise(first.name, first.source, first.reason);
    }
  }

  #profile(ce: ConnectionEntry, materials: TlsMaterials, wrap: ControlWrap): LinkProfile {
    const { options, providers, hooks } = this.#run;
    const family = bindFamily(ce, this.#log);
    return {
      link: isTcp(ce.proto) ? 'tcp' : 'udp',
      family,
      wrap,
      tls: tlsMultiConfig({ options, ce, materials, wrap, family, providers, hooks }),
      frame: frameOptions(options, ce, family),
    };
  }

  #startStatus(): void {
    const { ifconfigPoolPersist, statusInterval } = this.#run.options;
    if (ifconfigPoolPersist && ifconfigPoolPersist.refreshSec > 0)
      this.#every(ifconfigPoolPersist.refreshSec, () => this.#writePersisted());
    const { status } = this.#keep;
    if (!status) return;
    this.#every(Math.max(1, statusInterval), () => status.write(this.#statusLines()));
    status.write(this.#statusLines());
  }

  #every(seconds: number, work: () => void): void {
    const timer = setInterval(work, timerDelay(seconds * 1000));
    this.#closers.push(() => clearInterval(timer));
  }

  #logStatistics(): void {
    for (const line of this.#statusLines()) this.#log.log(M_INFO, line);
  }

  #statusLines(): string[] {
    const { options, title, providers } = this.#run;
    return serverStatusLines(this.status(), options.statusVersion, title, providers.clock.wallMs());
  }

  #writePersisted(): void {
    if (this.#multi) this.#keep.pool?.write([...this.#multi.plan.remembered()]);
  }
}

/**
 * A server from configuration to the end (2.x tunnel_server() of multi.c, init_instance()): device,
 * routes, sockets, MultiServer; then status files and statistics until a signal comes.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Logger, OpenVpnError, OptionsError } from '../base/base.ts';
import { M_INFO, M_WARN } from '../base/errlevel.ts';
import { compressionProblem } from '../comp/comp.ts';
import { AUTH_TOKEN_KEY, PEM_KEY_BYTES, readPemKey } from '../crypto/crypto.ts';
import { SHUTDOWN_DELAY_MS } from '../forward/forward.ts';
import {
  formatPoolPersist,
  openStatusFile,
  type PoolPersistEntry,
  parsePoolPersist,
  type ServerStatus,
  type StatusWriter,
  serverStatusLines,
} from '../manage/manage.ts';
import { type ClientFiles, type LinkProfile, MultiServer, serverStatus } from '../multi/multi.ts';
import { type ConnectionEntry, isTcp, listenEntries, type Options } from '../options/options.ts';
import { warnOfCommonSubnets } from '../route/route.ts';
import type { EnvSet, ScriptHooks } from '../script/script.ts';
import type { PortShare } from '../socket/socket.ts';
import { AuthTokens } from '../ssl/ssl.ts';
import { readText } from './file-text.ts';
import { frameLines, frameOptions, maxPacketBytes } from './frame-setup.ts';
import type { Providers, RunEnd } from './init.ts';
import { bindFamily } from './local-bind.ts';
import type { Passphrase } from './passphrase.ts';
import { type Attach, bindServerLink, createPortShare } from './server-link.ts';
import { isRestart, logSignal, type SignalState } from './sig.ts';
import { loadTlsMaterials, type TlsMaterials } from './tls-materials.ts';
import { createWrap, tlsMultiConfig } from './tls-setup.ts';
import { TunnelInterface } from './tunnel-interface.ts';

/** 2.x pauses this long before a server's soft restart. */
const RESTART_PAUSE_MS = 1_000;

export interface ServerRun {
  readonly options: Options;
  readonly providers: Providers;
  readonly signals: SignalState;
  readonly hooks: ScriptHooks;
  readonly env: EnvSet;
  /** Of the private key. */
  readonly passphrase: Passphrase;
  /** The title line of status files: program version. */
  readonly title: string;
  /** Called once sockets and device are there, e.g. to drop privileges. */
  readonly onUp?: (handle: ServerHandle) => void;
}

/** What the outside may ask of a running server. */
export interface ServerHandle {
  status(): ServerStatus;
  /** Sends changed options to one client or all: MultiServer.pushUpdate(). */
  pushUpdate(options: string, clientId?: number): number | undefined;
}

/** Runs until a signal ends it. Rejects with OpenVpnError for what 2.x calls fatal. */
export async function runServer(run: ServerRun): Promise<RunEnd> {
  const { options, providers } = run;
  const portShare = await createPortShare(options, providers.socket, providers.log);
  try {
    return await serveAndRestart(run, portShare);
  } finally {
    portShare?.close();
  }
}

async function serveAndRestart(run: ServerRun, portShare: PortShare | undefined): Promise<RunEnd> {
  const { signals, providers } = run;
  const log = providers.log;
  for (;;) {
    const server = new Server(run, portShare);
    try {
      await server.start();
      await signals.wait();
    } finally {
      await server.stop(signals.pending?.reason ?? '');
    }
    const signal = signals.pending!;
    logSignal(log, signal);
    signals.clear();
    if (signal.name === 'SIGHUP') return 'reload';
    if (!isRestart(signal)) return 'exit';
    if (await signals.sleep(RESTART_PAUSE_MS)) {
      const second = signals.pending!;
      logSignal(log, second);
      signals.clear();
      if (second.name !== 'SIGUSR1') return second.name === 'SIGHUP' ? 'reload' : 'exit';
    }
  }
}

class Server implements ServerHandle {
  readonly #run: ServerRun;
  readonly #log: Logger;
  readonly #tunnel: TunnelInterface;
  readonly #closers: (() => void)[] = [];
  readonly #portShare: PortShare | undefined;
  #multi: MultiServer | undefined;
  #statusFile: StatusWriter | undefined;
  #fatal: Error | undefined;

  constructor(run: ServerRun, portShare: PortShare | undefined) {
    this.#run = run;
    this.#portShare = portShare;
    this.#log = run.providers.log;
    this.#tunnel = new TunnelInterface({
      tun: run.providers.tun,
      network: run.providers.network,
      hooks: run.hooks,
      env: run.env,
      signals: run.signals,
      log: this.#log,
    });
  }

  async start(): Promise<void> {
    const { options, providers, signals } = this.#run;
    const ce = options.connectionList[0];
    if (!ce) throw new OpenVpnError('No usable connection profiles are present', 'ERR_OVPN_NO_PROFILE');
    await warnOfCommonSubnets(providers.network, this.#log);
    for (const { level, text } of frameLines(options, ce)) this.#log.log(level, text);
    const refused = compressionProblem(options.compress, providers.comp);
    if (refused !== undefined) throw new OptionsError(refused);
    const materials = loadTlsMaterials(options, providers, await this.#run.passphrase.take(options));
    this.#closers.push(() => materials.close());
    const links = {
      options,
      socket: providers.socket,
      portShare: this.#portShare,
      log: this.#log,
      closers: this.#closers,
    };
    const attach: Attach[] = [];
    for (const entry of listenEntries(options)) {
      attach.push(await bindServerLink(links, this.#profile(entry, materials), entry));
    }
    const tun = await this.#tunnel.open(options, ce, undefined, 'init');
    await this.#tunnel.addRoutes(options);
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
        authTokens: this.#authTokens(),
        persisted: readPersisted(options, this.#log),
        random: providers.random,
      },
      bytes,
    );
    this.#multi = multi;
    for (const serve of attach) serve(multi, bytes);
    this.#startStatus();
    signals.onStatistics = () => this.#logStatistics();
    this.#log.log(M_INFO, 'Initialization Sequence Completed');
    this.#run.onUp?.(this);
  }

  async stop(reason: string): Promise<void> {
    const { signals, options } = this.#run;
    const notify = options.connectionList[0]?.explicitExitNotify ?? 0;
    if (this.#multi && notify > 0 && this.#multi.notifyRestart(notify === 2) > 0) await this.#linger();
    signals.onStatistics = () => undefined;
    this.#writePersisted();
    for (const close of this.#closers.splice(0).reverse()) close();
    await this.#multi?.close();
    await this.#tunnel.close(reason);
    if (this.#fatal) throw this.#fatal;
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

  /** --auth-gen-token: without a key file its key lives as long as this server. */
  #authTokens(): AuthTokens | undefined {
    const { options, providers } = this.#run;
    const { authGenToken, authGenTokenSecret: secret, renegSec } = options;
    if (!authGenToken) return undefined;
    const { crypto } = providers;
    if (!secret) this.#log.log(M_INFO, `Using random ${AUTH_TOKEN_KEY}.`);
    const key = secret
      ? readPemKey(readText(secret, 'auth-gen-token-secret'), AUTH_TOKEN_KEY)
      : crypto.randomBytes(PEM_KEY_BYTES);
    const renewalSec = authGenToken.renewalSec || renegSec;
    const tokens = new AuthTokens({ key, lifetimeSec: authGenToken.lifetimeSec, renewalSec, crypto });
    key.fill(0);
    this.#closers.push(() => tokens.destroy());
    return tokens;
  }

  #profile(ce: ConnectionEntry, materials: TlsMaterials): LinkProfile {
    const { options, providers } = this.#run;
    const family = bindFamily(ce, this.#log);
    const wrap = createWrap(options, ce, providers);
    return {
      link: isTcp(ce.proto) ? 'tcp' : 'udp',
      family,
      wrap,
      tls: tlsMultiConfig({ options, ce, materials, wrap, family, providers }),
      frame: frameOptions(options, ce, family),
    };
  }

  #startStatus(): void {
    const { options } = this.#run;
    const { ifconfigPoolPersist } = options;
    if (ifconfigPoolPersist && ifconfigPoolPersist.refreshSec > 0) {
      const timer = setInterval(() => this.#writePersisted(), ifconfigPoolPersist.refreshSec * 1000);
      this.#closers.push(() => clearInterval(timer));
    }
    if (options.status === undefined) return;
    const file = openStatusFile(options.status, this.#log);
    this.#statusFile = file;
    const timer = setInterval(() => this.#writeStatus(), Math.max(1, options.statusInterval) * 1000);
    this.#closers.push(() => {
      clearInterval(timer);
      file.close();
    });
    this.#writeStatus();
  }

  #writeStatus(): void {
    this.#statusFile?.write(this.#statusLines());
  }

  #logStatistics(): void {
    for (const line of this.#statusLines()) this.#log.log(M_INFO, line);
  }

  #statusLines(): string[] {
    const { options, title, providers } = this.#run;
    return serverStatusLines(this.status(), options.statusVersion, title, providers.clock.wallMs());
  }

  #writePersisted(): void {
    const persist = this.#run.options.ifconfigPoolPersist;
    if (!persist || persist.refreshSec === 0 || !this.#multi) return;
    try {
      writeFileSync(persist.file, formatPoolPersist([...this.#multi.plan.remembered()]), { mode: 0o600 });
    } catch (error) {
      this.#log.log(M_WARN, `Note: cannot write ${persist.file}: ${(error as Error).message}`);
    }
  }
}

/** Files of --client-config-dir, read anew for every connection. */
function clientFiles(options: Options): ClientFiles | undefined {
  const dir = options.clientConfigDir;
  if (dir === undefined) return undefined;
  return {
    async read(commonName) {
      for (const name of options.ccdExclusive ? [commonName] : [commonName, 'DEFAULT']) {
        const clean = name.replace(/[^A-Za-z0-9_\-@.]/g, '_');
        if (clean === '' || clean === '.' || clean === '..') continue;
        const label = join(dir, clean);
        const text = await readFile(label, 'utf8').catch(() => undefined);
        if (text !== undefined) return { label, text };
      }
      return undefined;
    },
  };
}

function readPersisted(options: Options, log: Logger): readonly PoolPersistEntry[] {
  const persist = options.ifconfigPoolPersist;
  if (!persist) return [];
  let text: string;
  try {
    text = readFileSync(persist.file, 'utf8');
  } catch {
    return [];
  }
  const { entries, warnings } = parsePoolPersist(text);
  for (const warning of warnings) log.log(M_WARN, warning);
  return entries;
}

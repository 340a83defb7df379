/**
 * A client or point-to-point peer from configuration to the end (2.x main loop of openvpn.c,
 * init_instance() and do_up() of init.c): the next profile, link, session, device and routes,
 * "Initialization Sequence Completed"; and after a signal either the end or the next attempt.
 *
 * With --pull the device is made from the PUSH_REPLY. Without, it is there before the link, and the peer's
 * first sign of life completes the rest (p2p.ts).
 */
import { type LinkAddress, LinkError, type Logger, OpenVpnError } from '../base/base.ts';
import {
  D_LINK_ERRORS,
  D_PUSH,
  D_PUSH_ERRORS,
  D_RESTART,
  D_STREAM_ERRORS,
  M_INFO,
  M_WARN,
} from '../base/errlevel.ts';
import { compressorFor } from '../comp/comp.ts';
import { newLinkCounters, timerOptions } from '../forward/forward.ts';
import {
  applyPulledOptions,
  applyPushUpdate,
  type ConnectionEntry,
  finishPull,
  isUdp,
  type Options,
  protoKind,
  restorePrePull,
  useConnection,
} from '../options/options.ts';
import {
  type ControlMessage,
  PushCollector,
  pulledOptionsDigest,
  sanitizeControlMessage,
} from '../push/push.ts';
import type { ControlWrap } from '../reliable/reliable.ts';
import { clearCertificates, setCertificate } from '../script/script.ts';
import { ProxyError } from '../socket/socket.ts';
import type { DataChannelParams, TlsEvent } from '../ssl/ssl.ts';
import { handleAuthFailed } from './auth-failed.ts';
import { type LinkParts, type NameCache, preresolve, resolveRemote } from './client-link.ts';
import type { ClientRun, ClientStatistics } from './client-run.ts';
import { ClientSession, type ClientSessionHost } from './client-session.ts';
import { ConnectionList, type ResolvedAddress } from './connection-list.ts';
import { askOnTerminal } from './console.ts';
import { UserPass } from './credentials.ts';
import { logDataChannel, pulledDataParams } from './data-params.ts';
import { frameOptions, frameWarnings, innerOptions } from './frame-setup.ts';
import type { RunEnd, TunnelState } from './init.ts';
import { agreeWithPeer, KeysWithoutTls } from './p2p.ts';
import { type OpenLink, openLink } from './peer-link.ts';
import { ProxyLogins } from './proxy-setup.ts';
import { setPulledVariables } from './script-setup.ts';
import { type CreateControl, prepareControl, sessionSettings } from './session-setup.ts';
import { isRestart, logSignal, type PendingSignal } from './sig.ts';
import { bufferOptions } from './socket-setup.ts';
import { loadTlsMaterials, type TlsMaterials } from './tls-materials.ts';
import { createWrap } from './tls-setup.ts';
import { TunnelInterface } from './tunnel-interface.ts';

/** From closing the device to opening it anew, as 2.7 waits. */
const UPDATE_PAUSE_MS = 1_000;

/** Runs until a signal ends it. Rejects with OpenVpnError for what 2.x calls fatal. */
export async function runClient(
  run: ClientRun,
  statistics?: (current: ClientStatistics) => void,
): Promise<RunEnd> {
  return new Client(run).run(statistics);
}

class Client implements ClientSessionHost {
  readonly #run: ClientRun;
  readonly #options: Options;
  readonly #log: Logger;
  readonly #list: ConnectionList;
  readonly #tunnel: TunnelInterface;
  readonly #userPass: UserPass;
  readonly #proxyLogins: ProxyLogins;
  readonly #keysWithoutTls: KeysWithoutTls;
  readonly #totals = newLinkCounters();
  readonly #names: NameCache = new Map();
  #materials: TlsMaterials | undefined;
  #session: ClientSession | undefined;
  #ce: ConnectionEntry | undefined;
  /** What #ce is a copy of. */
  #entry: ConnectionEntry | undefined;
  readonly #wraps = new Map<ConnectionEntry | undefined, ControlWrap>();
  #collector = new PushCollector();
  /** Parts of a PUSH_UPDATE. */
  #updates = new PushCollector();
  /** Digest of what the open device was configured with. */
  #digest: string | undefined;
  /** Without --pull: whether all routes could be added; undefined until that was tried. */
  #routesOk: boolean | undefined;
  /** Work of the current session that has to end before the next begins. */
  #settling: Promise<void> = Promise.resolve();
  #fatal: OpenVpnError | undefined;

  constructor(run: ClientRun) {
    this.#run = run;
    this.#options = run.options;
    this.#log = run.providers.log;
    this.#list = new ConnectionList(run.options, run.providers.random);
    this.#userPass = new UserPass({
      options: run.options,
      ask: run.ask ?? askOnTerminal,
      log: this.#log,
      onAnswer: (error) => this.#handleLoginAnswer(error),
    });
    this.#proxyLogins = new ProxyLogins(run.options);
    this.#keysWithoutTls = new KeysWithoutTls(run.options, run.providers);
    this.#tunnel = new TunnelInterface({
      tun: run.providers.tun,
      network: run.providers.network,
      hooks: run.hooks,
      env: run.env,
      log: this.#log,
    });
  }

  async run(statistics?: (current: ClientStatistics) => void): Promise<RunEnd> {
    const { signals } = this.#run;
    statistics?.({
      counters: this.#totals,
      compression: () => this.#session?.data.compressor?.totals,
    });
    try {
      for (;;) {
        const entry = await this.#attempt();
        const first = signals.pending ?? { name: 'SIGUSR1', source: 'soft', reason: 'connection-failed' };
        await this.#endAttempt(first);
        if (this.#fatal) throw this.#fatal;
        // One that counts more may have come while everything was taken down.
        const signal = signals.pending ?? first;
        logSignal(this.#log, signal);
        signals.clear();
        if (signal.name === 'SIGHUP') return 'reload';
        if (!isRestart(signal)) return 'exit';
        this.#state('RECONNECTING');
        if (signal.source === 'hard' && !this.#options.persistRemoteIp) this.#list.forgetAddresses();
        if (await this.#pause(entry, signal.reason)) return await this.#endPaused();
      }
    } finally {
      this.#session?.close();
      this.#materials?.close();
      this.#forgetWraps();
      this.#keysWithoutTls.forget();
      await this.#tunnel.close('exit');
    }
  }

  /** One try with one address of one profile; a pending signal says how it ended. */
  async #attempt(): Promise<ConnectionEntry> {
    const { signals, providers, env } = this.#run;
    const next = this.#list.next();
    if (!next) throw new OpenVpnError('No usable connection profiles are present', 'ERR_OVPN_NO_PROFILE');
    if (this.#list.exhausted) {
      throw new OpenVpnError(
        `All connections have been connect-retry-max (${this.#options.connectRetryMax}) times unsuccessful, exiting`,
        'ERR_OVPN_RETRY_MAX',
      );
    }
    // A pull changes the profile in use (tun-mtu, exit notification): each attempt has a copy.
    restorePrePull(this.#options);
    useConnection(this.#options, next.entry);
    const { ce } = this.#options;
    this.#ce = ce;
    this.#entry = next.entry;
    this.#collector = new PushCollector();
    this.#updates = new PushCollector();
    const createControl = await this.#prepareControl(ce);
    this.#logLines(frameWarnings(this.#options, ce));
    await this.#userPass.prepare();
    const parts = this.#linkParts(ce);
    if (this.#options.preresolve) await preresolve(parts, this.#options.connectionList);
    const address = await this.#resolve(parts, next.address);
    if ((!address && ce.remote !== undefined) || signals.pending) {
      signals.raise('SIGUSR1', 'connection failed(soft)', 'init_instance');
      return ce;
    }
    if (this.#opensEarly) await this.#openEarly(ce, address);
    if (signals.pending) return ce;
    if (!isUdp(ce.proto) || ce.socksProxy) this.#state('TCP_CONNECT');
    const startMs = providers.clock.nowMs();
    const opened = await openLink(parts, address).catch((error: unknown) => this.#linkFailed(error));
    if (!opened) {
      signals.raise('SIGUSR1', 'connection failed(soft)', 'connection-failed');
      return ce;
    }
    clearCertificates(env);
    if (opened.remote) {
      env.set('remote_1', opened.remote.address);
      env.set('remote_port_1', opened.remote.port);
    }
    // Waiting for a peer to connect is no part of its time.
    const waitedMs = protoKind(ce.proto) === 'tcp-server' ? 0 : providers.clock.nowMs() - startMs;
    const session = this.#createSession(ce, opened, createControl, waitedMs);
    this.#session = session;
    this.#state('WAIT');
    if (this.#opensEarly && this.#tunnel.device) session.attach(this.#tunnel.device);
    session.start();
    await this.#serve(session, ce);
    return ce;
  }

  async #prepareControl(ce: ConnectionEntry): Promise<CreateControl> {
    const options = this.#options;
    const { providers, passphrase } = this.#run;
    if (this.#usesTls) {
      this.#materials ??= loadTlsMaterials(options, providers, await passphrase.take(options));
    }
    return prepareControl({
      options,
      ce,
      providers,
      userPass: this.#userPass,
      materials: this.#materials,
      wrap: () => this.#wrap(ce),
      keysWithoutTls: this.#keysWithoutTls,
    });
  }

  async #resolve(parts: LinkParts, known: ResolvedAddress | undefined): Promise<ResolvedAddress | undefined> {
    if (known || parts.ce.remote === undefined) return known;
    this.#state('RESOLVE');
    return this.#list.useAddresses(await resolveRemote(parts, this.#list.size === 1));
  }

  get #usesTls(): boolean {
    return this.#options.tlsServer || this.#options.tlsClient;
  }

  /** Whether the device is there before the peer. */
  get #opensEarly(): boolean {
    return !this.#options.pull && !this.#options.upDelay;
  }

  #linkParts(ce: ConnectionEntry): LinkParts {
    const { signals, providers } = this.#run;
    return {
      options: this.#options,
      ce,
      socket: providers.socket,
      logins: this.#proxyLogins,
      signals,
      log: this.#log,
      names: this.#names,
      randomBytes: (length) => providers.crypto.randomBytes(length),
    };
  }

  /** Waits for the signal that ends the session; SIGTERM is held back for the exit notification. */
  async #serve(session: ClientSession, ce: ConnectionEntry): Promise<void> {
    const { signals } = this.#run;
    const signal = await signals.wait();
    if (signal.source !== 'hard' || isRestart(signal)) return;
    if (ce.explicitExitNotify <= 0 || !session.canNotifyExit) return;
    signals.clear();
    session.notifyExit(ce.explicitExitNotify);
    for (;;) {
      const last = await signals.wait();
      if (!isRestart(last)) return;
      signals.clear();
      if (last.source === 'hard') {
        this.#log.log(M_INFO, `Ignoring ${last.name} received during exit notification`);
        continue;
      }
      // The session can't go on: nothing is left to wait for.
      this.#log.log(M_INFO, `Converting soft ${last.name} received during exit notification to SIGTERM`);
      signals.raise('SIGTERM', 'soft', 'exit-with-notification');
    }
  }

  /** What network or proxy do wrong leads to the next attempt, all else is fatal as in 2.x. */
  #linkFailed(error: unknown): undefined {
    const { signals } = this.#run;
    if (signals.pending) return undefined;
    const ce = this.#ce!;
    const dials = !isUdp(ce.proto) || ce.socksProxy !== undefined;
    if (!(error instanceof LinkError) || !dials || isBindError(error)) throw error;
    this.#log.log(D_LINK_ERRORS, error.message);
    if (error instanceof ProxyError) signals.raise('SIGUSR1', 'soft', error.reason);
    return undefined;
  }

  #createSession(
    ce: ConnectionEntry,
    opened: OpenLink,
    createControl: CreateControl,
    waitedMs: number,
  ): ClientSession {
    const { providers, signals } = this.#run;
    const { link, family, remote } = opened;
    return new ClientSession(
      {
        ...sessionSettings(this.#options, ce, opened, providers),
        link,
        remote,
        createControl: (wake) => createControl(family, wake),
        // One time limit for the connection, a proxy's part included, and the server's first answer.
        serverPollMs: this.#usesTls ? Math.max(1, ce.connectTimeout * 1000 - waitedMs) : 0,
        totals: this.#totals,
        signals,
      },
      this,
    );
  }

  /** Keys of the control channel are read once with --persist-key: later they may be out of reach. */
  #wrap(ce: ConnectionEntry): ControlWrap {
    const known = this.#wraps.get(this.#entry);
    if (known) return known;
    const wrap = createWrap(this.#options, ce, this.#run.providers);
    this.#wraps.set(this.#entry, wrap);
    return wrap;
  }

  #forgetWraps(): void {
    for (const wrap of this.#wraps.values()) wrap.destroy();
    this.#wraps.clear();
  }

  handleContact(): void {
    this.#state('AUTH');
  }

  handleTlsEvent(event: TlsEvent): void {
    const { signals, hooks, env } = this.#run;
    const session = this.#session!;
    if (event.type === 'error') {
      if (this.#options.tlsExit) signals.raise('SIGTERM', 'soft', 'tls-error');
      else signals.raise('SIGUSR1', 'soft', 'tls-error');
    } else if (event.type === 'verify') {
      const { certificate, id } = event;
      setCertificate(env, certificate, this.#options.x509Track);
      void hooks.tlsVerify(env, certificate).then((ok) => {
        if (this.#session !== session) return;
        session.tls.handleVerifyResult(id, ok, this.#run.providers.clock.nowMs());
        session.drive();
      });
    } else if (event.type === 'active') {
      for (const certificate of event.identity.chain)
        setCertificate(env, certificate, this.#options.x509Track);
      env.set('common_name', event.identity.commonName);
      if (session.remote) this.#setTrusted(session.remote);
      if (!event.first) return;
      if (this.#options.pull) this.#state('GET_CONFIG');
      else this.#meetPeer(session);
    }
  }

  handlePeer(from: LinkAddress): void {
    this.#setTrusted(from);
    if (this.#session) this.#meetPeer(this.#session);
  }

  /** The peer has proven to be where `from` says. */
  #setTrusted(from: LinkAddress): void {
    const { hooks, env } = this.#run;
    env.set(from.family === 4 ? 'trusted_ip' : 'trusted_ip6', from.address);
    env.set('trusted_port', from.port);
    void hooks.ipchange(env, from);
  }

  handleMessage(message: ControlMessage, text: string): void {
    const { signals } = this.#run;
    // Point-to-point peers tell each other nothing else.
    if (!this.#options.pull && message.type !== 'exit') return;
    switch (message.type) {
      case 'push-reply':
        this.#handlePushReply(message.items, text);
        break;
      case 'auth-failed':
        handleAuthFailed(message, { ...this.#run, list: this.#list, userPass: this.#userPass });
        break;
      case 'restart':
        this.#log.log(D_STREAM_ERRORS, `Connection reset command was pushed by server ('${message.text}')`);
        if (message.nextRemote) this.#list.move();
        if (!message.keepPasswords) this.#userPass.forget();
        signals.raise('SIGUSR1', 'soft', 'server-pushed-connection-reset');
        break;
      case 'halt':
        this.#log.log(D_STREAM_ERRORS, `Halt command was pushed by server ('${message.text}')`);
        if (!message.keepPasswords) this.#userPass.forget();
        signals.raise('SIGTERM', 'soft', 'server-pushed-halt');
        break;
      case 'info':
      case 'info-pre':
        this.#log.log(D_PUSH, `Info command was pushed by server ('${message.text}')`);
        break;
      case 'exit':
        this.#log.log(D_PUSH, 'CC-EEN exit message received by peer');
        signals.raise('SIGUSR1', 'soft', 'remote-exit');
        break;
      case 'push-update':
        this.#handlePushUpdate(message.items, text);
        break;
    }
  }

  #handlePushReply(items: readonly string[], text: string): void {
    this.#log.log(D_PUSH, `PUSH: Received control message: '${sanitizeControlMessage(text)}'`);
    const verdict = this.#collector.add(items);
    if (verdict === 'bad') {
      this.#log.log(
        D_PUSH_ERRORS,
        `WARNING: Received bad push/pull message: ${sanitizeControlMessage(text)}`,
      );
      return;
    }
    if (verdict === 'duplicate') {
      this.#takeToken(items);
      return;
    }
    this.#session!.requester.stop();
    if (verdict === 'more') return;
    const session = this.#session!;
    this.#settling = this.#bringUp(session).catch((error: unknown) => this.#bringUpFailed(error));
  }

  /** The tunnel is set up anew with what changed (2.7 do_update()). */
  #handlePushUpdate(items: readonly string[], text: string): void {
    const shown = sanitizeControlMessage(text);
    this.#log.log(D_PUSH, `PUSH: Received control message: '${shown}'`);
    const verdict = this.#updates.add(items);
    if (verdict === 'more') return;
    const { options } = this.#updates;
    this.#updates = new PushCollector();
    if (verdict === 'bad') {
      this.#log.log(D_PUSH_ERRORS, `WARNING: Received bad push/pull message: ${shown}`);
      return;
    }
    const session = this.#session!;
    this.#settling = this.#settling
      .then(() => this.#update(session, options))
      .catch((error: unknown) => this.#bringUpFailed(error));
  }

  async #update(session: ClientSession, items: readonly string[]): Promise<void> {
    const { signals, providers, env } = this.#run;
    const options = this.#options;
    if (signals.pending || this.#session !== session) return;
    const result = applyPushUpdate(options, items);
    this.#logLines(result.messages);
    if (result.restart !== undefined) {
      signals.raise('SIGUSR1', 'soft', result.restart);
      return;
    }
    const finished = finishPull(options, result.imports, providers.comp);
    this.#logLines(finished.messages);
    if (!finished.ok || !this.#tunnel.device) {
      this.#log.log(D_PUSH_ERRORS, 'Failed to update options');
      signals.raise('SIGUSR1', 'soft', 'process-push-msg-failed');
      return;
    }
    if (result.imports.size === 0) {
      this.#log.log(M_WARN, 'No updatable options found in incoming PUSH_UPDATE message');
      return;
    }
    setPulledVariables(env, options);
    session.detach();
    await this.#tunnel.close('restart');
    if (await signals.sleep(UPDATE_PAUSE_MS)) return;
    const ce = this.#ce!;
    const device = await this.#tunnel.open(options, ce, session.remote, 'init');
    // The next reconnect compares with nothing: what is open isn't what PUSH_REPLY said.
    this.#digest = undefined;
    if (signals.pending || this.#session !== session) return;
    session.data.setFrame(frameOptions(options, ce, session.remote?.family ?? 4));
    session.data.setTimers(timerOptions(options), providers.clock.nowMs());
    session.attach(device);
    await this.#finish(session);
  }

  #takeToken(items: readonly string[]): void {
    const value = (name: string): string | undefined =>
      items.find((item) => item.startsWith(`${name} `))?.slice(name.length + 1);
    const token = value('auth-token');
    const user = value('auth-token-user');
    const name = user === undefined ? this.#options.authTokenUser : Buffer.from(user, 'base64').toString();
    if (token !== undefined) this.#userPass.setToken(token, name);
  }

  #bringUpFailed(error: unknown): void {
    if (error instanceof OpenVpnError) this.#fatal = error;
    else
      this.#fatal = new OpenVpnError(error instanceof Error ? error.message : String(error), 'ERR_OVPN', {
        cause: error,
      });
    this.#run.signals.raise('SIGTERM', 'soft', 'process-push-msg-failed');
  }

  /** 2.x do_up(): pulled options, device, keys, routes. Stops where the session ends meanwhile. */
  async #bringUp(session: ClientSession): Promise<void> {
    const { signals, providers } = this.#run;
    const ce = this.#ce!;
    const options = this.#options;
    // The ping-restart that holds until the push is gone with it.
    restorePrePull(options);
    const result = applyPulledOptions(options, this.#collector.options);
    this.#logLines(result.messages);
    if (result.restart !== undefined) {
      signals.raise('SIGUSR1', 'soft', result.restart);
      return;
    }
    const finished = finishPull(options, result.imports, providers.comp);
    this.#logLines(finished.messages);
    setPulledVariables(this.#run.env, options);
    if (!finished.ok) {
      signals.raise('SIGUSR1', 'soft', 'process-push-msg-failed');
      return;
    }
    if (options.authToken !== undefined) this.#userPass.setToken(options.authToken, options.authTokenUser);
    const remoteOptions = session.tls.identity?.options ?? '';
    const params = pulledDataParams(options, this.#collector.options, remoteOptions, providers);
    if (!params) {
      signals.raise('SIGUSR1', 'soft', 'process-push-msg-failed');
      return;
    }
    const device = await this.#device(session, ce);
    if (signals.pending || this.#session !== session) return;
    const nowMs = providers.clock.nowMs();
    session.data.setFrame(frameOptions(options, ce, session.remote?.family ?? 4));
    session.data.setCompressor(compressorFor(options.compress, providers.comp, this.#log));
    session.data.setInner(innerOptions(options, session.remote));
    session.setShaper(options.shaper);
    if (result.imports.has('sockbuf')) session.setBuffers(bufferOptions(options, this.#log));
    session.data.setTimers(timerOptions(options), nowMs);
    session.tls.generateDataKeys(params, nowMs);
    this.#logTunnel(params, session);
    session.attach(device);
    session.drive();
    await this.#finish(session);
  }

  /** Without --pull: what init_instance() of 2.x does before the link is open. */
  async #openEarly(ce: ConnectionEntry, address: ResolvedAddress | undefined): Promise<void> {
    const options = this.#options;
    const kept = this.#tunnel.device;
    if (kept) {
      this.#log.log(M_INFO, `Preserving previous TUN/TAP instance: ${kept.name}`);
      if (options.upRestart) await this.#tunnel.restartScripts(ce, 'restart');
      return;
    }
    await this.#tunnel.open(options, ce, address && { ...address, port: 0 }, 'init');
    this.#routesOk = options.routeDelayDefined ? undefined : await this.#tunnel.addRoutes(options);
  }

  /** Without --pull: the peer is there, for the first time or again after its restart. */
  #meetPeer(session: ClientSession): void {
    const { providers, signals } = this.#run;
    const options = this.#options;
    const params = this.#usesTls ? agreeWithPeer(options, session.tls, providers) : session.tls.params;
    if (!params) {
      signals.raise('SIGUSR1', 'soft', 'connection initialisation failed');
      return;
    }
    session.data.setInner(innerOptions(options, session.remote));
    session.tls.generateDataKeys(params, providers.clock.nowMs());
    this.#settling = this.#settling
      .then(() => this.#completeP2p(session, params))
      .catch((error: unknown) => this.#bringUpFailed(error));
  }

  async #completeP2p(session: ClientSession, params: DataChannelParams): Promise<void> {
    if (this.#session !== session) return;
    if (!this.#tunnel.device) {
      this.#state('ASSIGN_IP');
      const device = await this.#tunnel.open(this.#options, this.#ce!, session.remote, 'init');
      this.#routesOk = undefined;
      if (this.#session === session) session.attach(device);
    }
    await this.#finish(session);
    this.#logTunnel(params, session);
  }

  async #device(
    session: ClientSession,
    ce: ConnectionEntry,
  ): Promise<NonNullable<TunnelInterface['device']>> {
    const options = this.#options;
    const digest = pulledOptionsDigest(this.#collector.options, { tunMtuFixed: ce.tunMtuDefined }, (data) =>
      this.#run.providers.crypto.hash('SHA256', data),
    );
    const kept = this.#tunnel.device;
    if (kept && digest === this.#digest) {
      this.#log.log(M_INFO, `Preserving previous TUN/TAP instance: ${kept.name}`);
      if (options.upRestart) await this.#tunnel.restartScripts(ce, 'restart');
      return kept;
    }
    if (kept) {
      this.#log.log(
        M_INFO,
        'NOTE: Pulled options changed on restart, will need to close and reopen TUN/TAP device.',
      );
      await this.#tunnel.close('restart');
    }
    this.#state('ASSIGN_IP');
    const device = await this.#tunnel.open(options, ce, session.remote, 'init');
    this.#digest = digest;
    return device;
  }

  async #finish(session: ClientSession): Promise<void> {
    const { signals, onUp } = this.#run;
    const known = this.#options.pull ? undefined : this.#routesOk;
    const ok = known ?? (await this.#addRoutes());
    if (signals.pending || this.#session !== session) return;
    this.#routesOk = ok;
    this.#list.succeeded();
    this.#log.log(M_INFO, `Initialization Sequence Completed${ok ? '' : ' With Errors'}`);
    this.#state('CONNECTED');
    onUp?.();
  }

  /** After --route-delay; false when a route could not be added or a signal came first. */
  async #addRoutes(): Promise<boolean> {
    const options = this.#options;
    const delayMs = options.routeDelayDefined ? options.routeDelay * 1000 : 0;
    if (delayMs > 0 && (await this.#run.signals.sleep(delayMs))) return false;
    this.#state('ADD_ROUTES');
    return this.#tunnel.addRoutes(options);
  }

  #logTunnel(params: DataChannelParams, session: ClientSession): void {
    logDataChannel(this.#log, this.#options, this.#ce!, params, session.data.compressor?.framing);
  }

  /** What current() had to ask for is there. */
  #handleLoginAnswer(error: OpenVpnError | undefined): void {
    if (error) {
      this.#fatal = error;
      this.#run.signals.raise('SIGTERM', 'soft', 'auth-failure');
      return;
    }
    const session = this.#session;
    session?.tls.handleTlsOutput(this.#run.providers.clock.nowMs());
    session?.drive();
  }

  /** Closes the session; the device stays only with --persist-tun and a soft restart. */
  async #endAttempt(signal: PendingSignal): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    session?.close();
    if (signal.name !== 'SIGUSR1' || !this.#options.persistTun) {
      if (!isRestart(signal)) this.#state('EXITING');
      await this.#tunnel.close(signal.reason || signal.name.toLowerCase());
    }
    await this.#settling;
    if (!this.#options.persistKey) {
      this.#forgetWraps();
      this.#materials?.close();
      this.#materials = undefined;
      this.#keysWithoutTls.forget();
    }
  }

  /** Whether a signal other than a soft restart came while pausing. */
  async #pause(entry: ConnectionEntry, reason: string): Promise<boolean> {
    const { signals } = this.#run;
    const seconds = this.#list.pauseSec(entry, this.#options, reason);
    if (seconds > 0) this.#log.log(D_RESTART, `Restart pause, ${seconds} second(s)`);
    if (!(await signals.sleep(seconds * 1000))) return false;
    if (signals.pending?.name !== 'SIGUSR1') return true;
    signals.clear();
    return false;
  }

  /** A signal during the pause ends or reloads at once. */
  async #endPaused(): Promise<RunEnd> {
    const signal = this.#run.signals.pending!;
    await this.#endAttempt(signal);
    logSignal(this.#log, signal);
    this.#run.signals.clear();
    return signal.name === 'SIGHUP' ? 'reload' : 'exit';
  }

  #logLines(lines: readonly { readonly level: number; readonly text: string }[]): void {
    for (const { level, text } of lines) this.#log.log(level, text);
  }

  #state(state: TunnelState): void {
    this.#run.onState?.(state);
  }
}

function isBindError({ cause }: LinkError): boolean {
  return (cause as NodeJS.ErrnoException | undefined)?.syscall === 'bind';
}

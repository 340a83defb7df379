/**
 * A client or point-to-point peer from configuration to the end (2.x main loop of openvpn.c,
 * init_instance() of init.c): the next profile, link and session; what its events and the server's
 * messages mean; and after a signal either the end or the next attempt. What the tunnel consists of behind
 * the session, device and routes, is client-tunnel.ts.
 */
import { type LinkAddress, LinkError, type Logger, OpenVpnError } from '../base/base.ts';
import { D_LINK_ERRORS, D_PUSH, D_RESTART, D_STREAM_ERRORS, M_INFO } from '../base/errlevel.ts';
import { newLinkCounters } from '../forward/forward.ts';
import {
  type ConnectionEntry,
  isUdp,
  type Options,
  optionWarnings,
  protoKind,
  restorePrePull,
  useConnection,
} from '../options/options.ts';
import type { ControlMessage } from '../push/push.ts';
import type { ControlWrap } from '../reliable/reliable.ts';
import { warnOfCommonSubnets } from '../route/route.ts';
import { type EnvSet, setCertificate, setChain, setPeerAddress } from '../script/script.ts';
import { type Link, type LinkErrno, ProxyError } from '../socket/socket.ts';
import { commonNameOf } from '../ssl/ssl.ts';
import { handleAuthFailed } from './auth-failed.ts';
import { type ClientInfo, clientInfo, type StateInfo } from './client-info.ts';
import { type LinkParts, type NameCache, preresolve, resolveRemote } from './client-link.ts';
import type { ClientRun, ClientStatistics } from './client-run.ts';
import { ClientSession, type ClientSessionHost, type ClientTlsEvent } from './client-session.ts';
import { ClientTunnel, type ClientTunnelHost } from './client-tunnel.ts';
import { ConnectionList, type ResolvedAddress } from './connection-list.ts';
import { UserPass } from './credentials.ts';
import { frameLines } from './frame-setup.ts';
import type { RunEnd, TunnelState } from './init.ts';
import { KeysWithoutTls } from './p2p.ts';
import { type OpenLink, openLink } from './peer-link.ts';
import { type AskQuestion, QuestionEnded, questionsTo } from './prompter.ts';
import { ProxyLogins } from './proxy-setup.ts';
import { ReplayPersistFile } from './replay-persist.ts';
import { type PreparedControl, prepareControl, sessionSettings } from './session-setup.ts';
import { isRestart, logSignal, NO_SIGNAL, type PendingSignal, pausedSignal, signalText } from './sig.ts';
import { loadTlsMaterials, type TlsMaterials } from './tls-materials.ts';
import { createWrap, usesTls } from './tls-setup.ts';
import { linkError, Trouble } from './trouble.ts';

/** Runs until a signal ends it. Rejects with OpenVpnError for what 2.x calls fatal. */
export async function runClient(
  run: ClientRun,
  statistics?: (current: ClientStatistics) => void,
): Promise<RunEnd> {
  return new Client(run).run(statistics);
}

class Client implements ClientSessionHost, ClientTunnelHost {
  readonly #run: ClientRun;
  readonly #options: Options;
  readonly #log: Logger;
  readonly #list: ConnectionList;
  readonly #tunnel: ClientTunnel;
  readonly #userPass: UserPass;
  readonly #proxyLogins: ProxyLogins;
  readonly #keysWithoutTls: KeysWithoutTls;
  readonly #replayFile: ReplayPersistFile | undefined;
  readonly #totals = newLinkCounters();
  readonly #names: NameCache = new Map();
  #materials: TlsMaterials | undefined;
  #session: ClientSession | undefined;
  /** What the attempt's profile is a copy of. */
  #entry: ConnectionEntry | undefined;
  readonly #wraps = new Map<ConnectionEntry | undefined, ControlWrap>();
  /** What scripts see before a connection. */
  readonly #environment: EnvSet;
  #fatal: OpenVpnError | undefined;
  #firstAttempt = true;
  readonly #trouble = new Trouble();
  #stateNow: TunnelState = 'CONNECTING';
  /** Why the last attempt ended. */
  #cause: Pick<StateInfo, 'reason' | 'error'> = {};
  #link: Link | undefined;

  constructor(run: ClientRun) {
    this.#run = run;
    const ask: AskQuestion = questionsTo(run.providers.prompter, run.signals);
    this.#options = run.options;
    this.#log = run.providers.log;
    this.#environment = run.env.child();
    this.#list = new ConnectionList(run.options, run.providers.random);
    this.#userPass = new UserPass({
      options: run.options,
      ask,
      log: this.#log,
      onAnswer: (error) => this.#handleLoginAnswer(error),
    });
    this.#proxyLogins = new ProxyLogins(run.options, ask);
    const { replayPersist } = run.options;
    this.#replayFile =
      replayPersist === undefined ? undefined : new ReplayPersistFile(replayPersist, this.#log);
    this.#keysWithoutTls = new KeysWithoutTls(run.options, run.providers, this.#replayFile);
    this.#tunnel = new ClientTunnel(run, this.#userPass, this);
  }

  async run(statistics?: (current: ClientStatistics) => void): Promise<RunEnd> {
    const { signals } = this.#run;
    statistics?.({
      counters: this.#totals,
      compression: () => this.#session?.data.compressor?.totals,
      info: () => this.#info(),
    });
    try {
      const [first] = this.#options.connectionList;
      if (this.#run.restarted && first && (await this.#pause(first, ''))) return await this.#endPaused();
      for (;;) {
        const entry = await this.#attempt();
        const first = signals.pending ?? { name: 'SIGUSR1', source: 'soft', reason: 'connection-failed' };
        this.#blame(first);
        await this.#endAttempt(first);
        if (this.#fatal) throw this.#fatal;
        // One that counts more may have come while everything was taken down.
        const signal = signals.pending ?? first;
        logSignal(this.#log, signal);
        signals.clear();
        if (signal.name === 'SIGHUP') return 'reload';
        if (!isRestart(signal)) return this.#exit(signal);
        this.#state('RECONNECTING');
        if (signal.source === 'hard' && !this.#options.persistRemoteIp) this.#list.forgetAddresses();
        if (await this.#pause(entry, signal.reason)) return await this.#endPaused();
      }
    } finally {
      this.#session?.close();
      this.#materials?.close();
      this.#forgetWraps();
      this.#keysWithoutTls.forget();
      this.#replayFile?.close();
      await this.#tunnel.close(NO_SIGNAL);
    }
  }

  /** One try with one address of one profile; a pending signal says how it ended. */
  async #attempt(): Promise<ConnectionEntry> {
    const entry = this.#nextEntry();
    const { ce } = this.#options;
    this.#trouble.begin();
    try {
      this.#logWarnings(ce);
      if (this.#options.tlsServer) await warnOfCommonSubnets(this.#run.providers.network, this.#log);
      const createControl = await this.#prepareControl(ce);
      for (const { level, text } of frameLines(this.#options, ce)) this.#log.log(level, text);
      await this.#userPass.prepare();
      await this.#proxyLogins.prepare(ce);
      const opened = await this.#openLink(ce, entry.address);
      if (opened) await this.#serveLink(ce, opened.link, createControl, opened.waitedMs);
    } catch (error) {
      if (!(error instanceof QuestionEnded)) throw error;
    }
    return ce;
  }

  /** The profile and address to try, taken into use. */
  #nextEntry(): { readonly address: ResolvedAddress | undefined } {
    const next = this.#list.next();
    if (!next) throw new OpenVpnError('No usable connection profiles are present', 'ERR_OVPN_NO_PROFILE');
    if (this.#list.exhausted) {
      const { error: cause } = this.#cause;
      throw new OpenVpnError(
        `All connections have been connect-retry-max (${this.#options.connectRetryMax}) times unsuccessful, exiting`,
        'ERR_OVPN_RETRY_MAX',
        cause && { cause },
      );
    }
    // A pull changes the profile in use (tun-mtu, exit notification): each attempt has a copy.
    restorePrePull(this.#options);
    useConnection(this.#options, next.entry);
    this.#entry = next.entry;
    this.#tunnel.begin(this.#options.ce);
    return next;
  }

  /** Undefined with a signal pending when there is no link. */
  async #openLink(
    ce: ConnectionEntry,
    known: ResolvedAddress | undefined,
  ): Promise<{ readonly link: OpenLink; readonly waitedMs: number } | undefined> {
    const { signals, providers } = this.#run;
    const parts = this.#linkParts(ce);
    if (this.#options.preresolve) await preresolve(parts, this.#options.connectionList);
    const address = await this.#resolve(parts, known);
    if ((!address && ce.remote !== undefined) || signals.pending) {
      if (!signals.pending) signals.raise('SIGUSR1', 'connection failed(soft)', 'init_instance');
      return undefined;
    }
    if (this.#opensEarly) await this.#tunnel.openEarly(address);
    if (signals.pending) return undefined;
    if (!isUdp(ce.proto) || ce.socksProxy) this.#state('TCP_CONNECT');
    const startMs = providers.clock.nowMs();
    const link = await openLink(parts, address).catch((error: unknown) => this.#linkFailed(ce, error));
    if (!link) {
      signals.raise('SIGUSR1', 'connection failed(soft)', 'connection-failed');
      return undefined;
    }
    // Waiting for a peer to connect is no part of its time.
    const waitedMs = protoKind(ce.proto) === 'tcp-server' ? 0 : providers.clock.nowMs() - startMs;
    return { link, waitedMs };
  }

  async #serveLink(
    ce: ConnectionEntry,
    opened: OpenLink,
    createControl: PreparedControl,
    waitedMs: number,
  ): Promise<void> {
    const session = this.#createSession(ce, opened, createControl, waitedMs);
    this.#session = session;
    this.#link = opened.link;
    this.#state('WAIT');
    if (this.#opensEarly) this.#run.dropPrivileges?.();
    if (this.#opensEarly && this.#tunnel.device) session.attach(this.#tunnel.device);
    session.start();
    await this.#serve(session, ce);
  }

  /** Those of the first attempt came with the banner. */
  #logWarnings(ce: ConnectionEntry): void {
    const lines = this.#firstAttempt ? [] : optionWarnings(this.#options, ce, false);
    this.#firstAttempt = false;
    for (const { level, text } of lines) this.#log.log(level, text);
  }

  async #prepareControl(ce: ConnectionEntry): Promise<PreparedControl> {
    const options = this.#options;
    const { providers, passphrase } = this.#run;
    this.#replayFile?.open();
    if (usesTls(this.#options)) {
      this.#materials ??= loadTlsMaterials(options, providers, await passphrase.take(options, this.#log));
    }
    return prepareControl({
      options,
      ce,
      providers: { ...providers, log: this.#trouble.watch(providers.log) },
      hooks: this.#run.hooks,
      userPass: this.#userPass,
      materials: this.#materials,
      wrap: () => this.#wrap(ce),
      keysWithoutTls: this.#keysWithoutTls,
    });
  }

  async #resolve(parts: LinkParts, known: ResolvedAddress | undefined): Promise<ResolvedAddress | undefined> {
    if (known || parts.ce.remote === undefined) return known;
    this.#state('RESOLVE');
    return this.#list.useAddresses(await resolveRemote(parts));
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
  #linkFailed(ce: ConnectionEntry, error: unknown): undefined {
    const { signals } = this.#run;
    if (signals.pending) return undefined;
    const dials = !isUdp(ce.proto) || ce.socksProxy !== undefined;
    if (!(error instanceof LinkError) || !dials || isBindError(error)) throw error;
    this.#log.log(D_LINK_ERRORS, error.message);
    this.#trouble.note(
      error instanceof ProxyError ? error : linkError(error.message, error.cause as LinkErrno | undefined),
    );
    if (error instanceof ProxyError) signals.raise('SIGUSR1', 'soft', error.reason);
    return undefined;
  }

  #createSession(
    ce: ConnectionEntry,
    opened: OpenLink,
    createControl: PreparedControl,
    waitedMs: number,
  ): ClientSession {
    const { providers, signals } = this.#run;
    const { link, family, remote } = opened;
    return new ClientSession(
      {
        ...sessionSettings(this.#options, ce, opened, providers),
        link,
        remote,
        createControl: createControl(family),
        serverPollMs: usesTls(this.#options) ? serverPollMs(ce, waitedMs) : 0,
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
    const wrap = createWrap(this.#options, ce, this.#run.providers, this.#replayFile);
    this.#wraps.set(this.#entry, wrap);
    return wrap;
  }

  #forgetWraps(): void {
    for (const wrap of this.#wraps.values()) wrap.destroy();
    this.#wraps.clear();
  }

  handleContact(): void {
    this.#trouble.noteContact();
    this.#state('AUTH');
  }

  handleLinkError(error: LinkErrno): void {
    this.#trouble.noteLink(error);
  }

  handleTlsEvent(event: ClientTlsEvent): void {
    const { signals, hooks, env } = this.#run;
    const session = this.#session!;
    if (event.type === 'error') {
      if (this.#options.tlsExit) signals.raise('SIGTERM', 'soft', 'tls-error');
      else signals.raise('SIGUSR1', 'soft', 'tls-error');
    } else if (event.type === 'verify') {
      const { certificate, id } = event;
      setCertificate(env, certificate, this.#options.x509Track);
      this.#setUntrusted(session);
      if (certificate.depth === 0)
        env.set('common_name', commonNameOf(certificate, this.#options, this.#log));
      hooks
        .tlsVerify(env, certificate)
        .then((ok) => {
          if (this.#session !== session) return;
          session.peer.answer({ to: 'verify', id, ok });
        })
        .catch((error: unknown) => session.handleFault('hook', error));
    } else if (event.type === 'active') {
      setChain(env, event.identity.chain, this.#options.x509Track);
      env.set('common_name', event.identity.commonName);
      for (const [name, value] of event.identity.peerInfo.shown.lines) env.set(name, value);
      this.#setUntrusted(session);
      if (session.remote) this.#setTrusted(session.remote);
      if (!event.first) return;
      if (this.#options.pull) this.#state('GET_CONFIG');
      else this.#tunnel.meetPeer(session);
    }
  }

  handlePeer(from: LinkAddress): void {
    this.#setTrusted(from);
    if (this.#session) this.#tunnel.meetPeer(this.#session);
  }

  /** Where the peer says to be. */
  #setUntrusted(session: ClientSession): void {
    if (session.remote) setPeerAddress(this.#run.env, 'untrusted', session.remote);
  }

  /** The peer has proven to be where `from` says. */
  #setTrusted(from: LinkAddress): void {
    const { hooks, env } = this.#run;
    setPeerAddress(env, 'trusted', from);
    hooks.ipchange(env, from).catch((error: unknown) => this.#session?.handleFault('hook', error));
  }

  handleMessage(message: ControlMessage, text: string): void {
    const { signals } = this.#run;
    const session = this.#session!;
    // Point-to-point peers tell each other nothing else.
    if (!this.#options.pull && message.type !== 'exit') return;
    switch (message.type) {
      case 'push-reply':
        this.#tunnel.handlePushReply(session, message.items, text);
        break;
      case 'auth-failed':
        handleAuthFailed(message, {
          ...this.#run,
          list: this.#list,
          userPass: this.#userPass,
          trouble: this.#trouble,
        });
        break;
      case 'restart':
        this.#peerEnds(D_STREAM_ERRORS, `Connection reset command was pushed by server ('${message.text}')`);
        if (message.nextRemote) this.#list.move();
        if (!message.keepPasswords) this.#userPass.forget();
        signals.raise('SIGUSR1', 'soft', 'server-pushed-connection-reset');
        break;
      case 'halt':
        this.#peerEnds(D_STREAM_ERRORS, `Halt command was pushed by server ('${message.text}')`);
        if (!message.keepPasswords) this.#userPass.forget();
        signals.raise('SIGTERM', 'soft', 'server-pushed-halt');
        break;
      case 'info':
      case 'info-pre':
        this.#log.log(D_PUSH, `Info command was pushed by server ('${message.text}')`);
        break;
      case 'exit':
        this.#peerEnds(D_PUSH, 'CC-EEN exit message received by peer');
        signals.raise('SIGUSR1', 'soft', 'remote-exit');
        break;
      case 'push-update':
        this.#tunnel.handlePushUpdate(session, message.items, text);
        break;
    }
  }

  #peerEnds(level: number, text: string): void {
    this.#log.log(level, text);
    this.#trouble.note(new OpenVpnError(text, 'ERR_OVPN_PEER'));
  }

  handleState(state: TunnelState): void {
    this.#state(state);
  }

  handleCompleted(): void {
    this.#list.succeeded();
    // What failed before the tunnel was up has nothing to do with its end.
    this.#trouble.begin();
    this.#trouble.noteContact();
  }

  handleFatal(error: OpenVpnError, reason: string): void {
    this.#fatal = error;
    this.#run.signals.raise('SIGTERM', 'soft', reason);
  }

  /** What current() had to ask for is there. */
  #handleLoginAnswer(error: OpenVpnError | undefined): void {
    // The signal that came says what is next.
    if (error instanceof QuestionEnded) return;
    if (error) {
      this.handleFatal(error, 'auth-failure');
      return;
    }
    this.#session?.peer.handleWake(this.#run.providers.clock.nowMs());
  }

  /** Closes the session; the device stays only with --persist-tun and a soft restart. */
  async #endAttempt(signal: PendingSignal): Promise<void> {
    const { env } = this.#run;
    const session = this.#session;
    this.#session = undefined;
    this.#link = undefined;
    session?.close();
    if (signal.name === 'SIGUSR1' && this.#options.persistTun) {
      await this.#tunnel.suspend(signalText(signal));
    } else {
      if (!isRestart(signal)) this.#state('EXITING');
      await this.#tunnel.close(signalText(signal));
      await this.#tunnel.settled();
    }
    // What the connection brought goes with it.
    env.reset(this.#environment);
    this.#replayFile?.save();
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
    const pending = this.#run.signals.pending!;
    this.#trouble.begin();
    this.#blame(pending);
    const signal = pausedSignal(pending);
    await this.#endAttempt(signal);
    logSignal(this.#log, signal);
    this.#run.signals.clear();
    return signal.name === 'SIGHUP' ? 'reload' : this.#exit(signal);
  }

  /** Remembers what an attempt ends for. */
  #blame(signal: PendingSignal): void {
    const error = this.#fatal ?? this.#trouble.errorOf(signal);
    this.#cause = { reason: signal.reason, ...(error && { error }) };
  }

  #exit(signal: PendingSignal): RunEnd {
    const error = this.#trouble.errorOf(signal);
    if (error) this.#run.onFailure?.(error);
    return 'exit';
  }

  #state(state: TunnelState): void {
    this.#stateNow = state;
    const { onState } = this.#run;
    if (!onState) return;
    const { address, address6, remote } = this.#info();
    const up = state === 'CONNECTED';
    onState(state, {
      ...((state === 'RECONNECTING' || state === 'EXITING') && this.#cause),
      ...(up && address !== undefined && { address }),
      ...(up && address6 !== undefined && { address6 }),
      ...(remote && { remote }),
    });
  }

  #info(): ClientInfo {
    return clientInfo({
      state: this.#stateNow,
      cause: this.#cause,
      options: this.#options,
      ce: this.#options.ce,
      session: this.#session,
      link: this.#link,
      device: this.#tunnel.device?.name,
      counters: this.#totals,
    });
  }
}

function isBindError({ cause }: LinkError): boolean {
  return (cause as NodeJS.ErrnoException | undefined)?.syscall === 'bind';
}

/** One time limit for the connection, a proxy's part included, and the server's first answer; 0 = none. */
function serverPollMs({ connectTimeout }: ConnectionEntry, waitedMs: number): number {
  return connectTimeout === 0 ? 0 : Math.max(1, connectTimeout * 1000 - waitedMs);
}

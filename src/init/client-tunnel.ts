/**
 * What a session of a client or point-to-point peer is brought up to (2.x do_up(), do_deferred_options() of
 * init.c, and push.c): options, device, data keys, routes, "Initialization Sequence Completed".
 *
 * With --pull the device is made from the PUSH_REPLY, and a PUSH_UPDATE makes it anew. Without, it is there
 * before the link, and the peer's first sign of life completes the rest (p2p.ts). A session that is closed
 * meanwhile ends the work at its next step; what is made by then stays for close() to take away.
 */
import { errorMessage, type Logger, OpenVpnError, textOfBytes } from '../base/base.ts';
import { D_PUSH, D_PUSH_ERRORS, M_INFO, M_WARN } from '../base/errlevel.ts';
import { compressorFor } from '../comp/comp.ts';
import { timerOptions } from '../forward/forward.ts';
import {
  applyPulledOptions,
  applyPushUpdate,
  type ConnectionEntry,
  finishPull,
  type Options,
  type PullResult,
} from '../options/options.ts';
import { PushCollector, pulledOptionsDigest, sanitizeControlMessage } from '../push/push.ts';
import { type DataChannelParams, logDataChannel, p2pDataParams, pulledDataParams } from '../ssl/ssl.ts';
import type { TunDevice } from '../tun/tun.ts';
import type { ClientRun } from './client-run.ts';
import type { ClientSession } from './client-session.ts';
import type { ResolvedAddress } from './connection-list.ts';
import type { UserPass } from './credentials.ts';
import { frameOptions, innerOptions } from './frame-setup.ts';
import type { TunnelState } from './init.ts';
import { setPulledVariables } from './script-setup.ts';
import { NO_SIGNAL } from './sig.ts';
import { bufferOptions } from './socket-setup.ts';
import { usesTls } from './tls-setup.ts';
import { TunnelInterface } from './tunnel-interface.ts';

/** From closing the device to opening it anew, as 2.7 waits. */
const UPDATE_PAUSE_MS = 1_000;

export interface ClientTunnelHost {
  handleState(state: TunnelState): void;
  /** The tunnel is up, but for routes that could not be added. */
  handleCompleted(): void;
  /** What 2.x calls fatal. */
  handleFatal(error: OpenVpnError, reason: string): void;
}

/** Outlives its sessions: --persist-tun keeps the device from one to the next. */
export class ClientTunnel {
  readonly #run: ClientRun;
  readonly #options: Options;
  readonly #log: Logger;
  readonly #userPass: UserPass;
  readonly #host: ClientTunnelHost;
  readonly #interface: TunnelInterface;
  #ce: ConnectionEntry | undefined;
  #collector = new PushCollector();
  /** Parts of a PUSH_UPDATE. */
  #updates = new PushCollector();
  /** Digest of what the open device was configured with. */
  #digest: string | undefined;
  /** Whether the routes of the open device were added, as far as that went. */
  #routesTried = false;
  #working: Promise<void> = Promise.resolve();

  constructor(run: ClientRun, userPass: UserPass, host: ClientTunnelHost) {
    this.#run = run;
    this.#options = run.options;
    this.#log = run.providers.log;
    this.#userPass = userPass;
    this.#host = host;
    this.#interface = new TunnelInterface(run);
  }

  get device(): TunDevice | undefined {
    return this.#interface.device;
  }

  /** The next session will use `ce`. */
  begin(ce: ConnectionEntry): void {
    this.#ce = ce;
    this.#collector = new PushCollector();
    this.#updates = new PushCollector();
  }

  /** Removes the device and all that came with it. `signal` is the reason that scripts see. */
  close(signal: string): Promise<void> {
    return this.#interface.close(signal);
  }

  /** The session has ended and the device stays. Throws OpenVpnError when the down script fails. */
  async suspend(signal: string): Promise<void> {
    await this.settled();
    await this.#interface.suspend(signal);
  }

  /** Resolves when nothing works for a closed session any more. */
  async settled(): Promise<void> {
    await this.#working;
  }

  handlePushReply(session: ClientSession, items: readonly string[], text: string): void {
    this.#log.log(D_PUSH, `PUSH: Received control message: '${sanitizeControlMessage(text)}'`);
    const verdict = this.#collector.add(items);
    if (verdict === 'bad') {
      this.#logBadPush(text);
      return;
    }
    if (verdict === 'duplicate') {
      this.#takeToken(items);
      return;
    }
    session.requester.stop();
    if (verdict === 'more') return;
    this.#work(() => this.#bringUp(session));
  }

  /** The tunnel is set up anew with what changed (2.7 do_update()). */
  handlePushUpdate(session: ClientSession, items: readonly string[], text: string): void {
    this.#log.log(D_PUSH, `PUSH: Received control message: '${sanitizeControlMessage(text)}'`);
    const verdict = this.#updates.add(items);
    if (verdict === 'more') return;
    const { options } = this.#updates;
    this.#updates = new PushCollector();
    if (verdict === 'bad') this.#logBadPush(text);
    else this.#work(() => this.#update(session, options));
  }

  /** Without --pull: what init_instance() of 2.x does before the link is open. */
  async openEarly(address: ResolvedAddress | undefined): Promise<void> {
    const options = this.#options;
    const ce = this.#ce!;
    const kept = this.device;
    if (kept) {
      await this.#interface.resume(ce);
      return;
    }
    await this.#interface.open(options, ce, address && { ...address, port: 0 }, 'init');
    this.#routesTried = !options.routeDelayDefined;
    if (this.#routesTried) await this.#interface.addRoutes(options);
  }

  /** Without --pull: the peer is there, for the first time or again after its restart. */
  meetPeer(session: ClientSession): void {
    const { providers, signals } = this.#run;
    const options = this.#options;
    const params = usesTls(options) ? p2pDataParams(options, session.peer, providers) : session.peer.params;
    if (!params) {
      signals.raise('SIGUSR1', 'soft', 'connection initialisation failed');
      return;
    }
    session.data.setInner(innerOptions(options, session.remote, this.#interface.useGateway));
    session.peer.generateDataKeys(params, providers.clock.nowMs());
    session.data.handleKeys();
    this.#work(() => this.#completeP2p(session, params));
  }

  /** One after the other; failures end the program. */
  #work(work: () => Promise<void>): void {
    this.#working = this.#working.then(work).catch((error: unknown) => {
      const known = error instanceof OpenVpnError;
      const text = errorMessage(error);
      this.#host.handleFatal(
        known ? error : new OpenVpnError(text, 'ERR_OVPN', { cause: error }),
        'process-push-msg-failed',
      );
    });
  }

  /** 2.x do_up(): pulled options, device, keys, routes. */
  async #bringUp(session: ClientSession): Promise<void> {
    const { signals, providers } = this.#run;
    const options = this.#options;
    if (signals.pending || session.closed) return;
    const result = applyPulledOptions(options, this.#collector.options);
    const ok = this.#finishPull(result);
    if (ok === undefined) return;
    setPulledVariables(this.#run.env, options);
    if (!ok) return this.#failPush();
    if (options.authToken !== undefined) this.#userPass.setToken(options.authToken, options.authTokenUser);
    const remoteOptions = session.peer.identity?.options ?? '';
    const params = pulledDataParams(options, this.#collector.options, remoteOptions, providers);
    if (!params) return this.#failPush();
    const device = await this.#pulledDevice(session);
    if (signals.pending || session.closed) return;
    this.#applyToSession(session);
    session.data.setCompressor(compressorFor(options.compress, providers.comp, this.#log));
    session.setShaper(options.shaper);
    if (result.imports.has('sockflags') && options.tcpNodelay) session.setNoDelay();
    if (result.imports.has('sockbuf')) session.setBuffers(bufferOptions(options, this.#log));
    session.peer.generateDataKeys(params, providers.clock.nowMs());
    session.data.handleKeys();
    session.attach(device);
    session.drive();
    await this.#finish(session, params);
  }

  /** 2.x blames the device for whatever keeps a push from being used. */
  #failPush(): void {
    this.#log.log(D_PUSH_ERRORS, 'Failed to open tun/tap interface');
    this.#run.signals.raise('SIGUSR1', 'soft', 'process-push-msg-failed');
  }

  /** The kept device, when the server pushed the same as before. */
  async #pulledDevice(session: ClientSession): Promise<TunDevice> {
    const options = this.#options;
    const ce = this.#ce!;
    const digest = pulledOptionsDigest(this.#collector.options, { tunMtuFixed: ce.tunMtuDefined }, (data) =>
      this.#run.providers.crypto.hash('SHA256', data),
    );
    const kept = this.device;
    if (kept) {
      await this.#interface.resume(ce);
      if (digest === this.#digest) return kept;
      this.#log.log(
        M_INFO,
        'NOTE: Pulled options changed on restart, will need to close and reopen TUN/TAP device.',
      );
      await this.#interface.close(NO_SIGNAL);
    }
    this.#host.handleState('ASSIGN_IP');
    const device = await this.#interface.open(options, ce, session.remote, 'init');
    this.#routesTried = false;
    this.#digest = digest;
    return device;
  }

  async #update(session: ClientSession, items: readonly string[]): Promise<void> {
    const { signals, env } = this.#run;
    const options = this.#options;
    if (signals.pending || session.closed) return;
    const result = applyPushUpdate(options, items);
    const ok = this.#finishPull(result);
    if (ok === undefined) return;
    if (!ok || !this.device) {
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
    await this.#interface.close(NO_SIGNAL);
    this.#routesTried = false;
    if (await signals.sleep(UPDATE_PAUSE_MS)) return;
    const device = await this.#interface.open(options, this.#ce!, session.remote, 'init');
    // The next reconnect compares with nothing: what is open isn't what PUSH_REPLY said.
    this.#digest = undefined;
    if (signals.pending || session.closed) return;
    this.#applyToSession(session);
    session.attach(device);
    await this.#finish(session);
  }

  /** Whether what was pulled can be used; undefined when a filter had a signal raised. */
  #finishPull({ messages, imports, restart }: PullResult): boolean | undefined {
    const { signals, providers } = this.#run;
    this.#logLines(messages);
    if (restart !== undefined) {
      signals.raise('SIGUSR1', 'soft', restart);
      return undefined;
    }
    if (imports.has('messages')) this.#run.onVerbosity?.(this.#options);
    const finished = finishPull(this.#options, imports, providers.comp);
    this.#logLines(finished.messages);
    return finished.ok;
  }

  #applyToSession(session: ClientSession): void {
    const options = this.#options;
    session.data.setFrame(frameOptions(options, this.#ce!, session.remote?.family ?? 4));
    session.data.setInner(innerOptions(options, session.remote, this.#interface.useGateway));
    session.data.setTimers(timerOptions(options), this.#run.providers.clock.nowMs());
  }

  async #completeP2p(session: ClientSession, params: DataChannelParams): Promise<void> {
    if (session.closed) return;
    if (!this.device) {
      this.#host.handleState('ASSIGN_IP');
      const device = await this.#interface.open(this.#options, this.#ce!, session.remote, 'init');
      this.#routesTried = false;
      if (!session.closed) session.attach(device);
    }
    await this.#finish(session, params);
  }

  /** `params` are those of new data keys. With --route-delay the tunnel is told of before it is complete, as in 2.x. */
  async #finish(session: ClientSession, params?: DataChannelParams): Promise<void> {
    const { signals, onUp, dropPrivileges } = this.#run;
    const early = this.#options.routeDelayDefined;
    if (params && early) this.#logTunnel(params, session);
    this.#routesTried ||= await this.#addRoutes();
    if (!this.#routesTried || signals.pending || session.closed) return;
    this.#host.handleCompleted();
    dropPrivileges?.();
    // Also when a route could not be added: 2.6 keeps "With Errors" for other things.
    this.#log.log(M_INFO, 'Initialization Sequence Completed');
    if (params && !early) this.#logTunnel(params, session);
    this.#host.handleState('CONNECTED');
    onUp?.();
  }

  /** After --route-delay; false when a signal comes first. */
  async #addRoutes(): Promise<boolean> {
    const options = this.#options;
    const delayMs = options.routeDelayDefined ? options.routeDelay * 1000 : 0;
    if (delayMs > 0 && (await this.#run.signals.sleep(delayMs))) return false;
    this.#host.handleState('ADD_ROUTES');
    await this.#interface.addRoutes(options);
    return true;
  }

  #takeToken(items: readonly string[]): void {
    const value = (name: string): string | undefined =>
      items.find((item) => item.startsWith(`${name} `))?.slice(name.length + 1);
    const token = value('auth-token');
    const user = value('auth-token-user');
    const name = user === undefined ? this.#options.authTokenUser : textOfBytes(Buffer.from(user, 'base64'));
    if (token !== undefined) this.#userPass.setToken(token, name);
  }

  #logBadPush(text: string): void {
    this.#log.log(D_PUSH_ERRORS, `WARNING: Received bad push/pull message: ${sanitizeControlMessage(text)}`);
  }

  #logTunnel(params: DataChannelParams, session: ClientSession): void {
    logDataChannel(this.#log, this.#options, this.#ce!, params, session.data.compressor?.framing);
  }

  #logLines(lines: readonly { readonly level: number; readonly text: string }[]): void {
    for (const { level, text } of lines) this.#log.log(level, text);
  }
}

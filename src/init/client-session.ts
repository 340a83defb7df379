/**
 * One connection of a client or point-to-point peer (2.x the p2p event loop of openvpn.c and forward.c): the peer at
 * the other end, and what a client asks of it and gives up for. It lives from the open link to the signal that
 * ends it, and moves packets between tun and link (client-io.ts) once ClientTunnel (client-tunnel.ts) has brought the
 * device up.
 */
import { type FaultEntry, Faults, type LinkAddress, PeerAddress } from '../base/base.ts';
import { D_LINK_ERRORS, D_PUSH, D_PUSH_ERRORS, D_STREAM_ERRORS, M_INFO } from '../base/errlevel.ts';
import type { Compressor } from '../comp/comp.ts';
import {
  createDataChannel,
  createExitNotifier,
  type DataChannel,
  type DataKeySource,
  type ExitNotifier,
  type LinkCounters,
  newLinkCounters,
  type TimerOptions,
} from '../forward/forward.ts';
import { type CreateControl, Driver, Peer, type PeerEvent, type PeerOwner } from '../peer/peer.ts';
import { type ControlMessage, PushRequester } from '../push/push.ts';
import { type LinkErrno, type SocketOptions, setNoDelay } from '../socket/socket.ts';
import type { TunDevice } from '../tun/tun.ts';
import { ClientIo, type ClientIoConfig, type ClientIoHost } from './client-io.ts';
import type { SignalState } from './sig.ts';

export interface ClientSessionConfig extends ClientIoConfig {
  /** Makes the control channel, or what stands in for it without TLS. */
  readonly createControl: CreateControl;
  /** --pull: asks for a PUSH_REPLY. Times as in PushRequesterConfig. */
  readonly pull: boolean;
  readonly handWindowMs: number;
  readonly renegMs: number;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly compressor: Compressor | undefined;
  /** --shaper; 0 = off. */
  readonly shaperBytes: number;
  /** --mtu-test */
  readonly mtuTest: boolean;
  readonly timers: TimerOptions;
  readonly localOptions: string | undefined;
  /** Without TLS: asks the peer for its options string and gives it here. */
  readonly onPeerOptions?: (text: string) => void;
  readonly muteReplayWarnings: boolean;
  /** Give up when the server said nothing within this time; 0 = never. */
  readonly serverPollMs: number;
  readonly totals: LinkCounters;
  readonly signals: SignalState;
  /** Without a route to the server, and as long as it hasn't answered, the attempt is over. */
  readonly needsRoute: boolean;
}

/** Events of the control channel that are about the session as a whole. */
export type ClientTlsEvent = Exclude<PeerEvent, { readonly type: 'message' | 'over' }>;

/** What the session can't decide alone. */
export interface ClientSessionHost {
  /** First packet of the server. */
  handleContact(): void;
  handleTlsEvent(event: ClientTlsEvent): void;
  /** Messages other than those about pushing time. */
  handleMessage(message: ControlMessage, text: string): void;
  /** The link met an error and goes on. */
  handleLinkError(error: LinkErrno): void;
  /** Without TLS: the peer has shown up, or comes from another address. */
  handlePeer(from: LinkAddress): void;
}

export class ClientSession implements PeerOwner, ClientIoHost {
  readonly peer: Peer;
  readonly requester: PushRequester;
  readonly #config: ClientSessionConfig;
  readonly #host: ClientSessionHost;
  readonly #driver: Driver;
  readonly #io: ClientIo;
  readonly #faults: Faults;
  #notifier: ExitNotifier | undefined;
  #heard = false;
  #pollDeadlineMs: number;

  constructor(config: ClientSessionConfig, host: ClientSessionHost) {
    this.#config = config;
    this.#host = host;
    const { link, log, clock, handWindowMs, renegMs, createControl } = config;
    this.#faults = new Faults(log);
    const nowMs = this.#nowMs;
    this.#pollDeadlineMs = config.serverPollMs > 0 ? nowMs + config.serverPollMs : Number.POSITIVE_INFINITY;
    this.requester = new PushRequester({ handWindowMs, renegMs, log });
    this.#driver = new Driver(clock);
    const address = new PeerAddress(config.remote);
    this.peer = new Peer({
      driver: this.#driver,
      address,
      createControl,
      createData: (keys) => this.#createData(keys, nowMs),
      owner: this,
      log,
    });
    this.data.handleRemote(nowMs);
    this.#io = new ClientIo(config, this.data, address, this);
    this.setShaper(config.shaperBytes);
    link.onError = (error) => this.#handleLinkError(error);
    link.onClose = (error) => this.#handleLinkClosed(error);
  }

  get data(): DataChannel {
    return this.peer.data;
  }

  /** Where packets go; undefined until the peer has shown up. */
  get remote(): LinkAddress | undefined {
    return this.peer.address.current;
  }

  get closed(): boolean {
    return this.peer.closed;
  }

  /** Sends the first packet if there is somebody to send it to; what was received meanwhile is read. */
  start(): void {
    if (this.remote) {
      this.data.handleRemote(this.#nowMs);
      this.peer.start(this.#nowMs);
    }
    this.drive();
    this.#io.readLink();
  }

  /** The device is up: packets flow from here on. */
  attach(tun: TunDevice): void {
    this.#io.attach(tun);
  }

  /** The device is about to close: packets for it are dropped until the next attach(). */
  detach(): void {
    this.#io.detach();
  }

  /** Pushed --sndbuf and --rcvbuf. */
  setBuffers(options: SocketOptions): void {
    this.#config.link.setBuffers?.(options);
  }

  /** Pushed --socket-flags. */
  setNoDelay(): void {
    setNoDelay(this.#config.link, this.#config.log);
  }

  /** --shaper, also when pushed; 0 changes nothing. */
  setShaper(bytesPerSecond: number): void {
    this.#io.setShaper(bytesPerSecond);
  }

  /** Sends EXIT or OCC_EXIT; the session raises SIGTERM[soft,exit-with-notification] when that is done. */
  notifyExit(seconds: number): void {
    const ccExit = this.peer.params?.ccExit ?? false;
    this.#notifier = createExitNotifier({ seconds, ccExit, log: this.#config.log }, this.#nowMs);
    this.drive();
  }

  /** Whether an exit notification makes sense: keys exist and the transport keeps no connection. */
  get canNotifyExit(): boolean {
    return this.peer.params !== undefined && this.#config.link.transport === 'udp';
  }

  /** Sends what is to be sent, handles events, sets the timer. */
  drive(): void {
    this.peer.drive(this.#nowMs);
  }

  /** An entry has thrown: this connection ends, and the next one is tried. */
  handleFault(entry: FaultEntry, error: unknown): void {
    this.#faults.note(entry, error);
    this.#config.signals.raise('SIGUSR1', 'soft', 'internal-error');
  }

  /** Ends everything but the tun device. */
  close(): void {
    if (this.closed) return;
    this.#driver.close();
    this.#io.close();
    this.peer.close();
    this.#config.link.close();
  }

  // What the data path asks for.

  get isBare(): boolean {
    return this.peer.params?.headerless === true;
  }

  handleControl(packet: Uint8Array, from: LinkAddress, nowMs: number): void {
    if (this.peer.handlePacket(packet, from, nowMs) !== 'taken') return;
    this.requester.notePacket(nowMs);
    if (this.#heard) return;
    this.#heard = true;
    this.#pollDeadlineMs = Number.POSITIVE_INFINITY;
    this.#host.handleContact();
  }

  handleProof(from: LinkAddress): void {
    this.peer.moveTo(from);
    if (this.isBare) this.#host.handlePeer(from);
  }

  // What the peer asks of its owner.

  get peerName(): string {
    return this.peer.identity?.commonName || 'UNDEF';
  }

  sendControl(packet: Uint8Array, to: LinkAddress): void {
    this.#config.link.send(packet, to);
  }

  sendService(nowMs: number): void {
    this.#io.sendService(nowMs);
  }

  handleEvent(event: PeerEvent, nowMs: number): void {
    if (event.type === 'over') {
      const { type, reason } = event.end;
      this.#config.signals.raise(type === 'exit' ? 'SIGTERM' : 'SIGUSR1', 'soft', reason);
    } else if (event.type === 'message') {
      this.#handleMessage(event.message, event.text);
    } else {
      if (event.type === 'active' && event.first && this.#config.pull) this.requester.start(nowMs);
      this.#host.handleTlsEvent(event);
    }
  }

  poll(nowMs: number): void {
    const { signals } = this.#config;
    for (let ask = this.requester.pollEvent(); ask; ask = this.requester.pollEvent()) {
      if (ask.type === 'send') this.peer.sendMessage(ask.text, nowMs);
      else signals.raise('SIGUSR1', 'soft', ask.reason);
    }
    for (let step = this.#notifier?.pollEvent(); step; step = this.#notifier?.pollEvent()) {
      if (step.type === 'control') this.peer.sendMessage(step.text, nowMs);
      else if (step.type === 'occ-exit') this.data.sendOccExit();
      else signals.raise('SIGTERM', 'soft', step.reason);
    }
  }

  nextTimeout(): number {
    return Math.min(
      this.requester.nextTimeout() ?? Number.POSITIVE_INFINITY,
      this.#notifier?.nextTimeout() ?? Number.POSITIVE_INFINITY,
      this.#pollDeadlineMs,
    );
  }

  handleTimeout(nowMs: number): boolean {
    if (nowMs >= this.#pollDeadlineMs) {
      this.#pollDeadlineMs = Number.POSITIVE_INFINITY;
      this.#config.log.log(M_INFO, 'Server poll timeout, restarting');
      this.#config.signals.raise('SIGUSR1', 'soft', 'server_poll');
      return false;
    }
    this.requester.handleTimeout(nowMs);
    this.#notifier?.handleTimeout(nowMs);
    return true;
  }

  get #nowMs(): number {
    return this.#config.clock.nowMs();
  }

  #createData(keys: DataKeySource, nowMs: number): DataChannel {
    const config = this.#config;
    return createDataChannel(
      {
        keys,
        frame: config.frame,
        compressor: config.compressor,
        inner: config.inner,
        timers: config.timers,
        occ: {
          localOptions: config.localOptions,
          ...(config.onPeerOptions && { onReply: config.onPeerOptions }),
          mtuTest: config.mtuTest,
          randomBytes: config.randomBytes,
        },
        log: config.log,
        commonName: () => this.peerName,
        counters: newLinkCounters(),
        totals: config.totals,
        muteReplayWarnings: config.muteReplayWarnings,
      },
      nowMs,
    );
  }

  #handleMessage(message: ControlMessage, text: string): void {
    const { log } = this.#config;
    switch (message.type) {
      case 'unknown':
      case 'invalid':
      case 'bad-push':
        log.log(D_PUSH_ERRORS, message.text);
        break;
      case 'auth-pending':
        for (const line of message.ignored) log.log(D_PUSH, `ignoring AUTH_PENDING parameter: ${line}`);
        this.requester.handleAuthPending(message.timeoutSec);
        break;
      default:
        this.#host.handleMessage(message, text);
    }
  }

  #handleLinkError(error: LinkErrno): void {
    const { log, signals, needsRoute } = this.#config;
    log.log(D_LINK_ERRORS, error.message);
    this.#host.handleLinkError(error);
    if (error.pathMtu !== undefined) this.data.handlePathMtu(error.pathMtu);
    // As process_outgoing_link() of 2.x: only for what is sent, and only until the first packet of the server.
    if (!needsRoute || this.#heard || error.code !== 'ENETUNREACH' || error.syscall === 'read') return;
    log.log(M_INFO, 'Network unreachable, restarting');
    signals.raise('SIGUSR1', 'soft', 'network-unreachable');
  }

  #handleLinkClosed(error: NodeJS.ErrnoException | undefined): void {
    if (this.closed) return;
    if (error) {
      this.#config.log.log(D_STREAM_ERRORS, error.message);
      this.#host.handleLinkError(error);
    }
    this.#config.log.log(M_INFO, 'Connection reset, restarting [0]');
    this.#config.signals.raise('SIGUSR1', 'soft', 'connection-reset');
  }
}

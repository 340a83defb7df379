/**
 * One connection of a client or point-to-point peer (2.x the p2p event loop of openvpn.c and forward.c): a
 * link, a control channel, a data channel. It lives from the open link to the signal that ends it, and
 * moves packets between tun and link once ClientTunnel (client-tunnel.ts) has brought the device up. The way
 * from tun to link is ClientSender's (client-sender.ts).
 *
 * Where packets go: to the remote that was given, or else to the peer that has proven itself: by TLS, or
 * without TLS by a packet that authenticates.
 */
import {
  type FaultEntry,
  Faults,
  formatAddress,
  type LinkAddress,
  PacketBatch,
  receivedAddress,
  sameAddressWords,
  timerDelay,
} from '../base/base.ts';
import {
  D_LINK_ERRORS,
  D_PUSH,
  D_PUSH_ERRORS,
  D_STREAM_ERRORS,
  M_INFO,
  M_STRANGER,
} from '../base/errlevel.ts';
import type { Compressor } from '../comp/comp.ts';
import {
  createDataChannel,
  createExitNotifier,
  type DataChannel,
  type ExitNotifier,
  type LinkCounters,
  newLinkCounters,
  type TimerOptions,
} from '../forward/forward.ts';
import {
  type ControlMessage,
  PushRequester,
  readControlMessage,
  sanitizeControlMessage,
} from '../push/push.ts';
import { op } from '../reliable/reliable.ts';
import { type LinkErrno, type SocketOptions, setNoDelay } from '../socket/socket.ts';
import type { TlsEvent, TlsMulti } from '../ssl/ssl.ts';
import type { TunDevice } from '../tun/tun.ts';
import { BATCHES_PER_TURN, ClientSender, type ClientSenderConfig } from './client-sender.ts';
import type { SignalState } from './sig.ts';

export interface ClientSessionConfig extends Omit<ClientSenderConfig, 'onFault'> {
  /** Undefined: whoever proves to be the peer. */
  readonly remote: LinkAddress | undefined;
  /** Makes the control channel, or what stands in for it without TLS. */
  readonly createControl: (wake: () => void) => TlsMulti;
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
  readonly float: boolean;
  readonly muteReplayWarnings: boolean;
  /** Give up when the server said nothing within this time; 0 = never. */
  readonly serverPollMs: number;
  readonly totals: LinkCounters;
  readonly signals: SignalState;
  /** Without a route to the server, and as long as it hasn't answered, the attempt is over. */
  readonly needsRoute: boolean;
}

/** What the session can't decide alone. */
export interface ClientSessionHost {
  /** First packet of the server. */
  handleContact(): void;
  handleTlsEvent(event: TlsEvent): void;
  /** Messages other than those about pushing time. */
  handleMessage(message: ControlMessage, text: string): void;
  /** The link met an error and goes on. */
  handleLinkError(error: LinkErrno): void;
  /** Without TLS: the peer has shown up, or comes from another address. */
  handlePeer(from: LinkAddress): void;
}

export class ClientSession {
  readonly tls: TlsMulti;
  readonly data: DataChannel;
  readonly requester: PushRequester;
  readonly #config: ClientSessionConfig;
  readonly #host: ClientSessionHost;
  readonly #rx: PacketBatch;
  readonly #sender: ClientSender;
  /** What TLS said last about the peer's address. */
  #proven: LinkAddress | undefined;
  /** Without TLS: a packet has authenticated. */
  #established = false;
  readonly #faults: Faults;
  #notifier: ExitNotifier | undefined;
  #heard = false;
  #pollDeadlineMs: number;
  #timer: NodeJS.Timeout | undefined;
  #timerMs = Number.POSITIVE_INFINITY;
  #wakeQueued = false;
  /** Whether the next turn of a busy TCP link is on its way. */
  #linkQueued = false;
  #closed = false;

  constructor(config: ClientSessionConfig, host: ClientSessionHost) {
    this.#config = config;
    this.#host = host;
    const { link, log, handWindowMs, renegMs } = config;
    this.#faults = new Faults(log);
    const nowMs = this.#nowMs;
    this.#rx = new PacketBatch(link.batchSize, config.maxPacketBytes);
    this.#pollDeadlineMs = config.serverPollMs > 0 ? nowMs + config.serverPollMs : Number.POSITIVE_INFINITY;
    this.requester = new PushRequester({ handWindowMs, renegMs, log });
    this.tls = config.createControl(() => this.#wake());
    this.tls.remote = config.remote;
    this.#proven = config.remote;
    this.data = createDataChannel(
      {
        keys: this.tls,
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
        log,
        commonName: () => this.tls.identity?.commonName || 'UNDEF',
        counters: newLinkCounters(),
        totals: config.totals,
        muteReplayWarnings: config.muteReplayWarnings,
      },
      nowMs,
    );
    this.data.handleRemote(nowMs);
    const onFault = (entry: FaultEntry, error: unknown): void => this.handleFault(entry, error);
    this.#sender = new ClientSender({ ...config, onFault }, this.data);
    if (config.remote) this.#sender.setRemote(config.remote);
    this.setShaper(config.shaperBytes);
    link.onReadable = () => this.#handleLink();
    link.onError = (error) => this.#handleLinkError(error);
    link.onClose = (error) => this.#handleLinkClosed(error);
  }

  /** An entry has thrown: this connection ends, and the next one is tried. */
  handleFault(entry: FaultEntry, error: unknown): void {
    this.#faults.note(entry, error);
    this.#config.signals.raise('SIGUSR1', 'soft', 'internal-error');
  }

  /** Where packets go; undefined until the peer has shown up. */
  get remote(): LinkAddress | undefined {
    return this.#sender.remote;
  }

  /** Sends the first packet if there is somebody to send it to; what was received meanwhile is read. */
  start(): void {
    if (this.remote) {
      this.data.handleRemote(this.#nowMs);
      this.tls.start(this.#nowMs);
    }
    this.drive();
    this.#handleLink();
  }

  /** The device is up: packets flow from here on. */
  attach(tun: TunDevice): void {
    this.#sender.attach(tun);
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
    this.#sender.setShaper(bytesPerSecond);
  }

  /** The device is about to close: packets for it are dropped until the next attach(). */
  detach(): void {
    this.#sender.detach();
  }

  /** Sends EXIT or OCC_EXIT; the session raises SIGTERM[soft,exit-with-notification] when that is done. */
  notifyExit(seconds: number): void {
    const ccExit = this.tls.params?.ccExit ?? false;
    this.#notifier = createExitNotifier({ seconds, ccExit, log: this.#config.log }, this.#nowMs);
    this.drive();
  }

  /** Whether an exit notification makes sense: keys exist and the transport keeps no connection. */
  get canNotifyExit(): boolean {
    return this.tls.params !== undefined && this.#config.link.transport === 'udp';
  }

  /** Sends a control message with 2.x's log line. */
  sendMessage(text: string): void {
    const sent = this.tls.sendMessage(text, this.#nowMs);
    const name = this.tls.identity?.commonName || 'UNDEF';
    this.#config.log.log(
      D_PUSH,
      `SENT CONTROL [${name}]: '${sanitizeControlMessage(text)}' (status=${sent ? 1 : 0})`,
    );
  }

  /** Sends what is to be sent, handles events, sets the timer. */
  drive(): void {
    if (this.#closed) return;
    const nowMs = this.#nowMs;
    this.#transmit(nowMs);
    for (let event = this.tls.pollEvent(); event && !this.#closed; event = this.tls.pollEvent()) {
      this.#handleTlsEvent(event);
    }
    if (this.#closed) return;
    this.#followControl();
    this.#pollOthers();
    this.#transmit(nowMs);
    this.#armTimer();
  }

  /** Ends everything but the tun device. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#sender.close();
    this.tls.close();
    this.#config.link.close();
  }

  get closed(): boolean {
    return this.#closed;
  }

  get #nowMs(): number {
    return this.#config.clock.nowMs();
  }

  #wake(): void {
    if (this.#wakeQueued || this.#closed) return;
    this.#wakeQueued = true;
    queueMicrotask(() => {
      this.#wakeQueued = false;
      if (!this.#closed) this.#handleTlsOutput();
    });
  }

  #handleTlsOutput(): void {
    try {
      this.tls.handleTlsOutput(this.#nowMs);
      this.drive();
    } catch (error) {
      this.handleFault('TLS output', error);
    }
  }

  #handleLink(): void {
    try {
      this.#readLink();
    } catch (error) {
      this.handleFault('link', error);
    }
  }

  #readLink(): void {
    for (let turn = 0; turn < BATCHES_PER_TURN && !this.#closed; turn++) {
      const count = this.#config.link.recvBatch(this.#rx);
      if (count === 0) return;
      this.#handleRx(count);
    }
    if (this.#closed || this.#config.link.transport !== 'tcp' || this.#linkQueued) return;
    this.#linkQueued = true;
    setImmediate(() => {
      this.#linkQueued = false;
      this.#handleLink();
    });
  }

  #handleRx(count: number): void {
    const batch = this.#rx;
    const { slab, offsets, lengths, addresses } = batch;
    const { link, float, remote } = this.#config;
    const nowMs = this.#nowMs;
    const bare = this.#isBare;
    const movable = link.transport === 'udp' && (float || !remote);
    for (let first = 0, end = 0; first < count; first = end) {
      end = first + 1;
      if (!this.#isFromPeer(first)) continue;
      if (!bare && !isData(slab[offsets[first]!]!)) {
        this.#handleControl(first, nowMs);
        if (this.#closed) return;
        continue;
      }
      // Where the peer may come from elsewhere, a good packet vouches for its own source alone.
      while (end < count && this.#isFromPeer(end) && (bare || isData(slab[offsets[end]!]!))) {
        if (movable && !sameAddressWords(addresses, first, addresses, end)) break;
        end++;
      }
      this.data.open(batch, first, end, nowMs);
      if (this.data.authenticated > 0) this.#followPeer(first);
    }
    const { tun } = this.#sender;
    if (tun) tun.writeBatch(batch, 0, count);
    else lengths.fill(0, 0, count);
    this.drive();
  }

  /** Packets without opcode: all of them are data. */
  get #isBare(): boolean {
    return this.tls.params?.headerless === true;
  }

  /** Packets of strangers are dropped, unless no remote was given or --float waits for the one that authenticates. */
  #isFromPeer(slot: number): boolean {
    const { addresses, lengths } = this.#rx;
    if (lengths[slot] === 0) return false;
    const { link, float, remote, log } = this.#config;
    if (link.transport === 'tcp' || float || !remote || this.#sender.isFromRemote(addresses, slot))
      return true;
    lengths[slot] = 0;
    if (!log.enabled(D_LINK_ERRORS | M_STRANGER)) return false;
    const from = formatAddress(receivedAddress(addresses, slot));
    log.log(
      D_LINK_ERRORS | M_STRANGER,
      `TCP/UDP: Incoming packet rejected from ${from}[${remote.family === 6 ? 10 : 2}], expected peer address: ${formatAddress(remote)} (allow this incoming source address/port by removing --remote or adding --float)`,
    );
    return false;
  }

  /** Data authenticated: the peer is where it came from. */
  #followPeer(slot: number): void {
    const { link, float, log } = this.#config;
    const isBare = this.#isBare;
    if (!isBare && !float) return;
    const { addresses } = this.#rx;
    const isTcp = link.transport === 'tcp';
    const moved = !this.remote || (!isTcp && !this.#sender.isFromRemote(addresses, slot));
    if (!moved && (!isBare || this.#established)) return;
    const from = isTcp ? this.remote : receivedAddress(addresses, slot);
    if (!from) return;
    log.log(M_INFO, `Peer Connection Initiated with ${formatAddress(from)}`);
    this.#sender.setRemote(from);
    if (isBare) {
      this.#established = true;
      this.#host.handlePeer(from);
    } else {
      this.tls.remote = from;
      this.#proven = from;
    }
  }

  /** The control channel has found the peer, or found it elsewhere. */
  #followControl(): void {
    const { remote } = this.tls;
    if (!remote || remote === this.#proven) return;
    this.#proven = remote;
    this.#sender.setRemote(remote);
  }

  #handleControl(slot: number, nowMs: number): void {
    const packet = this.#rx.packet(slot);
    const from =
      this.#config.link.transport === 'tcp' ? this.remote : receivedAddress(this.#rx.addresses, slot);
    if (!from) return;
    if (this.tls.handlePacket(packet, from, nowMs) === 'taken') {
      this.data.noteControlReceived(packet.length, nowMs);
      this.requester.notePacket(nowMs);
      if (!this.#heard) {
        this.#heard = true;
        this.#pollDeadlineMs = Number.POSITIVE_INFINITY;
        this.#host.handleContact();
      }
    }
    this.#rx.lengths[slot] = 0;
    this.drive();
  }

  #handleTlsEvent(event: TlsEvent): void {
    if (event.type !== 'message') {
      if (event.type === 'active') this.#followControl();
      if (event.type === 'active' && event.first && this.#config.pull) this.requester.start(this.#nowMs);
      this.#host.handleTlsEvent(event);
      return;
    }
    const message = readControlMessage(event.text);
    if (message.type === 'unknown' || message.type === 'invalid' || message.type === 'bad-push') {
      this.#config.log.log(D_PUSH_ERRORS, message.text);
      return;
    }
    if (message.type === 'auth-pending') {
      for (const line of message.ignored)
        this.#config.log.log(D_PUSH, `ignoring AUTH_PENDING parameter: ${line}`);
      this.requester.handleAuthPending(message.timeoutSec);
      return;
    }
    this.#host.handleMessage(message, event.text);
  }

  #pollOthers(): void {
    const { signals } = this.#config;
    const end = this.data.pollEvent();
    if (end) signals.raise(end.type === 'exit' ? 'SIGTERM' : 'SIGUSR1', 'soft', end.reason);
    for (let ask = this.requester.pollEvent(); ask; ask = this.requester.pollEvent()) {
      if (ask.type === 'send') this.sendMessage(ask.text);
      else signals.raise('SIGUSR1', 'soft', ask.reason);
    }
    for (let step = this.#notifier?.pollEvent(); step; step = this.#notifier?.pollEvent()) {
      if (step.type === 'control') this.sendMessage(step.text);
      else if (step.type === 'occ-exit') this.data.sendOccExit();
      else signals.raise('SIGTERM', 'soft', step.reason);
    }
  }

  #transmit(nowMs: number): void {
    const { link } = this.#config;
    for (let out = this.tls.pollTransmit(); out; out = this.tls.pollTransmit()) {
      link.send(out.packet, out.to);
      this.data.noteControlSent(out.packet.length, nowMs);
    }
    this.#sender.sendService(nowMs);
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
    if (this.#closed) return;
    if (error) {
      this.#config.log.log(D_STREAM_ERRORS, error.message);
      this.#host.handleLinkError(error);
    }
    this.#config.log.log(M_INFO, 'Connection reset, restarting [0]');
    this.#config.signals.raise('SIGUSR1', 'soft', 'connection-reset');
  }

  #armTimer(): void {
    const next = Math.min(
      this.tls.nextTimeout() ?? Number.POSITIVE_INFINITY,
      this.data.nextTimeout() ?? Number.POSITIVE_INFINITY,
      this.requester.nextTimeout() ?? Number.POSITIVE_INFINITY,
      this.#notifier?.nextTimeout() ?? Number.POSITIVE_INFINITY,
      this.#pollDeadlineMs,
    );
    // A timer that fires too early finds nothing due and is set anew: later deadlines cost nothing.
    if (this.#timer && this.#timerMs <= next) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerMs = next;
    if (next === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#handleTimer(), timerDelay(next - this.#nowMs));
  }

  #handleTimer(): void {
    this.#timer = undefined;
    this.#timerMs = Number.POSITIVE_INFINITY;
    try {
      this.#runTimers();
    } catch (error) {
      this.handleFault('timer', error);
    }
  }

  #runTimers(): void {
    const nowMs = this.#nowMs;
    if (nowMs >= this.#pollDeadlineMs) {
      this.#pollDeadlineMs = Number.POSITIVE_INFINITY;
      this.#config.log.log(M_INFO, 'Server poll timeout, restarting');
      this.#config.signals.raise('SIGUSR1', 'soft', 'server_poll');
      return;
    }
    this.tls.handleTimeout(nowMs);
    this.data.handleTimeout(nowMs);
    this.requester.handleTimeout(nowMs);
    this.#notifier?.handleTimeout(nowMs);
    this.drive();
  }
}

function isData(first: number): boolean {
  return op.isDataOpcode(first >>> op.P_OPCODE_SHIFT);
}

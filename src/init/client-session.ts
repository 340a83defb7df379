/**
 * One connection of a client (2.x the p2p event loop of openvpn.c and forward.c): a link, a control
 * channel, a data channel. It lives from the open link to the signal that ends it, and moves packets
 * between tun and link once Client (client.ts) has brought the device up.
 */
import {
  ADDRESS_WORDS,
  addressFromWords,
  addressKey,
  addressToWords,
  formatAddress,
  type LinkAddress,
  type Logger,
  PacketBatch,
} from '../base/base.ts';
import { D_LINK_ERRORS, D_PUSH, D_PUSH_ERRORS, D_STREAM_ERRORS, M_INFO } from '../base/errlevel.ts';
import type { Compressor } from '../comp/comp.ts';
import {
  createDataChannel,
  createExitNotifier,
  type DataChannel,
  type ExitNotifier,
  type FrameOptions,
  type InnerOptions,
  type LinkCounters,
  MAX_FRAGS,
  newLinkCounters,
  Shaper,
  type TimerOptions,
} from '../forward/forward.ts';
import {
  type ControlMessage,
  PushRequester,
  readControlMessage,
  sanitizeControlMessage,
} from '../push/push.ts';
import { op } from '../reliable/reliable.ts';
import { type Link, type SocketOptions, sendByTos } from '../socket/socket.ts';
import { createTlsMulti, type TlsEvent, type TlsMulti, type TlsMultiConfig } from '../ssl/ssl.ts';
import type { TunDevice } from '../tun/tun.ts';
import type { SignalState } from './sig.ts';

/** Batches taken from one side before other events get their turn. */
const BATCHES_PER_TURN = 16;

export interface ClientSessionConfig {
  readonly link: Link;
  readonly remote: LinkAddress;
  readonly tls: Omit<TlsMultiConfig, 'log' | 'wake'>;
  readonly frame: FrameOptions;
  readonly compressor: Compressor | undefined;
  readonly inner: InnerOptions;
  /** --shaper; 0 = off. */
  readonly shaperBytes: number;
  /** --mtu-test */
  readonly mtuTest: boolean;
  readonly timers: TimerOptions;
  readonly localOptions: string | undefined;
  readonly maxPacketBytes: number;
  readonly float: boolean;
  readonly muteReplayWarnings: boolean;
  /** Give up when the server said nothing within this time; 0 = never. */
  readonly serverPollMs: number;
  readonly totals: LinkCounters;
  readonly signals: SignalState;
  readonly log: Logger;
}

/** What the session can't decide alone. */
export interface ClientSessionHost {
  /** First packet of the server. */
  handleContact(): void;
  handleTlsEvent(event: TlsEvent): void;
  /** Messages other than those about pushing time. */
  handleMessage(message: ControlMessage, text: string): void;
}

export class ClientSession {
  readonly tls: TlsMulti;
  readonly data: DataChannel;
  readonly requester: PushRequester;
  readonly #config: ClientSessionConfig;
  readonly #host: ClientSessionHost;
  readonly #rx: PacketBatch;
  #tx: PacketBatch;
  /** Pieces of packets, with --fragment. */
  #pieces: PacketBatch | undefined;
  #shaper: Shaper | undefined;
  #shaperTimer: NodeJS.Timeout | undefined;
  readonly #service: PacketBatch;
  readonly #remoteWords = new Int32Array(ADDRESS_WORDS);
  #remote: LinkAddress;
  #tun: TunDevice | undefined;
  /** What the link would not take of `batch`, and of #tx what isn't split into #pieces yet. */
  #pending: { batch: PacketBatch; next: number; end: number; rest: number } | undefined;
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
    const { link, tls, log } = config;
    const nowMs = this.#nowMs;
    this.#remote = config.remote;
    addressToWords(config.remote, this.#remoteWords, 0);
    this.#rx = new PacketBatch(link.batchSize, config.maxPacketBytes);
    this.#tx = new PacketBatch(link.batchSize, config.maxPacketBytes);
    this.#service = new PacketBatch(config.frame.fragment ? MAX_FRAGS : 4, config.maxPacketBytes);
    this.#pollDeadlineMs = config.serverPollMs > 0 ? nowMs + config.serverPollMs : Number.POSITIVE_INFINITY;
    this.requester = new PushRequester({ handWindowMs: tls.handWindowMs, renegMs: tls.renegMs, log });
    this.tls = createTlsMulti({ ...tls, log, wake: () => this.#wake() });
    this.tls.remote = config.remote;
    this.data = createDataChannel(
      {
        keys: this.tls,
        frame: config.frame,
        compressor: config.compressor,
        inner: config.inner,
        timers: config.timers,
        occ: {
          localOptions: config.localOptions,
          mtuTest: config.mtuTest,
          randomBytes: (length: number) => tls.crypto.randomBytes(length),
        },
        log,
        commonName: () => this.tls.identity?.commonName || 'UNDEF',
        counters: newLinkCounters(),
        totals: config.totals,
        muteReplayWarnings: config.muteReplayWarnings,
      },
      nowMs,
    );
    this.setShaper(config.shaperBytes);
    link.onReadable = () => this.#handleLink();
    link.onWritable = () => this.#handleWritable();
    link.onError = (error) => this.#handleLinkError(error);
    link.onClose = (error) => this.#handleLinkClosed(error);
  }

  get remote(): LinkAddress {
    return this.#remote;
  }

  /** Sends the first packet; what was received meanwhile is read. */
  start(): void {
    this.tls.start(this.#nowMs);
    this.drive();
    this.#handleLink();
  }

  /** The device is up: packets flow from here on. */
  attach(tun: TunDevice): void {
    this.#tun = tun;
    tun.onReadable = () => this.#handleTun();
    tun.resume();
  }

  /** Pushed --sndbuf and --rcvbuf. */
  setBuffers(options: SocketOptions): void {
    this.#config.link.setBuffers?.(options);
  }

  /** --shaper, also when pushed; 0 changes nothing. */
  setShaper(bytesPerSecond: number): void {
    if (bytesPerSecond === 0 || bytesPerSecond === this.#shaper?.bytesPerSecond) return;
    this.#shaper = new Shaper(bytesPerSecond);
    const { link, maxPacketBytes, log } = this.#config;
    // Less is read at once, so that what is sent at once stays a small part of a second.
    if (!this.#pending)
      this.#tx = new PacketBatch(Math.min(this.#shaper.burst, link.batchSize), maxPacketBytes);
    log.log(M_INFO, `Output Traffic Shaping initialized at ${bytesPerSecond} bytes per second`);
  }

  /** The device is about to close: packets for it are dropped until the next attach(). */
  detach(): void {
    if (!this.#tun) return;
    this.#tun.pause();
    this.#tun.onReadable = () => undefined;
    this.#tun = undefined;
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
    this.#pollOthers();
    this.#transmit(nowMs);
    this.#armTimer();
  }

  /** Ends everything but the tun device. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#shaperTimer);
    this.detach();
    this.tls.close();
    this.#config.link.close();
  }

  get #nowMs(): number {
    return this.#config.tls.clock.nowMs();
  }

  #wake(): void {
    if (this.#wakeQueued || this.#closed) return;
    this.#wakeQueued = true;
    queueMicrotask(() => {
      this.#wakeQueued = false;
      if (this.#closed) return;
      this.tls.handleTlsOutput(this.#nowMs);
      this.drive();
    });
  }

  #handleLink(): void {
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
    const { slab, offsets, lengths } = batch;
    const nowMs = this.#nowMs;
    for (let first = 0, end = 0; first < count; first = end) {
      end = first + 1;
      if (!this.#isFromServer(first)) continue;
      if (!isData(slab[offsets[first]!]!)) {
        this.#handleControl(first, nowMs);
        if (this.#closed) return;
        continue;
      }
      while (end < count && this.#isFromServer(end) && isData(slab[offsets[end]!]!)) end++;
      this.data.open(batch, first, end, nowMs);
      if (this.data.authenticated > 0) this.#followServer(first);
    }
    if (this.#tun) this.#tun.writeBatch(batch, 0, count);
    else lengths.fill(0, 0, count);
    this.drive();
  }

  /** Packets of strangers are dropped, unless --float waits for the one that authenticates. */
  #isFromServer(slot: number): boolean {
    const { addresses, lengths } = this.#rx;
    if (lengths[slot] === 0) return false;
    if (this.#config.link.transport === 'tcp' || this.#config.float) return true;
    const base = slot * ADDRESS_WORDS;
    const words = this.#remoteWords;
    for (let w = 0; w < 6; w++) {
      if (addresses[base + w] === words[w]) continue;
      const from = formatAddress(addressFromWords(addresses, slot));
      this.#config.log.log(
        D_LINK_ERRORS,
        `TCP/UDP: Incoming packet rejected from ${from}[${words[0] === 6 ? 10 : 2}], expected peer address: ${formatAddress(this.#remote)} (allow this incoming source address/port by removing --remote or adding --float)`,
      );
      lengths[slot] = 0;
      return false;
    }
    return true;
  }

  #followServer(slot: number): void {
    if (!this.#config.float || this.#config.link.transport === 'tcp') return;
    const from = addressFromWords(this.#rx.addresses, slot);
    if (addressKey(from) === addressKey(this.#remote)) return;
    this.#config.log.log(M_INFO, `Peer Connection Initiated with ${formatAddress(from)}`);
    this.#remote = from;
    addressToWords(from, this.#remoteWords, 0);
    this.tls.remote = from;
  }

  #handleControl(slot: number, nowMs: number): void {
    const packet = this.#rx.packet(slot);
    const from =
      this.#config.link.transport === 'tcp' ? this.#remote : addressFromWords(this.#rx.addresses, slot);
    const drops = this.#dropCount();
    this.tls.handlePacket(packet, from, nowMs);
    if (this.#dropCount() === drops) {
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
      if (event.type === 'active' && event.first) this.requester.start(this.#nowMs);
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
    const batch = this.#service;
    batch.clear();
    while (this.data.pollTransmit(batch, nowMs) > 0) {
      this.#address(batch, 0, batch.count);
      link.sendBatch(batch, 0, batch.count);
      batch.clear();
    }
  }

  #handleTun(): void {
    const tun = this.#tun;
    if (!tun || this.#pending) return;
    for (let turn = 0; turn < BATCHES_PER_TURN && !this.#closed; turn++) {
      if (this.#shaper && this.#waitForShaper(this.#shaper, tun)) return;
      const count = tun.readBatch(this.#tx);
      if (count === 0) return;
      const { linkWriteBytes, linkWritePackets } = this.data.counters;
      this.#forward(0, count);
      this.#answer(tun);
      if (this.#shaper) {
        const packets = this.data.counters.linkWritePackets - linkWritePackets;
        const bytes = this.data.counters.linkWriteBytes - linkWriteBytes;
        this.#shaper.note(packets, bytes + packets * this.#config.tls.linkOverheadBytes, this.#nowMs);
      }
      if (this.#pending) {
        tun.pause();
        return;
      }
    }
  }

  /** True when nothing may be sent yet; tun is read again when it may. */
  #waitForShaper(shaper: Shaper, tun: TunDevice): boolean {
    const delayMs = shaper.delayMs(this.#nowMs);
    if (delayMs === 0) return false;
    tun.pause();
    this.#shaperTimer ??= setTimeout(() => {
      this.#shaperTimer = undefined;
      if (this.#closed || this.#pending) return;
      tun.resume();
      this.#handleTun();
    }, Math.ceil(delayMs));
    return true;
  }

  /** Seals and sends slots first..end-1 of #tx. */
  #forward(first: number, end: number): void {
    if (this.data.splits) {
      this.#forwardPieces(first, end);
    } else if (this.data.seal(this.#tx, first, end, this.#nowMs) > 0) {
      this.#address(this.#tx, first, end);
      this.#send(this.#tx, first, end, end);
    }
  }

  #forwardPieces(first: number, end: number): void {
    this.#pieces ??= new PacketBatch(
      Math.max(MAX_FRAGS, this.#config.link.batchSize),
      this.#config.maxPacketBytes,
    );
    const out = this.#pieces;
    let next = first;
    while (next < end && !this.#pending) {
      out.clear();
      next = this.data.sealSplit(this.#tx, next, end, out, this.#nowMs);
      this.#address(out, 0, out.count);
      this.#send(out, 0, out.count, next);
    }
  }

  /** Packets that the data channel has for tun (--block-ipv6). */
  #answer(tun: TunDevice): void {
    this.#service.clear();
    while (this.data.pollTun(this.#service) > 0) {
      tun.writeBatch(this.#service, 0, this.#service.count);
      this.#service.clear();
    }
  }

  /** `rest`: first slot of #tx that comes after this batch. */
  #send(batch: PacketBatch, first: number, end: number, rest: number): void {
    const { link, inner } = this.#config;
    const sent = inner.passtos ? sendByTos(link, batch, first, end) : link.sendBatch(batch, first, end);
    if (sent < end - first) this.#pending = { batch, next: first + sent, end, rest };
  }

  #handleWritable(): void {
    const pending = this.#pending;
    if (!pending || this.#closed) return;
    this.#pending = undefined;
    this.#send(pending.batch, pending.next, pending.end, pending.rest);
    if (!this.#pending && pending.rest < this.#tx.count) this.#forward(pending.rest, this.#tx.count);
    if (!this.#pending) this.#tun?.resume();
  }

  #address(batch: PacketBatch, first: number, end: number): void {
    const { addresses } = batch;
    const words = this.#remoteWords;
    for (let slot = first; slot < end; slot++) {
      const base = slot * ADDRESS_WORDS;
      for (let w = 0; w < ADDRESS_WORDS; w++) addresses[base + w] = words[w]!;
    }
  }

  #handleLinkError(error: NodeJS.ErrnoException): void {
    this.#config.log.log(D_LINK_ERRORS, error.message);
  }

  #handleLinkClosed(error: NodeJS.ErrnoException | undefined): void {
    if (this.#closed) return;
    if (error) this.#config.log.log(D_STREAM_ERRORS, error.message);
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
    this.#timer = setTimeout(() => this.#handleTimer(), Math.max(0, Math.ceil(next - this.#nowMs)));
  }

  #handleTimer(): void {
    this.#timer = undefined;
    this.#timerMs = Number.POSITIVE_INFINITY;
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

  #dropCount(): number {
    let sum = 0;
    for (const count of this.tls.drops.values()) sum += count;
    return sum;
  }
}

function isData(first: number): boolean {
  return op.isDataOpcode(first >>> op.P_OPCODE_SHIFT);
}

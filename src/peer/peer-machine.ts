/**
 * One peer, whatever it is to us: its control channel, its data channel's own messages and timers, what it tells us
 * in-band, and where it is. It knows neither role nor link nor device: its owner sends what it has to send, and
 * decides what its events mean.
 *
 * After every input the peer is driven: control packets go out, events are handled, the next deadline is noted. What is
 * asked for while that goes on is done by the same loop once more, never inside of it.
 */
import type { FaultEntry, LinkAddress, Logger, PeerAddress } from '../base/base.ts';
import { D_PUSH } from '../base/errlevel.ts';
import type { DataChannel, DataChannelEvent, DataKeySource } from '../forward/forward.ts';
import { type ControlMessage, readControlMessage, sanitizeControlMessage } from '../push/push.ts';
import type {
  DataChannelParams,
  PacketVerdict,
  PeerIdentity,
  ProvenIds,
  TlsEvent,
  TlsMulti,
} from '../ssl/ssl.ts';
import type { CreateControl } from './controls.ts';
import type { Driven, Driver } from './driver.ts';

/** Events of the control channel, messages read; those of a session that has lost its place are left out. */
export type PeerEvent =
  | Exclude<TlsEvent, { readonly type: 'message' }>
  | { readonly type: 'message'; readonly message: ControlMessage; readonly text: string }
  /** The data channel gives up the peer. */
  | { readonly type: 'over'; readonly end: DataChannelEvent };

/** Who the peer belongs to. */
export interface PeerOwner {
  /** What logs call the peer; `UNDEF` while it has no name. */
  readonly peerName: string;
  sendControl(packet: Uint8Array, to: LinkAddress): void;
  /** Sends what `data` has to say itself: pings, OCC messages. */
  sendService(nowMs: number): void;
  handleEvent(event: PeerEvent, nowMs: number): void;
  /** Called whenever the peer is driven, after its events: what the owner waits for and what that brings. */
  poll(nowMs: number): void;
  /** When a wait of the owner is over; Infinity: it waits for nothing. */
  nextTimeout(): number;
  /** The deadline has come, the owner's or the peer's. False when that ends the peer. */
  handleTimeout(nowMs: number): boolean;
  /** Something has thrown: the peer can't go on. */
  handleFault(entry: FaultEntry, error: unknown): void;
}

export interface PeerConfig {
  readonly driver: Driver;
  readonly address: PeerAddress;
  readonly createControl: CreateControl;
  readonly createData: (keys: DataKeySource) => DataChannel;
  readonly owner: PeerOwner;
  readonly log: Logger;
}

/** Answers to the questions that events ask; late ones, for a session that is gone, do nothing. */
export type Answer =
  | { readonly to: 'client-key' | 'verify'; readonly id: number; readonly ok: boolean }
  | {
      readonly to: 'authenticate';
      readonly id: number;
      readonly ok: boolean;
      readonly reason?: string;
      readonly username?: string;
    };

export class Peer implements Driven {
  readonly address: PeerAddress;
  readonly data: DataChannel;
  deadlineMs = Number.POSITIVE_INFINITY;
  heapIndex = -1;
  heapMs = 0;
  readonly #control: TlsMulti;
  readonly #driver: Driver;
  readonly #owner: PeerOwner;
  readonly #log: Logger;
  /** The TLS session that has the peer's place. */
  #session = 0;
  #driving = false;
  #again = false;
  #closed = false;

  constructor({ driver, address, createControl, createData, owner, log }: PeerConfig) {
    this.address = address;
    this.#driver = driver;
    this.#owner = owner;
    this.#log = log;
    this.#control = createControl(address, () => {
      if (!this.#closed) driver.wake(this);
    });
    this.data = createData(this.#control);
  }

  get closed(): boolean {
    return this.#closed;
  }

  get identity(): PeerIdentity | undefined {
    return this.#control.identity;
  }

  /** What was negotiated for the data channel; undefined until then. */
  get params(): DataChannelParams | undefined {
    return this.#control.params;
  }

  /** Whether the peer has keys for data and its login is accepted. */
  get authenticated(): boolean {
    return this.#control.authenticated;
  }

  /** RFC 5705; undefined while no key is active. */
  exportKeyingMaterial(label: string, lengthBytes: number): Uint8Array | undefined {
    return this.#control.exportKeyingMaterial(label, lengthBytes);
  }

  /** Sends the first packet. */
  start(nowMs: number): void {
    this.#control.start(nowMs);
  }

  /** A control packet. What was dropped has changed nothing, but for streams, where it may end the connection. */
  handlePacket(packet: Uint8Array, from: LinkAddress, nowMs: number): PacketVerdict {
    const verdict = this.#control.handlePacket(packet, from, nowMs);
    if (verdict === 'taken') this.data.noteControlReceived(packet.length, nowMs);
    return verdict;
  }

  /** The packet that proved its sender's address by a cookie; `ids` are those of the two resets before. */
  startFromCookie(ids: ProvenIds, packet: Uint8Array, from: LinkAddress, nowMs: number): void {
    this.#control.startFromCookie(ids, packet, from, nowMs);
    this.data.noteControlReceived(packet.length, nowMs);
  }

  /** Data has shown it to be at another place. */
  moveTo(address: LinkAddress): void {
    this.address.moveTo(address);
    this.#control.handleMoved();
  }

  answer(answer: Answer): void {
    if (this.#closed) return;
    const { nowMs } = this.#driver;
    const { id, ok } = answer;
    switch (answer.to) {
      case 'client-key':
        this.#control.handleClientKeyResult(id, ok, nowMs);
        break;
      case 'verify':
        this.#control.handleVerifyResult(id, ok, nowMs);
        break;
      case 'authenticate':
        this.#control.handleAuthResult(id, answer, nowMs);
    }
    this.drive(nowMs);
  }

  /** Keys for data of the newest key, and of all that follow. */
  generateDataKeys(params: DataChannelParams, nowMs: number): void {
    this.#control.generateDataKeys(params, nowMs);
  }

  /** Queues a control message. False when the peer may not hear it: no key, or its login is undecided. */
  sendMessage(text: string, nowMs: number): boolean {
    return this.#logSent(text, this.#control.sendMessage(text, nowMs));
  }

  /** The same for what a peer may hear before its login is decided. */
  sendLoginMessage(text: string, nowMs: number): boolean {
    return this.#logSent(text, this.#control.sendLoginMessage(text, nowMs));
  }

  /** Something that the control channel waits for is there: credentials that were asked for. */
  handleWake(nowMs: number): void {
    if (this.#closed) return;
    try {
      this.#control.handleTlsOutput(nowMs);
    } catch (error) {
      this.#owner.handleFault('TLS output', error);
    }
    this.drive(nowMs);
  }

  handleTimeout(nowMs: number): void {
    if (this.#closed) return;
    try {
      if (!this.#owner.handleTimeout(nowMs)) return;
      this.#control.handleTimeout(nowMs);
      this.data.handleTimeout(nowMs);
    } catch (error) {
      this.#owner.handleFault('timer', error);
    }
    this.drive(nowMs);
  }

  /** Sends what is to be sent, handles events, notes the deadline. */
  drive(nowMs: number): void {
    this.#again = true;
    if (this.#driving) return;
    this.#driving = true;
    try {
      while (this.#again && !this.#closed) {
        this.#again = false;
        this.#step(nowMs);
      }
    } catch (error) {
      this.#owner.handleFault('control packet', error);
    } finally {
      this.#driving = false;
    }
    this.noteDeadline();
  }

  /** The owner waits for something else than when the peer was driven last; a drive that goes on notes it at its end. */
  noteDeadline(): void {
    if (this.#driving || this.#closed) return;
    this.deadlineMs = Math.min(
      this.#control.nextTimeout() ?? Number.POSITIVE_INFINITY,
      this.data.nextTimeout() ?? Number.POSITIVE_INFINITY,
      this.#owner.nextTimeout(),
    );
    this.#driver.update(this);
  }

  /** Zeroes keys, ends the control channel. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#driver.remove(this);
    this.#control.close();
  }

  #step(nowMs: number): void {
    this.#transmit(nowMs);
    for (let event = this.#control.pollEvent(); event; event = this.#control.pollEvent()) {
      this.#hear(event, nowMs);
      if (this.#closed) return;
    }
    // What is due already, as a peer's first ping, needs no timer.
    if ((this.data.nextTimeout() ?? Number.POSITIVE_INFINITY) <= nowMs) this.data.handleTimeout(nowMs);
    const end = this.data.pollEvent();
    if (end) this.#owner.handleEvent({ type: 'over', end }, nowMs);
    if (!this.#closed) this.#owner.poll(nowMs);
    if (!this.#closed) this.#transmit(nowMs);
  }

  #hear(event: TlsEvent, nowMs: number): void {
    if (event.type === 'promoted') this.#session = event.session;
    if (this.#isStale(event)) return;
    if (event.type === 'message') {
      const { text } = event;
      this.#owner.handleEvent({ type: 'message', message: readControlMessage(text), text }, nowMs);
    } else {
      this.#owner.handleEvent(event, nowMs);
    }
  }

  /** What a session has still said when another one had taken its place. */
  #isStale(event: TlsEvent): boolean {
    switch (event.type) {
      case 'active':
      case 'keys':
      case 'auth-failed':
      case 'message':
        return event.session !== this.#session;
      default:
        return false;
    }
  }

  #logSent(text: string, sent: boolean): boolean {
    const shown = sanitizeControlMessage(text);
    this.#log.log(D_PUSH, `SENT CONTROL [${this.#owner.peerName}]: '${shown}' (status=${sent ? 1 : 0})`);
    return sent;
  }

  #transmit(nowMs: number): void {
    for (let out = this.#control.pollTransmit(); out; out = this.#control.pollTransmit()) {
      this.#owner.sendControl(out.packet, out.to);
      this.data.noteControlSent(out.packet.length, nowMs);
    }
    this.#owner.sendService(nowMs);
  }
}

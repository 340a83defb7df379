/**
 * One client of a server (2.x struct multi_instance): its control channel, data channel, addresses and
 * options. State moves one way:
 *
 *   handshake -> (key active) setup -> connected -> closing -> closed
 *
 * A TLS session that takes the place of one whose set-up wasn't done goes back to handshake; one that takes
 * the place of a connected client's keeps its addresses, and logs in and negotiates anew.
 */
import { type FaultEntry, type LinkAddress, type Logger, PeerAddress } from '../base/base.ts';
import {
  createDataChannel,
  type DataChannel,
  type DataKeySource,
  type InnerOptions,
  type LinkCounters,
  newLinkCounters,
  timerOptions,
} from '../forward/forward.ts';
import type { Options } from '../options/options.ts';
import { type Driver, Peer, type PeerEvent, type PeerOwner, tlsControl } from '../peer/peer.ts';
import type { EnvSet } from '../script/script.ts';
import type { PeerIdentity } from '../ssl/ssl.ts';
import { InstanceSession } from './instance-session.ts';
import type { BoundLink, MultiConfig } from './multi.ts';
import type { PoolLease } from './pool.ts';
import { realAddressText } from './real-address.ts';

export type InstanceState = 'handshake' | 'setup' | 'connected' | 'closing' | 'closed';

export interface InstanceHost {
  readonly config: MultiConfig;
  readonly totals: LinkCounters;
  readonly driver: Driver;
  sendService(instance: MultiInstance, nowMs: number): void;
  handleEvent(instance: MultiInstance, event: PeerEvent, nowMs: number): void;
  handleDeadlines(instance: MultiInstance, nowMs: number): void;
  /** The end of a connection that wasn't authenticated in time. */
  endHandshake(instance: MultiInstance): void;
  handleFault(entry: FaultEntry, error: unknown, instance: MultiInstance): void;
}

/** Addresses that a client got, as text. */
export interface ClientAddresses {
  /** Client's IPv4 address. */
  readonly local4?: string;
  /** Netmask (subnet) or the server's end (net30, p2p). */
  readonly remoteNetmask4?: string;
  readonly local6?: string;
  readonly netbits6?: number;
  readonly remote6?: string;
}

export class MultiInstance implements PeerOwner {
  /** Slot number, also the peer-id on the wire. */
  readonly peerId: number;
  /** Counts up over the server's life; names the client on the management interface. */
  readonly clientId: number;
  bound: BoundLink;
  readonly log: Logger;
  readonly peer: Peer;
  readonly counters: LinkCounters = newLinkCounters();
  /** Of the session that the client was set up with. */
  env: EnvSet;
  state: InstanceState = 'handshake';
  readonly createdMs: number;
  /** Unix ms of the completed connection (status files). */
  connectedWallMs: number;
  commonName = '';
  /** Options of this client after CCD and client-connect: the server's own object until one of them changes something. */
  options: Options;
  lease: PoolLease | undefined;
  addresses: ClientAddresses = {};
  /** When the next token is due by itself; Infinity = only with renegotiations. */
  renewTokenAtMs = Number.POSITIVE_INFINITY;
  /** client-disconnect is still to be run for what client-connect has let in. */
  disconnectDue = false;
  /** Scripts of a set-up that another session's took the place of; that one begins when they are done. */
  undoing: Promise<void> | undefined;
  /** A connection that isn't authenticated by then ends; a login that takes place elsewhere may need longer. */
  handshakeUntilMs: number;
  /** When the instance closes by itself (AUTH_FAILED, EXIT); Infinity = not planned. */
  closeAtMs = Number.POSITIVE_INFINITY;
  closeReason = '';
  readonly #baseEnv: EnvSet;
  #session: InstanceSession;
  /** A newcomer that isn't the peer's session yet. */
  #candidate: InstanceSession | undefined;
  readonly #host: InstanceHost;
  readonly #address: PeerAddress;

  constructor(
    host: InstanceHost,
    ids: { readonly peerId: number; readonly clientId: number },
    bound: BoundLink,
    remote: LinkAddress,
    nowMs: number,
  ) {
    const { config } = host;
    this.#host = host;
    this.#address = new PeerAddress(remote);
    this.peerId = ids.peerId;
    this.clientId = ids.clientId;
    this.bound = bound;
    this.createdMs = nowMs;
    // One second more, so that the control channel reports first.
    this.handshakeUntilMs = nowMs + bound.profile.tls.handWindowMs + 1_000;
    this.renewTokenAtMs = nowMs + tokenRenewalMs(config);
    this.connectedWallMs = config.clock.wallMs();
    this.options = config.options;
    this.#baseEnv = config.env;
    this.#session = new InstanceSession(1, config.env.child());
    this.env = this.#session.env;
    this.log = config.log.child(() => this.prefix);
    this.peer = new Peer({
      driver: host.driver,
      address: this.#address,
      createControl: tlsControl({ ...bound.profile.tls, renegMs: spreadReneg(config), log: this.log }),
      createData: (keys) => this.#createData(keys, nowMs),
      owner: this,
      log: this.log,
    });
    this.data.handleRemote(nowMs);
  }

  get data(): DataChannel {
    return this.peer.data;
  }

  get remote(): LinkAddress {
    return this.#address.current!;
  }

  get remoteWords(): Int32Array {
    return this.#address.words;
  }

  /** `CN/address` after authentication, `address` before. */
  get prefix(): string {
    const real = realAddressText(this.remote);
    return this.commonName === '' ? real : `${this.commonName}/${real}`;
  }

  get identity(): PeerIdentity | undefined {
    return this.peer.identity;
  }

  /** The TLS session that holds the client's place, or will be the first to. */
  get session(): InstanceSession {
    return this.#session;
  }

  /** The session that an event belongs to; a newcomer replaces an earlier newcomer. */
  sessionOf(id: number): InstanceSession {
    if (this.#session.id === id) return this.#session;
    if (this.#candidate?.id !== id) {
      this.#candidate?.end();
      this.#candidate = new InstanceSession(id, this.#baseEnv.child());
    }
    return this.#candidate;
  }

  /** Another session takes the place. Returns the one that it had until then, which ends; undefined for the first. */
  promote(id: number): InstanceSession | undefined {
    const next = this.sessionOf(id);
    if (next === this.#session) return undefined;
    const earlier = this.#session;
    this.#session = next;
    this.#candidate = undefined;
    earlier.end();
    return earlier;
  }

  endSessions(): void {
    this.#session.end();
    this.#candidate?.end();
  }

  get open(): boolean {
    return this.state !== 'closed' && this.state !== 'closing';
  }

  /** Whether packets of this client may reach tun and other clients. */
  get forwarding(): boolean {
    return this.state === 'connected';
  }

  moveTo(bound: BoundLink, remote: LinkAddress): void {
    this.bound = bound;
    this.peer.moveTo(remote);
  }

  // What the peer asks of its owner.

  get peerName(): string {
    return this.commonName || 'UNDEF';
  }

  sendControl(packet: Uint8Array, to: LinkAddress): void {
    this.bound.link.send(packet, to);
  }

  sendService(nowMs: number): void {
    this.#host.sendService(this, nowMs);
  }

  handleEvent(event: PeerEvent, nowMs: number): void {
    this.#host.handleEvent(this, event, nowMs);
  }

  poll(nowMs: number): void {
    if (this.state === 'handshake' && nowMs >= this.handshakeUntilMs) this.#host.endHandshake(this);
  }

  nextTimeout(): number {
    const silent = this.state === 'handshake' ? this.handshakeUntilMs : this.renewTokenAtMs;
    return Math.min(this.closeAtMs, silent);
  }

  handleTimeout(nowMs: number): boolean {
    this.#host.handleDeadlines(this, nowMs);
    return this.state !== 'closed';
  }

  handleFault(entry: FaultEntry, error: unknown): void {
    this.#host.handleFault(entry, error, this);
  }

  #createData(keys: DataKeySource, nowMs: number): DataChannel {
    const { config, totals } = this.#host;
    const { options, crypto } = config;
    const { tls, frame } = this.bound.profile;
    return createDataChannel(
      {
        keys,
        frame,
        inner: innerOptions(options),
        timers: timerOptions(options),
        occ: {
          localOptions: options.occ ? tls.localOptions : undefined,
          mtuTest: false,
          randomBytes: (length) => crypto.randomBytes(length),
        },
        log: this.log,
        commonName: () => this.peerName,
        counters: this.counters,
        totals,
        muteReplayWarnings: options.muteReplayWarnings,
      },
      nowMs,
    );
  }
}

/** Between tokens that go out by themselves: Infinity where renegotiations bring them often enough. */
export function tokenRenewalMs({ options }: MultiConfig): number {
  const renewalSec = options.authGenToken?.renewalSec ?? 0;
  return renewalSec > 0 && renewalSec < options.renegSec ? renewalSec * 1000 : Number.POSITIVE_INFINITY;
}

/**
 * When this client's keys are renewed: below --reneg-sec by up to 10 %, or down to its second value, so
 * that clients that connected together don't renegotiate together (2.x do_init_crypto_tls()).
 */
function spreadReneg({ options, random }: MultiConfig): number {
  const { renegSec, renegSecMin } = options;
  const spread = renegSecMin === undefined ? Math.floor(renegSec / 10) : Math.max(0, renegSec - renegSecMin);
  return (renegSec - Math.floor(random() * Math.max(1, spread))) * 1000;
}

/** What the server does to the packets inside of a client's tunnel. */
function innerOptions({ clientNat, blockIpv6, passtos, ifconfigIpv6 }: Options): InnerOptions {
  return {
    clientNat,
    blockIpv6: blockIpv6 ? 'both' : 'off',
    remoteIpv6: ifconfigIpv6?.remote,
    passtos,
    linkRemote: undefined,
  };
}

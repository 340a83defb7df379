/**
 * One client of a server (2.x struct multi_instance): its control channel, data channel, addresses and
 * options. State moves one way:
 *
 *   handshake -> (key active) setup -> connected -> closing -> closed
 */
import { ADDRESS_WORDS, addressToWords, type LinkAddress, type Logger } from '../base/base.ts';
import {
  createDataChannel,
  type DataChannel,
  type InnerOptions,
  type LinkCounters,
  newLinkCounters,
  timerOptions,
} from '../forward/forward.ts';
import type { Options } from '../options/options.ts';
import { PushResponder } from '../push/push.ts';
import type { EnvSet } from '../script/script.ts';
import { createTlsMulti, type PeerIdentity, type TlsMulti } from '../ssl/ssl.ts';
import type { ClientTokens } from './client-login.ts';
import type { BoundLink, MultiConfig } from './multi.ts';
import type { PoolLease } from './pool.ts';
import { realAddressText } from './real-address.ts';
import type { Scheduled } from './schedule.ts';

export type InstanceState = 'handshake' | 'setup' | 'connected' | 'closing' | 'closed';

export interface InstanceHost {
  readonly config: MultiConfig;
  readonly totals: LinkCounters;
  /** The TLS engine of the instance has output. */
  wake(instance: MultiInstance): void;
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

export class MultiInstance implements Scheduled {
  /** Slot number, also the peer-id on the wire. */
  readonly peerId: number;
  /** Counts up over the server's life; names the client on the management interface. */
  readonly clientId: number;
  bound: BoundLink;
  remote: LinkAddress;
  readonly remoteWords = new Int32Array(ADDRESS_WORDS);
  readonly log: Logger;
  readonly tls: TlsMulti;
  readonly data: DataChannel;
  readonly counters: LinkCounters = newLinkCounters();
  readonly env: EnvSet;
  responder: PushResponder;
  state: InstanceState = 'handshake';
  readonly createdMs: number;
  /** Unix ms of the completed connection (status files). */
  connectedWallMs: number;
  commonName = '';
  /** Options of this client after CCD and client-connect. */
  options: Options;
  lease: PoolLease | undefined;
  addresses: ClientAddresses = {};
  /** Items of the push list that belong to this client alone. */
  pushItems: readonly string[] = [];
  readonly tokens: ClientTokens = { current: undefined, initial: undefined, username: '' };
  /** When the next token is due by itself; Infinity = only with renegotiations. */
  renewTokenAtMs = Number.POSITIVE_INFINITY;
  clientConnectRan = false;
  /** A connection that isn't authenticated by then ends; a login that takes place elsewhere may need longer. */
  handshakeUntilMs: number;
  /** When the instance closes by itself (AUTH_FAILED, EXIT); Infinity = not planned. */
  closeAtMs = Number.POSITIVE_INFINITY;
  closeReason = '';
  /** Stops scripts that still wait for an answer. */
  readonly abort = new AbortController();

  deadlineMs = Number.POSITIVE_INFINITY;
  heapIndex = -1;
  heapMs = 0;

  constructor(
    host: InstanceHost,
    ids: { readonly peerId: number; readonly clientId: number },
    bound: BoundLink,
    remote: LinkAddress,
    nowMs: number,
  ) {
    const { config } = host;
    this.peerId = ids.peerId;
    this.clientId = ids.clientId;
    this.bound = bound;
    this.remote = remote;
    addressToWords(remote, this.remoteWords, 0);
    this.createdMs = nowMs;
    // One second more, so that the control channel reports first.
    this.handshakeUntilMs = nowMs + bound.profile.tls.handWindowMs + 1_000;
    this.renewTokenAtMs = nowMs + tokenRenewalMs(config);
    this.connectedWallMs = config.clock.wallMs();
    this.options = config.options;
    this.env = config.env.child();
    this.log = config.log.child(() => this.prefix);
    this.responder = new PushResponder();
    this.tls = createTlsMulti({
      ...bound.profile.tls,
      renegMs: spreadReneg(config),
      log: this.log,
      wake: () => host.wake(this),
    });
    this.tls.remote = remote;
    this.data = createDataChannel(
      {
        keys: this.tls,
        frame: bound.profile.frame,
        inner: innerOptions(config.options),
        timers: timerOptions(config.options),
        occ: {
          localOptions: config.options.occ ? bound.profile.tls.localOptions : undefined,
          mtuTest: false,
          randomBytes: (length) => config.crypto.randomBytes(length),
        },
        log: this.log,
        commonName: () => this.commonName || 'UNDEF',
        counters: this.counters,
        totals: host.totals,
        muteReplayWarnings: config.options.muteReplayWarnings,
      },
      nowMs,
    );
    this.data.handleRemote(nowMs);
  }

  /** `CN/address` after authentication, `address` before. */
  get prefix(): string {
    const real = realAddressText(this.remote);
    return this.commonName === '' ? real : `${this.commonName}/${real}`;
  }

  get identity(): PeerIdentity | undefined {
    return this.tls.identity;
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
    this.remote = remote;
    addressToWords(remote, this.remoteWords, 0);
    this.tls.remote = remote;
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

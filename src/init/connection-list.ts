/**
 * Which server to try next and how long to pause before (2.x next_connection_entry() and
 * socket_restart_pause() of init.c). All addresses of a profile are tried, then the next profile;
 * after a completed initialisation the same address is tried first. An attempt, for the back-off and
 * --connect-retry-max, is a move to another profile; profiles that are switched off count in rounds.
 */
import type { AddressFamily } from '../base/base.ts';
import { type ConnectionEntry, type Options, protoKind } from '../options/options.ts';

export interface ResolvedAddress {
  readonly family: AddressFamily;
  readonly address: string;
}

/** 2.x: the exponent of the back-off ends here. */
const MAX_BACKOFF_SHIFT = 15;
/** Attempts a profile gets before the pause starts to double. */
const ATTEMPTS_BEFORE_BACKOFF = 4;
/** Pause of a point-to-point peer that waits for TCP connections, seconds. */
const TCP_SERVER_PAUSE_SEC = 1;
/** Base of the pause with auth-retry nointeract, seconds. */
const AUTH_RETRY_PAUSE_SEC = 10;

export class ConnectionList {
  readonly #entries: readonly ConnectionEntry[];
  readonly #retryMax: number;
  #index = -1;
  #addresses: readonly ResolvedAddress[] = [];
  #addressIndex = 0;
  #keep = false;
  #advanceRemote = false;
  #attempts = 0;
  /** Seconds that a server's AUTH_FAILED,TEMP asked for; raises the next pause once. */
  serverBackoffSec = 0;

  /** `random` returns 0..1 and shuffles the profiles once when --remote-random is set. */
  constructor(options: Options, random: () => number) {
    const entries = [...options.connectionList];
    if (options.remoteRandom) shuffle(entries, random);
    this.#entries = entries;
    this.#retryMax = options.connectRetryMax;
  }

  /** Whether what next() gave goes beyond --connect-retry-max rounds without success. */
  get exhausted(): boolean {
    return this.#retryMax > 0 && this.#attempts > this.#retryMax * this.#entries.length;
  }

  /**
   * The profile for the next attempt. `address` is set when the profile's addresses are known and one
   * of them is left; else the caller resolves and calls useAddresses().
   */
  next(): { readonly entry: ConnectionEntry; readonly address: ResolvedAddress | undefined } | undefined {
    if (this.#keep && this.#index >= 0) {
      this.#keep = false;
    } else if (!this.#advanceRemote && this.#addressIndex + 1 < this.#addresses.length) {
      this.#addressIndex++;
    } else if (!this.#nextEntry()) {
      return undefined;
    }
    return { entry: this.#entries[this.#index]!, address: this.#addresses[this.#addressIndex] };
  }

  /** Moves to the next profile that isn't switched off; false when there is none. */
  #nextEntry(): boolean {
    this.#advanceRemote = false;
    this.forgetAddresses();
    for (let tries = 0; tries < this.#entries.length; tries++) {
      this.#attempts++;
      this.#index = (this.#index + 1) % this.#entries.length;
      if (!this.#entries[this.#index]!.disabled) return true;
    }
    return false;
  }

  /** The profile in use is to be resolved again. */
  forgetAddresses(): void {
    this.#addresses = [];
    this.#addressIndex = 0;
  }

  /** The resolved addresses of the profile that next() gave; returns the first. */
  useAddresses(addresses: readonly ResolvedAddress[]): ResolvedAddress | undefined {
    this.#addresses = addresses;
    this.#addressIndex = 0;
    return addresses[0];
  }

  /** "Initialization Sequence Completed": start over with this address. */
  succeeded(): void {
    this.#attempts = 0;
    this.#keep = true;
  }

  /** The next attempt stays with this profile and address (AUTH_FAILED). */
  stay(): void {
    this.#keep = true;
  }

  /** The next attempt takes the next address, though there was a success (RESTART,[N]). */
  move(): void {
    this.#keep = false;
  }

  /** The next attempt leaves this profile, whatever addresses it has left. */
  advance(): void {
    this.#keep = false;
    this.#advanceRemote = true;
  }

  /**
   * Seconds to wait before the next attempt after one with `entry` that ended for `reason`. A server that
   * kept silent was waited for long enough.
   */
  pauseSec(entry: ConnectionEntry, options: Options, reason = ''): number {
    const asked = this.serverBackoffSec;
    this.serverBackoffSec = 0;
    if (reason === 'server_poll') return 0;
    const kind = protoKind(entry.proto);
    let seconds = restartPauseSec(entry, options);
    if (kind === 'tcp-server' || (kind === 'udp' && !options.tlsClient)) return seconds;
    const rounds = Math.floor(this.#attempts / Math.max(1, this.#entries.length));
    const backoff = rounds - ATTEMPTS_BEFORE_BACKOFF;
    if (backoff > 0) seconds = Math.max(1, seconds) * 2 ** Math.min(backoff, MAX_BACKOFF_SHIFT);
    return Math.min(Math.max(seconds, asked), entry.connectRetryMaxDelay);
  }
}

/** Seconds before every start but the first, without anything that went wrong (2.x socket_restart_pause()). */
export function restartPauseSec(entry: ConnectionEntry, options: Options): number {
  if (options.authRetry === 'nointeract') return AUTH_RETRY_PAUSE_SEC;
  return protoKind(entry.proto) === 'tcp-server' ? TCP_SERVER_PAUSE_SEC : entry.connectRetry;
}

function shuffle<T>(items: T[], random: () => number): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
}

/**
 * What a client is started with and what it tells (2.x struct context, as far as a client is concerned).
 */

import type { OpenVpnError } from '../base/base.ts';
import type { CompressionTotals } from '../comp/comp.ts';
import type { LinkCounters } from '../forward/forward.ts';
import type { Options } from '../options/options.ts';
import type { EnvSet, Hooks } from '../script/script.ts';
import type { ClientInfo, StateInfo } from './client-info.ts';
import type { Providers, TunnelState } from './init.ts';
import type { Passphrase } from './passphrase.ts';
import type { SignalState } from './sig.ts';

export interface ClientRun {
  readonly options: Options;
  readonly providers: Providers;
  readonly signals: SignalState;
  readonly hooks: Hooks;
  readonly env: EnvSet;
  /** Not the first run of this program: a pause comes before it. */
  readonly restarted?: boolean;
  /** Called after every completed initialisation. */
  readonly onUp?: () => void;
  /** Called, maybe more than once, when nothing that is still to come needs privileges. */
  readonly dropPrivileges?: () => void;
  readonly onState?: (state: TunnelState, info: StateInfo) => void;
  /** What a client that ends by itself ends for: `SIGTERM[soft,auth-failure]` and the like. */
  readonly onFailure?: (error: OpenVpnError) => void;
  /** The server pushed --verb or --mute: the log follows, where it is this program's own. */
  readonly onVerbosity?: (options: Pick<Options, 'verb' | 'mute'>) => void;
  /** Of the private key. */
  readonly passphrase: Passphrase;
}

/** What the outside may ask of a running client. */
export interface ClientHandle {
  info(): ClientInfo;
}

export interface ClientStatistics extends ClientHandle {
  readonly counters: LinkCounters;
  /** Of the running session; undefined without compression framing. */
  compression(): CompressionTotals | undefined;
}

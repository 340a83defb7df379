/**
 * Header of init/ (2.x init.h, sig.h, openvpn.h): contexts, restarts, connection list, wiring of
 * backends. A configuration becomes a running client or server here; everything exchangeable comes in
 * through Providers.
 */
import type { Clock, Logger } from '../base/base.ts';
import type { CompressionLibrary } from '../comp/comp.ts';
import type { CryptoBackend } from '../crypto/crypto.ts';
import type { NetworkConfig } from '../route/route.ts';
import type { ScriptRunner } from '../script/script.ts';
import type { SocketFactory } from '../socket/socket.ts';
import type { ExternalKey, SslBackend } from '../ssl/ssl.ts';
import type { TunFactory } from '../tun/tun.ts';
import type { Prompter } from './prompter.ts';

/** Every exchangeable part, chosen once at the top. */
export interface Providers {
  readonly crypto: CryptoBackend;
  readonly ssl: SslBackend;
  /** Private key of --cert where it lives elsewhere; the configuration names no key then. */
  readonly externalKey?: ExternalKey;
  readonly comp: CompressionLibrary;
  readonly tun: TunFactory;
  readonly socket: SocketFactory;
  readonly network: NetworkConfig;
  readonly scripts: ScriptRunner;
  readonly clock: Clock;
  /** Who answers questions: logins and passwords that the configuration leaves out. */
  readonly prompter: Prompter;
  readonly log: Logger;
  /** 0 <= x < 1; not for secrets. */
  readonly random: () => number;
}

/** Names of states are management's. */
export type TunnelState =
  | 'CONNECTING'
  | 'RESOLVE'
  | 'TCP_CONNECT'
  | 'WAIT'
  | 'AUTH'
  | 'GET_CONFIG'
  | 'ASSIGN_IP'
  | 'ADD_ROUTES'
  | 'CONNECTED'
  | 'RECONNECTING'
  | 'EXITING';

/** How a run of one configuration ended: exit, or start again from the configuration files (SIGHUP). */
export type RunEnd = 'exit' | 'reload';

export type { ClientInfo, StateInfo } from './client-info.ts';
export type { ClientHandle, ClientStatistics } from './client-run.ts';
/** bannerFeatures(): what this installation can do, as --version names it. */
export { bannerFeatures } from './features.ts';
export { type Program, runProgram } from './openvpn.ts';
export type { Challenge, Prompter, Question, QuestionKind } from './prompter.ts';
export { createProviders, type ProviderChoice } from './providers.ts';
export type { ServerHandle } from './server.ts';
export { type PendingSignal, type SignalName, SignalState } from './sig.ts';

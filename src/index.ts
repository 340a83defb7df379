/**
 * The library face: clients and servers as objects, every backend replaceable. The programs are
 * callers of the same parts.
 *
 * ```ts
 * const client = createClient(parseConfig(text));
 * client.on('state', (state) => report(state));
 * await client.start();   // resolves at "Initialization Sequence Completed"
 * await client.stop();
 * ```
 */
// The declarations name types of Node, which TypeScript 6 brings along for nobody who doesn't ask.
/// <reference types="node" preserve="true" />
export {
  type AddressFamily,
  ApiMisuseError,
  AuthFailedError,
  type Clock,
  CryptoError,
  type LinkAddress,
  LinkError,
  type Logger,
  ManagementError,
  ManualClock,
  MemoryLogger,
  nullLogger,
  OpenVpnError,
  OptionsError,
  PacketBatch,
  TlsError,
  TunError,
} from './base/base.ts';
export type { CryptoBackend } from './crypto/crypto.ts';
export {
  type Challenge,
  type ClientInfo,
  createProviders,
  type Prompter,
  type Providers,
  type Question,
  type QuestionKind,
  type StateInfo,
  type TunnelState,
} from './init/init.ts';
export {
  createClient,
  createServer,
  type Tunnel,
  type TunnelEventMap,
  type TunnelOptions,
} from './init/tunnel.ts';
export type { ServerStatus } from './manage/manage.ts';
export {
  formatOptionsError,
  type Options,
  type ParseResult,
  parseArgv,
  parseConfig,
} from './options/options.ts';
export type { NetworkConfig } from './route/route.ts';
export type { HookEvent, HookFunctions, LoginEvent, ScriptRunner } from './script/script.ts';
export type { Link, SocketFactory } from './socket/socket.ts';
export type { ExternalKey, SignRequest, SslBackend } from './ssl/ssl.ts';
export type { TunDevice, TunFactory } from './tun/tun.ts';
export { createTunPair } from './tun/tun-memory.ts';

/**
 * Header of multi/ (2.x multi.h, mroute.h, pool.h, mbuf.h, schedule.h): a server with many clients over
 * any number of links and one tun device.
 *
 *   mudp/, mtcp/ --> MultiServer.handleControl() / MultiIo.handleRun() --> tun
 *   tun --> MultiIo.handleTun() --> the clients' links
 *
 * A client is a MultiInstance. What answers later (scripts, deferred logins, TLS engines) comes back
 * as an input to its instance; nothing here blocks another client.
 */
import type { Clock, Logger } from '../base/base.ts';
import type { CompressionLibrary } from '../comp/comp.ts';
import type { CryptoBackend } from '../crypto/crypto.ts';
import type { FrameOptions } from '../forward/forward.ts';
import type { PoolPersistLine } from '../manage/manage.ts';
import type { Options } from '../options/options.ts';
import type { ControlWrap } from '../reliable/reliable.ts';
import type { EnvSet, Hooks } from '../script/script.ts';
import type { Link } from '../socket/socket.ts';
import type { AuthTokens, TlsMultiConfig } from '../ssl/ssl.ts';
import type { TunDevice } from '../tun/tun.ts';

/** Files that options of a client come from. */
export interface ClientFiles {
  /** Text of `name` (or of DEFAULT) in --client-config-dir with the file's label, undefined when there is none. */
  read(commonName: string): Promise<{ readonly label: string; readonly text: string } | undefined>;
  /** Text of a file that such options name by `config`; undefined when it can't be read. */
  include(path: string): Promise<string | undefined>;
}

/** One listening socket or port of the server and what its clients have in common. */
export interface LinkProfile {
  readonly link: 'udp' | 'tcp';
  readonly family: 4 | 6;
  /** All but what belongs to one client. */
  readonly tls: Omit<TlsMultiConfig, 'address' | 'log' | 'wake'>;
  readonly wrap: ControlWrap;
  readonly frame: FrameOptions;
}

export interface MultiConfig {
  readonly options: Options;
  readonly tun: TunDevice;
  readonly crypto: CryptoBackend;
  readonly comp: CompressionLibrary;
  readonly clock: Clock;
  readonly log: Logger;
  readonly hooks: Hooks;
  /** Base of every client's environment. */
  readonly env: EnvSet;
  readonly clientFiles: ClientFiles;
  /** --auth-gen-token. */
  readonly authTokens: AuthTokens | undefined;
  /** The ifconfig-pool-persist file. */
  readonly persisted: readonly PoolPersistLine[];
  /** 0 <= x < 1. */
  readonly random: () => number;
}

/** A link with the profile that its clients use. */
export interface BoundLink {
  readonly link: Link;
  readonly profile: LinkProfile;
}

export { MultiInstance } from './multi-instance.ts';
export { MultiServer } from './multi-server.ts';
/** openPool(multi): lines about a server that is about to serve; its pool takes what was persisted. */
export { openPool } from './open-pool.ts';
export { realAddressText } from './real-address.ts';
export { serverStatus } from './server-status.ts';

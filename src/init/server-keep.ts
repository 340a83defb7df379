/**
 * What a server keeps over soft restarts (2.x struct context_1): with --persist-tun the device and all that
 * came with it, with --persist-key certificates and keys, and always the files that are written to. By then
 * the rights to open any of it again may be gone.
 */

import { M_INFO } from '../base/errlevel.ts';
import { AUTH_TOKEN_KEY, PEM_KEY_BYTES, readPemKey } from '../crypto/crypto.ts';
import {
  openPoolPersist,
  openStatusFile,
  type PoolPersistFile,
  type StatusWriter,
} from '../manage/manage.ts';
import type { ConnectionEntry } from '../options/options.ts';
import type { ControlWrap } from '../reliable/reliable.ts';
import { AuthTokens } from '../ssl/ssl.ts';
import type { TunDevice } from '../tun/tun.ts';
import { readText } from './file-text.ts';
import type { Providers } from './init.ts';
import type { ServerRun } from './server.ts';
import { loadTlsMaterials, type TlsMaterials } from './tls-materials.ts';
import { createWrap } from './tls-setup.ts';
import { TunnelInterface } from './tunnel-interface.ts';

/** Everything that is read from --key, --tls-crypt and so on. */
export interface ServerKeys {
  readonly materials: TlsMaterials;
  /** One for each listening profile, in their order. */
  readonly wraps: readonly ControlWrap[];
  /** Undefined without --auth-gen-token. */
  readonly authTokens: AuthTokens | undefined;
}

export class ServerKeep {
  readonly #run: ServerRun;
  readonly #tunnel: TunnelInterface;
  #keys: ServerKeys | undefined;
  #status: StatusWriter | undefined;
  #pool: PoolPersistFile | undefined;

  constructor(run: ServerRun) {
    this.#run = run;
    this.#tunnel = new TunnelInterface(run);
  }

  /** Those of the last start, or read for these profiles. Rejects with OpenVpnError when one can't be used. */
  async keys(entries: readonly ConnectionEntry[]): Promise<ServerKeys> {
    if (this.#keys) return this.#keys;
    const { options, providers, passphrase } = this.#run;
    const materials = loadTlsMaterials(options, providers, await passphrase.take(options, providers.log));
    const wraps: ControlWrap[] = [];
    try {
      for (const entry of entries) wraps.push(createWrap(options, entry, providers));
      const authTokens = createAuthTokens(this.#run.options, providers);
      this.#keys = { materials, wraps, authTokens };
      return this.#keys;
    } catch (error) {
      for (const wrap of wraps) wrap.destroy();
      materials.close();
      throw error;
    }
  }

  /** The kept device, or a new one with addresses and routes. */
  async openTunnel(ce: ConnectionEntry): Promise<TunDevice> {
    const { options } = this.#run;
    const kept = this.#tunnel.device;
    if (!kept) {
      const tun = await this.#tunnel.open(options, ce, undefined, 'init');
      await this.#tunnel.addRoutes(options);
      return tun;
    }
    await this.#tunnel.resume(ce);
    return kept;
  }

  /** Undefined without --status. */
  get status(): StatusWriter | undefined {
    const { options, providers } = this.#run;
    if (options.status !== undefined) this.#status ??= openStatusFile(options.status, providers.log);
    return this.#status;
  }

  /** Undefined without --ifconfig-pool-persist. */
  get pool(): PoolPersistFile | undefined {
    const { options, providers } = this.#run;
    const persist = options.ifconfigPoolPersist;
    if (persist) this.#pool ??= openPoolPersist(persist.file, persist.refreshSec > 0, providers.log);
    return this.#pool;
  }

  /** A server has stopped for a soft restart. */
  async settle(reason: string): Promise<void> {
    const { persistTun, persistKey } = this.#run.options;
    const device = this.#tunnel.device;
    if (!persistTun) await this.#tunnel.close(reason);
    else if (device) {
      // The kernel's queue holds what comes in the meantime.
      device.pause();
      device.onReadable = () => undefined;
      await this.#tunnel.suspend(reason);
    }
    if (!persistKey) this.#forgetKeys();
  }

  async close(reason: string): Promise<void> {
    this.#forgetKeys();
    this.#status?.close();
    this.#pool?.close();
    this.#status = undefined;
    this.#pool = undefined;
    await this.#tunnel.close(reason);
  }

  #forgetKeys(): void {
    const keys = this.#keys;
    this.#keys = undefined;
    if (!keys) return;
    for (const wrap of keys.wraps) wrap.destroy();
    keys.authTokens?.destroy();
    keys.materials.close();
  }
}

/** --auth-gen-token: without a key file its key lives as long as the other keys do. */
function createAuthTokens(options: ServerRun['options'], { crypto, log }: Providers): AuthTokens | undefined {
  const { authGenToken, authGenTokenSecret: secret, renegSec } = options;
  if (!authGenToken) return undefined;
  if (!secret) log.log(M_INFO, `Using random ${AUTH_TOKEN_KEY}.`);
  const key = secret
    ? readPemKey(readText(secret, 'auth-gen-token-secret'), AUTH_TOKEN_KEY)
    : crypto.randomBytes(PEM_KEY_BYTES);
  const renewalSec = authGenToken.renewalSec || renegSec;
  const tokens = new AuthTokens({ key, lifetimeSec: authGenToken.lifetimeSec, renewalSec, crypto });
  key.fill(0);
  return tokens;
}

/**
 * Keys of peers that use no TLS (2.x init.c do_init_crypto_static(), do_init_crypto_none()). The life of such a peer
 * is a client's: client.ts.
 */
import { CryptoError } from '../base/base.ts';
import { M_INFO, M_WARN } from '../base/errlevel.ts';
import {
  cipherInfo,
  type Key2,
  keyTypeWarnings,
  type ReplayMemory,
  readStaticKey,
  unusableCipher,
  usableCipher,
} from '../crypto/crypto.ts';
import type { Options } from '../options/options.ts';
import { createPlainControl, createStaticControl, type TlsMulti } from '../ssl/ssl.ts';
import { readText } from './file-text.ts';
import type { Providers } from './init.ts';
import { checkDigest } from './tls-setup.ts';

/** Data keys of peers without TLS. The static key is kept over restarts with --persist-key. */
export class KeysWithoutTls {
  readonly #options: Options;
  readonly #providers: Providers;
  readonly #replayMemory: ReplayMemory | undefined;
  #key2: Key2 | undefined;

  constructor(options: Options, providers: Providers, replayMemory: ReplayMemory | undefined) {
    this.#options = options;
    this.#providers = providers;
    this.#replayMemory = replayMemory;
  }

  /** New packet ids with every call. Throws CryptoError or OptionsError when the key can't be used. */
  createControl(): TlsMulti {
    const { log } = this.#providers;
    if (this.#options.secret) return this.#createStatic();
    const none = cipherInfo('none')!;
    for (const line of keyTypeWarnings(none, undefined)) log.log(M_WARN, line);
    log.log(
      M_WARN,
      '******* WARNING *******: All encryption and authentication features disabled -- All data will be tunnelled as clear text and will not be protected against man-in-the-middle changes. PLEASE DO RECONSIDER THIS CONFIGURATION!',
    );
    return createPlainControl(none);
  }

  /** Zeroes what is kept. */
  forget(): void {
    this.#key2?.fill(0);
    this.#key2 = undefined;
  }

  #createStatic(): TlsMulti {
    const { cipher: name, auth, keyDirection, replayWindow, replaySec } = this.#options;
    const { crypto, clock, log } = this.#providers;
    const cipher = usableCipher(name, crypto);
    if (!cipher) throw new CryptoError(unusableCipher(name));
    const digest = checkDigest(auth, crypto);
    const again = this.#key2 !== undefined;
    if (again) log.log(M_INFO, 'Re-using pre-shared static key');
    this.#key2 ??= this.#readKey();
    return createStaticControl({
      crypto,
      cipher,
      digest: cipher.mode === 'aead' ? undefined : digest,
      key2: this.#key2,
      direction: keyDirection === -1 ? undefined : keyDirection,
      replayWindow,
      replaySec,
      replayMemory: this.#replayMemory,
      wallSec: () => Math.floor(clock.wallMs() / 1000),
      ...(!again && { log }),
    });
  }

  #readKey(): Key2 {
    const value = this.#options.secret!;
    const file = value.kind === 'file' ? value.path : '[[INLINE]]';
    return readStaticKey(readText(value, 'secret'), { file, option: 'secret' });
  }
}

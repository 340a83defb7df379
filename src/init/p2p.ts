/**
 * Peers without --pull and --mode server (2.x init.c do_init_crypto_static(), do_init_crypto_none(),
 * do_deferred_p2p_ncp(); ssl_ncp.c p2p_mode_ncp()): what two equals agree on over TLS, and the keys of
 * those that use no TLS. The life of such a peer is a client's: client.ts.
 */
import { CryptoError, type Logger } from '../base/base.ts';
import { D_TLS_DEBUG_LOW, D_TLS_ERRORS, M_INFO, M_WARN } from '../base/errlevel.ts';
import {
  cipherInfo,
  digestInfo,
  type Key2,
  keyTypeWarnings,
  type ReplayMemory,
  readStaticKey,
} from '../crypto/crypto.ts';
import { epochAllowed, type Options } from '../options/options.ts';
import {
  createPlainControl,
  createStaticControl,
  type DataChannelParams,
  negotiateP2p,
  P2P_PEER_ID,
  P2P_PEER_ID_LABEL,
  type P2pNegotiation,
  parsePeerInfo,
  type TlsMulti,
} from '../ssl/ssl.ts';
import { readText } from './file-text.ts';
import type { Providers } from './init.ts';
import { checkDigest } from './tls-setup.ts';

const PEER_ID_BYTES = 3;

/** What both TLS peers compute alike from their key messages; undefined, with 2.x's line, when they have no cipher. */
export function agreeWithPeer(
  options: Options,
  tls: TlsMulti,
  { crypto, log }: Pick<Providers, 'crypto' | 'log'>,
): DataChannelParams | undefined {
  const agreed = negotiateP2p({
    role: options.tlsServer ? 'server' : 'client',
    dataCiphers: options.dataCiphers.split(':'),
    peerInfo: parsePeerInfo(tls.identity?.peerInfo ?? ''),
    epoch: epochAllowed(options),
  });
  const peerId = agreed.dataV2 ? peerIdOf(tls, agreed) : -1;
  logAgreement(log, options, agreed, peerId);
  const name = agreed.cipher ?? (options.enableNcpFallback ? options.cipher : undefined);
  if (name === undefined) {
    log.log(
      D_TLS_ERRORS,
      'ERROR: failed to negotiate cipher with peer and --data-ciphers-fallback not enabled. No usable data channel cipher',
    );
    return undefined;
  }
  const cipher = cipherInfo(name);
  if (!cipher || !crypto.supportsCipher(cipher)) {
    log.log(D_TLS_ERRORS, 'ERROR: failed to set crypto cipher');
    return undefined;
  }
  const { tlsEkm, dynTlsCrypt, ccExit, epoch } = agreed;
  return { cipher, digest: digestInfo(options.auth), peerId, tlsEkm, dynTlsCrypt, ccExit, epoch };
}

/** With key export the id is taken from TLS, without it is the same everywhere. */
function peerIdOf(tls: TlsMulti, { tlsEkm }: P2pNegotiation): number {
  const bytes = tlsEkm ? tls.exportKeyingMaterial(P2P_PEER_ID_LABEL, PEER_ID_BYTES) : undefined;
  return bytes ? (bytes[0]! << 16) | (bytes[1]! << 8) | bytes[2]! : P2P_PEER_ID;
}

function logAgreement(log: Logger, options: Options, agreed: P2pNegotiation, peerId: number): void {
  const fallback = options.cipher === 'none' ? 'none' : options.cipher;
  const cipher = agreed.cipher ?? `(not negotiated, fallback-cipher: ${fallback})`;
  const [ekm, v2] = [agreed.tlsEkm, agreed.dataV2].map(Number);
  log.log(
    D_TLS_DEBUG_LOW,
    `P2P mode NCP negotiation result: TLS_export=${ekm}, DATA_v2=${v2}, peer-id ${Math.max(0, peerId)}, cipher=${cipher}`,
  );
}

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
    const cipher = cipherInfo(name);
    if (!cipher || !crypto.supportsCipher(cipher)) throw new CryptoError(`Cipher ${name} not supported`);
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

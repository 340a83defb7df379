/**
 * What stands in for the control channel where there is none (2.x init.c do_init_crypto_static(),
 * do_init_crypto_none()): a peer whose data keys come from --secret, or that has no keys at all. Nothing
 * is negotiated, nothing expires; only the data channel looks at it.
 */
import type { Logger, PacketBatch } from '../base/base.ts';
import { M_WARN } from '../base/errlevel.ts';
import {
  type CipherInfo,
  type CryptoBackend,
  type DigestInfo,
  type Key2,
  keyHalves,
  keyTypeWarnings,
  OPEN_OK,
  type OpeningKey,
  PacketIdRec,
  type ReplayMemory,
  type SealingKey,
} from '../crypto/crypto.ts';
import { destroyDataKeys, logKeys, NOTHING_DONE } from './data-keys.ts';
import type { DataChannelParams, DataKeys, PacketVerdict, TlsEvent, TlsMulti } from './ssl.ts';

export interface StaticKeysConfig {
  readonly crypto: CryptoBackend;
  readonly cipher: CipherInfo;
  /** Undefined with `--auth none`. */
  readonly digest: DigestInfo | undefined;
  /** Copied. */
  readonly key2: Key2;
  /** 0 sends with the first key, 1 with the second; undefined uses the first both ways. */
  readonly direction: 0 | 1 | undefined;
  readonly replayWindow: number;
  readonly replaySec: number;
  /** --replay-persist: what was received before. */
  readonly replayMemory?: ReplayMemory | undefined;
  /** Unix time for packet ids. */
  readonly wallSec: () => number;
  /** Gets the lines about the keys; left out when they were said before. */
  readonly log?: Logger;
}

/** Static key mode: the same keys from first to last. Throws CryptoError for a cipher that can't be used so. */
export function createStaticControl(config: StaticKeysConfig): TlsMulti {
  const { crypto, cipher, digest, direction, wallSec, log } = config;
  const halves = keyHalves(config.key2);
  const [sealHalf, openHalf] = [halves[direction ?? 0], halves[direction === 0 ? 1 : 0]];
  const common = { cipher, keyId: 0, peerId: -1, headerless: true, wallSec, ...(digest && { digest }) };
  const keys: DataKeys = {
    keyId: 0,
    seal: crypto.createSealingKey({ ...common, key: sealHalf }),
    open: crypto.createOpeningKey({ ...common, key: openHalf }),
    replay: new PacketIdRec(config.replayWindow, config.replaySec, config.replayMemory),
    ...NOTHING_DONE,
  };
  if (log) {
    for (const line of keyTypeWarnings(cipher, digest)) log.log(M_WARN, line);
    logKeys({ cipher, digest }, 'Static Key Encryption', log);
  }
  return new StaticControl(keys, cipher, digest);
}

/** Neither TLS nor static key: packets travel as they are. `none` is the cipher of that name. */
export function createPlainControl(none: CipherInfo): TlsMulti {
  const replay = { check: () => 0 as const, highest: 0 };
  const keys = { keyId: 0, seal: new NoSealing(), open: new NoOpening(), replay, ...NOTHING_DONE };
  return new StaticControl(keys, none, undefined);
}

class StaticControl implements TlsMulti {
  readonly identity = undefined;
  readonly authenticated = true;
  readonly params: DataChannelParams;
  readonly drops: ReadonlyMap<string, number> = new Map();
  readonly #keys: DataKeys;
  #closed = false;

  constructor(keys: DataKeys, cipher: CipherInfo, digest: DigestInfo | undefined) {
    this.#keys = keys;
    const flags = { tlsEkm: false, dynTlsCrypt: false, ccExit: false };
    this.params = { cipher, digest, peerId: -1, headerless: true, ...flags };
  }

  sealKeys(): DataKeys | undefined {
    return this.#closed ? undefined : this.#keys;
  }

  openKeys(): DataKeys | undefined {
    return this.#closed ? undefined : this.#keys;
  }

  close(): void {
    this.#closed = true;
    destroyDataKeys(this.#keys);
  }

  // There is no control channel: nothing comes in, nothing goes out.

  start(): void {}
  startFromCookie(): void {}
  handleTimeout(): void {}
  handleTlsOutput(): void {}
  handleClientKeyResult(): void {}
  handleVerifyResult(): void {}
  handleAuthResult(): void {}
  generateDataKeys(): void {}
  softReset(): void {}
  handleMoved(): void {}

  handlePacket(): PacketVerdict {
    return 'unroutable';
  }

  nextTimeout(): undefined {
    return undefined;
  }

  pollTransmit(): undefined {
    return undefined;
  }

  pollEvent(): TlsEvent | undefined {
    return undefined;
  }

  sendMessage(): boolean {
    return false;
  }

  sendLoginMessage(): boolean {
    return false;
  }

  exportKeyingMaterial(): undefined {
    return undefined;
  }
}

class NoSealing implements SealingKey {
  readonly headBytes = 0;
  readonly tailBytes = 0;
  readonly nextPacketId = 1;

  sealBatch(_batch: PacketBatch, first: number, end: number): number {
    return end - first;
  }

  destroy(): void {}
}

class NoOpening implements OpeningKey {
  readonly failures = 0;

  openBatch(batch: PacketBatch, first: number, end: number): void {
    for (let slot = first; slot < end; slot++) if (batch.lengths[slot] !== 0) batch.status[slot] = OPEN_OK;
  }

  destroy(): void {}
}

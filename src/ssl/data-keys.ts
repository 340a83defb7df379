/**
 * Data channel keys of one TLS key (2.x ssl.c generate_key_expansion(), init_key_contexts()): the PRF
 * over both key sources or an export from TLS, split into two halves. The TLS client seals with K0 and
 * opens with K1, the server the other way round. All intermediate bytes are zeroed.
 */
import type { Logger } from '../base/base.ts';
import { D_CIPHER_INIT, D_CRYPT_ERRORS, D_GENKEY, D_TLS_ERRORS, M_WARN } from '../base/errlevel.ts';
import {
  type CryptoBackend,
  createEpochKeys,
  insecureCipherWarning,
  type Key2,
  type KeyHalf,
  keyHalves,
  PacketIdRec,
  prf,
} from '../crypto/crypto.ts';

import type { KeySource } from './key-method-2.ts';
import type { DataChannelParams, DataKeys } from './ssl.ts';

/** Label and length of the export for data keys. */
const DATA_KEYS_LABEL = 'EXPORTER-OpenVPN-datakeys';
const KEY2_BYTES = 256;

export interface DataKeyInputs {
  readonly role: 'client' | 'server';
  readonly keyId: number;
  readonly params: DataChannelParams;
  readonly ownSource: KeySource;
  readonly peerSource: KeySource;
  readonly ownSessionId: Uint8Array;
  readonly peerSessionId: Uint8Array;
  readonly exportKeyingMaterial: (label: string, lengthBytes: number) => Uint8Array;
  readonly crypto: CryptoBackend;
  readonly replayWindow: number;
  readonly replaySec: number;
  /** Unix time for long packet ids. */
  readonly wallSec: () => number;
  readonly log: Logger;
}

/** Derives the keys; undefined, with a log line, when they can't be used. */
export function createDataKeys(inputs: DataKeyInputs): DataKeys | undefined {
  const { params, crypto, role, keyId, log } = inputs;
  const key2 = deriveKey2(inputs);
  if (!key2) return undefined;
  const [k0, k1] = keyHalves(key2);
  const [sealHalf, openHalf] = role === 'client' ? [k0, k1] : [k1, k0];
  try {
    if (isZeroKey(sealHalf, params.cipher.keyBytes) || isZeroKey(openHalf, params.cipher.keyBytes)) {
      log.log(D_CRYPT_ERRORS, 'CRYPTO INFO: WARNING: zero key detected');
      return undefined;
    }
    const { cipher, peerId } = params;
    const { replayWindow, replaySec, wallSec } = inputs;
    logKeys(params, params.epoch ? 'Epoch Data key 1' : 'Data Channel', log);
    if (params.epoch) {
      const onPeerEpoch = (epoch: number) =>
        log.log(D_GENKEY, `Received data packet with new epoch ${epoch}. Updating receive key`);
      const epochSpec = { cipher, sealHalf, openHalf, keyId, peerId, replayWindow, replaySec, onPeerEpoch };
      return { keyId, ...createEpochKeys(crypto, epochSpec), ...NOTHING_DONE };
    }
    const common = { cipher, keyId, peerId, wallSec, ...digestOf(params) };
    const seal = crypto.createSealingKey({ ...common, key: sealHalf });
    const open = crypto.createOpeningKey({ ...common, key: openHalf });
    return { keyId, seal, open, replay: new PacketIdRec(replayWindow, replaySec), ...NOTHING_DONE };
  } finally {
    key2.fill(0);
  }
}

/** Counters of a new key. */
export const NOTHING_DONE = { bytes: 0, packets: 0, sealedBlocks: 0, openedBlocks: 0 };

export function destroyDataKeys(keys: DataKeys | undefined): void {
  keys?.seal.destroy();
  keys?.open.destroy();
}

function deriveKey2(inputs: DataKeyInputs): Key2 | undefined {
  if (inputs.params.tlsEkm) return inputs.exportKeyingMaterial(DATA_KEYS_LABEL, KEY2_BYTES);
  const own = { source: inputs.ownSource, id: inputs.ownSessionId };
  const peer = { source: inputs.peerSource, id: inputs.peerSessionId };
  const [client, server] = inputs.role === 'client' ? [own, peer] : [peer, own];
  const { preMaster } = client.source;
  if (!preMaster) {
    inputs.log.log(D_TLS_ERRORS, 'TLS Error: PRF calculation failed.');
    return undefined;
  }
  return prf(inputs.crypto, {
    preMaster,
    clientRandom1: client.source.random1,
    clientRandom2: client.source.random2,
    serverRandom1: server.source.random1,
    serverRandom2: server.source.random2,
    clientSessionId: client.id,
    serverSessionId: server.id,
  });
}

function digestOf(params: DataChannelParams): { digest?: NonNullable<DataChannelParams['digest']> } {
  return params.digest ? { digest: params.digest } : {};
}

function isZeroKey(half: KeyHalf, bytes: number): boolean {
  return bytes > 0 && half.cipher.subarray(0, bytes).every((byte) => byte === 0);
}

/**
 * 2.x's lines about both directions of a new key; `name` is `Data Channel`, `Epoch Data key 1` or
 * `Static Key Encryption`.
 */
export function logKeys(
  { cipher, digest }: Pick<DataChannelParams, 'cipher' | 'digest'>,
  name: string,
  log: Logger,
): void {
  for (const direction of ['Outgoing', 'Incoming']) {
    if (cipher.mode !== 'none') {
      const bits = cipher.keyBytes * 8;
      log.log(
        D_CIPHER_INIT,
        `${direction} ${name}: Cipher '${cipher.name}' initialized with ${bits} bit key`,
      );
      const warning = insecureCipherWarning(cipher);
      if (warning !== undefined) log.log(M_WARN, warning);
    }
    if (digest && cipher.mode !== 'aead') {
      const bits = digest.bytes * 8;
      log.log(
        D_CIPHER_INIT,
        `${direction} ${name}: Using ${bits} bit message hash '${digest.name}' for HMAC authentication`,
      );
    }
  }
}

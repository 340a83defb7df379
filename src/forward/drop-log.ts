/**
 * Log lines for data packets that are dropped, in 2.x's words (crypto.c openvpn_decrypt_aead(),
 * openvpn_decrypt_v1(), crypto_check_replay(); ssl.c print_key_id_not_found_reason()). Anyone can
 * send such packets: repeats are the --mute option's matter, nothing is built below its verbosity.
 */
import {
  ADDRESS_WORDS,
  addressFromWords,
  formatAddress,
  type Logger,
  type PacketBatch,
} from '../base/base.ts';
import { D_CRYPT_ERRORS, D_MULTI_DROPPED, D_REPLAY_ERRORS, D_TLS_ERRORS } from '../base/errlevel.ts';
import type { CipherInfo } from '../crypto/crypto.ts';
import type { DataKeySource } from './forward.ts';

const KEY_IDS = 8;

/** A packet did not authenticate, or is shorter than its headers. */
export function logUnopened(log: Logger, cipher: CipherInfo | undefined, short: boolean): void {
  if (!log.enabled(D_CRYPT_ERRORS)) return;
  const auth = cipher?.mode === 'aead' ? 'cipher final failed' : 'packet HMAC authentication failed';
  log.log(D_CRYPT_ERRORS, `${errorPrefix(cipher)}: ${short ? 'missing payload' : auth}`);
}

/** A packet authenticated, but its id is not new. */
export function logReplay(log: Logger, cipher: CipherInfo | undefined, packetId: number): void {
  if (!log.enabled(D_REPLAY_ERRORS)) return;
  log.log(
    D_REPLAY_ERRORS,
    `${errorPrefix(cipher)}: bad packet ID (may be a replay): [ #${packetId} ] -- see the man page entry for --no-replay and --replay-window for more info or silence this warning with --mute-replay-warnings`,
  );
}

/** No key for the packet's key id: before any data key exists the peer is early, later the two sides disagree. */
export function logNoKey(
  log: Logger,
  keys: DataKeySource,
  batch: PacketBatch,
  slot: number,
  keyId: number,
): void {
  const level = keys.params ? D_TLS_ERRORS : D_MULTI_DROPPED;
  if (!log.enabled(level)) return;
  const from = slotAddress(batch, slot);
  if (!keys.params) {
    log.log(level, `Key ${from} [${keyId}] not initialized (yet), dropping packet.`);
    return;
  }
  let known = '';
  for (let id = 0; id < KEY_IDS; id++) if (keys.openKeys(id)) known += ` [id=${id}]`;
  log.log(
    level,
    `TLS Error: local/remote TLS keys are out of sync: ${from} (received key id: ${keyId}, known key ids: ${known})`,
  );
}

function errorPrefix(cipher: CipherInfo | undefined): string {
  return cipher?.mode === 'aead' ? 'AEAD Decrypt error' : 'Authenticate/Decrypt packet error';
}

/** The sender of a packet; '' over links without addresses. */
function slotAddress(batch: PacketBatch, slot: number): string {
  if (batch.addresses[slot * ADDRESS_WORDS] === 0) return '';
  return formatAddress(addressFromWords(batch.addresses, slot));
}

/**
 * Log lines for data packets that are dropped, in 2.x's words (crypto.c openvpn_decrypt_aead(),
 * openvpn_decrypt_v1(), crypto_check_replay(); ssl.c print_key_id_not_found_reason()). Anyone can
 * send such packets: so many lines a second are written (M_STRANGER), nothing is built for the others.
 */
import {
  ADDRESS_WORDS,
  addressFromWords,
  formatAddress,
  type Logger,
  type PacketBatch,
  timeText,
} from '../base/base.ts';
import {
  D_CRYPT_ERRORS,
  D_MULTI_DROPPED,
  D_REPLAY_ERRORS,
  D_TLS_ERRORS,
  M_STRANGER,
} from '../base/errlevel.ts';
import {
  type CipherInfo,
  OPEN_AUTH_FAILED,
  OPEN_BAD_CIPHERTEXT,
  OPEN_BAD_EPOCH,
  OPEN_NO_HMAC,
  OPEN_NO_IV,
  OPEN_NO_PACKET_ID,
} from '../crypto/crypto.ts';
import type { DataKeySource } from './forward.ts';

const KEY_IDS = 8;

/** A packet did not open; `status` is its OPEN_* code. */
export function logUnopened(log: Logger, cipher: CipherInfo | undefined, status: number): void {
  if (!log.enabled(D_CRYPT_ERRORS | M_STRANGER)) return;
  log.log(D_CRYPT_ERRORS | M_STRANGER, `${errorPrefix(cipher)}: ${unopenedText(cipher, status)}`);
}

function unopenedText(cipher: CipherInfo | undefined, status: number): string {
  switch (status) {
    case OPEN_AUTH_FAILED:
      return cipher?.mode === 'aead' ? 'cipher final failed' : 'packet HMAC authentication failed';
    case OPEN_NO_HMAC:
      return 'missing authentication info';
    case OPEN_NO_IV:
      return 'missing IV info';
    case OPEN_BAD_CIPHERTEXT:
      return 'cipher final failed';
    case OPEN_NO_PACKET_ID:
      return cipher?.mode === 'cbc' ? 'error reading CBC packet-id' : 'error reading packet-id';
    case OPEN_BAD_EPOCH:
      return 'data packet with unknown epoch';
    default:
      return 'missing payload';
  }
}

/** A packet authenticated, but its id is not new. `time` is the sender's Unix time of a long id, else 0. */
export function logReplay(log: Logger, cipher: CipherInfo | undefined, packetId: number, time: number): void {
  if (!log.enabled(D_REPLAY_ERRORS | M_STRANGER)) return;
  const when = time === 0 ? '' : ` / time = (${time}) ${timeText(time * 1000)}`;
  log.log(
    D_REPLAY_ERRORS | M_STRANGER,
    `${errorPrefix(cipher)}: bad packet ID (may be a replay): [ #${packetId}${when} ] -- see the man page entry for --no-replay and --replay-window for more info or silence this warning with --mute-replay-warnings`,
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
  const level = (keys.params ? D_TLS_ERRORS : D_MULTI_DROPPED) | M_STRANGER;
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

/**
 * Fuzz entry of AEAD data packets: any bytes never open; the same bytes sealed open again to
 * themselves, once by the replay window, and not when a bit is changed; nothing is written outside of
 * the slot.
 */
import {
  type CryptoBackend,
  cipherInfo,
  type DataKeySpec,
  OPEN_OK,
  PacketIdRec,
  REPLAY_OK,
} from '../src/crypto/crypto.ts';
import { createNativeCrypto } from '../src/crypto/crypto-native.ts';
import { createNodeCrypto } from '../src/crypto/crypto-node.ts';
import { addonForTests } from '../test-kit/native-addon.ts';
import { batch, checkGuards, load } from './guarded-slot.ts';

const node = createNodeCrypto();
/** Both backends: the addon writes into the slots by itself. */
const cryptos = [node, createNativeCrypto(addonForTests(), node)];
const key = {
  cipher: Uint8Array.from({ length: 64 }, (_, i) => i + 1),
  hmac: Uint8Array.from({ length: 64 }, (_, i) => 255 - i),
};
const specs: DataKeySpec[] = [
  { cipher: cipherInfo('AES-256-GCM')!, key, keyId: 1, peerId: 0x010203 },
  { cipher: cipherInfo('CHACHA20-POLY1305')!, key, keyId: 2, peerId: -1 },
];

export const target = {
  name: 'data-packet',
  run(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    for (const crypto of cryptos) seal(crypto, specs[bytes.length & 1]!, bytes);
  },
};

function seal(crypto: CryptoBackend, spec: DataKeySpec, bytes: Uint8Array): void {
  const open = crypto.createOpeningKey(spec);
  load(bytes);
  open.openBatch(batch, 1, 2);
  if (batch.status[1] === OPEN_OK || batch.lengths[1] !== 0) throw new Error('opened a forged packet');
  checkGuards();
  load(bytes);
  const sealing = crypto.createSealingKey(spec);
  sealing.sealBatch(batch, 1, 2);
  sealing.destroy();
  const sealed = Buffer.from(batch.packet(1));
  open.openBatch(batch, 1, 2);
  if (batch.packet(1).compare(bytes) !== 0) throw new Error('a packet changed on its way');
  const replay = new PacketIdRec();
  if (replay.check(batch.packetIds[1]!, 0) !== REPLAY_OK) throw new Error('a new packet id was refused');
  if (replay.check(batch.packetIds[1]!, 0) === REPLAY_OK) throw new Error('a replay was accepted');
  checkGuards();
  // The first byte of P_DATA_V1 is not authenticated.
  const at = 1 + ((bytes[0]! * 251) % (sealed.length - 1));
  sealed[at] = sealed[at]! ^ (1 << (bytes.length & 7));
  load(sealed);
  open.openBatch(batch, 1, 2);
  if (batch.status[1] === OPEN_OK) throw new Error(`opened although byte ${at} was changed`);
  open.destroy();
}

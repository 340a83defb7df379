/**
 * Fuzz entry of data packets in epoch format: any bytes never open and never move the epoch; the same bytes
 * sealed open again to themselves, and not when a bit is changed.
 */
import { PacketBatch } from '../src/base/base.ts';
import { cipherInfo, createEpochKeys, OPEN_OK } from '../src/crypto/crypto.ts';
import { createNativeCrypto } from '../src/crypto/crypto-native.ts';
import { createNodeCrypto } from '../src/crypto/crypto-node.ts';
import { addonForTests } from '../test-kit/native-addon.ts';

const half = {
  cipher: Uint8Array.from({ length: 64 }, (_, i) => i + 1),
  hmac: Uint8Array.from({ length: 64 }, (_, i) => 255 - i),
};
const node = createNodeCrypto();
/** On both backends: the addon writes into the slot by itself. */
const pairs = [node, createNativeCrypto(addonForTests(), node)].map((crypto) =>
  createEpochKeys(crypto, {
    cipher: cipherInfo('AES-256-GCM')!,
    sealHalf: half,
    openHalf: half,
    keyId: 1,
    peerId: 0x010203,
    replayWindow: 64,
    replaySec: 15,
  }),
);
type Keys = (typeof pairs)[number];
const batch = new PacketBatch(1, 4096);

export const target = {
  name: 'epoch-packet',
  run(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    for (const keys of pairs) sealAndOpen(keys, bytes);
  },
};

function sealAndOpen(keys: Keys, bytes: Uint8Array): void {
  load(bytes);
  if (open(keys)) throw new Error('opened a forged packet');
  load(bytes);
  keys.seal.sealBatch(batch, 0, 1);
  const sealed = Buffer.from(batch.packet(0));
  if (!open(keys) || batch.packet(0).compare(bytes) !== 0) throw new Error('a packet changed on its way');
  const at = (bytes[0]! * 251) % sealed.length;
  sealed[at] = sealed[at]! ^ (1 << (bytes.length & 7));
  load(sealed);
  if (open(keys)) throw new Error(`opened although byte ${at} was changed`);
  if (keys.seal.epoch !== 1) throw new Error('moved to another epoch');
}

function load(packet: Uint8Array): void {
  batch.clear();
  batch.push(packet.subarray(0, batch.maxPacketBytes));
}

function open(keys: Keys): boolean {
  keys.open.openBatch(batch, 0, 1);
  if (batch.status[0] !== OPEN_OK && batch.lengths[0] !== 0) throw new Error('kept a bad packet');
  return batch.status[0] === OPEN_OK;
}

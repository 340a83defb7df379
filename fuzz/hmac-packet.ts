/**
 * Fuzz entry of data packets that aren't AEAD: any bytes never open under an HMAC, and without one do no
 * harm; the same bytes sealed open again to themselves, and not when a bit is changed; nothing is written
 * outside of the slot. Static key packets have no header, so they come along.
 */
import { cipherInfo, type DataKeySpec, digestInfo, OPEN_OK } from '../src/crypto/crypto.ts';
import { createNodeCrypto } from '../src/crypto/crypto-node.ts';
import { batch, checkGuards, load } from './guarded-slot.ts';

const crypto = createNodeCrypto();
const common = {
  key: {
    cipher: Uint8Array.from({ length: 64 }, (_, i) => i + 1),
    hmac: Uint8Array.from({ length: 64 }, (_, i) => 255 - i),
  },
  keyId: 1,
  wallSec: () => 1_800_000_000,
};
const sha1 = digestInfo('SHA1')!;
const specs: DataKeySpec[] = ['AES-256-CBC', 'AES-128-CFB', 'DES-EDE3-OFB', 'none'].flatMap((name) => [
  { ...common, cipher: cipherInfo(name)!, digest: sha1, peerId: 0x010203 },
  { ...common, cipher: cipherInfo(name)!, peerId: -1 },
]);
for (const name of ['AES-256-CBC', 'none']) {
  specs.push({ ...common, cipher: cipherInfo(name)!, digest: sha1, peerId: -1, headerless: true });
}

export const target = {
  name: 'hmac-packet',
  run(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const spec = specs[bytes.length % specs.length]!;
    const open = crypto.createOpeningKey(spec);
    load(bytes);
    open.openBatch(batch, 1, 2);
    if (spec.digest && batch.status[1] === OPEN_OK) throw new Error('opened a forged packet');
    if (batch.status[1] !== OPEN_OK && batch.lengths[1] !== 0) throw new Error('kept a bad packet');
    checkGuards();
    load(bytes);
    crypto.createSealingKey(spec).sealBatch(batch, 1, 2);
    const sealed = Buffer.from(batch.packet(1));
    checkGuards();
    open.openBatch(batch, 1, 2);
    if (batch.packet(1).compare(bytes) !== 0) throw new Error('a packet changed on its way');
    checkGuards();
    if (!spec.digest) return;
    // The HMAC doesn't cover the header.
    const head = spec.headerless ? 0 : 4;
    const at = head + ((bytes[0]! * 251) % (sealed.length - head));
    sealed[at] = sealed[at]! ^ (1 << (bytes.length & 7));
    load(sealed);
    open.openBatch(batch, 1, 2);
    if (batch.status[1] === OPEN_OK) throw new Error(`opened although byte ${at} was changed`);
    open.destroy();
  },
};

/**
 * UDP over IPv4 for the bench's own ends of a measurement: the addon's socket, which moves a batch per system call and
 * is told of what came without a detour through streams or events. Like bench/micro-native.mjs it reads the addon
 * directly.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** Packets of a batch: what one system call sends, and what one call receives. */
export const BATCH = 64;
/** Room for the longest packet of the bench. */
const SLOT_BYTES = 1_472;
/** Words of an address, as in src/base/address.ts. */
const ADDRESS_WORDS = 8;
const ERROR_WORDS = 49;
const READABLE = 1;

const built = fileURLToPath(new URL('../build/Release/openvpn_native.node', import.meta.url));
const addon = createRequire(import.meta.url)(process.env.OPENVPN_TS_ADDON ?? built);

/** Calls `onBatch(count)` for each batch that came, which then lies in `batch`, sources included. */
export function openUdp(host, port, onBatch = () => undefined) {
  const batch = {
    slab: Buffer.alloc(BATCH * SLOT_BYTES),
    offsets: new Int32Array(BATCH),
    lengths: new Int32Array(BATCH),
    addresses: new Int32Array(BATCH * ADDRESS_WORDS),
  };
  const { slab, offsets, lengths, addresses } = batch;
  const errors = new Int32Array(ERROR_WORDS);
  const receive = () => {
    for (;;) {
      const count = udp.recvBatch(slab, SLOT_BYTES, 0, 0, offsets, lengths, addresses, BATCH);
      errors[0] = 0;
      if (count === 0) return;
      onBatch(count);
    }
  };
  const udp = new addon.Udp(addressWords(host, port), false, 0, 0, errors, receive, true);
  udp.poll(READABLE);
  return {
    batch,
    /** Fills the slots of the batch with packets of this size for one receiver. */
    fill(bytes, toHost, toPort) {
      const words = addressWords(toHost, toPort);
      for (let slot = 0; slot < BATCH; slot++) {
        offsets[slot] = slot * SLOT_BYTES;
        lengths[slot] = bytes;
        addresses.set(words, slot * ADDRESS_WORDS);
      }
    },
    /** Sends the first `count` packets of the batch to their addresses. What the kernel refuses is lost. */
    send(count) {
      udp.sendBatch(slab, SLOT_BYTES, offsets, lengths, addresses, 0, count);
      errors[0] = 0;
    },
  };
}

function addressWords(host, port) {
  const number = host.split('.').reduce((sum, part) => (sum << 8) | Number(part), 0);
  return Int32Array.of(4, port, number, 0, 0, 0, 0, 0);
}

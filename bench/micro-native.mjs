/**
 * Micro benchmark of the addon, per packet: sealing and opening a batch in classic and in epoch
 * format, and UDP over loopback. Reads the
 * addon directly, so it needs `node scripts/install.mjs` and nothing else. One core, no warm-up beyond the
 * first round; the median of the rounds is printed.
 *
 *   node bench/micro-native.mjs [payload bytes, 1400] [batch, 64]
 */
import { createRequire } from 'node:module';

const addon = createRequire(import.meta.url)('../build/Release/openvpn_native.node');
const payload = Number(process.argv[2] ?? 1400);
const count = Number(process.argv[3] ?? 64);
const HEADROOM = 128;
const TAILROOM = 64;
const ROUNDS = 9;
const BATCHES = 1000;
const slotSize = (HEADROOM + payload + 28 + TAILROOM + 63) & ~63;
const batch = {
  slab: Buffer.alloc(count * slotSize),
  offsets: new Int32Array(count),
  lengths: new Int32Array(count),
  status: new Int32Array(count),
  packetIds: new Uint32Array(count),
  packetTimes: new Uint32Array(count),
  addresses: new Int32Array(count * 8),
};

console.log(
  `node ${process.version}, OpenSSL ${process.versions.openssl}, ${payload} bytes, batches of ${count}`,
);
for (const [cipher, keyBytes] of [
  ['AES-128-GCM', 16],
  ['AES-256-GCM', 32],
  ['CHACHA20-POLY1305', 32],
]) {
  const key = [cipher, new Uint8Array(keyBytes)];
  const times = [];
  for (const [name, sealer, opener, ids] of [
    ['classic', () => new addon.AeadSealer(...key, new Uint8Array(8), 0, 1, 1), newClassicOpener(key), 1],
    ['epoch', () => new addon.EpochSealer(...key, new Uint8Array(12), 0, 1, 1, 1), newEpochOpener(key), 2],
  ]) {
    times.push(`${name} seal ${ns(seal(sealer()))}, open ${ns(open(sealer(), opener, ids))}`);
  }
  console.log(`${cipher}: ${times.join('; ')}`);
}
udp();

function reset() {
  for (let slot = 0; slot < count; slot++) {
    batch.offsets[slot] = slot * slotSize + HEADROOM;
    batch.lengths[slot] = payload;
  }
}

function newClassicOpener(key) {
  return new addon.AeadOpener(...key, new Uint8Array(8));
}

function newEpochOpener(key) {
  return new addon.EpochOpener(...key, new Uint8Array(12), 1);
}

function seal(sealer) {
  return median(() => {
    const start = process.hrtime.bigint();
    for (let i = 0; i < BATCHES; i++) {
      reset();
      sealer.sealBatch(batch.slab, slotSize, batch.offsets, batch.lengths, 0, count);
    }
    return Number(process.hrtime.bigint() - start) / (BATCHES * count);
  });
}

/** Opening spoils its input, so only the opening half of seal and open is timed. */
function open(sealer, opener, idArrays) {
  const { slab, offsets, lengths, status } = batch;
  const ids = [batch.packetIds, batch.packetTimes].slice(0, idArrays);
  const time = median(() => {
    let total = 0n;
    for (let i = 0; i < BATCHES; i++) {
      reset();
      sealer.sealBatch(slab, slotSize, offsets, lengths, 0, count);
      const start = process.hrtime.bigint();
      opener.openBatch(slab, slotSize, offsets, lengths, status, ...ids, 0, count);
      total += process.hrtime.bigint() - start;
    }
    return Number(total) / (BATCHES * count);
  });
  if (opener.failures !== 0) throw new Error(`${opener.failures} packets did not open`);
  return time;
}

function udp() {
  const local = new Int32Array(8);
  local.set([4, 0, 0x7f000001]);
  const make = () => new addon.Udp(local, false, 0, 1 << 22, new Int32Array(49), () => undefined, true);
  const [from, to] = [make(), make()];
  to.localAddress(local);
  let sent = 0;
  let received = 0;
  const times = median(() => {
    const start = process.hrtime.bigint();
    for (let i = 0; i < BATCHES / 4; i++) {
      reset();
      for (let slot = 0; slot < count; slot++) batch.addresses.set(local, slot * 8);
      const { slab, offsets, lengths, addresses } = batch;
      sent += from.sendBatch(slab, slotSize, offsets, lengths, addresses, 0, count);
      for (let n = -1; n !== 0; received += n) {
        n = to.recvBatch(slab, slotSize, HEADROOM, TAILROOM, offsets, lengths, addresses, count);
      }
    }
    return Number(process.hrtime.bigint() - start) / ((BATCHES / 4) * count);
  });
  const calls = (from.syscalls / sent).toFixed(3);
  const reads = (to.syscalls / received).toFixed(3);
  console.log(
    `UDP loopback: send and receive ${ns(times)}; system calls per packet: ${calls} sent, ${reads} received`,
  );
  if (received !== sent)
    console.log(`  ${sent - received} of ${sent} packets were lost to the receive buffer`);
  from.close();
  to.close();
}

function median(run) {
  const times = Array.from({ length: ROUNDS }, run).sort((a, b) => a - b);
  return times[ROUNDS >> 1];
}

function ns(value) {
  return `${value.toFixed(0)} ns`;
}

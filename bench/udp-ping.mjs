/**
 * Round trips to bench/udp-echo.mjs, one packet every few milliseconds whether its answer is there or not: a late answer
 * holds nobody up, and counts in full. Prints the times of those that came back, in nanoseconds, as one line of JSON.
 *
 *   node bench/udp-ping.mjs HOST PORT COUNT INTERVAL-MS
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { openUdp } from './udp-socket.mjs';

const BYTES = 64;
/** Both ends' code, and the tunnel's, are warm after these. */
const WARM_UP = 50;
/** A packet that takes longer is lost. */
const PATIENCE_MS = 1_000;

const [, , host, port, count, intervalMs] = process.argv;
const total = WARM_UP + Number(count);
const sentNs = new Float64Array(total);
const tripNs = new Float64Array(total);
const startedNs = process.hrtime.bigint();
const nowNs = () => Number(process.hrtime.bigint() - startedNs);

const socket = openUdp('0.0.0.0', 0, (received) => {
  const arrivedNs = nowNs();
  const { slab, offsets } = socket.batch;
  for (let slot = 0; slot < received; slot++) {
    const number = slab.readUInt32BE(offsets[slot]);
    tripNs[number] ||= arrivedNs - sentNs[number];
  }
});

for (let number = 0; number < total; number++) {
  socket.fill(BYTES, host, Number(port));
  socket.batch.slab.writeUInt32BE(number, 0);
  sentNs[number] = nowNs();
  socket.send(1);
  await sleep(Number(intervalMs));
}
await sleep(PATIENCE_MS);
process.stdout.write(`${JSON.stringify([...tripNs.subarray(WARM_UP)].filter((ns) => ns > 0))}\n`);
process.exit(0);

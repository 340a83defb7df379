/**
 * Counts packets as they come: from some time after the first one, for some time. Prints how many a second.
 *
 *   node bench/udp-count.mjs HOST PORT WARM-UP-MS COUNT-MS
 */
import { openUdp } from './udp-socket.mjs';

const [, , host, port, warmUpMs, countMs] = process.argv;
let firstMs;
let beganMs;
let count = 0;

openUdp(host, Number(port), (received) => {
  const nowMs = performance.now();
  firstMs ??= nowMs;
  if (beganMs === undefined) {
    if (nowMs - firstMs >= Number(warmUpMs)) beganMs = nowMs;
    return;
  }
  count += received;
  const tookMs = nowMs - beganMs;
  if (tookMs < Number(countMs)) return;
  process.stdout.write(`received ${(count / tookMs) * 1_000}\n`);
  process.exit(0);
});
process.stdout.write('ready\n');

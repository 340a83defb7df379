/**
 * Sends packets of one size as fast as they go, with the least claim on a processor, so that it takes what the measured
 * programs leave. Ends by itself after a minute.
 *
 *   node bench/udp-flood.mjs HOST PORT BYTES
 */
import { setPriority } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BATCH, openUdp } from './udp-socket.mjs';

const LIMIT_MS = 60_000;
const LOWEST_PRIORITY = 19;
const BATCHES_A_TURN = 4;

const [, , host, port, bytes] = process.argv;
setPriority(LOWEST_PRIORITY);
const socket = openUdp('0.0.0.0', 0);
socket.fill(Number(bytes), host, Number(port));
const startedMs = performance.now();
while (performance.now() - startedMs < LIMIT_MS) {
  for (let i = 0; i < BATCHES_A_TURN; i++) socket.send(BATCH);
  await nextTurn();
}
process.exit(0);

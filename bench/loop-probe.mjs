/**
 * Loaded into our server in front of the program (NODE_OPTIONS=--import) to see how long the event loop was held:
 * the longest hold of each window, with the window's end, goes into the file of OPENVPN_BENCH_PROBE at the end. Node's
 * own histogram is fed by a timer of a millisecond, so this run's CPU time says nothing.
 */
import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 1;
const WINDOW_MS = 100;
const MAX_WINDOWS = 36_000;

const path = process.env.OPENVPN_BENCH_PROBE;
if (path !== undefined) {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  const windows = [];
  delay.enable();
  const timer = setInterval(() => {
    if (windows.length < MAX_WINDOWS)
      windows.push([Date.now(), Math.max(0, delay.max / 1e6 - RESOLUTION_MS)]);
    delay.reset();
  }, WINDOW_MS);
  timer.unref();
  process.on('exit', () => writeFileSync(path, JSON.stringify(windows)));
}

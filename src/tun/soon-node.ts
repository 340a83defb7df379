/**
 * Calls that come soon and hold nobody: they wake an event loop that sleeps, as an unref'd setImmediate() doesn't, and
 * keep no process alive, as a plain one does.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';

let port: MessagePort | undefined;
let waiting: (() => void)[] = [];

/** Calls `run` in a later turn of the event loop, in the order of the calls, unless the process ends before. */
export function soon(run: () => void): void {
  port ??= openPort();
  if (waiting.push(run) === 1) port.postMessage(undefined);
}

function openPort(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  port1.on('message', callWaiting);
  port1.unref();
  return port2;
}

function callWaiting(): void {
  const due = waiting;
  waiting = [];
  try {
    for (let run = due.shift(); run; run = due.shift()) run();
  } finally {
    // One has thrown: the others' turn comes all the same.
    for (const run of due) soon(run);
  }
}

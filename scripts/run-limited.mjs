/**
 * Starts a program, with a time limit if it has none of its own, and collects what it prints. At the limit, or when
 * this process is interrupted, it gets SIGTERM so that it can clean up, and its whole process group SIGKILL ten
 * seconds later.
 */
import { spawn } from 'node:child_process';
import { root } from './setup.mjs';

/** By this exit code a program says that it can't run on this machine. */
export const SKIPPED_EXIT = 77;
const GRACE_MS = 10_000;
const running = new Set();

/** Resolves with exit code (1 when killed), output, and whether the limit was hit. `echo` also prints it. */
export function runLimited(file, args, { limitMs, echo = false, env = {} }) {
  const child = spawn(file, args, {
    cwd: root,
    detached: true,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  passSignalsOn();
  running.add(child);
  let output = '';
  const collect = (chunk) => {
    output += chunk;
    if (echo) process.stdout.write(chunk);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  let timedOut = false;
  const atLimit = () => {
    timedOut = true;
    end(child);
  };
  const timer = limitMs === undefined ? undefined : setTimeout(atLimit, limitMs);
  return new Promise((resolve) => {
    const finish = (code) => {
      clearTimeout(timer);
      running.delete(child);
      resolve({ code: code ?? 1, output, timedOut });
    };
    child.on('error', (error) => {
      output += String(error);
      finish(1);
    });
    child.on('close', finish);
  });
}

let passesSignals = false;

function passSignalsOn() {
  if (passesSignals) return;
  passesSignals = true;
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      for (const child of running) end(child);
      process.exitCode = 1;
      if (running.size === 0) process.exit(1);
      setTimeout(() => process.exit(1), GRACE_MS + 1_000).unref();
    });
  }
}

function end(child) {
  child.kill('SIGTERM');
  setTimeout(() => {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // The group has ended by itself.
    }
  }, GRACE_MS).unref();
}

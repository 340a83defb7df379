/**
 * What set-up scripts share. Runs a program to its end and shows on standard error that it still runs when it takes longer than two seconds: on a
 * terminal one line that counts, elsewhere a line now and then.
 */
import { spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const QUIET_MS = 2_000;
const TERMINAL_MS = 1_000;
const PLAIN_MS = 15_000;

/**
 * Resolves with exit status (127 when it can't be started), output and error output; never rejects. `detail` makes a few
 * words for the line from what was printed so far.
 * @param {{ detail?: (output: string) => string } & import('node:child_process').SpawnOptions} [options]
 */
export function runTelling(what, file, args, { detail, ...options } = {}) {
  const startedMs = Date.now();
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  const line = () => {
    const words = [`${Math.round((Date.now() - startedMs) / 1_000)} s`, detail?.(stdout + stderr) ?? ''];
    return `${what} (${words.filter((word) => word !== '').join(', ')})`;
  };
  const stopTelling = tellRegularly(line);
  return new Promise((resolve) => {
    const finish = (status) => {
      stopTelling();
      resolve({ status, stdout, stderr });
    };
    child.on('error', (error) => {
      stderr += error.message;
      finish(127);
    });
    child.on('close', (status) => finish(status ?? 1));
  });
}

function tellRegularly(line) {
  const { stderr } = process;
  const everyMs = stderr.isTTY ? TERMINAL_MS : PLAIN_MS;
  let told = false;
  const tell = () => {
    told = true;
    stderr.write(stderr.isTTY ? `\r\u001b[K${line().slice(0, (stderr.columns ?? 80) - 1)}` : `${line()}\n`);
  };
  let timer = setTimeout(() => {
    tell();
    timer = setInterval(tell, everyMs);
  }, QUIET_MS);
  return () => {
    clearTimeout(timer);
    clearInterval(timer);
    if (told && stderr.isTTY) stderr.write('\r\u001b[K');
  };
}

/** Whether the module at `url` is the program that node was started with, by whichever path. */
export function isProgram(url) {
  const started = process.argv[1];
  return started !== undefined && realpathSync(started) === realpathSync(fileURLToPath(url));
}

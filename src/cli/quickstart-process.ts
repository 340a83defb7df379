/**
 * Child processes of quickstart: short commands with their output, and long-running openvpn processes
 * whose log is followed until a certain line. All of them are ended by their own handle.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { OpenVpnError } from '../base/base.ts';

export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** 60 s by default. */
  readonly timeoutMs?: number;
  /** Ends the command early. */
  readonly signal?: AbortSignal;
}

/** Runs a command to its end; status 127 when it isn't there or was ended early. Never rejects. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const { timeoutMs: timeout = 60_000, signal } = options;
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout,
      ...(signal && { signal }),
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', (error) => resolve({ status: 127, stdout, stderr: error.message }));
    child.on('close', (status) => resolve({ status: status ?? 1, stdout, stderr }));
  });
}

/** As runCommand(), but throws OpenVpnError with the command's complaint when it fails. */
export async function mustRun(command: string, args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runCommand(command, args);
  if (status === 0) return stdout;
  throw new OpenVpnError(`${command} ${args.join(' ')}: ${stderr.trim() || `status ${status}`}`);
}

/** Waiting that the user is told about, and again at the end of each further such time. */
const TELL_MS = 2000;

/** Says that `what` still goes on while `work` takes longer than two seconds. */
export async function tellWhile<T>(what: string, work: Promise<T>): Promise<T> {
  const startMs = performance.now();
  let told = 1;
  const timer = setInterval(() => {
    const seconds = Math.round((performance.now() - startMs) / 1000);
    // After 2, 4, 8, ... seconds.
    if (seconds * 1000 < told * TELL_MS) return;
    told *= 2;
    process.stdout.write(`  still ${what} (${seconds} s)\n`);
  }, TELL_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}

/** How long an openvpn process may take to end by SIGTERM before it is killed. */
const STOP_MS = 5000;
/** How long output may still come after a process has ended. */
const DRAIN_MS = 500;
/** Lines kept for the message of a failure. */
const KEPT_LINES = 15;

/** One openvpn process; everything it prints goes to `logFile`. */
export class VpnProcess {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #log: WriteStream;
  readonly #logFile: string;
  readonly #ended: Promise<void>;
  #lines: string[] = [];
  #rest = '';
  #isOver = false;
  #onLine: (line: string) => void = () => undefined;

  constructor(name: string, command: string, args: readonly string[], logFile: string) {
    this.#name = name;
    this.#logFile = logFile;
    this.#log = createWriteStream(logFile, { mode: 0o600 });
    // A process group of its own: Ctrl-C in the terminal reaches quickstart alone, which stops it in order.
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    this.#child = child;
    child.stdout.setEncoding('utf8').on('data', (text: string) => this.#take(text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => this.#take(text));
    this.#ended = new Promise((resolve) => {
      const over = (): void => {
        this.#isOver = true;
        resolve();
      };
      child.on('error', (error) => {
        this.#take(`${error.message}\n`);
        over();
      });
      child.on('close', over);
      // Scripts that outlive their openvpn hold its streams open: then only its own end counts.
      child.on('exit', () => setTimeout(over, DRAIN_MS));
    });
  }

  /** Settles when the process has ended, however that came. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** Waits for a log line that contains `text`. Throws OpenVpnError with the last lines otherwise. */
  async waitForLine(text: string, timeoutMs: number): Promise<void> {
    if (this.#lines.some((line) => line.includes(text))) return;
    let timer: NodeJS.Timeout | undefined;
    const seen = new Promise<boolean>((resolve) => {
      this.#onLine = (line) => {
        if (line.includes(text)) resolve(true);
      };
      timer = setTimeout(() => resolve(false), timeoutMs);
      void this.#ended.then(() => resolve(false));
    });
    const ok = await seen;
    clearTimeout(timer);
    this.#onLine = () => undefined;
    if (ok) return;
    const why = this.#isOver ? 'ended' : `did not say "${text}" within ${timeoutMs / 1000} s`;
    throw new OpenVpnError(
      `${this.#name} ${why}; last lines of ${this.#logFile}:\n  ${this.#lines.join('\n  ')}`,
    );
  }

  /** SIGTERM, then SIGKILL if that isn't enough; resolves when the process is gone. */
  async stop(): Promise<void> {
    if (!this.#isOver) {
      this.#child.kill('SIGTERM');
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
      await this.#ended;
      clearTimeout(timer);
    }
    this.#log.end();
  }

  /** For the last moment of the process, when nothing can be awaited. */
  kill(): void {
    if (!this.#isOver) this.#child.kill('SIGKILL');
  }

  #take(text: string): void {
    this.#log.write(text);
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      this.#lines.push(line);
      this.#onLine(line);
    }
    this.#lines = this.#lines.slice(-KEPT_LINES);
  }
}

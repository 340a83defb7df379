/**
 * Answers that a script gives later through files: auth_control_file, auth_pending_file and
 * auth_failed_reason_file (2.x ssl_verify.c) and client_connect_deferred_file (multi.c). A file is
 * looked at again and again until it holds an answer, the deadline passes or the caller gives up;
 * one timer per waiting client, nothing blocks.
 */
import { open } from 'node:fs/promises';
import type { Logger } from '../base/base.ts';
import { M_WARN } from '../base/errlevel.ts';
import type { EnvSet } from './env-set.ts';
import type { AuthScriptAnswer, PendingAuth } from './script.ts';
import { createTempFile, readTextFile, removeFile } from './temp-files.ts';

/** Longest reason text passed on to a client; AUTH_FAILED has to fit one control message. */
const MAX_REASON_CHARACTERS = 1024;

/** First character of a file; '' when empty, undefined when there is no file. */
export async function readFirstCharacter(path: string): Promise<string | undefined> {
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, 0);
      return buffer.toString('latin1', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}

/**
 * Waits until the file's first character is one of `answers`, and gives that; undefined after
 * `deadlineMs` or when `signal` aborts.
 */
export async function watchAnswer(
  path: string,
  answers: readonly string[],
  options: { pollMs: number; deadlineMs: number; signal?: AbortSignal | undefined },
): Promise<string | undefined> {
  const { pollMs, deadlineMs, signal } = options;
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    const first = await readFirstCharacter(path);
    if (first !== undefined && answers.includes(first)) return first;
    const leftMs = endMs - performance.now();
    if (leftMs <= 0 || signal?.aborted) return undefined;
    await pause(Math.min(pollMs, leftMs), signal);
  }
}

/** The three files of one login; made empty before the script runs. */
export class AuthControlFiles {
  readonly control: string;
  readonly #pending: string;
  readonly #reason: string;
  readonly #log: Logger;

  private constructor(paths: { control: string; pending: string; reason: string }, log: Logger) {
    this.control = paths.control;
    this.#pending = paths.pending;
    this.#reason = paths.reason;
    this.#log = log;
  }

  /** Undefined when one of them can't be made; the others are removed then. */
  static async create(directory: string, log: Logger): Promise<AuthControlFiles | undefined> {
    const control = await createTempFile(directory, 'acf', '', log);
    const pending = await createTempFile(directory, 'apf', '', log);
    const reason = await createTempFile(directory, 'afr', '', log);
    if (control !== undefined && pending !== undefined && reason !== undefined) {
      return new AuthControlFiles({ control, pending, reason }, log);
    }
    for (const path of [control, pending, reason]) if (path !== undefined) await removeFile(path);
    return undefined;
  }

  exportTo(env: EnvSet): void {
    env.set('auth_control_file', this.control);
    env.set('auth_pending_file', this.#pending);
    env.set('auth_failed_reason_file', this.#reason);
  }

  /** What the script demands before it answers; undefined = nothing, 'bad' = not three usable lines. */
  async readPending(): Promise<PendingAuth | 'bad' | undefined> {
    const text = await readTextFile(this.#pending);
    await removeFile(this.#pending);
    if (text === undefined || text === '') return undefined;
    const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
    if (lines.at(-1) === '') lines.pop();
    const [timeout, method, extra] = lines;
    if (timeout === undefined || method === undefined || extra === undefined) {
      this.#log.log(M_WARN, 'auth pending control file is not at least three lines long.');
      return 'bad';
    }
    const timeoutSec = Number.parseInt(timeout, 10);
    if (!(timeoutSec > 0)) {
      this.#log.log(M_WARN, 'could not parse auth pending file timeout');
      return 'bad';
    }
    return { timeoutSec, method, extra };
  }

  /** The failure, with the client reason that the script may have written. */
  async failure(): Promise<AuthScriptAnswer> {
    const text = await readTextFile(this.#reason);
    if (text === undefined || text === '') return { ok: false };
    return { ok: false, reason: text.slice(0, MAX_REASON_CHARACTERS).replace(/[\r\n]+$/, '') };
  }

  async remove(): Promise<void> {
    await Promise.all([this.control, this.#pending, this.#reason].map((path) => removeFile(path)));
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}

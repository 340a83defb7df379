/**
 * ScriptRunner over child processes (2.x run_command.c): like execve(): no shell, no search along
 * PATH, an environment of exactly the given variables, standard streams inherited or, with a log file,
 * sent to it, and descriptors that the program itself was started with. Never blocks; a script that doesn't end keeps only its own hook waiting, and under a limit it
 * is ended: by SIGTERM, and by SIGKILL when that doesn't do. Only so many run at a time, so that logins
 * whose scripts hang can't fill the machine with processes; the others wait for their turn.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { splitCommand } from '../options/options.ts';
import { startable } from './raw-bytes-node.ts';
import type { ScriptLimits, ScriptResult, ScriptRunner } from './script.ts';

export interface ScriptRunnerOptions {
  /** File descriptor for the scripts' output (--log); undefined = ours. Asked anew at every call. */
  readonly outputFd?: () => number | undefined;
  /** Standard streams go nowhere (--daemon without a log file). */
  readonly detached?: () => boolean;
  /** Descriptors above 2 that scripts get under the same number; all others stay ours. None by default. */
  readonly inheritedFds?: readonly number[];
  /** Scripts that run at a time; 64 by default. */
  readonly maxRunning?: number;
}

const MAX_RUNNING = 64;

/** execve() failed, as the status that 2.x's child would have exited with. */
const EXECVE_FAILURE = 127;
/** The system could not make a process at all. */
const FORK_ERRORS = new Set(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE']);
/** From SIGTERM to SIGKILL. */
const KILL_AFTER_MS = 1_000;

export function createScriptRunner(options: ScriptRunnerOptions = {}): ScriptRunner {
  const children = new Children();
  const turns = new Turns(options.maxRunning ?? MAX_RUNNING);
  const run: ScriptRunner['run'] = (command, args, env) => {
    const [program = command, ...own] = splitCommand(command);
    const child = runProgram(program, [...own, ...args], env, streams(options), children);
    return child.finally(() => turns.give());
  };
  return {
    name: 'node:child_process',
    run: (command, args, env, signal) => {
      if (turns.take()) return run(command, args, env);
      return turns.wait(signal).then((mine) => (mine ? run(command, args, env) : NOT_STARTED));
    },
    limit: (limits) => {
      if (limits) turns.giveUp();
      children.limit(limits);
    },
  };
}

/** As when the system has no more processes to give. */
const NOT_STARTED: ScriptResult = { status: undefined, failure: 'fork' };

/** Who may run, in the order of asking. */
class Turns {
  #free: number;
  /** Told whether their turn has come; false: it never will. */
  readonly #waiting = new Set<(mine: boolean) => void>();

  constructor(free: number) {
    this.#free = free;
  }

  /** Takes a turn if there is one. */
  take(): boolean {
    if (this.#free === 0) return false;
    this.#free--;
    return true;
  }

  /** Resolves when a turn was taken; false when it isn't to be. */
  wait(signal: AbortSignal | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (mine: boolean): void => {
        this.#waiting.delete(end);
        signal?.removeEventListener('abort', abort);
        resolve(mine);
      };
      const abort = (): void => end(false);
      if (signal?.aborted) {
        resolve(false);
        return;
      }
      this.#waiting.add(end);
      signal?.addEventListener('abort', abort);
    });
  }

  give(): void {
    const [next] = this.#waiting;
    if (next) next(true);
    else this.#free++;
  }

  giveUp(): void {
    for (const end of [...this.#waiting]) end(false);
  }
}

/** The scripts that run, each with the timer that ends it, if any. */
class Children {
  readonly #timers = new Map<ChildProcess, NodeJS.Timeout | undefined>();
  #limits: ScriptLimits | undefined;

  add(child: ChildProcess): void {
    this.#timers.set(child, undefined);
    if (this.#limits) this.#endAfter(child, this.#limits.newMs);
  }

  remove(child: ChildProcess): void {
    clearTimeout(this.#timers.get(child));
    this.#timers.delete(child);
  }

  limit(limits: ScriptLimits | undefined): void {
    this.#limits = limits;
    for (const [child, timer] of this.#timers) {
      clearTimeout(timer);
      if (limits) this.#endAfter(child, limits.runningMs);
    }
  }

  #endAfter(child: ChildProcess, ms: number): void {
    const end = (): void => {
      child.kill('SIGTERM');
      this.#timers.set(
        child,
        setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS),
      );
    };
    this.#timers.set(child, setTimeout(end, ms));
  }
}

type Stdio = 'inherit' | 'ignore' | number;

function streams(options: ScriptRunnerOptions): Stdio[] {
  return [...standardStreams(options), ...handedOn(options.inheritedFds ?? [])];
}

function standardStreams(options: ScriptRunnerOptions): [Stdio, Stdio, Stdio] {
  const fd = options.outputFd?.();
  if (fd !== undefined) return [options.detached?.() ? 'ignore' : 'inherit', fd, fd];
  const stream = options.detached?.() ? 'ignore' : 'inherit';
  return [stream, stream, stream];
}

/** The places from descriptor 3 on; above 2, `ignore` leaves a place closed. */
function handedOn(fds: readonly number[]): Stdio[] {
  const places = Math.max(2, ...fds) - 2;
  return Array.from({ length: places }, (_, index) => (fds.includes(index + 3) ? index + 3 : 'ignore'));
}

function runProgram(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  stdio: Stdio[],
  children: Children,
): Promise<ScriptResult> {
  return new Promise((resolve) => {
    // A name without a slash would be looked up along PATH; execve() takes it from the current directory.
    const path = program.includes('/') ? program : `./${program}`;
    try {
      const start = startable({ path, args, env });
      // A shell on the way has its own name.
      const argv0 = start.path === path ? { argv0: program } : {};
      const child = spawn(start.path, start.args, { ...argv0, env: { ...start.env }, stdio, shell: false });
      children.add(child);
      child.on('error', (error: NodeJS.ErrnoException) => {
        // Also what kill() may say of a child that runs on; its end is still to come then.
        if (child.pid !== undefined) return;
        children.remove(child);
        resolve(startFailure(error));
      });
      child.on('exit', (status) => {
        children.remove(child);
        resolve({ status: status ?? undefined });
      });
    } catch (error) {
      resolve(startFailure(error as NodeJS.ErrnoException));
    }
  });
}

function startFailure(error: NodeJS.ErrnoException): ScriptResult {
  if (FORK_ERRORS.has(error.code ?? '')) return { status: undefined, failure: 'fork' };
  return { status: EXECVE_FAILURE };
}

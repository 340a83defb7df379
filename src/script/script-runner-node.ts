/**
 * ScriptRunner over child processes (2.x run_command.c): like execve(): no shell, no search along
 * PATH, an environment of exactly the given variables, standard streams inherited or, with a log file,
 * sent to it. Never blocks; a script that doesn't end keeps only its own hook waiting.
 */
import { spawn } from 'node:child_process';
import { splitCommand } from '../options/options.ts';
import type { ScriptResult, ScriptRunner } from './script.ts';

export interface ScriptRunnerOptions {
  /** File descriptor for the scripts' output (--log); undefined = ours. Asked anew at every call. */
  readonly outputFd?: () => number | undefined;
  /** Standard streams go nowhere (--daemon without a log file). */
  readonly detached?: () => boolean;
}

/** execve() failed, as the status that 2.x's child would have exited with. */
const EXECVE_FAILURE = 127;
/** The system could not make a process at all. */
const FORK_ERRORS = new Set(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE']);

export function createScriptRunner(options: ScriptRunnerOptions = {}): ScriptRunner {
  return {
    name: 'node:child_process',
    run: (command, args, env) => {
      const [program = command, ...own] = splitCommand(command);
      return runProgram(program, [...own, ...args], env, streams(options));
    },
  };
}

type Stdio = 'inherit' | 'ignore' | number;

function streams(options: ScriptRunnerOptions): [Stdio, Stdio, Stdio] {
  const fd = options.outputFd?.();
  if (fd !== undefined) return [options.detached?.() ? 'ignore' : 'inherit', fd, fd];
  const stream = options.detached?.() ? 'ignore' : 'inherit';
  return [stream, stream, stream];
}

function runProgram(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  stdio: [Stdio, Stdio, Stdio],
): Promise<ScriptResult> {
  return new Promise((resolve) => {
    // A name without a slash would be looked up along PATH; execve() takes it from the current directory.
    const path = program.includes('/') ? program : `./${program}`;
    try {
      const child = spawn(path, args, { argv0: program, env: { ...env }, stdio, shell: false });
      child.on('error', (error: NodeJS.ErrnoException) => resolve(startFailure(error)));
      child.on('exit', (status) => resolve({ status: status ?? undefined }));
    } catch (error) {
      resolve(startFailure(error as NodeJS.ErrnoException));
    }
  });
}

function startFailure(error: NodeJS.ErrnoException): ScriptResult {
  if (FORK_ERRORS.has(error.code ?? '')) return { status: undefined, failure: 'fork' };
  return { status: EXECVE_FAILURE };
}

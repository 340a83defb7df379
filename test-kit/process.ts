/**
 * Programs under test: started in a network namespace, their output collected line by line, waited for by
 * pattern, stopped by their own pid and killed after a grace time.
 *
 * Invariants: no program outlives this process (see onProcessEnd); every wait has a time limit and its
 * error holds the last lines of the program's log.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** How a program ended. */
export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ProgramOptions {
  /** Name in error texts. */
  readonly name: string;
  readonly argv: readonly string[];
  /** Namespace to start in; undefined for the present one. */
  readonly ns?: string | undefined;
  readonly cwd?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** What becomes of each line before it is kept; the line itself when left out. */
  readonly toLine?: ((line: string) => string) | undefined;
}

let patience = 1;
const running = new Set<ChildProcess>();
const endActions = new Set<() => void>();
let installed = false;

/** Multiplies the time limits of all waits by `factor`, for machines that are busy with other work. */
export function setPatience(factor: number): void {
  patience = factor;
}

/** A time limit of this length at the patience that is set. */
export function patient(limitMs: number): number {
  return limitMs * patience;
}

/** Runs `action` once when this process ends: normally, by an uncaught error, SIGINT, SIGTERM or SIGHUP. */
export function onProcessEnd(action: () => void): void {
  endActions.add(action);
  if (installed) return;
  installed = true;
  process.on('exit', runEndActions);
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
    ['SIGHUP', 1],
  ] as const) {
    process.on(signal, () => process.exit(128 + number));
  }
}

/**
 * A started program. It doesn't get NODE_EXTRA_CA_CERTS, whose certificates each start of Node reads (60 ms of CPU for a
 * system's list) and no program here has a use for.
 */
export class Program {
  readonly name: string;
  /** Every line of stdout and stderr so far, in the order of arrival. */
  readonly lines: string[] = [];
  readonly exited: Promise<ExitStatus>;
  #child: ChildProcess;
  #ended: ExitStatus | undefined;
  #watchers = new Set<() => void>();
  #mark = 0;
  /** What stands behind the last line end of standard output. */
  #unfinished = '';

  constructor(options: ProgramOptions) {
    onProcessEnd(killAll);
    this.name = options.name;
    const inNs = options.ns === undefined ? [] : ['ip', 'netns', 'exec', options.ns];
    const [file, ...args] = [...inNs, ...options.argv];
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: undefined, ...options.env };
    this.#child = spawn(file!, args, { cwd: options.cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
    running.add(this.#child);
    this.#child.stdin?.on('error', () => undefined);
    const { toLine } = options;
    const add = toLine === undefined ? this.#add : (line: string) => this.#add(toLine(line));
    const setUnfinished = (text: string): void => {
      this.#unfinished = text;
      for (const watcher of this.#watchers) watcher();
    };
    const { stdout, stderr } = this.#child;
    const pending = [collectLines(stdout, add, setUnfinished), collectLines(stderr, add)];
    this.exited = this.#ending(pending);
  }

  /** Process id; -1 when the program could not be started. */
  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get ended(): ExitStatus | undefined {
    return this.#ended;
  }

  /** Later waits look only at lines after this point. */
  mark(): void {
    this.#mark = this.lines.length;
  }

  /** Lines since the last mark. */
  get recent(): readonly string[] {
    return this.lines.slice(this.#mark);
  }

  has(pattern: RegExp): boolean {
    return this.recent.some((line) => pattern.test(line));
  }

  /** How many lines match, of all so far. */
  count(pattern: RegExp): number {
    return this.lines.filter((line) => pattern.test(line)).length;
  }

  /**
   * Resolves with the first line since the mark that matches; what other programs said before it can be looked at
   * then. Rejects at the time limit or when the program ends.
   */
  async waitFor(pattern: RegExp, timeoutMs = 15_000): Promise<string> {
    let found: string | undefined;
    const look = () => {
      found = this.recent.find((line) => pattern.test(line));
      return found !== undefined || this.#ended !== undefined;
    };
    await this.#until(look, timeoutMs);
    await readOthers();
    if (found !== undefined) return found;
    const why = this.#ended
      ? `ended (${describeExit(this.#ended)})`
      : `${patient(timeoutMs) / 1000} s passed`;
    throw new Error(`${this.name}: ${why} before ${pattern}\n${this.tail()}`);
  }

  /** Resolves when the program asks this, with nothing behind it. Rejects at the time limit. */
  async waitForPrompt(prompt: string, timeoutMs = 15_000): Promise<void> {
    const asks = () => this.#unfinished.endsWith(prompt);
    await this.#until(() => asks() || this.#ended !== undefined, timeoutMs);
    if (!asks()) throw new Error(`${this.name}: did not ask '${prompt}'\n${this.tail()}`);
  }

  /** Resolves with the exit status. Rejects at the time limit. */
  async waitForExit(timeoutMs = 10_000): Promise<ExitStatus> {
    await this.#until(() => this.#ended !== undefined, timeoutMs);
    await readOthers();
    if (this.#ended) return this.#ended;
    throw new Error(`${this.name}: still runs after ${timeoutMs / 1000} s\n${this.tail()}`);
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.#ended) this.#child.kill(signal);
  }

  /** Asks the program to end, kills it after `graceMs`. A kill that was needed shows as signal SIGKILL. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', graceMs = 5_000): Promise<ExitStatus> {
    this.signal(signal);
    const timer = setTimeout(() => this.signal('SIGKILL'), patient(graceMs));
    const status = await this.exited;
    clearTimeout(timer);
    return status;
  }

  /** The last lines, for error texts. */
  tail(count = 25): string {
    return this.lines
      .slice(-count)
      .map((line) => `    ${this.name}| ${line}`)
      .join('\n');
  }

  #add = (line: string): void => {
    this.lines.push(line);
    for (const watcher of this.#watchers) watcher();
  };

  async #ending(pending: readonly Promise<void>[]): Promise<ExitStatus> {
    const status = await new Promise<ExitStatus>((resolve) => {
      this.#child.on('exit', (code, signal) => resolve({ code, signal }));
      this.#child.on('error', (error) => {
        this.#add(`can't start: ${error.message}`);
        resolve({ code: 127, signal: null });
      });
    });
    running.delete(this.#child);
    // A grandchild that keeps the pipe open must not hold up the test.
    await Promise.race([Promise.all(pending), sleep(300)]);
    this.#ended = status;
    for (const watcher of this.#watchers) watcher();
    return status;
  }

  #until(done: () => boolean, limitMs: number): Promise<void> {
    const timeoutMs = patient(limitMs);
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve();
      };
      const look = () => {
        if (done()) finish();
      };
      const timer = setTimeout(finish, timeoutMs);
      this.#watchers.add(look);
      look();
    });
  }
}

/** Starts a program and waits for its end. Rejects when it takes longer than `timeoutMs` (it is killed then). */
export async function runProgram(options: ProgramOptions, timeoutMs = 30_000): Promise<Program> {
  const program = new Program(options);
  try {
    await program.waitForExit(timeoutMs);
  } finally {
    program.signal('SIGKILL');
  }
  return program;
}

/** Resident memory of a process in KiB. */
export function residentKib(pid: number): number {
  return statusKib(pid, 'VmRSS');
}

/** Resident memory of a process that is its own, in KiB: heaps and stacks, without the pages of its program files. */
export function privateKib(pid: number): number {
  return statusKib(pid, 'RssAnon');
}

function statusKib(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
}

/** CPU seconds (user and system, all threads) that a process has used. Clock ticks are 1/100 s on Linux. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Microseconds of CPU time that the threads of a process have used: finer than cpuSeconds(), without threads that ended. */
export function cpuMicroseconds(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
  }
  return nanoseconds / 1_000;
}

/** Says whether a process with this id exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Exit status in words, for error texts. */
export function describeExit(status: ExitStatus): string {
  return status.signal ? `signal ${status.signal}` : `exit code ${status.code}`;
}

/**
 * Reads what waits in the pipes of other programs: they are read in no order, and what came first may be read last.
 * The second turn is for pipes that became readable while the first one was under way.
 */
async function readOthers(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

async function collectLines(
  stream: NodeJS.ReadableStream | null,
  add: (line: string) => void,
  setUnfinished?: (text: string) => void,
): Promise<void> {
  if (!stream) return;
  let rest = '';
  stream.setEncoding('utf8');
  for await (const chunk of stream) {
    const parts = (rest + chunk).split(/\r?\n/);
    rest = parts.pop() ?? '';
    for (const line of parts) add(line);
    setUnfinished?.(rest);
  }
  if (rest !== '') add(rest);
}

function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

function runEndActions(): void {
  for (const action of endActions) action();
  endActions.clear();
}

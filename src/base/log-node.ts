/**
 * The real logger (2.x error.c, x_msg_va(), dont_mute()): standard output or a log file, written with one
 * synchronous call a line so that nothing is lost at exit. Line forms:
 *
 *   2026-11-22 18:55:02 text                      default, local time
 *   2026-11-22 18:55:02 us=25365 text             verb >= 4
 *   1795374975.228654 2b000003 text               --machine-readable-output: time, flags in hex
 *   text                                          --suppress-timestamps, or M_NOPREFIX
 *
 * A message has 2.x's most bytes (ERR_BUF_SIZE), whoever it quotes; the prefix in front of it isn't counted.
 * A fatal message is followed by "Exiting due to fatal error"; ending the process is the caller's part.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { bytesOfText, cutText } from './byte-text.ts';
import type { Clock } from './clock.ts';
import { createClock } from './clock-node.ts';
import {
  levelOf,
  M_ERRNO,
  M_FATAL,
  M_INFO,
  M_NOMUTE,
  M_NOPREFIX,
  M_STRANGER,
  M_USAGE,
  M_WARN,
  muteCategoryOf,
} from './errlevel.ts';
import { errnoLine } from './errno-text.ts';
import type { Logger } from './log.ts';
import { timeText } from './time-text.ts';

/** Verbosity from which lines show microseconds (2.x DEBUG_LEVEL_USEC_TIME). */
const USEC_VERB = 4;
/** Lines a second that strangers may cause. Ours: 2.x writes one for each of their packets. */
const STRANGER_LINES = 100;
/** ERR_BUF_SIZE of builds with management or PKCS#11, as distributions make them, without its NUL. */
const MESSAGE_MAX_BYTES = 10_239;
const STDOUT = 1;
const STDERR = 2;

export interface LogOptions {
  /** 0..15, 1 by default. */
  readonly verb?: number;
  /** --mute: most lines in a row of one category; 0 = no limit. */
  readonly mute?: number;
  readonly suppressTimestamps?: boolean;
  readonly machineReadable?: boolean;
  /** --log or --log-append; made with mode 0600. */
  readonly logFile?: string | undefined;
  /** Keep what the file has (--log-append). */
  readonly append?: boolean;
  /** Fatal and usage messages to standard error; ignored with a log file. */
  readonly errorsToStderr?: boolean;
  readonly clock?: Clock;
  /** Takes the lines in place of file and standard streams, without line end; for tests and syslog. */
  readonly sink?: (line: string, level: number) => void;
}

/** Settings that --config, SIGHUP and the management interface change while running. */
export type LogSettings = Partial<
  Pick<LogOptions, 'verb' | 'mute' | 'suppressTimestamps' | 'machineReadable' | 'errorsToStderr'>
>;

/** A copy of each line that was written, without timestamp; for the management interface. */
export type LogTap = (level: number, text: string, wallMs: number) => void;

export interface RealLogger extends Logger {
  readonly verb: number;
  readonly mute: number;
  /** Descriptor of the log file, to be given to scripts as their output; undefined = none. */
  readonly fd: number | undefined;
  configure(settings: LogSettings): void;
  /** Opens the log file when none is open yet: the first --log wins. One that can't be opened is said, and that is all. */
  openFile(path: string, append: boolean): void;
  /** Sends nothing to standard streams any more (--daemon); a log file stays. */
  detach(): void;
  /** Output in 2.x's raw form (verb 5 `R`/`W` characters): log file or standard error, no line end, timestamp, muting. */
  raw(text: string): void;
  tap(listener: LogTap | undefined): void;
  close(): void;
}

/** The log of a process, maybe into a file from the start. */
export function createLog(options: LogOptions = {}): RealLogger {
  const log = new NodeLog(options);
  if (options.logFile !== undefined) log.openFile(options.logFile, options.append ?? false);
  return log;
}

class NodeLog implements RealLogger {
  readonly #clock: Clock;
  readonly #sink: LogOptions['sink'];
  #settings: Required<LogSettings>;
  #fd: number | undefined;
  #detached = false;
  #tap: LogTap | undefined;
  #muteCategory = 0;
  #muteCount = 0;
  /** Lines that strangers caused in the second that began at #strangerMs. */
  #strangerLines = 0;
  #strangerMs = Number.NEGATIVE_INFINITY;

  constructor(options: LogOptions) {
    this.#clock = options.clock ?? createClock();
    this.#sink = options.sink;
    this.#settings = {
      verb: options.verb ?? 1,
      mute: options.mute ?? 0,
      suppressTimestamps: options.suppressTimestamps ?? false,
      machineReadable: options.machineReadable ?? false,
      errorsToStderr: options.errorsToStderr ?? false,
    };
  }

  get verb(): number {
    return this.#settings.verb;
  }

  get mute(): number {
    return this.#settings.mute;
  }

  get fd(): number | undefined {
    return this.#fd;
  }

  enabled(level: number): boolean {
    return levelOf(level) <= this.#settings.verb && ((level & M_STRANGER) === 0 || this.#takesStrangers());
  }

  log(flags: number, text: string): void {
    this.logPrefixed(flags, '', text);
  }

  logPrefixed(flags: number, prefix: string, text: string): void {
    if (!this.enabled(flags)) return;
    const level = flags & ~M_STRANGER;
    if (!this.#passesMute(level)) return;
    const message = cutText(text, MESSAGE_MAX_BYTES);
    this.#write(level, prefix === '' ? message : `${prefix} ${message}`);
    if (level !== flags) this.#countStranger();
    if (level & M_FATAL) this.#write(M_INFO, 'Exiting due to fatal error');
  }

  child(prefix: () => string): Logger {
    return new PrefixLogger(this, prefix);
  }

  configure(settings: LogSettings): void {
    const verb = Math.min(15, Math.max(0, settings.verb ?? this.#settings.verb));
    this.#settings = { ...this.#settings, ...settings, verb };
  }

  openFile(path: string, append: boolean): void {
    if (this.#fd !== undefined) return;
    try {
      this.#fd = openSync(path, append ? 'a' : 'w', 0o600);
    } catch (cause) {
      const what = `Warning: Error redirecting stdout/stderr to --log file: ${path}`;
      this.log(M_WARN | M_ERRNO, errnoLine(what, cause));
    }
  }

  detach(): void {
    this.#detached = true;
  }

  raw(text: string): void {
    if (this.#sink === undefined) this.#put(STDERR, text);
  }

  tap(listener: LogTap | undefined): void {
    this.#tap = listener;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** Whether this second's lines of strangers are not used up. */
  #takesStrangers(): boolean {
    if (this.#strangerLines < STRANGER_LINES) return true;
    if (this.#clock.nowMs() < this.#strangerMs + 1_000) return false;
    this.#strangerLines = 0;
    return true;
  }

  /** The last line of a second that has too many is followed by one that says so. */
  #countStranger(): void {
    const nowMs = this.#clock.nowMs();
    if (this.#strangerLines === 0 || nowMs >= this.#strangerMs + 1_000) {
      this.#strangerMs = nowMs;
      this.#strangerLines = 0;
    }
    if (++this.#strangerLines < STRANGER_LINES) return;
    this.#notice(`NOTE: ${STRANGER_LINES} lines about bad packets within a second, leaving out further ones`);
  }

  /**
   * 2.x dont_mute(): counts lines in a row of one category, whatever their text. 2.6 itself counts each line three
   * times over, so that --mute 10 shows four and --mute 1 none; here --mute N shows N, as its manual says.
   */
  #passesMute(level: number): boolean {
    const { mute } = this.#settings;
    if (mute <= 0 || level & M_NOMUTE) return true;
    const category = muteCategoryOf(level);
    if (category !== 0 && category === this.#muteCategory) {
      if (this.#muteCount === mute) this.#notice('NOTE: --mute triggered...');
      return ++this.#muteCount <= mute;
    }
    const suppressed = this.#muteCount - mute;
    if (suppressed > 0) {
      this.#notice(`${suppressed} variation(s) on previous ${mute} message(s) suppressed by --mute`);
    }
    this.#muteCount = 1;
    this.#muteCategory = category;
    return true;
  }

  #notice(text: string): void {
    if (this.enabled(M_INFO)) this.#write(M_INFO | M_NOMUTE, text);
  }

  #write(level: number, text: string): void {
    const wallMs = this.#clock.wallMs();
    this.#tap?.(level, text, wallMs);
    const line = this.#line(level, text, wallMs);
    if (this.#sink !== undefined) {
      this.#sink(line, level);
      return;
    }
    const toStderr = this.#settings.errorsToStderr && (level & (M_FATAL | M_USAGE)) !== 0;
    this.#put(toStderr ? STDERR : STDOUT, `${line}\n`);
  }

  #line(level: number, text: string, wallMs: number): string {
    const { verb, machineReadable, suppressTimestamps } = this.#settings;
    const microseconds = Math.floor(wallMs * 1000) % 1_000_000;
    if (machineReadable) {
      const seconds = Math.floor(wallMs / 1000);
      return `${seconds}.${String(microseconds).padStart(6, '0')} ${(level >>> 0).toString(16)} ${text}`;
    }
    if (suppressTimestamps || level & M_NOPREFIX) return text;
    const fraction = verb >= USEC_VERB && microseconds > 0 ? ` us=${microseconds}` : '';
    return `${timeText(wallMs)}${fraction} ${text}`;
  }

  #put(stream: number, text: string): void {
    if (this.#fd === undefined && this.#detached) return;
    writeAll(this.#fd ?? stream, bytesOfText(text));
  }
}

class PrefixLogger implements Logger {
  readonly #parent: NodeLog;
  readonly #prefix: () => string;

  constructor(parent: NodeLog, prefix: () => string) {
    this.#parent = parent;
    this.#prefix = prefix;
  }

  enabled(level: number): boolean {
    return this.#parent.enabled(level);
  }

  log(level: number, text: string): void {
    if (!this.#parent.enabled(level)) return;
    this.#parent.logPrefixed(level, this.#prefix(), text);
  }

  /** The inner prefix stands in place of the outer one: 2.x knows one prefix a line. */
  child(prefix: () => string): Logger {
    return new PrefixLogger(this.#parent, prefix);
  }
}

/** How often a full pipe is tried again before the line is given up. */
const BUSY_TRIES = 200;
const BUSY_WAIT_MS = 5;

/** Writes everything; a reader that went away loses lines, never the process. */
function writeAll(fd: number, bytes: Uint8Array): void {
  let at = 0;
  for (let tries = 0; at < bytes.length && tries < BUSY_TRIES; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      // Standard streams that Node has made non-blocking say EAGAIN while a pipe is full.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      tries++;
      Atomics.wait(PAUSE, 0, 0, BUSY_WAIT_MS);
    }
  }
}

const PAUSE = new Int32Array(new SharedArrayBuffer(4));

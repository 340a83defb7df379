/**
 * The logger interface. Levels are 2.x's: a message is written when its level is <= `--verb`; flag
 * bits above the low nibble say what kind of message it is (errlevel.ts).
 */
import { levelOf } from './errlevel.ts';

export interface Logger {
  /** Whether a message of this level would be written; ask before building a costly string. */
  enabled(level: number): boolean;
  /** Writes one message. `level` is a constant of errlevel.ts, maybe with M_* flags. */
  log(level: number, text: string): void;
  /** A logger whose lines start with `prefix()` and a space, e.g. `client1/192.0.2.7:1194`. */
  child(prefix: () => string): Logger;
}

/** Writes nothing: the library's default. */
export const nullLogger: Logger = {
  enabled: () => false,
  log: () => undefined,
  child: () => nullLogger,
};

/** Keeps lines in memory, for tests. */
export class MemoryLogger implements Logger {
  readonly lines: string[];
  readonly #verb: number;
  readonly #prefix: (() => string) | undefined;

  constructor(verb = 15, lines: string[] = [], prefix?: () => string) {
    this.#verb = verb;
    this.lines = lines;
    this.#prefix = prefix;
  }

  enabled(level: number): boolean {
    return levelOf(level) <= this.#verb;
  }

  log(level: number, text: string): void {
    if (!this.enabled(level)) return;
    this.lines.push(this.#prefix ? `${this.#prefix()} ${text}` : text);
  }

  child(prefix: () => string): Logger {
    return new MemoryLogger(this.#verb, this.lines, prefix);
  }
}

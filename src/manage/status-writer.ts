/**
 * The status file (2.x status.c): made with mode 0600 and truncated at start, kept open, so that it can
 * be written after chroot and privilege drop, and rewritten in place. One write() carries the whole text
 * and the rest of a longer older text is cut off behind it, so that a reader finds a text up to END at
 * any time. It stays as it is at exit.
 */
import { closeSync, openSync } from 'node:fs';
import { errnoLine, type Logger } from '../base/base.ts';
import { M_ERRNO, M_WARN } from '../base/errlevel.ts';
import { rewriteFile } from './rewrite-file.ts';

export interface StatusWriter {
  /** Replaces the file's text by these lines; false when it could not be written. */
  write(lines: readonly string[]): boolean;
  close(): void;
}

/** Never throws: a file that can't be opened is logged and written to by nobody. */
export function openStatusFile(path: string, log: Logger): StatusWriter {
  try {
    return new StatusFile(openSync(path, 'w', 0o600), log);
  } catch {
    log.log(M_WARN, `Note: cannot open ${path} for WRITE`);
    return { write: () => false, close: () => undefined };
  }
}

class StatusFile implements StatusWriter {
  #fd: number | undefined;
  readonly #log: Logger;

  constructor(fd: number, log: Logger) {
    this.#fd = fd;
    this.#log = log;
  }

  write(lines: readonly string[]): boolean {
    if (this.#fd === undefined) return false;
    try {
      rewriteFile(this.#fd, lines.map((line) => `${line}\n`).join(''));
      return true;
    } catch (error) {
      this.#log.log(M_WARN | M_ERRNO, errnoLine('Failed to write status file', error));
      return false;
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

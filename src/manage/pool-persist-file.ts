/**
 * The file of --ifconfig-pool-persist as a descriptor (2.x pool.c ifconfig_pool_persist_init(), status.c
 * status_open()): opened once, so that it can be written after chroot and privilege drop, and rewritten in
 * place. What it says is in pool-persist.ts.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { errnoLine, type Logger, textOfBytes } from '../base/base.ts';
import { M_ERRNO, M_WARN } from '../base/errlevel.ts';
import {
  formatPoolPersist,
  type PoolPersistEntry,
  type PoolPersistLine,
  parsePoolPersist,
} from './pool-persist.ts';
import { rewriteFile } from './rewrite-file.ts';

/** Longer files are no pools: 2^16 addresses, the most that there are, have less. */
const MAX_BYTES = 64 * 1024 * 1024;

export interface PoolPersistFile {
  /** What it says now, line by line. */
  read(): readonly PoolPersistLine[];
  /** Replaces all of it, unless it was opened for reading alone or says the same. */
  write(entries: readonly PoolPersistEntry[]): void;
  close(): void;
}

/** Never throws: a file that can't be opened is logged, and empty. */
export function openPoolPersist(path: string, writable: boolean, log: Logger): PoolPersistFile {
  const flags = writable ? constants.O_RDWR | constants.O_CREAT : constants.O_RDONLY;
  try {
    return new OpenFile(openSync(path, flags, 0o600), path, writable, log);
  } catch {
    log.log(M_WARN, `Note: cannot open ${path} for ${writable ? 'READ/WRITE' : 'READ'}`);
    return { read: () => [], write: () => undefined, close: () => undefined };
  }
}

class OpenFile implements PoolPersistFile {
  readonly #path: string;
  readonly #writable: boolean;
  readonly #log: Logger;
  #fd: number | undefined;
  /** What was read or written last. */
  #text = '';

  constructor(fd: number, path: string, writable: boolean, log: Logger) {
    this.#fd = fd;
    this.#path = path;
    this.#writable = writable;
    this.#log = log;
  }

  read(): readonly PoolPersistLine[] {
    if (this.#fd === undefined) return [];
    try {
      this.#text = readAll(this.#fd);
    } catch (error) {
      this.#log.log(M_WARN | M_ERRNO, errnoLine(`Note: cannot read ${this.#path}`, error));
      return [];
    }
    return parsePoolPersist(this.#text);
  }

  write(entries: readonly PoolPersistEntry[]): void {
    const text = formatPoolPersist(entries);
    if (this.#fd === undefined || !this.#writable || text === this.#text) return;
    try {
      rewriteFile(this.#fd, text);
      this.#text = text;
    } catch (error) {
      this.#log.log(M_WARN | M_ERRNO, errnoLine(`Note: cannot write ${this.#path}`, error));
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function readAll(fd: number): string {
  const bytes = Buffer.alloc(Math.min(fstatSync(fd).size, MAX_BYTES));
  let length = 0;
  while (length < bytes.length) {
    const count = readSync(fd, bytes, length, bytes.length - length, length);
    if (count === 0) break;
    length += count;
  }
  return textOfBytes(bytes.subarray(0, length));
}

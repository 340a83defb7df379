/**
 * How options reach files: reading configs, checking access, changing directory (2.x options.c
 * read_config_file(), check_file_access(); platform.c). One small interface, passed in;
 * config-files-node.ts is the real one. All calls are synchronous: configuration happens before the
 * event loop has anything to do.
 */

/** Why a call failed: errno and the C library's text, e.g. 2 and `No such file or directory`. */
export interface FileProblem {
  readonly errno: number;
  readonly text: string;
}

export interface FileStat {
  /** Permission bits as in st_mode & 0o777. */
  readonly mode: number;
}

/** access() bits. */
export const R_OK = 4;
export const W_OK = 2;
export const X_OK = 1;
export const F_OK = 0;

export interface ConfigFileSystem {
  /** Whole file; a directory reads as empty, as fopen() and fgets() make it. */
  readFile(path: string): Uint8Array | FileProblem;
  /** Everything on standard input. */
  readStdin(): Uint8Array;
  /** undefined = allowed. `mode` is a sum of R_OK, W_OK, X_OK, or F_OK. */
  access(path: string, mode: number): FileProblem | undefined;
  stat(path: string): FileStat | FileProblem;
  chdir(path: string): FileProblem | undefined;
}

/** Directory part of a path, as dirname(3). */
export function dirName(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  if (trimmed === '') return path.startsWith('/') ? '/' : '.';
  const slash = trimmed.lastIndexOf('/');
  if (slash < 0) return '.';
  return trimmed.slice(0, slash).replace(/\/+$/, '') || '/';
}

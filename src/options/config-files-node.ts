/**
 * ConfigFileSystem on node:fs. Error texts are strerror()'s, which 2.x prints; libuv's own differ.
 */
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { chdir } from 'node:process';
import { errnoText } from '../base/base.ts';
import { type ConfigFileSystem, type FileProblem, R_OK, W_OK, X_OK } from './config-files.ts';

/** The file system of this process. */
export function createConfigFilesNode(): ConfigFileSystem {
  return {
    readFile: (path) => attempt(() => readRegular(path)),
    readStdin: () => readFileSync(0),
    access: (path, mode) => problemOf(() => accessSync(path, nodeMode(mode))),
    stat: (path) => attempt(() => ({ mode: statSync(path).mode & 0o777 })),
    chdir: (path) => problemOf(() => chdir(path)),
  };
}

function readRegular(path: string): Uint8Array {
  return statSync(path).isDirectory() ? new Uint8Array() : readFileSync(path);
}

function nodeMode(mode: number): number {
  const bits =
    (mode & R_OK ? constants.R_OK : 0) |
    (mode & W_OK ? constants.W_OK : 0) |
    (mode & X_OK ? constants.X_OK : 0);
  return bits === 0 ? constants.F_OK : bits;
}

function attempt<T>(action: () => T): T | FileProblem {
  try {
    return action();
  } catch (error) {
    return describe(error);
  }
}

function problemOf(action: () => void): FileProblem | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return describe(error);
  }
}

function describe(error: unknown): FileProblem {
  const { errno = 0 } = error as NodeJS.ErrnoException;
  return { errno: Math.abs(errno), text: errnoText(error) };
}

/** An in-memory ConfigFileSystem for tests: paths to contents, everything else is missing. */
import type { ConfigFileSystem, FileProblem } from './config-files.ts';

export const MISSING: FileProblem = { errno: 2, text: 'No such file or directory' };

/** `modes` gives permission bits of a path, 0o600 by default; directories are keys ending in `/`. */
export function memoryFiles(
  contents: Readonly<Record<string, string>>,
  modes: Readonly<Record<string, number>> = {},
  stdin = '',
): ConfigFileSystem {
  const exists = (path: string): boolean => path in contents || `${path}/` in contents;
  return {
    readFile: (path) => (path in contents ? new TextEncoder().encode(contents[path]) : MISSING),
    readStdin: () => new TextEncoder().encode(stdin),
    access: (path) => (exists(path) ? undefined : MISSING),
    stat: (path) => (exists(path) ? { mode: modes[path] ?? 0o600 } : MISSING),
    chdir: (path) => (exists(path) ? undefined : MISSING),
  };
}

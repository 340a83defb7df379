/**
 * ConfigFileSystem over texts in memory, for library users whose configuration isn't on disk, and for
 * tests. Every path that isn't listed is missing; changing directory has no effect on lookups.
 */
import { bytesOfText } from '../base/base.ts';
import type { ConfigFileSystem, FileProblem } from './config-files.ts';

const MISSING: FileProblem = { errno: 2, text: 'No such file or directory' };

/**
 * `contents` maps paths to texts, a key ending in `/` being a directory; `modes` gives permission
 * bits, 0o600 by default; `stdin` is what `config stdin` reads.
 */
export function createConfigFilesMemory(
  contents: Readonly<Record<string, string>>,
  modes: Readonly<Record<string, number>> = {},
  stdin = '',
): ConfigFileSystem {
  const exists = (path: string): boolean =>
    Object.hasOwn(contents, path) || Object.hasOwn(contents, `${path}/`);
  return {
    readFile: (path) => (Object.hasOwn(contents, path) ? bytesOfText(contents[path]!) : MISSING),
    readStdin: () => new TextEncoder().encode(stdin),
    access: (path) => (exists(path) ? undefined : MISSING),
    stat: (path) => (exists(path) ? { mode: modes[path] ?? 0o600 } : MISSING),
    chdir: (path) => (exists(path) ? undefined : MISSING),
  };
}

/**
 * Options from a client's file or from client-connect, with those of the files that they name by `config FILE` (2.x
 * options.c options_server_import(), read_config_file()). 2.x stops while it reads; here the text is read again from
 * the start when what it names is there, at most as often as files may be nested.
 */
import {
  type ClientConfigResult,
  createConfigFilesMemory,
  type Options,
  parseClientConfig,
} from '../options/options.ts';
import type { ClientFiles } from './multi.ts';

/** As parseClientConfig(). A file that can't be read is told of in the messages; standard input counts as empty. */
export async function readClientOptions(
  text: string,
  label: string,
  base: Options,
  files: Pick<ClientFiles, 'include'>,
): Promise<ClientConfigResult> {
  const known = new Map<string, string | undefined>();
  for (;;) {
    const wanted = new Set<string>();
    const result = parseClientConfig(text, label, base, recorded(known, wanted));
    if (wanted.size === 0) return result;
    for (const path of wanted) known.set(path, await files.include(path));
  }
}

/** The files that are `known` by now; others are missing, and `wanted`. */
function recorded(known: ReadonlyMap<string, string | undefined>, wanted: Set<string>) {
  const found = [...known].filter((entry): entry is [string, string] => entry[1] !== undefined);
  const memory = createConfigFilesMemory(Object.fromEntries(found));
  return {
    ...memory,
    readFile: (path: string) => {
      if (!known.has(path)) wanted.add(path);
      return memory.readFile(path);
    },
  };
}

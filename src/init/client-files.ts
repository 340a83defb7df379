/**
 * Files of --client-config-dir, and those that options of a client name by `config` (2.x multi.c
 * multi_client_connect_source_ccd(), platform.c platform_gen_path(), options.c read_config_file()).
 */
import { readFile } from 'node:fs/promises';
import { bytesOfText, textOfBytes } from '../base/base.ts';
import type { ClientFiles } from '../multi/multi.ts';
import type { Options } from '../options/options.ts';

/** Reads them anew for every connection. */
export function clientFiles(options: Pick<Options, 'clientConfigDir' | 'ccdExclusive'>): ClientFiles {
  const dir = options.clientConfigDir;
  return {
    async read(commonName) {
      if (dir === undefined) return undefined;
      for (const name of options.ccdExclusive ? [commonName] : [commonName, 'DEFAULT']) {
        const file = fileNameOf(name);
        if (file === undefined) continue;
        const label = `${dir}/${file}`;
        const text = await readText(label);
        if (text !== undefined) return { label, text };
      }
      return undefined;
    },
    include: readText,
  };
}

async function readText(path: string): Promise<string | undefined> {
  const bytes = await readFile(Buffer.from(bytesOfText(path))).catch(() => undefined);
  return bytes && textOfBytes(bytes);
}

/** A client's name as that of its file: every name has its own, but for slashes and control characters. */
function fileNameOf(name: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  const file = name.replace(/[\x00-\x1f\x7f/]/g, '_');
  return ['', '.', '..'].includes(file) ? undefined : file;
}

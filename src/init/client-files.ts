/** Files of --client-config-dir (2.x multi.c multi_client_connect_source_ccd(), platform.c platform_gen_path()). */
import { readFile } from 'node:fs/promises';
import { bytesOfText, textOfBytes } from '../base/base.ts';
import type { ClientFiles } from '../multi/multi.ts';
import type { Options } from '../options/options.ts';

/** Reads a client's file anew for every connection; undefined without a directory. */
export function clientFiles(
  options: Pick<Options, 'clientConfigDir' | 'ccdExclusive'>,
): ClientFiles | undefined {
  const dir = options.clientConfigDir;
  if (dir === undefined) return undefined;
  return {
    async read(commonName) {
      for (const name of options.ccdExclusive ? [commonName] : [commonName, 'DEFAULT']) {
        const file = fileNameOf(name);
        if (file === undefined) continue;
        const label = `${dir}/${file}`;
        const bytes = await readFile(Buffer.from(bytesOfText(label))).catch(() => undefined);
        if (bytes) return { label, text: textOfBytes(bytes) };
      }
      return undefined;
    },
  };
}

/** A client's name as that of its file: every name has its own, but for slashes and control characters. */
function fileNameOf(name: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  const file = name.replace(/[\x00-\x1f\x7f/]/g, '_');
  return ['', '.', '..'].includes(file) ? undefined : file;
}

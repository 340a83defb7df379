/**
 * Temporary files that scripts read or answer through (2.x platform_create_temp_file(), platform.c):
 * `openvpn_<prefix>_<32 hex digits>.tmp` in tmp-dir, made exclusively with mode 0600. All calls are
 * asynchronous; a full or slow file system delays its own hook only.
 */
import { randomBytes } from 'node:crypto';
import { open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { bytesOfText, errnoLine, type Logger, textOfBytes } from '../base/base.ts';
import { M_ERRNO, M_WARN } from '../base/errlevel.ts';

/** Most bytes read back from a file that a script wrote. */
const MAX_ANSWER_BYTES = 1024 * 1024;
const ATTEMPTS = 6;

/** Path of a new file that holds `content`; undefined (and logged) when it can't be made. */
export async function createTempFile(
  directory: string,
  prefix: string,
  content: string | Uint8Array,
  log: Logger,
): Promise<string | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const path = join(directory, `openvpn_${prefix}_${randomBytes(16).toString('hex')}.tmp`);
    try {
      const file = await open(path, 'wx', 0o600);
      try {
        if (content.length > 0)
          await file.writeFile(typeof content === 'string' ? bytesOfText(content) : content);
      } finally {
        await file.close();
      }
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue;
      log.log(M_WARN | M_ERRNO, errnoLine(`Could not create temporary file '${path}'`, error));
      return undefined;
    }
  }
  log.log(M_WARN, `Failed to create temporary file after ${ATTEMPTS} attempts`);
  return undefined;
}

/** The file's text, cut at 1 MiB; undefined when it can't be read. */
export async function readTextFile(path: string): Promise<string | undefined> {
  try {
    return textOfBytes((await readFile(path)).subarray(0, MAX_ANSWER_BYTES));
  } catch {
    return undefined; // a script may remove its own answer file
  }
}

/** Whether the file is gone afterwards by our own doing. */
export async function removeFile(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch {
    return false;
  }
}

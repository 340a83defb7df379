/**
 * Files with keys inside: of mode 0600 from their first byte on, whatever was there before. They are written under
 * another name and moved into place, so nobody opens one that is readable by others or half written.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  lstatSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { OpenVpnError } from '../base/base.ts';

/** Replaces the file. Throws OpenVpnError for what is no regular file, and what node:fs throws. */
export function writePrivateFile(path: string, text: string): void {
  const target = regularFile(path);
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}`);
  try {
    // Fails where the name is taken, a symbolic link included.
    const fd = openSync(temporary, 'wx', 0o600);
    try {
      // Whatever the umask is.
      fchmodSync(fd, 0o600);
      writeFileSync(fd, text);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { force: true });
    // The reader knows the name that was asked for.
    throw Object.assign(error as Error, { path });
  }
}

/** The file behind symbolic links: moving a file onto a device's name would take the device away. */
function regularFile(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return path;
  if (stat.isSymbolicLink()) return regularFile(realpathSync(path));
  if (!stat.isFile()) throw new OpenVpnError(`${path} is not a regular file`);
  return path;
}

/** Files that say something new from time to time and stay open: the rights to open them again may be gone. */
import { ftruncateSync, writeSync } from 'node:fs';
import { bytesOfText } from '../base/base.ts';

/** Replaces all that the file says. Throws what node:fs throws. */
export function rewriteFile(fd: number, text: string): void {
  const bytes = bytesOfText(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
  ftruncateSync(fd, bytes.length);
}

/** The descriptors of this process, by what they lead to. */
import { readdirSync, readlinkSync } from 'node:fs';

const FOLDER = '/proc/self/fd';

/** How many lead to a device or socket like this; files that other threads read for a moment don't count along. */
export function openDescriptors(kind: RegExp): number {
  return readdirSync(FOLDER).filter((fd) => kind.test(targetOf(fd))).length;
}

/** `/dev/net/tun`, `socket:[4711]`; empty when it was closed meanwhile. */
function targetOf(fd: string): string {
  try {
    return readlinkSync(`${FOLDER}/${fd}`);
  } catch {
    return '';
  }
}

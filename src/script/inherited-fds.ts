/**
 * Descriptors above 2 that this process was started with: 2.x hands them on to its scripts (`exec 3>log;
 * openvpn ... --up 'x >&3'`), while Node closes them at every exec. Node's own must stay ours: event queues,
 * which are anonymous inodes, and pipes of which the process holds both ends.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const PROC = '/proc/self';
/** Higher ones are left alone: a list of as many entries goes with every start of a script. */
const MAX_FD = 1024;
/** The mode bits of open(2): O_RDONLY 0, O_WRONLY 1, O_RDWR 2. */
const O_ACCMODE = 3;

export interface OpenDescriptor {
  readonly fd: number;
  /** Where /proc/self/fd/N points to. */
  readonly target: string;
  /** O_RDONLY, O_WRONLY or O_RDWR. */
  readonly access: number;
}

/** What is open by now, to be asked for before anything of ours opens files. Empty where there is no /proc. */
export function inheritedDescriptors(): readonly number[] {
  return pickInherited(openDescriptors());
}

/** Those among `open` that Node has not made itself. */
export function pickInherited(open: readonly OpenDescriptor[]): readonly number[] {
  const isNodes = ({ target, access }: OpenDescriptor): boolean =>
    target.startsWith('anon_inode:') ||
    (target.startsWith('pipe:') && open.some((other) => other.target === target && other.access !== access));
  return open.filter((one) => one.fd > 2 && one.fd < MAX_FD && !isNodes(one)).map(({ fd }) => fd);
}

function openDescriptors(): OpenDescriptor[] {
  try {
    return readdirSync(`${PROC}/fd`).flatMap(describe);
  } catch {
    return [];
  }
}

/** Nothing for the descriptor that was open for the reading of the list alone. */
function describe(name: string): OpenDescriptor[] {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`${PROC}/fdinfo/${name}`, 'utf8'))?.[1] ?? '0';
    const access = Number.parseInt(flags, 8) & O_ACCMODE;
    return [{ fd: Number(name), target: readlinkSync(`${PROC}/fd/${name}`), access }];
  } catch {
    return [];
  }
}

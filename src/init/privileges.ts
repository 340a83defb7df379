/**
 * Process-wide settings (2.x platform.c, possibly_become_daemon() and do_uid_gid_chroot() of init.c): PID
 * file, nice, user and group. Privileges are dropped once, when all that needs them is there; CAP_NET_ADMIN
 * stays, so that addresses and routes can be taken back at the end.
 */
import { readdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { errnoLine, type Logger, OpenVpnError } from '../base/base.ts';
import { M_INFO, M_WARN } from '../base/errlevel.ts';
import { loadNative } from '../native/native.ts';
import type { Options } from '../options/options.ts';

/** What is asked of the addon. */
export interface ProcessCalls {
  userId(name: string): number;
  groupId(name: string): number;
  keepCapabilities(): number;
  retainNetAdmin(): number;
  errorText(errno: number): string;
}

/** The lowest and the highest priority. */
const NICE_RANGE = [-20, 19] as const;

export class Privileges {
  readonly #log: Logger;
  readonly #calls: ProcessCalls | undefined;
  #dropped = false;

  constructor(log: Logger, calls: ProcessCalls | undefined = loadNative()) {
    this.#log = log;
    this.#calls = calls;
  }

  /** What comes before anything is opened. Throws OpenVpnError for users and groups that don't exist. */
  prepare(options: Options): void {
    const { user, group } = options;
    if (group !== undefined && this.#calls?.groupId(group) === -1)
      throw refused(`failed to find GID for group ${group}`);
    if (user !== undefined && this.#calls?.userId(user) === -1)
      throw refused(`failed to find UID for user ${user}`);
    if (options.nice !== 0) this.#setNice(options.nice);
    if ((user !== undefined || group !== undefined) && (options.pull || options.upDelay)) {
      this.#log.log(
        M_INFO,
        'NOTE: UID/GID downgrade will be delayed because of --client, --pull, or --up-delay',
      );
    }
  }

  /** Returns the path when a file was written. */
  writePid(path: string | undefined): string | undefined {
    if (path === undefined) return undefined;
    try {
      writeFileSync(path, `${process.pid}\n`);
    } catch (cause) {
      const text = errnoLine(`Open error on pid file ${path}`, cause);
      throw new OpenVpnError(text, 'ERR_OVPN_PIDFILE', { cause });
    }
    return path;
  }

  removePid(path: string | undefined): void {
    if (path === undefined) return;
    try {
      unlinkSync(path);
    } catch {
      // Without privileges it stays, as 2.x's does.
    }
  }

  /** --user and --group. Throws OpenVpnError when the system refuses. */
  drop({ user, group }: Options): void {
    if (this.#dropped || (user === undefined && group === undefined)) return;
    this.#dropped = true;
    const kept = this.#calls?.keepCapabilities() === 0;
    // Scripts and files are for the new user alone: its other groups, and those of ours, don't count.
    attempt(`setgroups('${group ?? user}')`, () => process.setgroups?.([]));
    if (group !== undefined) attempt(`setgid('${group}')`, () => process.setgid?.(group));
    if (user !== undefined) attempt(`setuid('${user}')`, () => process.setuid?.(user));
    if (user !== undefined) this.#log.log(M_INFO, `UID set to ${user}`);
    if (group !== undefined) this.#log.log(M_INFO, `GID set to ${group}`);
    if (this.#calls) this.#retain(this.#calls, kept);
  }

  /** Of this thread, which makes devices and routes; the others have lost all with the user id. */
  #retain(calls: ProcessCalls, kept: boolean): void {
    const errno = kept ? calls.retainNetAdmin() : 0;
    if (kept && errno === 0) {
      this.#log.log(M_INFO, 'Capabilities retained: CAP_NET_ADMIN');
      return;
    }
    if (errno !== 0) {
      const text = `capset() failed applying capabilities: ${calls.errorText(errno)} (errno=${errno})`;
      this.#log.log(M_WARN, text);
    }
    this.#log.log(M_WARN, 'Unable to retain capabilities');
  }

  /** As nice() does it: on top of what there is, cut to what can be; of all threads, which the kernel counts as processes. */
  #setNice(increment: number): void {
    const [lowest, highest] = NICE_RANGE;
    const priority = Math.min(highest, Math.max(lowest, getPriority() + increment));
    try {
      for (const thread of threadIds()) setPriority(thread, priority);
      this.#log.log(M_INFO, `nice ${increment} succeeded`);
    } catch (error) {
      // setpriority() says EACCES where nice() says EPERM.
      const denied = (error as NodeJS.ErrnoException).errno === -constants.errno.EACCES;
      const cause = denied ? { code: 'EPERM', errno: constants.errno.EPERM } : error;
      this.#log.log(M_WARN, errnoLine(`WARNING: nice ${increment} failed`, cause));
    }
  }
}

/** The main thread alone where there is no /proc. */
function threadIds(): number[] {
  try {
    return readdirSync('/proc/self/task').map(Number);
  } catch {
    return [process.pid];
  }
}

function attempt(call: string, change: () => void): void {
  try {
    change();
  } catch (cause) {
    throw refused(errnoLine(`${call} failed`, cause), cause);
  }
}

function refused(text: string, cause?: unknown): OpenVpnError {
  return new OpenVpnError(text, 'ERR_OVPN_PRIVILEGES', { cause });
}

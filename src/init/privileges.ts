/**
 * Process-wide settings (2.x platform.c, possibly_become_daemon() and do_uid_gid_chroot() of init.c): PID
 * file, nice, user and group. Privileges are dropped once, after the first completed initialisation.
 */
import { unlinkSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { type Logger, OpenVpnError } from '../base/base.ts';
import { M_INFO, M_WARN } from '../base/errlevel.ts';
import type { Options } from '../options/options.ts';

export class Privileges {
  readonly #log: Logger;
  #dropped = false;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Settings that need privileges. Throws OpenVpnError. */
  prepare(options: Options): void {
    if (options.nice !== 0) {
      setPriority(options.nice);
      this.#log.log(M_INFO, `nice ${options.nice} succeeded`);
    }
    if ((options.user !== undefined || options.group !== undefined) && options.pull) {
      this.#log.log(
        M_INFO,
        'NOTE: UID/GID downgrade will be delayed because of --client, --pull, or --up-delay',
      );
    }
    const becomes = options.user !== undefined || options.group !== undefined;
    for (const [kept, name] of [
      [options.persistTun, 'persist-tun'],
      [options.persistKey, 'persist-key'],
    ] as const) {
      if (becomes && !kept) {
        this.#log.log(
          M_WARN,
          `WARNING: you are using user/group/chroot/setcon without ${name} -- this may cause restarts to fail`,
        );
      }
    }
  }

  /** Returns the path when a file was written. */
  writePid(path: string | undefined): string | undefined {
    if (path === undefined) return undefined;
    try {
      writeFileSync(path, `${process.pid}\n`);
    } catch (cause) {
      throw new OpenVpnError(
        `Open error on pid file ${path}: ${(cause as Error).message}`,
        'ERR_OVPN_PIDFILE',
        { cause },
      );
    }
    return path;
  }

  removePid(path: string | undefined): void {
    if (path === undefined) return;
    try {
      unlinkSync(path);
    } catch {
      this.#log.log(M_WARN, `Note: cannot remove pid file ${path}`);
    }
  }

  /** --user and --group, group first. Throws OpenVpnError when the system refuses. */
  drop(options: Options): void {
    const { user, group } = options;
    if (this.#dropped || (user === undefined && group === undefined)) return;
    this.#dropped = true;
    try {
      if (group !== undefined) {
        process.setgroups?.([group]);
        process.setgid?.(group);
        this.#log.log(M_INFO, `GID set to ${group}`);
      }
      if (user !== undefined) {
        process.setuid?.(user);
        this.#log.log(M_INFO, `UID set to ${user}`);
      }
    } catch (cause) {
      throw new OpenVpnError(
        `failed to find UID for user ${user ?? group}: ${(cause as Error).message}`,
        'ERR_OVPN_PRIVILEGES',
        { cause },
      );
    }
  }
}

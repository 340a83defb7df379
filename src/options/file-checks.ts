/**
 * Access checks of files that options name (2.x options.c options_postprocess_filechecks(),
 * check_file_access()). All problems are listed before the run ends. Order and option texts are 2.x's.
 */
import { M_NOPREFIX, M_WARN } from '../base/errlevel.ts';
import { ConfigError, type LogLine } from './config-error.ts';
import { type ConfigFileSystem, dirName, F_OK, type FileProblem, R_OK, W_OK, X_OK } from './config-files.ts';
import type { FileOrInline } from './material.ts';
import type { Options } from './option-types.ts';

interface Check {
  readonly option: string;
  readonly path: string | undefined;
  /** Bits that the file itself, or with `parent` its directory, must allow. */
  readonly mode: number;
  /** Check the directory; the file only when it exists, for writing. */
  readonly parent?: true;
  /** Warn when group or others can reach the file. */
  readonly secret?: true;
  /** Looked up inside the chroot. */
  readonly jailed?: true;
}

/** Throws ConfigError when a file can't be used; details go to `messages`. */
export function checkFiles(options: Options, files: ConfigFileSystem, messages: LogLine[]): void {
  let bad = false;
  for (const check of [...tlsChecks(options), ...profileChecks(options), ...otherChecks(options)]) {
    if (check.path === undefined) continue;
    const path =
      check.jailed && options.chroot !== undefined ? `${options.chroot}/${check.path}` : check.path;
    const problem = accessProblem(check, path, files);
    if (check.secret) warnIfOpen(path, files, messages);
    if (problem === undefined) continue;
    bad = true;
    messages.push({
      level: M_NOPREFIX,
      text: `Options error: ${check.option} fails with '${path}': ${problem.text} (errno=${problem.errno})`,
    });
  }
  if (bad) throw new ConfigError('Please correct these errors.');
}

function tlsChecks(o: Options): Check[] {
  return [
    { option: '--dh', path: o.dh === 'none' ? undefined : pathOf(o.dh), mode: R_OK },
    { option: '--ca', path: o.verifyHashNoCa ? undefined : pathOf(o.ca), mode: R_OK },
    { option: '--capath', path: o.capath, mode: R_OK, jailed: true },
    { option: '--cert', path: pathOf(o.cert), mode: R_OK },
    { option: '--key', path: pathOf(o.key), mode: R_OK, secret: true },
    { option: '--pkcs12', path: pathOf(o.pkcs12), mode: R_OK, secret: true },
    o.crlVerifyDir
      ? { option: '--crl-verify directory', path: pathOf(o.crlVerify), mode: R_OK | X_OK, jailed: true }
      : { option: '--crl-verify', path: pathOf(o.crlVerify), mode: R_OK, jailed: true },
    { option: '--tls-export-cert', path: o.tlsExportCert, mode: W_OK, jailed: true },
  ];
}

function profileChecks(o: Options): Check[] {
  return o.connectionList.flatMap((entry): Check[] => [
    { option: '--tls-auth', path: pathOf(entry.tlsAuth), mode: R_OK, secret: true },
    { option: '--tls-crypt', path: pathOf(entry.tlsCrypt), mode: R_OK, secret: true },
    { option: '--tls-crypt-v2', path: pathOf(entry.tlsCryptV2), mode: R_OK, secret: true },
  ]);
}

function otherChecks(o: Options): Check[] {
  const login = o.authUserPass === 'prompt' ? undefined : pathOf(o.authUserPass);
  return [
    { option: '--secret', path: pathOf(o.secret), mode: R_OK, secret: true },
    { option: '--replay-persist', path: o.replayPersist, mode: R_OK | W_OK, parent: true },
    { option: '--askpass', path: notPrompted(o.askpass), mode: R_OK, secret: true },
    { option: '--auth-user-pass', path: notPrompted(login), mode: R_OK, secret: true },
    { option: '--chroot directory', path: o.chroot, mode: R_OK | X_OK },
    { option: '--writepid', path: o.writepid, mode: R_OK | W_OK, parent: true },
    { option: '--status', path: o.status, mode: R_OK | W_OK, parent: true },
    { option: '--client-config-dir', path: o.clientConfigDir, mode: R_OK | X_OK, jailed: true },
    {
      option: 'Temporary directory (--tmp-dir)',
      path: o.tmpDir,
      mode: R_OK | W_OK | X_OK,
      jailed: true,
    },
  ];
}

function accessProblem(check: Check, path: string, files: ConfigFileSystem): FileProblem | undefined {
  if (!check.parent) return files.access(path, check.mode);
  const directory = files.access(dirName(path), check.mode | X_OK);
  if (directory !== undefined) return directory;
  return files.access(path, F_OK) === undefined ? files.access(path, W_OK) : undefined;
}

function warnIfOpen(path: string, files: ConfigFileSystem, messages: LogLine[]): void {
  const stat = files.stat(path);
  if ('errno' in stat) {
    const text = `WARNING: cannot stat file '${path}': ${stat.text} (errno=${stat.errno})`;
    messages.push({ level: M_WARN, text });
  } else if ((stat.mode & 0o077) !== 0) {
    messages.push({ level: M_WARN, text: `WARNING: file '${path}' is group or others accessible` });
  }
}

function pathOf(material: FileOrInline | undefined): string | undefined {
  return material?.kind === 'file' ? material.path : undefined;
}

function notPrompted(path: string | undefined): string | undefined {
  return path === 'stdin' || path === 'prompt' ? undefined : path;
}

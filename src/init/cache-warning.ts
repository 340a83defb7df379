/** The warning about passwords that stay in memory (2.x misc.c purge_user_pass()), once a run whatever the password is for. */
import type { Logger } from '../base/base.ts';
import { M_WARN } from '../base/errlevel.ts';

const CACHE_WARNING =
  'WARNING: this configuration may cache passwords in memory -- use the auth-nocache option to prevent this';

const warned = new WeakSet<Logger>();

export function warnOfCache(log: Logger): void {
  if (warned.has(log)) return;
  warned.add(log);
  log.log(M_WARN, CACHE_WARNING);
}

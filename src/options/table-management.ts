/**
 * Option rows for the management interface (2.x options.c add_option(), manual section "management").
 * Fields: option-row.ts. Arity and contexts are those of test-kit/options.tsv.
 */
import { MANY, notYet, type OptionRow } from './option-row.ts';

export const managementOptions: readonly OptionRow[] = [
  notYet('management', 2, 3, 'G', {
    help: 'Open the management interface on IP+port or path+unix, optional password file',
  }),
  notYet('management-client', 0, 0, 'G', 'Connect out to the management address instead of listening'),
  notYet('management-client-auth', 0, 0, 'G', {
    help: 'Server: authorise each client through management >CLIENT notifications',
  }),
  notYet('management-client-group', 1, 1, 'G', {
    help: 'Only accept unix-socket management peers with this GID (group name)',
  }),
  notYet('management-client-user', 1, 1, 'G', {
    help: 'Only accept unix-socket management peers with this UID (user name)',
  }),
  notYet('management-external-cert', 1, 1, 'G', {
    help: 'Fetch the client certificate via >NEED-CERTIFICATE with the given hint',
  }),
  notYet('management-external-key', 0, MANY, 'G', {
    help: 'Delegate private-key signing to the management client; flags nopadding, pkcs1, pss, digest',
  }),
  notYet('management-forget-disconnect', 0, 0, 'G', {
    help: 'Forget cached passwords when the management client disconnects',
  }),
  notYet('management-hold', 0, 0, 'G', "Wait for 'hold release' before starting and before each restart"),
  notYet('management-log-cache', 1, 1, 'G', "Number of log lines kept for the 'log' command (>=1)"),
  notYet('management-query-passwords', 0, 0, 'G', {
    help: 'Ask the management client for key passphrase and user/password',
  }),
  notYet('management-query-proxy', 0, 0, 'G', 'Ask the management client for proxy settings per connection'),
  notYet('management-query-remote', 0, 0, 'G', 'Ask the management client to accept/modify/skip each remote'),
  notYet('management-signal', 0, 0, 'G', 'Raise SIGUSR1 when the management client disconnects'),
  notYet('management-up-down', 0, 0, 'G', 'Emit >UPDOWN notifications with environment on tunnel up/down'),
];

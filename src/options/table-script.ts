/**
 * Option rows for scripts, environment and plugins (2.x options.c add_option(), manual section "script").
 * Fields: option-row.ts. Arity and contexts are those of test-kit/options.tsv.
 */

import { applyAuthUserPassVerify, applySetenv, script, setVariable } from './apply-script.ts';
import { type Apply, atoi, flag, MANY, notYet, type OptionRow, row, text } from './option-row.ts';

export const scriptOptions: readonly OptionRow[] = [
  row('auth-user-pass-verify COMMAND via-env|via-file', 2, 2, 'G', {
    help: 'Script checking username/password, via-env or via-file',
    quoteHint: true,
    apply: applyAuthUserPassVerify,
  }),
  hook(
    'client-connect',
    'Script run when a client is authenticated; may return config or defer',
    script('clientConnect'),
  ),
  hook('client-crresponse', 'Script run on CR_RESPONSE from client', script('clientCrresponse')),
  hook('client-disconnect', 'Script run when a client instance ends', script('clientDisconnect')),
  notYet('dns-updown COMMAND', 1, 1, 'G', 'DNS setup command, disable or force'),
  hook('down', 'Script run after the tunnel device is closed', script('down')),
  row('down-pre', 0, 0, 'G', 'Run down script before closing the device', flag('downPre')),
  hook(
    'ipchange',
    'Script run when the peer address is authenticated or changes (not in server mode)',
    script('ipchange', { commas: true }),
  ),
  hook(
    'learn-address',
    'Script run when a client address/route is added/updated/deleted',
    script('learnAddress'),
  ),
  notYet('plugin FILE [ARGUMENT...]', 1, MANY, 'G', 'Load a shared-object plugin with init arguments'),
  hook('route-pre-down', 'Script run before routes are removed', script('routePreDown')),
  hook('route-up', 'Script run after routes are added', script('routeUp', { outsideChroot: true })),
  row('script-security LEVEL', 1, 1, 'G', {
    help: '0 none, 1 built-in tools, 2 user scripts, 3 passwords in environment',
    apply: ([level = ''], options) => {
      options.scriptSecurity = atoi(level);
    },
  }),
  row('setenv NAME [VALUE]', 1, 2, 'G', {
    help: 'Set environment variable for scripts; special names opt, FORWARD_COMPATIBLE, GENERIC_CONFIG, PUSH_PEER_INFO...',
    apply: applySetenv,
  }),
  row('setenv-safe NAME [VALUE]', 1, 2, 'GP', {
    help: 'Set OPENVPN_name for scripts',
    imports: 'setenv',
    apply: ([name = '', value = ''], options) => {
      setVariable(options, `OPENVPN_${name}`, value);
    },
  }),
  row('tls-crypt-v2-verify COMMAND', 1, 1, 'G', {
    help: 'Script checking tls-crypt-v2 metadata',
    apply: text('tlsCryptV2Verify'),
  }),
  row('tls-export-cert DIR', 1, 1, 'G', {
    help: 'Directory for peer certs exported to tls-verify',
    apply: text('tlsExportCert'),
  }),
  hook('tls-verify', 'Script run per certificate in the chain', script('tlsVerify', { commas: true })),
  hook('up', 'Script run after the tunnel device is opened', script('up', { outsideChroot: true })),
  row('up-delay', 0, 0, 'G', 'Delay device open/up script until peer connected', flag('upDelay')),
  row('up-restart', 0, 0, 'G', {
    help: 'Also run up/down scripts on restarts that keep the device',
    apply: flag('upRestart'),
  }),
];

/** A script's row: more values than one mean that its command wants quotes. */
function hook(name: string, help: string, apply: Apply): OptionRow {
  return row(`${name} COMMAND`, 1, 1, 'G', { help, quoteHint: true, apply });
}

/**
 * Option rows for general and process options (2.x options.c add_option(), manual section "generic").
 * Fields: option-row.ts. Arity and contexts are those of test-kit/options.tsv.
 */
import { atoi, flag, MANY, notYet, type OptionRow, rejected, row, text } from './option-row.ts';

export const genericOptions: readonly OptionRow[] = [
  row('cd DIR', 1, 1, 'G', {
    help: 'Change directory immediately when parsed; later relative paths use it',
    apply: ([dir = ''], options, context) => {
      const problem = context.files?.chdir(dir);
      if (problem !== undefined)
        return context.fatal(`cd to '${dir}' failed: ${problem.text} (errno=${problem.errno})`);
      options.cd = dir;
    },
  }),
  notYet('chroot DIR', 1, 1, 'G', 'chroot after initialisation', text('chroot')),
  row('compat-mode VERSION', 1, 2, 'N', {
    help: 'Adjust defaults for peers of version X.Y.Z',
    apply: ([version = ''], options, context) => {
      const parts = /^\s*(\d+)\.(\d+)\.(\d+)/.exec(version);
      if (parts === null) return context.fail(`cannot parse version number for --compat-mode: ${version}`);
      options.compatMode = Number(parts[1]) * 10000 + Number(parts[2]) * 100 + Number(parts[3]);
    },
  }),
  row('config FILE', 1, 1, 'GD', {
    help: 'Read further options from a file (or stdin); nestable to depth 10; lone CLI argument without -- means the same',
    apply: ([path = ''], options, context) => {
      if (options.config === '') options.config = path;
      context.include(path);
    },
  }),
  notYet('daemon [NAME]', 0, 1, 'G', {
    help: 'Go to background after initialisation; logs to syslog from the moment it is parsed',
    apply: ([name], options, context) => {
      if (options.daemon && name !== undefined) {
        context.warn(
          `WARNING: Multiple --daemon directives specified, ignoring --daemon ${name}. (Note that initscripts sometimes add their own --daemon directive.)`,
        );
        return;
      }
      options.daemon = true;
      options.syslog ??= name ?? 'openvpn';
    },
  }),
  notYet('gremlin MASK', 1, 1, 'G', 'Debug: simulate packet loss/corruption and outages'),
  row('group GROUP', 1, 1, 'G', 'Drop to this group after init (Windows: ignored with note)', text('group')),
  row('help', 0, MANY, 'G', {
    help: 'Print the option summary to stdout and exit with status 1',
    apply: (values, _options, context) => {
      if (values.length > 0) return context.fail('--help does not accept any parameters');
      return context.stop('help');
    },
  }),
  row('ignore-unknown-option NAME...', 1, MANY, 'G', {
    help: 'Names of options to tolerate with a warning if unknown',
    apply: (values, options) => {
      options.ignoreUnknownOption.push(
        ...values.map((name) => (name.startsWith('--') ? name.slice(2) : name)),
      );
    },
  }),
  notYet('mlock', 0, 0, 'G', 'Lock memory (raises RLIMIT_MEMLOCK to 100 MB if lower)', flag('mlock')),
  row('nice N', 1, 1, 'G', 'Change process priority after start', ([value = ''], options) => {
    options.nice = atoi(value);
  }),
  row('remap-usr1 SIGNAL', 1, 1, 'G', {
    help: 'Treat SIGUSR1 as SIGHUP or SIGTERM',
    apply: ([signal = ''], options, context) => {
      if (signal !== 'SIGHUP' && signal !== 'SIGTERM') {
        return context.fail("--remap-usr1 parm must be 'SIGHUP' or 'SIGTERM'");
      }
      options.remapUsr1 = signal;
    },
  }),
  rejected('setcon CONTEXT', 1, 1, 'G', 'Set SELinux context after start-up'),
  row('user USER', 1, 1, 'G', 'Drop to this user after init (Windows: ignored with note)', text('user')),
  row('writepid FILE', 1, 1, 'G', {
    help: 'Write PID file after daemonising; removed on exit unless chroot is used',
    apply: text('writepid'),
  }),
];

/**
 * Option rows for general and process options (2.x options.c add_option(), manual section "generic").
 * Fields: option-row.ts. Arity and contexts are those of test-kit/options.tsv.
 */
import { atoi, flag, MANY, type OptionRow, text } from './option-row.ts';

export const genericOptions: readonly OptionRow[] = [
  {
    name: 'cd',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'DIR',
    help: 'Change directory immediately when parsed; later relative paths use it',
    apply: ([dir = ''], options, context) => {
      const problem = context.files?.chdir(dir);
      if (problem !== undefined)
        return context.fatal(`cd to '${dir}' failed: ${problem.text} (errno=${problem.errno})`);
      options.cd = dir;
    },
  },
  {
    name: 'chroot',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'not-yet',
    usage: 'DIR',
    help: 'chroot after initialisation',
    apply: text('chroot'),
  },
  {
    name: 'compat-mode',
    min: 1,
    max: 2,
    contexts: 'N',
    supported: 'yes',
    usage: 'VERSION',
    help: 'Adjust defaults for peers of version X.Y.Z',
    apply: ([version = ''], options, context) => {
      const parts = /^\s*(\d+)\.(\d+)\.(\d+)/.exec(version);
      if (parts === null) return context.fail(`cannot parse version number for --compat-mode: ${version}`);
      options.compatMode = Number(parts[1]) * 10000 + Number(parts[2]) * 100 + Number(parts[3]);
    },
  },
  {
    name: 'config',
    min: 1,
    max: 1,
    contexts: 'GD',
    supported: 'yes',
    usage: 'FILE',
    help: 'Read further options from a file (or stdin); nestable to depth 10; lone CLI argument without -- means the same',
    apply: ([path = ''], options, context) => {
      if (options.config === '') options.config = path;
      context.include(path);
    },
  },
  {
    name: 'daemon',
    min: 0,
    max: 1,
    contexts: 'G',
    supported: 'not-yet',
    usage: '[NAME]',
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
  },
  {
    name: 'gremlin',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'not-yet',
    usage: 'MASK',
    help: 'Debug: simulate packet loss/corruption and outages',
  },
  {
    name: 'group',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'GROUP',
    help: 'Drop to this group after init (Windows: ignored with note)',
    apply: text('group'),
  },
  {
    name: 'help',
    min: 0,
    max: MANY,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Print the option summary to stdout and exit with status 1',
    apply: (values, _options, context) => {
      if (values.length > 0) return context.fail('--help does not accept any parameters');
      return context.stop('help');
    },
  },
  {
    name: 'ignore-unknown-option',
    min: 1,
    max: MANY,
    contexts: 'G',
    supported: 'yes',
    usage: 'NAME...',
    help: 'Names of options to tolerate with a warning if unknown',
    apply: (values, options) => {
      options.ignoreUnknownOption.push(
        ...values.map((name) => (name.startsWith('--') ? name.slice(2) : name)),
      );
    },
  },
  {
    name: 'mlock',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'not-yet',
    usage: '',
    help: 'Lock memory (raises RLIMIT_MEMLOCK to 100 MB if lower)',
    apply: flag('mlock'),
  },
  {
    name: 'nice',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'N',
    help: 'Change process priority after start',
    apply: ([value = ''], options) => {
      options.nice = atoi(value);
    },
  },
  {
    name: 'remap-usr1',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'SIGNAL',
    help: 'Treat SIGUSR1 as SIGHUP or SIGTERM',
    apply: ([signal = ''], options, context) => {
      if (signal !== 'SIGHUP' && signal !== 'SIGTERM') {
        return context.fail("--remap-usr1 parm must be 'SIGHUP' or 'SIGTERM'");
      }
      options.remapUsr1 = signal;
    },
  },
  {
    name: 'setcon',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'rejected',
    usage: 'CONTEXT',
    help: 'Set SELinux context after start-up',
  },
  {
    name: 'user',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'USER',
    help: 'Drop to this user after init (Windows: ignored with note)',
    apply: text('user'),
  },
  {
    name: 'writepid',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'FILE',
    help: 'Write PID file after daemonising; removed on exit unless chroot is used',
    apply: text('writepid'),
  },
];

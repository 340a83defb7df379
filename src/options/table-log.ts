/**
 * Option rows for log and status options (2.x options.c add_option(), manual section "log").
 * Fields: option-row.ts. Arity and contexts are those of test-kit/options.tsv.
 */

import { applyEcho, logTo } from './apply-client.ts';
import { atoi, count, flag, MANY, nothing, type OptionRow, positiveAtoi } from './option-row.ts';

export const logOptions: readonly OptionRow[] = [
  {
    name: 'echo',
    min: 0,
    max: MANY,
    contexts: 'GPD',
    supported: 'yes',
    usage: '[TEXT...]',
    help: 'Pass text to the management echo buffer; only text starting with msg is logged',
    imports: 'echo',
    apply: applyEcho,
  },
  {
    name: 'errors-to-stderr',
    min: 0,
    max: 0,
    contexts: 'GP',
    supported: 'yes',
    usage: '',
    help: 'Send errors to stderr instead of stdout',
    imports: 'messages',
    apply: flag('errorsToStderr'),
  },
  {
    name: 'log',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'FILE',
    help: 'Truncate and log to file, from the moment it is parsed',
    apply: logTo(false),
  },
  {
    name: 'log-append',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'FILE',
    help: 'Append log to file, from the moment it is parsed',
    apply: logTo(true),
  },
  {
    name: 'machine-readable-output',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Prefix log lines with epoch.usec and hex flags',
    apply: flag('machineReadableOutput'),
  },
  {
    name: 'memstats',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'ignored',
    usage: 'FILE',
    help: 'Write counters to a memory-mapped file',
    apply: nothing,
  },
  {
    name: 'mute',
    min: 1,
    max: 1,
    contexts: 'GP',
    supported: 'yes',
    usage: 'N',
    help: 'Limit consecutive messages of one category',
    imports: 'messages',
    apply: count('mute'),
  },
  {
    name: 'mute-replay-warnings',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Hide replay warnings',
    apply: flag('muteReplayWarnings'),
  },
  {
    name: 'parameter',
    min: 0,
    max: MANY,
    contexts: 'GPD',
    supported: 'yes',
    usage: '[TEXT...]',
    help: 'Alias of echo',
    imports: 'echo',
    apply: applyEcho,
  },
  {
    name: 'status',
    min: 1,
    max: 2,
    contexts: 'G',
    supported: 'yes',
    usage: 'FILE [SECONDS]',
    help: 'Write status file every n seconds',
    apply: ([file = '', seconds], options) => {
      options.status = file;
      if (seconds !== undefined) options.statusInterval = positiveAtoi(seconds);
    },
  },
  {
    name: 'status-version',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'N',
    help: 'Status format 1, 2 or 3',
    apply: ([value = ''], options, context) => {
      const version = atoi(value);
      if (version !== 1 && version !== 2 && version !== 3)
        return context.fail('--status-version must be 1 to 3');
      options.statusVersion = version;
    },
  },
  {
    name: 'suppress-timestamps',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Omit timestamps from log lines',
    apply: flag('suppressTimestamps'),
  },
  {
    name: 'syslog',
    min: 0,
    max: 1,
    contexts: 'G',
    supported: 'not-yet',
    usage: '[NAME]',
    help: 'Log to syslog (immediately) under an optional program name',
    apply: ([name], options) => {
      options.syslog ??= name ?? 'openvpn';
    },
  },
  {
    name: 'verb',
    min: 1,
    max: 1,
    contexts: 'GP',
    supported: 'yes',
    usage: 'N',
    help: 'Log verbosity 0..11(15)',
    imports: 'messages',
    apply: count('verb'),
  },
];

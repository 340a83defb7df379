/**
 * Option rows for log and status options (2.x options.c add_option(), manual section "log").
 * Fields: option-row.ts. Arity and contexts are those of test-kit/options.tsv.
 */

import { applyEcho, logTo } from './apply-client.ts';
import {
  atoi,
  count,
  flag,
  ignored,
  MANY,
  nothing,
  notYet,
  type OptionRow,
  positiveAtoi,
  row,
} from './option-row.ts';

export const logOptions: readonly OptionRow[] = [
  row('echo [TEXT...]', 0, MANY, 'GPD', {
    help: 'Pass text to the management echo buffer; only text starting with msg is logged',
    imports: 'echo',
    apply: applyEcho,
  }),
  row('errors-to-stderr', 0, 0, 'GP', {
    help: 'Send errors to stderr instead of stdout',
    imports: 'messages',
    apply: flag('errorsToStderr'),
  }),
  row('log FILE', 1, 1, 'G', 'Truncate and log to file, from the moment it is parsed', logTo(false)),
  row('log-append FILE', 1, 1, 'G', 'Append log to file, from the moment it is parsed', logTo(true)),
  row('machine-readable-output', 0, 0, 'G', {
    help: 'Prefix log lines with epoch.usec and hex flags',
    apply: flag('machineReadableOutput'),
  }),
  ignored('memstats FILE', 1, 1, 'G', 'Write counters to a memory-mapped file', nothing),
  row('mute N', 1, 1, 'GP', 'Limit consecutive messages of one category', count('mute'), 'messages'),
  row('mute-replay-warnings', 0, 0, 'G', 'Hide replay warnings', flag('muteReplayWarnings')),
  row('parameter [TEXT...]', 0, MANY, 'GPD', 'Alias of echo', applyEcho, 'echo'),
  row('status FILE [SECONDS]', 1, 2, 'G', {
    help: 'Write status file every n seconds',
    apply: ([file = '', seconds], options) => {
      options.status = file;
      if (seconds !== undefined) options.statusInterval = positiveAtoi(seconds);
    },
  }),
  row('status-version N', 1, 1, 'G', 'Status format 1, 2 or 3', ([value = ''], options, context) => {
    const version = atoi(value);
    if (version !== 1 && version !== 2 && version !== 3)
      return context.fail('--status-version must be 1 to 3');
    options.statusVersion = version;
  }),
  row('suppress-timestamps', 0, 0, 'G', 'Omit timestamps from log lines', flag('suppressTimestamps')),
  notYet('syslog [NAME]', 0, 1, 'G', {
    help: 'Log to syslog (immediately) under an optional program name',
    apply: ([name], options) => {
      options.syslog ??= name ?? 'openvpn';
    },
  }),
  row('verb N', 1, 1, 'GP', 'Log verbosity 0..11(15)', count('verb'), 'messages'),
];

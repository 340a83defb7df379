/**
 * Options of a configuration that are about the process: the program carries them out, a library can't, since the
 * process is its caller's. Each that is set is named in a warning; one that would change what other options
 * mean is refused. docs/library.md says the same in words, and a test compares the two.
 */
import { OptionsError } from '../base/base.ts';
import type { Options } from '../options/options.ts';

export interface ProcessOption {
  readonly name: string;
  readonly isSet: (options: Options) => boolean;
  /** Who does it instead. */
  readonly instead: string;
  /** Without it the rest of the configuration means something else. */
  readonly refused?: true;
}

const PROCESS = "the process is the caller's";
const LOG = 'lines go to the log that is given';

export const PROCESS_OPTIONS: readonly ProcessOption[] = [
  {
    name: 'chroot',
    isSet: (o) => o.chroot !== undefined,
    instead: 'files would be looked for elsewhere',
    refused: true,
  },
  { name: 'cd', isSet: (o) => o.cd !== undefined, instead: 'paths count from where the process is' },
  { name: 'user', isSet: (o) => o.user !== undefined, instead: PROCESS },
  { name: 'group', isSet: (o) => o.group !== undefined, instead: PROCESS },
  { name: 'nice', isSet: (o) => o.nice !== 0, instead: PROCESS },
  { name: 'mlock', isSet: (o) => o.mlock, instead: PROCESS },
  { name: 'daemon', isSet: (o) => o.daemon, instead: PROCESS },
  { name: 'writepid', isSet: (o) => o.writepid !== undefined, instead: PROCESS },
  { name: 'syslog', isSet: (o) => o.syslog !== undefined && !o.daemon, instead: LOG },
  { name: 'log', isSet: (o) => o.log !== undefined && !o.log.append, instead: LOG },
  { name: 'log-append', isSet: (o) => o.log?.append === true, instead: LOG },
  { name: 'mute', isSet: (o) => o.mute > 0, instead: LOG },
  { name: 'suppress-timestamps', isSet: (o) => o.suppressTimestamps, instead: LOG },
  { name: 'machine-readable-output', isSet: (o) => o.machineReadableOutput, instead: LOG },
  { name: 'errors-to-stderr', isSet: (o) => o.errorsToStderr, instead: LOG },
];

/** The warnings that a library's configuration deserves. Throws OptionsError for what can't be left out. */
export function processOptionWarnings(options: Options): string[] {
  return PROCESS_OPTIONS.filter(({ isSet }) => isSet(options)).map(({ name, instead, refused }) => {
    if (refused) throw new OptionsError(`--${name} has no meaning in a library: ${instead}`);
    return `WARNING: --${name} has no meaning in a library and is ignored: ${instead}`;
  });
}

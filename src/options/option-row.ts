/**
 * One row of the option table, what a row's action gets, and small makers of rows and common actions
 * (2.x options.c add_option()). Rows live in table-*.ts, one file per section of the manual.
 */
import type { ConfigFileSystem } from './config-files.ts';
import type { ToolMode } from './generic-options.ts';
import type { FileOrInline } from './material.ts';
import type { Options } from './option-types.ts';

/** Where option text comes from: G config file or argv, C connection block, P pushed, D per client. */
export type OptionContext = 'G' | 'C' | 'P' | 'D';

/**
 * - `yes`: works.
 * - `not-yet`: refused with a text of its own; turn into `yes` when the feature works.
 * - `ignored`: accepted without effect, as 2.x does.
 * - `rejected`: 2.x on Linux refuses it as well.
 */
export type Support = 'yes' | 'not-yet' | 'ignored' | 'rejected';

/** What a pushed option changed: decides the OPTIONS IMPORT lines and what is set up again. */
export type ImportKind =
  | 'messages'
  | 'timers'
  | 'explicit-notify'
  | 'comp'
  | 'shaper'
  | 'sockbuf'
  | 'sockflags'
  | 'persist'
  | 'up'
  | 'route'
  | 'route-extras'
  | 'dhcpdns'
  | 'setenv'
  | 'peer-id'
  | 'ncp'
  | 'push-mtu'
  | 'echo';

/** What an action may do besides setting fields. */
export interface ApplyContext {
  /** The option word without dashes. */
  readonly name: string;
  /** The first value is the text of an inline block. */
  readonly inline: boolean;
  readonly context: OptionContext;
  readonly files: ConfigFileSystem | undefined;
  log(level: number, text: string): void;
  /** Logs at M_WARN. */
  warn(text: string): void;
  /** A bad value: ends parsing of a config; a pushed or per-client option is logged and skipped. */
  fail(text: string): never;
  /** As fail(), but where errors are only logged the action goes on. */
  error(text: string): void;
  /** Ends the program with a run-time error, timestamped and without "Options error". */
  fatal(text: string): never;
  /** The answer to a wrong number of values. */
  unrecognized(): never;
  /** Refuses a use of the option that this program can't serve, e.g. `--crl-verify dir`. */
  notYet(what: string): void;
  /** Reads a further config file here. */
  include(path: string): void;
  /** Parses the text of a <connection> block. */
  connection(text: string): void;
  /** Stops parsing: --help and --version act at once. */
  stop(tool: ToolMode): never;
}

export type Apply = (values: readonly string[], options: Options, context: ApplyContext) => void;

export interface OptionRow {
  readonly name: string;
  /** Values after the option word. */
  readonly min: number;
  readonly max: number;
  /** Letters of options.tsv: G C P R D I U N, or '-'. */
  readonly contexts: string;
  readonly supported: Support;
  /** What follows the option word in --help. */
  readonly usage: string;
  readonly help: string;
  readonly imports?: ImportKind;
  /** Too many values get the text about quoting instead of "Unrecognized option". */
  readonly quoteHint?: true;
  readonly apply?: Apply;
}

/** What a row may have besides its head, arity and contexts. */
type RowDetails = Pick<OptionRow, 'help' | 'imports' | 'quoteHint' | 'apply'>;

/**
 * Makes a row in one line, or with details by name where a line is too short. `head` is the option as --help
 * shows it, e.g. `reneg-sec SECONDS [MIN]`.
 */
interface RowMaker {
  (
    head: string,
    min: number,
    max: number,
    contexts: string,
    help: string,
    apply?: Apply,
    imports?: ImportKind,
  ): OptionRow;
  (head: string, min: number, max: number, contexts: string, details: RowDetails): OptionRow;
}

/** An option that works. */
export const row = rowMaker('yes');
export const notYet = rowMaker('not-yet');
export const ignored = rowMaker('ignored');
export const rejected = rowMaker('rejected');

function rowMaker(supported: Support): RowMaker {
  return (head, min, max, contexts, help: string | RowDetails, apply?: Apply, imports?: ImportKind) => {
    const [name = '', ...usage] = head.split(' ');
    const details =
      typeof help === 'string' ? { help, ...(apply && { apply }), ...(imports && { imports }) } : help;
    return { name, min, max, contexts, supported, usage: usage.join(' '), ...details };
  };
}

type KeyTaking<V> = { [K in keyof Options]-?: V extends Options[K] ? K : never }[keyof Options];
type FlagKey = { [K in keyof Options]-?: boolean extends Options[K] ? K : never }[keyof Options];

/** Values that an option row allows without a limit of its own. */
export const MANY = 15;

/** Sets a switch, on unless said otherwise. */
export function flag(key: FlagKey, value = true): Apply {
  return (_values, options) => {
    options[key] = value;
  };
}

/** Stores the value as it is. */
export function text(key: KeyTaking<string>): Apply {
  return ([value = ''], options) => {
    options[key] = value;
  };
}

/** Stores a number the way 2.x reads it: garbage is 0, negative is 0. */
export function count(key: KeyTaking<number>): Apply {
  return ([value = ''], options) => {
    options[key] = positiveAtoi(value);
  };
}

/** Stores a file name or the text of an inline block. */
export function material(key: KeyTaking<FileOrInline>): Apply {
  return ([value = ''], options, context) => {
    options[key] = fileOrInline(value, context.inline);
  };
}

/** Accepts and does nothing. */
export const nothing: Apply = () => undefined;

export function fileOrInline(value: string, inline: boolean): FileOrInline {
  return inline ? { kind: 'inline', text: value } : { kind: 'file', path: value };
}

/** C atoi(): leading white space and sign, digits, the rest ignored; wraps to 32 bits. */
export function atoi(value: string): number {
  const digits = /^\s*([+-]?\d{1,25})/.exec(value)?.[1];
  if (digits === undefined) return 0;
  const clamped = clampLong(BigInt(digits.replace('+', '')));
  return Number(BigInt.asIntN(32, clamped));
}

/** atoi() with negative results made 0. */
export function positiveAtoi(value: string): number {
  return Math.max(0, atoi(value));
}

function clampLong(value: bigint): bigint {
  const max = 2n ** 63n - 1n;
  return value > max ? max : value < -max - 1n ? -max - 1n : value;
}

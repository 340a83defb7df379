/**
 * One option word with its values against the table (2.x options.c add_option(),
 * verify_permission(), no_more_than_n_args()). Order of checks: name and number of values, context,
 * inline, support, then the row's own action. Where errors aren't fatal (pushed and per-client text)
 * they become log lines and the option is passed over.
 */
import { M_WARN } from '../base/errlevel.ts';
import { ConfigError, type LogLine, OptionSkipped, ToolStop } from './config-error.ts';
import type { ConfigFileSystem } from './config-files.ts';
import type { ApplyContext, ImportKind, OptionContext, OptionRow } from './option-row.ts';
import { findOption } from './option-table.ts';
import type { Options } from './option-types.ts';
import { OPENVPN_VERSION } from './version.ts';

/** Where an option word stands. `file` is undefined on the command line. */
export interface Place {
  readonly file: string | undefined;
  readonly line: number;
  readonly inline: boolean;
  /** Depth of nested config files. */
  readonly level: number;
}

/** One run of the parser over one kind of text. */
export interface Parser {
  readonly options: Options;
  readonly context: OptionContext;
  /** Undefined: errors end parsing. Else the level at which they are logged. */
  readonly errorLevel: number | undefined;
  readonly messages: LogLine[];
  readonly files: ConfigFileSystem | undefined;
  /** Take options whose feature isn't wired up as if it were. */
  readonly allowUnsupported: boolean;
  /** Kinds of accepted options, in the order met. */
  readonly imports: Set<ImportKind>;
  include(path: string, place: Place): void;
  connection(text: string): void;
}

/** Handles one line's words; `words[0]` is the option without dashes. */
export function addOption(parser: Parser, words: readonly string[], place: Place): void {
  const soft = words[0] === 'setenv' && words[1] === 'opt' && parser.context !== 'P';
  const [name = '', ...values] = !soft ? words : words.length > 2 ? words.slice(2) : ['setenv opt'];
  const context: ApplyContext = createContext(parser, name, soft, place);
  try {
    const row = findOption(name);
    if (row === undefined || !takes(row, values.length)) context.unrecognized();
    if (!permitted(parser, row, place, context)) return;
    checkQuoteHint(row, values.length, context);
    if (row.supported === 'not-yet') context.notYet(`--${name}`);
    row.apply?.(values, parser.options, context);
  } catch (error) {
    if (!(error instanceof OptionSkipped)) throw error;
  }
}

/** `FILE:LINE` of an option, `[CMD-LINE]:1` for argv. */
export function placeText({ file, line }: Place): string {
  return file === undefined ? '[CMD-LINE]:1' : `${file}:${line}`;
}

/** A problem of the text itself: ends parsing or is logged, as the parser says. */
export function report(parser: Parser, message: string, place: Place, raw = false): void {
  if (parser.errorLevel === undefined) {
    throw new ConfigError(message, raw ? 'raw' : 'usage', errorPlace(place));
  }
  parser.messages.push({ level: parser.errorLevel, text: raw ? message : `Options error: ${message}` });
}

function createContext(parser: Parser, name: string, soft: boolean, place: Place): ApplyContext {
  const log = (level: number, text: string): void => {
    parser.messages.push({ level, text });
  };
  const fail = (text: string): never => {
    report(parser, text, place);
    throw new OptionSkipped(text);
  };
  /** Unknown names and features that are missing may be tolerated, bad values never. */
  const failSoftly = (text: string): never => {
    const { forwardCompatible, ignoreUnknownOption } = parser.options;
    if (!soft && !forwardCompatible && !ignoreUnknownOption.includes(name)) return fail(text);
    log(M_WARN, text);
    throw new OptionSkipped(text);
  };
  return {
    name,
    inline: place.inline,
    context: parser.context,
    files: parser.files,
    log,
    warn: (text) => log(M_WARN, text),
    fail,
    error: (text) => report(parser, text, place),
    fatal: (text) => {
      throw new ConfigError(text, 'fatal', errorPlace(place));
    },
    unrecognized: () =>
      failSoftly(
        `Unrecognized option or missing or extra parameter(s) in ${placeText(place)}: ${name} (${OPENVPN_VERSION})`,
      ),
    notYet: (what) => {
      if (!parser.allowUnsupported) failSoftly(`${what} is not supported by openvpn-ts yet`);
    },
    include: (path) => parser.include(path, place),
    connection: (text) => parser.connection(text),
    stop: (tool) => {
      throw new ToolStop(tool);
    },
  };
}

/** Whether 2.x's parser has a branch for this row and number of values. */
function takes(row: OptionRow, count: number): boolean {
  if (row.contexts === '-' || (row.supported === 'rejected' && row.apply === undefined)) return false;
  if (row.quoteHint) return count >= 1;
  return count >= row.min && count <= row.max;
}

function permitted(parser: Parser, row: OptionRow, place: Place, context: ApplyContext): boolean {
  if (!inContext(row, parser)) {
    const where = place.file ?? '[CMD-LINE]';
    context.error(`option '${row.name}' cannot be used in this context (${where})`);
    return false;
  }
  if (place.inline && !row.contexts.includes('I')) {
    context.error(`option '${row.name}' is not expected to be inline (${placeText(place)})`);
    return false;
  }
  if (row.imports !== undefined) parser.imports.add(row.imports);
  if (parser.context === 'G' && row.contexts.includes('C') && parser.options.connectionList.length > 0) {
    context.warn(`Option '${row.name}' in ${placeText(place)} is ignored by previous <connection> blocks `);
  }
  return true;
}

function inContext({ contexts }: OptionRow, { context, options }: Parser): boolean {
  if (contexts.includes('N') || contexts.includes(context)) return true;
  return context === 'P' && contexts.includes('R') && !options.routeNopull;
}

function checkQuoteHint(row: OptionRow, count: number, context: ApplyContext): void {
  if (!row.quoteHint || count <= row.max) return;
  context.fail(
    `the --${row.name} directive should have at most ${row.max} parameter${row.max > 1 ? 's' : ''}.  To pass a list of arguments as one of the parameters, try enclosing them in double quotes ("").`,
  );
}

function errorPlace({ file, line }: Place): { file?: string; line?: number } {
  return file === undefined ? {} : { file, line };
}

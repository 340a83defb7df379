/**
 * From argv, config files and texts to finished Options (2.x options.c parse_argv(),
 * read_config_file(), read_config_string()). Everything is taken left to right, `config FILE` where it
 * stands; later settings override earlier ones. Then postprocess() fills in and checks.
 */
import { addOption, type Parser, type Place, placeText, report } from './add-option.ts';
import { ConfigError, type LogLine, ToolStop } from './config-error.ts';
import type { ConfigFileSystem } from './config-files.ts';
import { defaultOptions } from './defaults.ts';
import {
  bytesToLatin1,
  decodeToken,
  encodeText,
  MAX_PARMS,
  OPTION_PARM_SIZE,
  splitConfigLine,
  stripDashes,
} from './lexer.ts';
import { fileLines, type LineSource, memoryLines, readInlineBlock } from './lines.ts';
import type { Options, ToolMode } from './option-types.ts';
import { postprocess } from './postprocess.ts';

export type { LogLine } from './config-error.ts';

/** Deepest nesting of config files; 2.x's limit. */
const MAX_CONFIG_DEPTH = 10;

/** What parsing may use and fill. Everything is optional. */
export interface ParseEnvironment {
  /** Without it no file is read or checked. */
  readonly files?: ConfigFileSystem;
  /** $TMPDIR. */
  readonly tmpDir?: string;
  /** Filled as parsing goes on, so that what came before an error can still be logged. */
  readonly messages?: LogLine[];
  /** Filled in place, for the same reason: --log and others act even if a later option is bad. */
  readonly options?: Options;
  /** Name of the text in messages of parseConfig(); `config` by default. */
  readonly fileName?: string;
  /** Whether the data channel can do a cipher (canonical name); all AEAD ciphers by default. */
  readonly supportsCipher?: (name: string) => boolean;
  /** For tools and tests: take options whose feature isn't wired up as if it were. */
  readonly allowUnsupported?: boolean;
}

export interface ParseResult {
  readonly options: Options;
  /** Lines to write once the log is up, oldest first. */
  readonly messages: readonly LogLine[];
  /** Something other than a tunnel was asked for: options are not completed and checked then. */
  readonly tool: ToolMode | undefined;
}

/** Parses the words after the program's name; none at all asks for help. Throws OptionsError. */
export function parseArgv(argv: readonly string[], environment: ParseEnvironment = {}): ParseResult {
  return run(environment, (parser) => {
    const [only] = argv;
    if (only === undefined) throw new ToolStop('help');
    if (argv.length === 1 && !only.startsWith('--')) {
      addOption(parser, ['config', only], COMMAND_LINE);
    } else {
      for (let i = 0; i < argv.length; ) i += addWords(parser, argv, i);
    }
  });
}

/** Parses the text of a config file. Throws OptionsError. */
export function parseConfig(text: string, environment: ParseEnvironment = {}): ParseResult {
  const label = environment.fileName ?? 'config';
  return run(environment, (parser) => {
    parser.options.config ||= label;
    readLines(parser, fileLines(encodeText(text)), label, 1);
  });
}

/**
 * Reads config text into an existing parser: connection blocks, client-connect output, CCD files.
 * `level` is the nesting depth that `config` lines in it start from.
 */
export function readLines(parser: Parser, source: LineSource, file: string, level: number): void {
  let lineNumber = 0;
  for (let line = source.next(); line !== undefined; line = source.next()) {
    lineNumber++;
    lineNumber += readLine(parser, source, line, { file, line: lineNumber, inline: false, level });
  }
}

/** A parser for text that is not a main configuration; see Parser for the fields. */
export function createParser(
  fields: Omit<Parser, 'include' | 'connection' | 'imports' | 'allowUnsupported'> & {
    readonly allowUnsupported?: boolean;
  },
): Parser {
  const parser: Parser = {
    allowUnsupported: false,
    ...fields,
    imports: new Set(),
    include: (path, place) => readConfigFile(parser, path, place),
    connection: (text) => readConnectionBlock(parser, text),
  };
  return parser;
}

const COMMAND_LINE: Place = { file: undefined, line: 1, inline: false, level: 0 };
const BOM = '\xef\xbb\xbf';

function run(environment: ParseEnvironment, read: (parser: Parser) => void): ParseResult {
  const messages = environment.messages ?? [];
  const options = environment.options ?? defaultOptions(environment.tmpDir);
  const parser = createParser({
    options,
    context: 'G',
    errorLevel: undefined,
    messages,
    files: environment.files,
    allowUnsupported: environment.allowUnsupported ?? false,
  });
  try {
    read(parser);
  } catch (error) {
    if (!(error instanceof ToolStop)) throw error;
    options.tool = error.tool;
  }
  if (options.tool === undefined) postprocess(options, messages, environment);
  return { options, messages, tool: options.tool };
}

/** One option of argv and its values; returns how many words were used. */
function addWords(parser: Parser, argv: readonly string[], start: number): number {
  const word = argv[start]!;
  if (!word.startsWith('--')) {
    report(
      parser,
      `I'm trying to parse "${word}" as an --option parameter but I don't see a leading '--'`,
      COMMAND_LINE,
    );
  }
  let end = start + 1;
  while (end < argv.length && end - start < MAX_PARMS && !argv[end]!.startsWith('--')) end++;
  addOption(parser, [word.slice(2), ...argv.slice(start + 1, end)], COMMAND_LINE);
  return end - start;
}

/** Returns the lines of an inline block that followed. */
function readLine(parser: Parser, source: LineSource, raw: string, place: Place): number {
  if (raw.length >= OPTION_PARM_SIZE) {
    const text = `In ${placeText(place)}: Maximum option line length (${OPTION_PARM_SIZE}) exceeded, line starts with ${raw}`;
    report(parser, text, place);
  }
  const line = place.line === 1 && raw.startsWith(BOM) ? raw.slice(BOM.length) : raw;
  const lexed = splitConfigLine(line, placeText(place));
  if ('problem' in lexed) {
    report(parser, lexed.problem, place, lexed.raw);
    return 0;
  }
  const [first, ...rest] = lexed.tokens;
  if (first === undefined) return 0;
  const word = stripDashes(first);
  const tag = rest.length === 0 ? inlineTag(word) : undefined;
  if (tag === undefined) {
    addOption(parser, [word, ...rest].map(decodeToken), place);
    return 0;
  }
  const block = readInlineBlock(source, tag);
  if (block === undefined) return missingEndTag(parser, tag, place);
  addOption(parser, [decodeToken(tag), decodeToken(block.text)], { ...place, inline: true });
  return block.lines;
}

/** Fatal in 2.x everywhere; here a client's file can't end the server. */
function missingEndTag(parser: Parser, tag: string, { line, file = '' }: Place): number {
  const text = `ERROR: Endtag </${tag}> missing`;
  if (parser.errorLevel === undefined) throw new ConfigError(text, 'fatal', { file, line });
  parser.messages.push({ level: parser.errorLevel, text });
  return 0;
}

function inlineTag(word: string): string | undefined {
  return word.length >= 2 && word.startsWith('<') && word.endsWith('>') ? word.slice(1, -1) : undefined;
}

function readConfigFile(parser: Parser, path: string, place: Place): void {
  if (place.level + 1 > MAX_CONFIG_DEPTH) {
    report(
      parser,
      `In ${placeText(place)}: Maximum recursive include levels exceeded in include attempt of file ${path} -- probably you have a configuration file that tries to include itself.`,
      place,
    );
    return;
  }
  const content = path === 'stdin' ? parser.files?.readStdin() : parser.files?.readFile(path);
  if (content instanceof Uint8Array) {
    readLines(parser, fileLines(bytesToLatin1(content)), path, place.level + 1);
  } else {
    report(parser, `In ${placeText(place)}: Error opening configuration file: ${path}`, place);
  }
}

/** A block starts from the connection settings so far; nothing else of it comes out but the profile. */
function readConnectionBlock(parent: Parser, text: string): void {
  const options = defaultOptions();
  options.ce = structuredClone(parent.options.ce);
  const parser = createParser({ ...parent, options, context: 'C' });
  readLines(parser, memoryLines(encodeText(text)), '[CONNECTION-OPTIONS]', 0);
  if (options.ce.remote === undefined) {
    const place: Place = { file: '[CONNECTION-OPTIONS]', line: 1, inline: true, level: 0 };
    report(parent, "Each 'connection' block must contain exactly one 'remote' directive", place);
    return;
  }
  parent.options.connectionList.push(options.ce);
}

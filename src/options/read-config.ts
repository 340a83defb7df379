/**
 * Reading config lines, files and blocks into a parser (2.x options.c read_config_file(),
 * read_config_string(), check_inline_file()). Inline blocks are raw text; a <connection> block is a
 * small config of its own; `config FILE` is read where it stands.
 */
import { addOption, type Parser, type Place, placeText, report } from './add-option.ts';
import { ConfigError } from './config-error.ts';
import { defaultOptions } from './defaults.ts';
import {
  bytesToLatin1,
  decodeToken,
  encodeText,
  OPTION_PARM_SIZE,
  splitConfigLine,
  stripDashes,
} from './lexer.ts';
import { fileLines, type LineSource, memoryLines, readInlineBlock } from './lines.ts';

/** Deepest nesting of config files; 2.x's limit. */
const MAX_CONFIG_DEPTH = 10;

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

const BOM = '\xef\xbb\xbf';

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

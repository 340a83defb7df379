/**
 * From argv and config texts to finished Options (2.x options.c parse_argv(), openvpn.c). Everything is
 * taken left to right, `config FILE` where it stands; later settings override earlier ones. Then
 * postprocess() fills in and checks.
 */
import { M_NONFATAL } from '../base/errlevel.ts';
import { addOption, type Parser, type Place, report } from './add-option.ts';
import { ConfigError, type LogLine, ToolStop } from './config-error.ts';
import type { ConfigFileSystem } from './config-files.ts';
import { defaultOptions } from './defaults.ts';
import type { ToolMode } from './generic-options.ts';
import { encodeText, MAX_PARMS } from './lexer.ts';
import { fileLines } from './lines.ts';
import type { Options } from './option-types.ts';
import { postprocess } from './postprocess.ts';
import { createParser, readLines } from './read-config.ts';

export type { LogLine } from './config-error.ts';

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
  /** Whether the crypto library has a cipher (canonical name); by default all but OpenSSL's legacy ones. */
  readonly supportsCipher?: (name: string) => boolean;
  /** Whether --x509-track may name an attribute; by default all are left to whoever reads certificates. */
  readonly isTrackable?: (name: string) => boolean;
  /**
   * Loads an OpenSSL provider, before any cipher is looked up; returns undefined, or the lines that say why not.
   * Without it --providers does nothing.
   */
  readonly loadProvider?: (name: string) => readonly string[] | undefined;
  /** The private key lives elsewhere and is given with the providers: --key isn't demanded beside --cert. */
  readonly externalKey?: boolean;
  /** Logins are judged by functions of the caller (TunnelOptions.hooks), which then stand for --auth-user-pass-verify. */
  readonly judgesLogins?: boolean;
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

const COMMAND_LINE: Place = { file: undefined, line: 1, inline: false, level: 0 };
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
  if (options.tool !== 'help' && options.tool !== 'version') loadProviders(options, messages, environment);
  if (options.tool === undefined) postprocess(options, messages, environment);
  return { options, messages, tool: options.tool };
}

/** As early as in 2.x init_early(): lists of ciphers depend on it. */
function loadProviders(options: Options, messages: LogLine[], { loadProvider }: ParseEnvironment): void {
  for (const name of options.providers) {
    const problem = loadProvider?.(name);
    if (problem === undefined) continue;
    for (const line of problem) messages.push({ level: M_NONFATAL, text: `OpenSSL: ${line}` });
    throw new ConfigError(`failed to load provider '${name}'`, 'fatal');
  }
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

/**
 * Per-client configuration of a server (2.x options.c options_server_import(),
 * options_string_import(); multi.c multi_client_connect_source_ccd()). CCD files and the output of
 * client-connect hold options of context D; errors in them are logged and don't stop the client.
 */
import { D_IMPORT_ERRORS } from '../base/errlevel.ts';
import type { LogLine } from './config-error.ts';
import type { ConfigFileSystem } from './config-files.ts';
import { cloneOptions } from './defaults.ts';
import { encodeText } from './lexer.ts';
import { fileLines } from './lines.ts';
import type { ImportKind } from './option-row.ts';
import type { Options } from './option-types.ts';
import { createParser, readLines } from './read-config.ts';

export interface ClientConfigResult {
  /** A clone of `base` with the client's options applied. */
  readonly options: Options;
  readonly messages: readonly LogLine[];
  readonly imports: ReadonlySet<ImportKind>;
}

/**
 * Applies `text` over a clone of `base`. Call it again with the result for further sources (CCD,
 * then client-connect). `fileLabel` is the file's name in messages.
 */
export function parseClientConfig(
  text: string,
  fileLabel: string,
  base: Options,
  files?: ConfigFileSystem,
): ClientConfigResult {
  const options = cloneOptions(base);
  const messages: LogLine[] = [];
  const parser = createParser({ options, context: 'D', errorLevel: D_IMPORT_ERRORS, messages, files });
  readLines(parser, fileLines(encodeText(text)), fileLabel, 1);
  return { options, messages, imports: parser.imports };
}

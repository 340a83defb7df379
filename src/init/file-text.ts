/** Contents of files that options name, or of their inline blocks, with 2.x's words when that fails. */
import { readFileSync } from 'node:fs';
import { bytesOfText, errnoLine, OptionsError, textOfBytes } from '../base/base.ts';
import type { FileOrInline } from '../options/options.ts';

/** The text of a file or inline block. Throws OptionsError when it can't be read. */
export function readText(value: FileOrInline, option: string): string {
  return textOfBytes(readBytes(value, option));
}

/** The same as bytes. */
export function readBytes(value: FileOrInline, option: string): Buffer {
  if (value.kind === 'inline') return Buffer.from(bytesOfText(value.text));
  try {
    return readFileSync(value.path);
  } catch (cause) {
    const what = `Cannot open file '${value.path}' for --${option}`;
    throw new OptionsError(errnoLine(what, cause), {}, { cause });
  }
}

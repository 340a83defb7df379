/** Contents of files that options name, or of their inline blocks, with 2.x's words when that fails. */
import { readFileSync } from 'node:fs';
import { errnoLine, OptionsError } from '../base/base.ts';
import type { FileOrInline } from '../options/options.ts';

/** The text of a file or inline block. Throws OptionsError when it can't be read. */
export function readText(value: FileOrInline, option: string): string {
  return readBytes(value, option).toString('utf8');
}

/** The same as bytes. */
export function readBytes(value: FileOrInline, option: string): Buffer {
  if (value.kind === 'inline') return Buffer.from(value.text);
  try {
    return readFileSync(value.path);
  } catch (cause) {
    const what = `Cannot open file '${value.path}' for --${option}`;
    throw new OptionsError(errnoLine(what, cause), {}, { cause });
  }
}

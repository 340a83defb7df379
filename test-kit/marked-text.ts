/**
 * Replaces a generated part of a document: what stands between the lines
 * `<!-- NAME: begin ... -->` and `<!-- NAME: end -->`. Documents keep their prose by hand around it.
 */
import { readFileSync, writeFileSync } from 'node:fs';

/** Throws when the document or its markers are missing. */
export function replaceMarked(path: string, name: string, text: string): void {
  const old = readFileSync(path, 'utf8');
  const begin = old.indexOf(`<!-- ${name}: begin`);
  const start = old.indexOf('-->', begin) + '-->'.length;
  const end = old.indexOf(`<!-- ${name}: end`);
  if (begin < 0 || end < start) throw new Error(`${path}: the markers of "${name}" are missing`);
  writeFileSync(path, `${old.slice(0, start)}\n\n${text}\n\n${old.slice(end)}`);
}

/** docs/errors.md lists exactly the error codes that the code can throw: an error without words helps nobody. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

describe('docs/errors.md', () => {
  it('has one row for every code of src/ and native/, and no other', () => {
    expect(documentedCodes()).toEqual([...codesInSource()].sort());
  });

  it('says something about each', () => {
    for (const [, code, meaning] of rows()) expect(meaning!.trim().length, code).toBeGreaterThan(20);
  });
});

function documentedCodes(): string[] {
  return rows().map(([, code]) => code!);
}

function rows(): RegExpMatchArray[] {
  const text = readFileSync(join(ROOT, 'docs', 'errors.md'), 'utf8');
  return [...text.matchAll(/^\| `(ERR_OVPN\w*)` \|(.*)\|$/gm)];
}

function codesInSource(): Set<string> {
  const codes = new Set<string>();
  for (const path of [...filesIn('src', '.ts'), ...filesIn('native', '.cc')]) {
    if (/\.(test|conformance)\.ts$/.test(path)) continue;
    for (const [, code] of readFileSync(path, 'utf8').matchAll(/['"](ERR_OVPN\w*)['"]/g)) codes.add(code!);
  }
  return codes;
}

function filesIn(folder: string, ending: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(ROOT, folder, name));
}

/** docs/library.md names every option that a library leaves to its caller, and no other. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROCESS_OPTIONS } from '../src/init/process-options.ts';

describe('docs/library.md', () => {
  it('lists the options about the process', () => {
    const text = readFileSync(join(import.meta.dirname, '..', 'docs', 'library.md'), 'utf8');
    const rows = [...text.matchAll(/^\| (`.*`) \|/gm)].flatMap(([, names]) => names!.split(', '));
    const ignored = PROCESS_OPTIONS.filter(({ refused }) => !refused).map(({ name }) => `\`${name}\``);
    expect(rows.sort()).toEqual(ignored.sort());
    for (const { name } of PROCESS_OPTIONS.filter(({ refused }) => refused)) {
      expect(text).toContain(`\`${name}\` is refused`);
    }
  });
});

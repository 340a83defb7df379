/** Every option that a client's file may hold stands in a row of the table that servers are held against. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CLIENT_OPTIONS } from './client-options-table.ts';

/** Of 2.7 alone. */
const LATER = ['override-username'];

describe('the table of client options', () => {
  const given = new Set(CLIENT_OPTIONS.flatMap(({ file }) => file.map((line) => line.split(' ')[0])));

  it.each(ofClientFiles())('has %s', (name) => {
    expect(given).toContain(name);
  });

  it('says of each row what it does', () => {
    for (const row of CLIENT_OPTIONS) {
      const said = [row.more, row.less, row.refused, row.ends].filter((part) => part !== undefined);
      expect(said, row.name).not.toEqual([]);
    }
  });
});

/** Names of the options of context D. */
function ofClientFiles(): string[] {
  const text = readFileSync(new URL('../test-kit/options.tsv', import.meta.url), 'utf8');
  const rows = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const names = rows.slice(1).flatMap((line) => {
    const [name = '', , , , contexts = ''] = line.split('\t');
    return contexts.includes('D') ? [name] : [];
  });
  expect(names.length).toBeGreaterThan(25);
  return names.filter((name) => !LATER.includes(name));
}

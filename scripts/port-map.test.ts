/**
 * docs/port-map.md is honest about stages. That no C file is missing and that all places exist is checked by
 * the portMap rule of scripts/lint-files.mjs.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const STAGES = ['1', '2', '3', '–', 'n/a'];

interface Row {
  readonly file: string;
  readonly places: string;
  readonly stage: string;
  readonly leftOut: string;
}

describe('docs/port-map.md', () => {
  const rows = readRows();

  it('has rows in the order of their names', () => {
    const names = rows.map((row) => row.file);
    expect(names.length).toBeGreaterThan(80);
    expect(names).toEqual([...names].sort());
  });

  it('uses known stages only', () => {
    expect(rows.filter((row) => !STAGES.includes(row.stage))).toEqual([]);
  });

  it('says where ported behaviour lives', () => {
    expect(rows.filter((row) => /^[123]$/.test(row.stage) && !/`(src|native)\//.test(row.places))).toEqual(
      [],
    );
  });

  it('says why where there is nothing', () => {
    expect(rows.filter((row) => !/^[123]$/.test(row.stage) && row.leftOut.length < 5)).toEqual([]);
  });

  it('names a conformance suite for stages 2 and 3', () => {
    expect(rows.filter((row) => /^[23]$/.test(row.stage) && !row.places.includes('.conformance.ts'))).toEqual(
      [],
    );
  });
});

function readRows(): Row[] {
  const text = readFileSync(join(import.meta.dirname, '..', 'docs', 'port-map.md'), 'utf8');
  return text
    .split('\n')
    .filter((line) => /^\| `[\w-]+\.c` \|/.test(line))
    .map((line) => {
      const [, file = '', places = '', stage = '', leftOut = ''] = line.split('|').map((cell) => cell.trim());
      return { file: file.replaceAll('`', ''), places, stage, leftOut };
    });
}

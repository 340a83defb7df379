import { describe, expect, it } from 'vitest';
import { type DocsTable, formatTable, mergeTables, OURS_COLUMN, parseTable } from './docs-table.ts';

const DOCUMENT = `# Words before

| Peer | |
|---|---|
| one | two |

| Feature | 2.4.12 | 2.7.6 | ${OURS_COLUMN} |
| --- | --- | --- | --- |
| Renegotiation | 8/8 | 7/8, **1 failed** | 4/4 |
| Gone | 1/1 | 1/1 | 1/1 |

| Tunnel with | 2.4.12 |
| --- | --- |
| dev tun | 9/9 |
`;

function table(columns: Record<string, Record<string, string>>): DocsTable {
  const rows = [...new Set(Object.values(columns).flatMap((cells) => Object.keys(cells)))];
  const cells = rows.map((row) => {
    const values = Object.entries(columns).map(([column, own]) => [column, own[row] ?? ''] as const);
    return [row, new Map(values)] as const;
  });
  return { head: 'Feature', columns: Object.keys(columns), rows, cells: new Map(cells) };
}

describe('a table of the document', () => {
  it('is read back by the first cell of its heading', () => {
    const feature = parseTable(DOCUMENT, 'Feature');
    expect(feature?.columns).toEqual(['2.4.12', '2.7.6', OURS_COLUMN]);
    expect(feature?.rows).toEqual(['Renegotiation', 'Gone']);
    expect(feature?.cells.get('Renegotiation')?.get('2.7.6')).toBe('7/8, **1 failed**');
    expect(parseTable(DOCUMENT, 'Tunnel with')?.rows).toEqual(['dev tun']);
    expect(parseTable(DOCUMENT, 'Scenario')).toBeUndefined();
  });

  it('is the same after writing and reading', () => {
    const feature = parseTable(DOCUMENT, 'Feature')!;
    expect(parseTable(formatTable(feature), 'Feature')).toEqual(feature);
  });

  it('takes the new columns of a run and keeps the others', () => {
    const fresh = table({ '2.7.6': { Renegotiation: '8/8', 'Several sockets': '2/2' } });
    const merged = mergeTables(parseTable(DOCUMENT, 'Feature'), fresh);
    expect(formatTable(merged)).toBe(
      [
        `| Feature | 2.4.12 | 2.7.6 | ${OURS_COLUMN} |`,
        '| --- | --- | --- | --- |',
        '| Renegotiation | 8/8 | 8/8 | 4/4 |',
        '| Several sockets |  | 2/2 |  |',
      ].join('\n'),
    );
  });

  it('has versions in their order, then other programs, then ours', () => {
    const fresh = table({ '2.10.0': {}, 'OpenVPN 3': {}, '2.8_git': {} });
    const merged = mergeTables(parseTable(DOCUMENT, 'Feature'), fresh);
    expect(merged.columns).toEqual(['2.4.12', '2.7.6', '2.8_git', '2.10.0', 'OpenVPN 3', OURS_COLUMN]);
    expect(mergeTables(undefined, table({ [OURS_COLUMN]: {}, '2.6.14': {} })).columns).toEqual([
      '2.6.14',
      OURS_COLUMN,
    ]);
  });
});

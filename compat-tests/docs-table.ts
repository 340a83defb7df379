/**
 * The generated tables of docs/compatibility.md: a row per feature or value, a column per peer that has been run. A
 * run replaces the columns it has results for; the others are read back from the document and kept.
 */
import { compareVersions, numbersOf } from './peer.ts';

/** `cells` go by row title, then by column title. What isn't there was never run. */
export interface DocsTable {
  /** First cell of the heading; tells the tables of a document apart. */
  readonly head: string;
  readonly columns: readonly string[];
  readonly rows: readonly string[];
  readonly cells: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** Column of our program on both ends. */
export const OURS_COLUMN = 'ours with ours';

/** Reads the table headed `head` out of a document; undefined when there is none. */
export function parseTable(text: string, head: string): DocsTable | undefined {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => cellsOf(line)[0] === head);
  if (start < 0) return undefined;
  const [, ...columns] = cellsOf(lines[start]!);
  const cells = new Map<string, Map<string, string>>();
  for (const line of lines.slice(start + 2)) {
    const [title, ...values] = cellsOf(line);
    if (title === undefined) break;
    cells.set(title, new Map(columns.map((column, i) => [column, values[i] ?? ''])));
  }
  return { head, columns, rows: [...cells.keys()], cells };
}

/** Rows and columns of `fresh`, with the further columns of `old` for the rows that both have. */
export function mergeTables(old: DocsTable | undefined, fresh: DocsTable): DocsTable {
  if (old === undefined) return { ...fresh, columns: sortColumns(fresh.columns) };
  const kept = old.columns.filter((column) => !fresh.columns.includes(column));
  const cells = fresh.rows.map((row) => {
    const keptCells = kept.map((column) => [column, old.cells.get(row)?.get(column) ?? ''] as const);
    return [row, new Map([...keptCells, ...(fresh.cells.get(row) ?? [])])] as const;
  });
  return { ...fresh, columns: sortColumns([...kept, ...fresh.columns]), cells: new Map(cells) };
}

/** The table as Markdown. */
export function formatTable(table: DocsTable): string {
  const lines = table.rows.map((row) => {
    const values = table.cells.get(row);
    return markdownRow([row, ...table.columns.map((column) => values?.get(column) ?? '')]);
  });
  const head = [table.head, ...table.columns];
  return [markdownRow(head), markdownRow(head.map(() => '---')), ...lines].join('\n');
}

export function markdownRow(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** Versions of 2.x in their order, other programs by name, ours at the end. */
function sortColumns(columns: readonly string[]): string[] {
  const rank = (column: string) => (column === OURS_COLUMN ? 2 : /^\d/.test(column) ? 0 : 1);
  return [...columns].sort(
    (a, b) => rank(a) - rank(b) || compareVersions(numbersOf(a), numbersOf(b)) || a.localeCompare(b),
  );
}

function cellsOf(line: string): string[] {
  if (!line.startsWith('|')) return [];
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

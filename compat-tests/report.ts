/**
 * What a compat run shows: a line per test as it ends, tables at the end, and the generated
 * part of docs/compatibility.md between its two markers.
 */
import { readFileSync } from 'node:fs';
import { replaceMarked } from '../test-kit/marked-text.ts';
import { PAIRINGS, type Pairing } from './bed.ts';
import {
  type DocsTable,
  formatTable,
  markdownRow,
  mergeTables,
  OURS_COLUMN,
  parseTable,
} from './docs-table.ts';
import { DIMENSIONS, MATRIX_FEATURE } from './matrix.ts';
import type { Peer } from './peer.ts';
import type { CompatTest, TestResult } from './runner.ts';
import { scenarioFeatures } from './scenarios/list.ts';

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const COLUMNS: Readonly<Record<Pairing, string>> = {
  'ours-client': 'our client, peer server',
  'ours-server': 'peer client, our server',
  'ours-both': 'ours on both ends',
};

export function countResults(results: readonly TestResult[]): Counts {
  const count = (outcome: TestResult['outcome']) => results.filter((r) => r.outcome === outcome).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped') };
}

/** One line for a finished test, with the reason below when it did not pass. */
export function resultLine(result: TestResult): string {
  const mark = { passed: 'ok  ', failed: 'FAIL', skipped: 'skip' }[result.outcome];
  const line = `${mark} ${result.seconds.toFixed(1).padStart(5)} s  ${result.pairing.padEnd(11)}  ${result.name}`;
  return result.detail === undefined ? line : `${line}\n  ${result.detail.split('\n').join('\n  ')}`;
}

/** The tables as Markdown: the matrix by value, then the scenarios, one column per pairing. */
export function resultTables(results: readonly TestResult[]): string {
  const head = (first: string) => [
    markdownRow([first, ...PAIRINGS.map((p) => COLUMNS[p])]),
    markdownRow(['---', '---', '---', '---']),
  ];
  const matrix = results.filter((r) => r.group === 'matrix');
  const scenarios = results.filter((r) => r.group === 'scenario');
  const parts: string[] = [];
  if (matrix.length > 0) parts.push([...head('Tunnel with'), ...matrixRows(matrix)].join('\n'));
  if (scenarios.length > 0) parts.push([...head('Scenario'), ...scenarioRows(scenarios)].join('\n'));
  return parts.join('\n\n');
}

/** Both, with the later result of a test that is in both. */
export function addResults(earlier: readonly TestResult[], later: readonly TestResult[]): TestResult[] {
  const byTest = new Map([...earlier, ...later].map((result) => [keyOf(result), result]));
  return [...byTest.values()];
}

/**
 * Replaces the peer's column and ours in the tables of the document, each only when all its `tests` have results.
 * Returns which were written, and for the others how many results are missing.
 */
export function writeDocs(
  path: string,
  tests: readonly CompatTest[],
  results: readonly TestResult[],
  peer: Peer,
): { written: string[]; missing: [column: string, count: number][] } {
  const byTest = new Map(results.map((result) => [keyOf(result), result]));
  const columns = new Map<string, TestResult[]>();
  const missing: [string, number][] = [];
  for (const column of [peer.title, OURS_COLUMN]) {
    const own = tests.filter((test) => (test.pairing === 'ours-both') === (column === OURS_COLUMN));
    const found = own.flatMap((test) => byTest.get(keyOf(test)) ?? []);
    if (found.length === own.length) columns.set(column, found);
    else missing.push([column, own.length - found.length]);
  }
  if (columns.size > 0) {
    const old = readFileSync(path, 'utf8');
    const fresh = [featureTable(columns), valueTable(columns)];
    const texts = fresh.map((table) => formatTable(mergeTables(parseTable(old, table.head), table)));
    replaceMarked(path, 'compat table', texts.join('\n\n'));
  }
  return { written: [...columns.keys()], missing };
}

/** Tells tests and their results apart within a run. */
export function keyOf({ pairing, name }: Pick<TestResult, 'pairing' | 'name'>): string {
  return `${pairing} ${name}`;
}

/** A row per feature, and one for their sum. */
export function featureTable(columns: ReadonlyMap<string, readonly TestResult[]>): DocsTable {
  const rows = [MATRIX_FEATURE, ...scenarioFeatures(), 'Sum'];
  const table = (row: string, result: TestResult) => row === 'Sum' || result.feature === row;
  return docsTable('Feature', rows, columns, table);
}

/** A row per value of the matrix. */
export function valueTable(columns: ReadonlyMap<string, readonly TestResult[]>): DocsTable {
  const rows = Object.entries(DIMENSIONS).flatMap(([name, values]) => values.map((v) => `${name} ${v}`));
  return docsTable('Tunnel with', rows, columns, (row, result) => {
    const [name, value] = row.split(' ') as [keyof typeof DIMENSIONS, string];
    return result.group === 'matrix' && String(result.tunnel[name]) === value;
  });
}

function docsTable(
  head: string,
  rows: readonly string[],
  columns: ReadonlyMap<string, readonly TestResult[]>,
  belongs: (row: string, result: TestResult) => boolean,
): DocsTable {
  const cells = rows.map((row) => {
    const shares = [...columns].map(
      ([column, results]) => [column, docsCell(results.filter((result) => belongs(row, result)))] as const,
    );
    return [row, new Map(shares)] as const;
  });
  return { head, columns: [...columns.keys()], rows, cells: new Map(cells) };
}

/** "12/12"; "-" where no test is for the peer. Failed and skipped ones are named. */
function docsCell(results: readonly TestResult[]): string {
  if (results.length === 0) return '-';
  const { passed, failed, skipped } = countResults(results);
  const others = [failed > 0 ? `**${failed} failed**` : '', skipped > 0 ? `${skipped} skipped` : ''];
  return [`${passed}/${results.length}`, ...others.filter(Boolean)].join(', ');
}

function matrixRows(results: readonly TestResult[]): string[] {
  return Object.entries(DIMENSIONS).flatMap(([name, values]) =>
    values.map((value) => {
      const having = results.filter(
        (r) => String(r.tunnel[name as keyof typeof DIMENSIONS]) === String(value),
      );
      return markdownRow([
        `${name} ${value}`,
        ...PAIRINGS.map((p) => share(having.filter((r) => r.pairing === p))),
      ]);
    }),
  );
}

function scenarioRows(results: readonly TestResult[]): string[] {
  const names = [...new Set(results.map((r) => r.name))];
  return names.map((name) => {
    const cells = PAIRINGS.map(
      (p) => results.find((r) => r.name === name && r.pairing === p)?.outcome ?? '-',
    );
    return markdownRow([name, ...cells]);
  });
}

function share(results: readonly TestResult[]): string {
  if (results.length === 0) return '-';
  return `${results.filter((r) => r.outcome === 'passed').length} of ${results.length}`;
}

/**
 * What a compat run shows: a line per test as it ends, tables at the end, and the generated
 * part of docs/compatibility.md between its two markers.
 */
import { readFileSync } from 'node:fs';
import { replaceMarked } from '../test-kit/marked-text.ts';
import {
  type DocsTable,
  formatTable,
  markdownRow,
  mergeTables,
  OURS_COLUMN,
  parseTable,
} from './docs-table.ts';
import { DIMENSIONS, MATRIX_FEATURE } from './matrix.ts';
import { PAIRINGS, type Pairing } from './pairing.ts';
import type { Peer } from './peer.ts';
import type { CompatTest, TestResult } from './runner.ts';
import { scenarioFeatures } from './scenarios/list.ts';

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Those of the passed ones that failed beside others. */
  readonly unsteady: number;
}

/** More unsteady tests than these are a failure of their own. */
const MOST_UNSTEADY = 5;

const COLUMNS: Readonly<Record<Pairing, string>> = {
  'ours-client': 'our client, peer server',
  'ours-server': 'peer client, our server',
  'ours-both': 'ours on both ends',
};

export function countResults(results: readonly TestResult[]): Counts {
  const count = (outcome: TestResult['outcome']) => results.filter((r) => r.outcome === outcome).length;
  const unsteady = results.filter((r) => r.unsteady !== undefined).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped'), unsteady };
}

/** The last lines of a run, and whether they mean success. */
export function closingLines(results: readonly TestResult[]): { lines: string[]; good: boolean } {
  const { passed, failed, skipped, unsteady } = countResults(results);
  const lines: string[] = [];
  if (skipped > 0) {
    const why = results.find((r) => r.outcome === 'skipped')?.detail;
    lines.push(`SKIPPED: ${skipped} compat tests: ${why}`);
  }
  if (unsteady > 0) lines.push(`unsteady: ${unsteady} failed beside others and passed alone`);
  for (const { pairing, name, unsteady: reason } of results) {
    if (reason !== undefined) lines.push(`  ${pairing}  ${name}: ${reason.split('\n', 1)[0]}`);
  }
  const tooMany = unsteady > MOST_UNSTEADY;
  if (tooMany) lines.push(`FAIL more than ${MOST_UNSTEADY} unsteady tests, which counts as one failure`);
  const failures = failed + (tooMany ? 1 : 0);
  lines.push(`compat: ${passed} passed, ${failures} failed, ${skipped} skipped`);
  return { lines, good: failures === 0 };
}

/** A result for scripts/stages.mjs, which counts those of a run that doesn't come to its closing lines. */
export function journalLine(result: TestResult): string {
  return `${JSON.stringify([keyOf(result), result.outcome])}\n`;
}

/** One line for a finished test, with the reason below when it did not pass. */
export function resultLine(result: TestResult, again = false): string {
  const mark = again ? 'again' : { passed: 'ok   ', failed: 'FAIL ', skipped: 'skip ' }[result.outcome];
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

const MARKED = 'compat table';

/** Both, with the later result of a test that is in both. */
export function addResults(earlier: readonly TestResult[], later: readonly TestResult[]): TestResult[] {
  const byTest = new Map([...earlier, ...later].map((result) => [keyOf(result), result]));
  return [...byTest.values()];
}

/**
 * Replaces the peer's column and ours in the tables of the document. A column of which some `tests` have no result is
 * left, or with `inPieces` written with their number. Returns which were written, and how many results are missing.
 */
export function writeDocs(
  path: string,
  tests: readonly CompatTest[],
  results: readonly TestResult[],
  peer: Peer,
  inPieces = false,
): { written: string[]; missing: [column: string, count: number][] } {
  const byTest = new Map(results.map((result) => [keyOf(result), result.outcome]));
  const columns = new Map<string, DocsEntry[]>();
  const missing: [string, number][] = [];
  for (const column of [peer.title, OURS_COLUMN]) {
    const own = tests.filter((test) => (test.pairing === 'ours-both') === (column === OURS_COLUMN));
    const entries = own.map((test) => ({ test, outcome: byTest.get(keyOf(test)) }));
    const count = entries.filter(({ outcome }) => outcome === undefined).length;
    if (count > 0) missing.push([column, count]);
    if (count === 0 || (inPieces && count < own.length)) columns.set(column, entries);
  }
  if (columns.size > 0) {
    const document = readFileSync(path, 'utf8');
    // Tables before the generated part may have the same heading.
    const old = document.slice(document.indexOf(`<!-- ${MARKED}: begin`));
    const fresh = [featureTable(columns), valueTable(columns)];
    const texts = fresh.map((table) => formatTable(mergeTables(parseTable(old, table.head), table)));
    replaceMarked(path, MARKED, texts.join('\n\n'));
  }
  return { written: [...columns.keys()], missing };
}

/** Tells tests and their results apart within a run. */
export function keyOf({ pairing, name }: Pick<TestResult, 'pairing' | 'name'>): string {
  return `${pairing} ${name}`;
}

/** A test that is for the peer, and how it ended if it was run. */
interface DocsEntry {
  readonly test: CompatTest;
  readonly outcome: TestResult['outcome'] | undefined;
}

/** A row per feature, and one for their sum. */
function featureTable(columns: ReadonlyMap<string, readonly DocsEntry[]>): DocsTable {
  const rows = [MATRIX_FEATURE, ...scenarioFeatures(), 'Sum'];
  return docsTable('Feature', rows, columns, (row, test) => row === 'Sum' || test.feature === row);
}

/** A row per value of the matrix. */
function valueTable(columns: ReadonlyMap<string, readonly DocsEntry[]>): DocsTable {
  const rows = Object.entries(DIMENSIONS).flatMap(([name, values]) => values.map((v) => `${name} ${v}`));
  return docsTable('Tunnel with', rows, columns, (row, test) => {
    const [name, value] = row.split(' ') as [keyof typeof DIMENSIONS, string];
    return test.group === 'matrix' && String(test.tunnel[name]) === value;
  });
}

function docsTable(
  head: string,
  rows: readonly string[],
  columns: ReadonlyMap<string, readonly DocsEntry[]>,
  belongs: (row: string, test: CompatTest) => boolean,
): DocsTable {
  const cells = rows.map((row) => {
    const shares = [...columns].map(
      ([column, entries]) => [column, docsCell(entries.filter(({ test }) => belongs(row, test)))] as const,
    );
    return [row, new Map(shares)] as const;
  });
  return { head, columns: [...columns.keys()], rows, cells: new Map(cells) };
}

/** "12/12"; "-" where no test is for the peer. What failed, was skipped or not run is named. */
function docsCell(entries: readonly DocsEntry[]): string {
  if (entries.length === 0) return '-';
  const count = (wanted: DocsEntry['outcome']) => entries.filter(({ outcome }) => outcome === wanted).length;
  const others = [
    [count('failed'), '**N failed**'],
    [count('skipped'), 'N skipped'],
    [count(undefined), 'N not run'],
  ] as const;
  const texts = others.filter(([n]) => n > 0).map(([n, text]) => text.replace('N', `${n}`));
  return [`${count('passed')}/${entries.length}`, ...texts].join(', ');
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

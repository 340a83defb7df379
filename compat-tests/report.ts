/**
 * What a compat run shows: a line per test as it ends, tables at the end, JSON for other programs, and the
 * generated part of docs/compatibility.md between its two markers.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceMarked } from '../test-kit/marked-text.ts';
import { PAIRINGS, type Pairing } from './bed.ts';
import { DIMENSIONS } from './matrix.ts';
import type { TestResult } from './runner.ts';

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
    row([first, ...PAIRINGS.map((p) => COLUMNS[p])]),
    row(['---', '---', '---', '---']),
  ];
  const matrix = results.filter((r) => r.group === 'matrix');
  const scenarios = results.filter((r) => r.group === 'scenario');
  const parts: string[] = [];
  if (matrix.length > 0) parts.push([...head('Tunnel with'), ...matrixRows(matrix)].join('\n'));
  if (scenarios.length > 0) parts.push([...head('Scenario'), ...scenarioRows(scenarios)].join('\n'));
  return parts.join('\n\n');
}

/** Writes the results of a run and returns the file's path. */
export function writeJson(dir: string, results: readonly TestResult[], facts: object): string {
  mkdirSync(dir, { recursive: true });
  const file = join(dir, 'latest.json');
  const body = { ...facts, counts: countResults(results), results };
  writeFileSync(file, `${JSON.stringify(body, undefined, 1)}\n`);
  return file;
}

/** Replaces the generated part of the document; makes the document when it isn't there. */
export function writeDocs(path: string, results: readonly TestResult[], peerVersion: string): void {
  const { passed, failed, skipped } = countResults(results);
  const summary = `Peer: ${peerVersion}. ${passed} passed, ${failed} failed, ${skipped} skipped.`;
  replaceMarked(path, 'compat table', `${summary}\n\n${resultTables(results)}`);
}

function matrixRows(results: readonly TestResult[]): string[] {
  return Object.entries(DIMENSIONS).flatMap(([name, values]) =>
    values.map((value) => {
      const having = results.filter(
        (r) => String(r.tunnel[name as keyof typeof DIMENSIONS]) === String(value),
      );
      return row([`${name} ${value}`, ...PAIRINGS.map((p) => share(having.filter((r) => r.pairing === p)))]);
    }),
  );
}

function scenarioRows(results: readonly TestResult[]): string[] {
  const names = [...new Set(results.map((r) => r.name))];
  return names.map((name) => {
    const cells = PAIRINGS.map((p) => results.find((r) => r.name === name && r.pairing === p)?.outcome ?? '');
    return row([name, ...cells]);
  });
}

function share(results: readonly TestResult[]): string {
  return `${results.filter((r) => r.outcome === 'passed').length} of ${results.length}`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

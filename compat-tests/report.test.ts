import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseTable } from './docs-table.ts';
import { MATRIX_FEATURE, matrixTests } from './matrix.ts';
import { PAIRINGS } from './pairing.ts';
import { fits, type Peer, parsePeer } from './peer.ts';
import { addResults, writeDocs } from './report.ts';
import type { CompatTest, TestResult } from './runner.ts';
import { scenarioTests } from './scenarios/list.ts';

const OLD = parsePeer('OpenVPN 2.4.12 x');
const NEW = parsePeer('OpenVPN 2.7.6 x');

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ovt-docs-'));
  path = join(dir, 'compatibility.md');
  writeFileSync(
    path,
    'Words.\n\n| Feature | By |\n| --- | --- |\n| Signals | hand |\n\n<!-- compat table: begin -->\n<!-- compat table: end -->\n\nMore.\n',
  );
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('all tests', () => {
  it('have names of their own within a pairing', () => {
    const names = testsFor(NEW).map((test) => `${test.pairing} ${test.name}`);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });

  it('leave out what the peer cannot do, except between our own ends', () => {
    const v2 = (pairing: 'ours-client' | 'ours-both') =>
      matrixTests(pairing, false, OLD).filter((test) => test.tunnel.wrap === 'tls-crypt-v2').length;
    expect(v2('ours-client')).toBe(0);
    expect(v2('ours-both')).toBeGreaterThan(0);
  });
});

describe('the document', () => {
  it('gets a column per peer, and keeps the columns of earlier runs', () => {
    const first = writeDocs(path, testsFor(OLD), passed(testsFor(OLD)), OLD);
    expect(first).toEqual({ written: ['2.4.12', 'ours with ours'], missing: [] });
    const results = passed(testsFor(NEW)).map((result) =>
      result.name === 'SIGHUP restarts the client' ? { ...result, outcome: 'failed' as const } : result,
    );
    writeDocs(path, testsFor(NEW), results, NEW);
    const text = readFileSync(path, 'utf8');
    const table = parseTable(text.slice(text.indexOf('<!--')), 'Feature')!;
    expect(table.columns).toEqual(['2.4.12', '2.7.6', 'ours with ours']);
    expect(table.cells.get('Signals')?.get('2.7.6')).toMatch(/^\d+\/\d+, \*\*1 failed\*\*$/);
    expect(table.cells.get(MATRIX_FEATURE)?.get('2.4.12')).toMatch(/^(\d+)\/\1$/);
    const values = parseTable(text, 'Tunnel with')!;
    expect(values.cells.get('wrap tls-crypt-v2')?.get('2.4.12')).toBe('-');
    expect(values.cells.get('wrap tls-crypt-v2')?.get('2.7.6')).toMatch(/^(\d+)\/\1$/);
    expect(text).toMatch(/^Words\.\n[\s\S]*More\.\n$/);
  });

  it('does not get a column of which results are missing', () => {
    const tests = testsFor(NEW);
    const some = passed(tests).filter(
      (result) => result.pairing === 'ours-both' || result.group === 'matrix',
    );
    const { written, missing } = writeDocs(path, tests, some, NEW);
    expect(written).toEqual(['ours with ours']);
    expect(missing[0]?.[0]).toBe('2.7.6');
    expect(missing[0]?.[1]).toBeGreaterThan(0);
  });

  it('says how many were not run when the run was in pieces', () => {
    const tests = testsFor(NEW);
    const some = passed(tests).filter((result) => result.feature === 'Signals');
    const { written } = writeDocs(path, tests, some, NEW, true);
    // There are none of ours with ours among them.
    expect(written).toEqual(['2.7.6']);
    const { cells } = parseTable(readFileSync(path, 'utf8').split('<!--')[1]!, 'Feature')!;
    expect(cells.get('Signals')?.get('2.7.6')).toMatch(/^(\d+)\/\1$/);
    expect(cells.get('Script hooks')?.get('2.7.6')).toMatch(/^0\/(\d+), \1 not run$/);
  });

  it('takes the later one of two results of a test', () => {
    const [one, two] = passed(testsFor(NEW));
    const again = { ...one!, outcome: 'failed' as const };
    expect(addResults([one!, two!], [again])).toEqual([again, two]);
  });
});

function testsFor(peer: Peer): CompatTest[] {
  return PAIRINGS.flatMap((pairing) => [
    ...matrixTests(pairing, false, peer),
    ...scenarioTests(pairing).filter((test) => fits(test.limits, peer, pairing)),
  ]);
}

function passed(tests: readonly CompatTest[]): TestResult[] {
  return tests.map(({ name, group, feature, pairing, tunnel }) => {
    return { name, group, feature, pairing, tunnel, outcome: 'passed', seconds: 1 };
  });
}

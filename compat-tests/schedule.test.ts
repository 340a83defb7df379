/** The rules for tests that fail: a second try alone, unsteady ones, and what a run says at its end. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { compatVerdict } from '../scripts/stages.mjs';
import { PLAIN_TUNNEL } from './config.ts';
import { closingLines, countResults, journalLine, resultLine } from './report.ts';
import type { CompatTest, TestResult } from './runner.ts';
import { MOST_SECOND_TRIES, playAll } from './schedule.ts';

/** Plays tests whose tries end as listed: a text is the reason of a failure, '' is a pass. */
class Stage {
  readonly events: string[] = [];
  readonly #ends: Readonly<Record<string, readonly string[]>>;
  readonly #tries = new Map<string, number>();
  #running = 0;
  /** How many ran beside each try, itself included. */
  readonly beside: number[] = [];

  constructor(ends: Readonly<Record<string, readonly string[]>>) {
    this.#ends = ends;
  }

  async run(jobs = 3): Promise<TestResult[]> {
    const play = (test: CompatTest) => this.#play(test);
    const onResult = (result: TestResult, again: boolean) => {
      this.events.push(resultLine(result, again).split('\n')[0]!.replace(/ +/g, ' '));
    };
    return playAll(Object.keys(this.#ends).map(testOf), { jobs, play, onResult });
  }

  async #play(test: CompatTest): Promise<TestResult> {
    this.#running++;
    await new Promise((resolve) => setImmediate(resolve));
    this.beside.push(this.#running);
    this.#running--;
    const tries = this.#tries.get(test.name) ?? 0;
    this.#tries.set(test.name, tries + 1);
    const reason = this.#ends[test.name]![tries]!;
    if (reason === 'skip') return { ...resultOf(test), outcome: 'skipped', detail: 'not here' };
    return reason === '' ? resultOf(test) : { ...resultOf(test), outcome: 'failed', detail: reason };
  }
}

describe('a test that fails', () => {
  it('is tried once more alone, after all others, and is unsteady when it passes then', async () => {
    const stage = new Stage({ a: ['too slow\nlog', ''], b: [''], c: [''], d: [''] });
    const results = await stage.run();
    expect(results.map(({ name, outcome, unsteady }) => [name, outcome, unsteady])).toEqual([
      ['a', 'passed', 'too slow\nlog'],
      ['b', 'passed', undefined],
      ['c', 'passed', undefined],
      ['d', 'passed', undefined],
    ]);
    expect(stage.events.at(0)).toBe('again 1.0 s ours-both a');
    expect(stage.events.at(-1)).toBe('ok 1.0 s ours-both a');
    expect(Math.max(...stage.beside.slice(0, 4))).toBe(3);
    expect(stage.beside.slice(4)).toEqual([1]);
    expect(countResults(results)).toEqual({ passed: 4, failed: 0, skipped: 0, unsteady: 1 });
  });

  it('has failed when it fails twice, for both reasons', async () => {
    const [result] = await new Stage({ a: ['first', 'second'] }).run();
    expect(result).toMatchObject({ outcome: 'failed' });
    expect(result?.unsteady).toBeUndefined();
    expect(result?.detail).toBe('second\nat the first try, beside others: first');
  });

  it('is not excused by being skipped then', async () => {
    expect(await new Stage({ a: ['first', 'skip'] }).run()).toMatchObject([
      { outcome: 'failed', detail: 'first' },
    ]);
  });

  it('tries that are alone run one after the other', async () => {
    const stage = new Stage({ a: ['x', ''], b: ['x', ''], c: ['x', 'y'] });
    await stage.run();
    expect(stage.beside.slice(3)).toEqual([1, 1, 1]);
  });

  it('gets no second try where so many fail that something is broken', async () => {
    const names = Array.from({ length: MOST_SECOND_TRIES + 1 }, (_, i) => `t${i}`);
    const stage = new Stage(Object.fromEntries(names.map((name) => [name, ['broken', '']])));
    const results = await stage.run();
    expect(countResults(results)).toEqual({ passed: 0, failed: names.length, skipped: 0, unsteady: 0 });
    expect(stage.beside).toHaveLength(names.length);
  });
});

describe('tests at a time', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('are more while processors are idle, and as many as before when they are not', async () => {
    const running: (() => void)[] = [];
    const play = (test: CompatTest) =>
      new Promise<TestResult>((resolve) => running.push(() => resolve(resultOf(test))));
    const endOne = async () => {
      running.shift()!();
      await new Promise((resolve) => setImmediate(resolve));
      return running.length;
    };
    let idle = 0;
    const options = { jobs: 2, mostJobs: 4, idleShare: () => idle, play, onResult: () => undefined };
    const all = playAll(
      Array.from({ length: 12 }, (_, i) => testOf(`t${i}`)),
      options,
    );
    const passed = (seconds: number) => {
      vi.advanceTimersByTime(seconds * 1_000);
      return running.length;
    };
    expect(passed(5)).toBe(2);
    idle = 0.5;
    expect([passed(1), passed(1), passed(5)]).toEqual([3, 4, 4]);
    expect(await endOne()).toBe(4);
    idle = 0.1;
    passed(5);
    expect(await endOne()).toBe(4);
    idle = 0;
    passed(5);
    expect([await endOne(), await endOne(), await endOne()]).toEqual([3, 2, 2]);
    while (running.length > 0) await endOne();
    expect(await all).toHaveLength(12);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('the closing lines', () => {
  const unsteady = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ ...resultOf(testOf(`t${i}`)), unsteady: 'slow\nlog' }));

  it('name unsteady tests with the first reason, and are good up to five of them', () => {
    const { lines, good } = closingLines(unsteady(5));
    expect(good).toBe(true);
    expect(lines).toHaveLength(7);
    expect(lines[0]).toBe('unsteady: 5 failed beside others and passed alone');
    expect(lines[1]).toBe('  ours-both  t0: slow');
    expect(lines.at(-1)).toBe('compat: 5 passed, 0 failed, 0 skipped');
  });

  it('count more than five as a failure', () => {
    const { lines, good } = closingLines(unsteady(6));
    expect(good).toBe(false);
    expect(lines.at(-1)).toBe('compat: 6 passed, 1 failed, 0 skipped');
  });

  it('count failures and skipped tests', () => {
    const one = resultOf(testOf('a'));
    const results = [
      one,
      { ...one, outcome: 'failed' as const },
      { ...one, outcome: 'skipped' as const, detail: 'no root' },
    ];
    const { lines, good } = closingLines(results);
    expect(lines).toEqual(['SKIPPED: 1 compat tests: no root', 'compat: 1 passed, 1 failed, 1 skipped']);
    expect(good).toBe(false);
  });
});

describe('the stage', () => {
  const result = resultOf(testOf('a'));

  it('counts what the closing line says', () => {
    const { lines } = closingLines([result]);
    const output = `${lines.join('\n')}\n`;
    expect(compatVerdict({ code: 0, output }, '')).toEqual({ passed: 1, failed: 0, skipped: 0, text: '' });
  });

  it('counts what was done when the run ends early, each test by its last try', () => {
    const other = resultOf(testOf('b'));
    const journal = [
      journalLine({ ...result, outcome: 'failed' }),
      journalLine(result),
      journalLine({ ...other, outcome: 'failed' }),
      '["half',
    ].join('');
    const { passed, failed, skipped, text } = compatVerdict({ code: 137, output: 'x\n' }, journal);
    expect([passed, failed, skipped]).toEqual([1, 2, 0]);
    expect(text).toBe('the compat tests ended early (exit code 137): 2 results until then count');
  });
});

function testOf(name: string): CompatTest {
  return {
    name,
    group: 'scenario',
    feature: 'x',
    pairing: 'ours-both',
    limits: {},
    tunnel: PLAIN_TUNNEL,
    timeoutMs: 1,
    waits: false,
    run: async () => undefined,
  };
}

function resultOf({ name, group, feature, pairing, tunnel }: CompatTest): TestResult {
  return { name, group, feature, pairing, tunnel, outcome: 'passed', seconds: 1 };
}

/**
 * The order in which compat tests are played. First all of them, some at a time; then each that failed once more,
 * alone, since beside others on a busy machine a test may fail for want of time. What passes then counts as passed and
 * is called unsteady; what fails twice has failed. No limit is on the whole: each test has its own.
 */
import type { CompatTest, TestResult } from './runner.ts';

export interface ScheduleOptions {
  /** Tests at a time. */
  readonly jobs: number;
  play(test: CompatTest): Promise<TestResult>;
  /** Called as each test ends; `again` says that it failed and will be tried once more. */
  onResult(result: TestResult, again: boolean): void;
}

/** So many second tries at most: where more tests fail something is broken, and trying alone takes hours. */
export const MOST_SECOND_TRIES = 25;

/**
 * Plays all tests, `jobs` at a time, long ones first. Beside every two of them runs one more that mostly waits.
 * Results come in the order of `tests`.
 */
export async function playAll(tests: readonly CompatTest[], options: ScheduleOptions): Promise<TestResult[]> {
  const results = new Map<CompatTest, TestResult>();
  let secondTries = 0;
  const playFirst = async (test: CompatTest): Promise<void> => {
    const result = await options.play(test);
    results.set(test, result);
    const again = result.outcome === 'failed' && secondTries++ < MOST_SECOND_TRIES;
    options.onResult(result, again);
  };
  await playBesideOthers(tests, options.jobs, playFirst);
  const failed = tests.filter((test) => results.get(test)?.outcome === 'failed');
  if (failed.length > MOST_SECOND_TRIES) return tests.map((test) => results.get(test)!);
  for (const test of failed) {
    const result = judgeTwo(results.get(test)!, await options.play(test));
    results.set(test, result);
    options.onResult(result, false);
  }
  return tests.map((test) => results.get(test)!);
}

async function playBesideOthers(
  tests: readonly CompatTest[],
  jobs: number,
  play: (test: CompatTest) => Promise<void>,
): Promise<void> {
  const queue = [...tests].sort((a, b) => b.timeoutMs - a.timeoutMs);
  const waiting = queue.filter((test) => test.waits);
  const busy = queue.filter((test) => !test.waits);
  const work = async (next: () => CompatTest | undefined): Promise<void> => {
    for (let test = next(); test; test = next()) await play(test);
  };
  const lanes = Array.from({ length: jobs }, () => work(() => busy.shift() ?? waiting.shift()));
  const calmLanes = Array.from({ length: Math.floor(jobs / 2) }, () => work(() => waiting.shift()));
  await Promise.all([...lanes, ...calmLanes]);
}

/** What a failure and the result of the second try are together. */
function judgeTwo(first: TestResult, second: TestResult): TestResult {
  const reason = first.detail ?? 'no reason given';
  if (second.outcome === 'passed') return { ...second, unsteady: reason };
  if (second.outcome === 'skipped') return first;
  return { ...second, detail: `${second.detail}\nat the first try, beside others: ${reason}` };
}

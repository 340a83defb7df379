/**
 * The order in which compat tests are played. First all of them, some at a time; then each that failed once more,
 * alone, since beside others on a busy machine a test may fail for want of time. What passes then counts as passed and
 * is called unsteady; what fails twice has failed. No limit is on the whole: each test has its own.
 */
import type { CompatTest, TestResult } from './runner.ts';

export interface ScheduleOptions {
  /** Tests at a time, at least. */
  readonly jobs: number;
  /** Tests at a time, at most: so many while processors stand idle. `jobs` when left out. */
  readonly mostJobs?: number;
  /** The share of the processors' time, 0 to 1, that nobody used since the last call. Asked once a second. */
  idleShare?(): number;
  play(test: CompatTest): Promise<TestResult>;
  /** Called as each test ends; `again` says that it failed and will be tried once more. */
  onResult(result: TestResult, again: boolean): void;
}

/** So many second tries at most: where more tests fail something is broken, and trying alone takes hours. */
export const MOST_SECOND_TRIES = 25;

/** Above this share of idle time one more test begins each second, below the other one fewer is played. */
const IDLE_ENOUGH = 0.2;
const IDLE_TOO_LITTLE = 0.05;
const LOOK_EVERY_MS = 1_000;

/**
 * Plays all tests, `jobs` at a time or more while processors are idle, long ones first. Beside every two of `jobs` runs
 * one more that mostly waits. Results come in the order of `tests`.
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
  await playBesideOthers(tests, options, playFirst);
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
  options: ScheduleOptions,
  play: (test: CompatTest) => Promise<void>,
): Promise<void> {
  const { jobs, mostJobs = jobs, idleShare = () => 0 } = options;
  const queue = [...tests].sort((a, b) => b.timeoutMs - a.timeoutMs);
  const waiting = queue.filter((test) => test.waits);
  const busy = queue.filter((test) => !test.waits);
  const lanes: Promise<void>[] = [];
  let wanted = jobs;
  let open = 0;
  const playLane = async (): Promise<void> => {
    open++;
    for (let test = busy.shift() ?? waiting.shift(); test; test = busy.shift() ?? waiting.shift()) {
      await play(test);
      if (open > wanted) break;
    }
    open--;
  };
  const playCalmLane = async (): Promise<void> => {
    for (let test = waiting.shift(); test; test = waiting.shift()) await play(test);
  };
  for (let i = 0; i < jobs; i++) lanes.push(playLane());
  for (let i = 0; i < Math.floor(jobs / 2); i++) lanes.push(playCalmLane());
  const timer = setInterval(() => {
    const idle = idleShare();
    if (idle > IDLE_ENOUGH) wanted = Math.min(open + 1, mostJobs);
    else if (idle < IDLE_TOO_LITTLE) wanted = Math.max(wanted - 1, jobs);
    if (open < wanted) lanes.push(playLane());
  }, LOOK_EVERY_MS);
  try {
    // More may be opened while the first ones are waited for.
    for (let i = 0; i < lanes.length; i++) await lanes[i];
  } finally {
    clearInterval(timer);
  }
}

/** What a failure and the result of the second try are together. */
function judgeTwo(first: TestResult, second: TestResult): TestResult {
  const reason = first.detail ?? 'no reason given';
  if (second.outcome === 'passed') return { ...second, unsteady: reason };
  if (second.outcome === 'skipped') return first;
  return { ...second, detail: `${second.detail}\nat the first try, beside others: ${reason}` };
}

/**
 * `npm run fuzz -- NAME [--seconds N] [--seed N] [--input HEX]`: runs one entry, or all of them with
 * `all`, the given time each. Prints executions; a failing input is printed as hex, to be tried again with --input;
 * the last line counts entries. Exit code 0 when nothing failed, 1 otherwise, 2 on wrong use.
 */
import { parseArgs } from 'node:util';
import { type FuzzTarget, fuzz, readCorpus } from './engine.ts';
import { listTargets, loadTarget } from './targets.ts';

const VECTORS = 'test-kit/vectors.json';
const DEFAULT_SECONDS = '10';

process.exitCode = await main();

async function main(): Promise<number> {
  const asked = readArguments();
  const { values, positionals } = asked ?? { values: {}, positionals: [] };
  const names = listTargets().filter((name) => positionals[0] === 'all' || positionals[0] === name);
  if (names.length === 0 || positionals.length !== 1) {
    process.stderr.write('usage: npm run fuzz -- NAME|all [--seconds N] [--seed N] [--input HEX]\n');
    process.stderr.write(`names: ${listTargets().join(' ')}\n`);
    return 2;
  }
  const chosen = await Promise.all(names.map(loadTarget));
  if (values.input !== undefined) {
    for (const target of chosen) target.run(Uint8Array.from(Buffer.from(values.input, 'hex')));
    return 0;
  }
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
  const milliseconds = Number(values.seconds ?? DEFAULT_SECONDS) * 1000;
  const failed = chosen.filter((target) => !runOne(target, seed, milliseconds)).length;
  process.stdout.write(`fuzz: ${chosen.length - failed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
}

/** Undefined on an option that isn't there. */
function readArguments(): ReturnType<typeof parseOptions> | undefined {
  try {
    return parseOptions();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    return undefined;
  }
}

function parseOptions() {
  return parseArgs({
    allowPositionals: true,
    options: { seconds: { type: 'string' }, seed: { type: 'string' }, input: { type: 'string' } },
  });
}

function runOne(target: FuzzTarget, seed: number, milliseconds: number): boolean {
  const start = performance.now();
  const { executions, failure } = fuzz(target, readCorpus(VECTORS), { seed, milliseconds });
  const seconds = (performance.now() - start) / 1000;
  const rate = Math.round(executions / seconds);
  process.stdout.write(
    `${target.name}: ${executions} executions in ${seconds.toFixed(1)} s (${rate}/s), seed ${seed}: ` +
      `${failure ? 'FAILED' : 'ok'}\n`,
  );
  if (failure === undefined) return true;
  process.stdout.write(`  ${failure.error instanceof Error ? failure.error.stack : failure.error}\n`);
  process.stdout.write(`  --input ${Buffer.from(failure.input).toString('hex')}\n`);
  return false;
}

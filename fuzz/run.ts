/**
 * `npm run fuzz -- NAME [--seconds N] [--seed N] [--input HEX]`: runs one entry, or all of them with
 * `all`, the given time each. Prints executions; a failing input is printed as hex, to be tried again with --input;
 * the last line counts entries. Exit code 0 when nothing failed, 1 otherwise, 2 on wrong use.
 */
import { parseArgs } from 'node:util';
import { type FuzzTarget, fuzz, readCorpus } from './engine.ts';
import { listTargets, loadTarget } from './targets.ts';

const VECTORS = 'test-kit/vectors.json';
const USAGE = 'usage: npm run fuzz -- NAME|all [--seconds N] [--seed N] [--input HEX]\n';
const OPTIONS = {
  seconds: { type: 'string', default: '10' },
  seed: { type: 'string' },
  input: { type: 'string' },
} as const;

process.exitCode = await main();

async function main(): Promise<number> {
  const asked = readArguments();
  if (asked === undefined) return 2;
  const loaded = await Promise.all(asked.names.map(loadOrTell));
  const chosen = loaded.filter((target) => target !== undefined);
  const unreached = loaded.length - chosen.length;
  if (asked.input !== undefined) {
    for (const target of chosen) target.run(Uint8Array.from(Buffer.from(asked.input, 'hex')));
    return unreached === 0 ? 0 : 1;
  }
  const seed = Number(asked.seed ?? Math.floor(Math.random() * 2 ** 32));
  const broken = chosen.filter((target) => !runOne(target, seed, Number(asked.seconds) * 1000)).length;
  const failed = broken + unreached;
  process.stdout.write(`fuzz: ${loaded.length - failed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
}

/** The entries asked for, and the options. Undefined after wrong use, which is told. */
function readArguments() {
  try {
    const { values, positionals } = parseArgs({ allowPositionals: true, options: OPTIONS });
    const names = listTargets().filter((name) => positionals[0] === 'all' || positionals[0] === name);
    if (names.length === 0 || positionals.length !== 1) throw new Error('');
    return { ...values, names };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}names: ${listTargets().join(' ')}\n`);
    return undefined;
  }
}

/** An entry that can't reach what it is for, the addon for instance, has failed: it would find nothing wrong. */
async function loadOrTell(name: string): Promise<FuzzTarget | undefined> {
  try {
    return await loadTarget(name);
  } catch (error) {
    process.stdout.write(`${name}: FAILED: it can't reach its target: ${(error as Error).message}\n`);
    return undefined;
  }
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

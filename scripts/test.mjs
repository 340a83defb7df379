/**
 * `npm test`: set-up, then every check in the order of docs/testing.md, then one closing line
 * `N passed, N failed, N skipped` over all stages. Exit code 1 when anything failed.
 *
 *   node scripts/test.mjs                 everything that fits into CI
 *   node scripts/test.mjs --check         only the looks at the sources (npm run check)
 *   node scripts/test.mjs --long          with the full compat matrix, all seeds, a minute of each fuzz entry (npm run test:long)
 */
import {
  compatStage,
  fuzzStage,
  lintStages,
  nativeStage,
  packageStage,
  sanitizerStage,
  setUpStage,
  unitStage,
  unusedStage,
} from './stages.mjs';

const totals = { passed: 0, failed: 0, skipped: 0 };

for (const stage of chosenStages(process.argv.slice(2))) await runStage(stage);
process.stdout.write(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped\n`);
process.exitCode = totals.failed > 0 ? 1 : 0;

function chosenStages(args) {
  if (args.includes('--check')) return [...lintStages, unusedStage];
  const long = args.includes('--long');
  const compat = long ? compatStage(['--full']) : compatStage();
  const fuzz = long ? [fuzzStage(), sanitizerStage] : [];
  return [setUpStage, ...lintStages, unitStage(long), ...fuzz, nativeStage, packageStage, compat];
}

/** A stage that throws counts as one failure, so that the later stages still run. */
async function runStage(stage) {
  process.stdout.write(`== ${stage.name}\n`);
  const startedMs = Date.now();
  const result = await stage.run().catch((error) => {
    return { passed: 0, failed: 1, skipped: 0, text: String(error.stack ?? error) };
  });
  for (const key of Object.keys(totals)) totals[key] += result[key];
  if (result.text) process.stdout.write(`${result.text}\n`);
  if (result.skipped > 0)
    process.stdout.write(`SKIPPED: ${result.skipped} tests of this stage did not run\n`);
  const seconds = ((Date.now() - startedMs) / 1_000).toFixed(1);
  process.stdout.write(
    `   ${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped (${seconds} s)\n`,
  );
}

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

for (const stages of chosenStages(process.argv.slice(2))) await runTogether(stages);
process.stdout.write(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped\n`);
process.exitCode = totals.failed > 0 ? 1 : 0;

/** In their order; those of one list run at the same time. */
function chosenStages(args) {
  if (args.includes('--check')) return [[...lintStages, unusedStage]];
  const long = args.includes('--long');
  const compat = long ? compatStage(['--full']) : compatStage();
  const fuzz = long ? [[fuzzStage()], [sanitizerStage]] : [];
  // The native suites wait for the kernel, the others for a processor. The package's tests build dist/ anew.
  const suites = [unitStage(long), nativeStage];
  return [[setUpStage], lintStages, suites, ...fuzz, [packageStage], [compat]];
}

/** What a stage found is printed when the ones before it are through. */
async function runTogether(stages) {
  const runs = stages.map((stage) => ({ stage, ended: runStage(stage) }));
  for (const { stage, ended } of runs) {
    process.stdout.write(`== ${stage.name}\n`);
    tell(await ended);
  }
}

/** A stage that throws counts as one failure, so that the later stages still run. */
async function runStage(stage) {
  const startedMs = Date.now();
  const result = await stage.run().catch((error) => {
    return { passed: 0, failed: 1, skipped: 0, text: String(error.stack ?? error) };
  });
  return { ...result, seconds: (Date.now() - startedMs) / 1_000 };
}

function tell({ seconds, ...result }) {
  for (const key of Object.keys(totals)) totals[key] += result[key];
  if (result.text) process.stdout.write(`${result.text}\n`);
  if (result.skipped > 0)
    process.stdout.write(`SKIPPED: ${result.skipped} tests of this stage did not run\n`);
  process.stdout.write(
    `   ${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped (${seconds.toFixed(1)} s)\n`,
  );
}

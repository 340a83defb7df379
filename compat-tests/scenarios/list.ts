/** All scenarios, in the order of the table. */
import type { Pairing } from '../bed.ts';
import type { CompatTest } from '../runner.ts';
import { type Scenario, toTest } from './scenario.ts';

const SCENARIOS: readonly Scenario[] = [];

/** The scenario tests of one pairing. */
export function scenarioTests(pairing: Pairing): CompatTest[] {
  return SCENARIOS.filter((scenario) => scenario.pairings?.includes(pairing) ?? true).map((s) =>
    toTest(s, pairing),
  );
}

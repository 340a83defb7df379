/** What a scenario is: a name, the tunnel it needs, and a run in a bed. */
import type { Bed, Pairing } from '../bed.ts';
import { PLAIN_TUNNEL, type TunnelOptions } from '../config.ts';
import type { CompatTest } from '../runner.ts';

export interface Scenario {
  /** Behaviour in a few words; the row title in the table. */
  readonly name: string;
  /** Pairings in which it says something; all when left out. */
  readonly pairings?: readonly Pairing[];
  /** Differences from the plain tunnel. */
  readonly tunnel?: Partial<TunnelOptions>;
  readonly clients?: number;
  readonly timeoutMs?: number;
  run(bed: Bed): Promise<void>;
}

/** Makes a test of a scenario for one pairing. */
export function toTest(scenario: Scenario, pairing: Pairing): CompatTest {
  return {
    name: scenario.name,
    group: 'scenario',
    pairing,
    tunnel: { ...PLAIN_TUNNEL, ...scenario.tunnel },
    timeoutMs: scenario.timeoutMs ?? 60_000,
    clients: scenario.clients,
    run: scenario.run,
  };
}

/** What a scenario is: a name, the tunnel it needs, the peers it is for, and a run in a bed. */
import type { Bed } from '../bed.ts';
import { limitsOf, PLAIN_TUNNEL, type TunnelOptions } from '../config.ts';
import type { Pairing } from '../pairing.ts';
import type { PeerLimits } from '../peer.ts';
import type { CompatTest } from '../runner.ts';

export interface Scenario extends PeerLimits {
  /** Behaviour in a few words; the row title in the table of a run. */
  readonly name: string;
  /** Row of docs/compatibility.md; that of its group in list.ts when left out. */
  readonly feature?: string;
  /** Pairings in which it says something; all when left out. */
  readonly pairings?: readonly Pairing[];
  /** Differences from the plain tunnel. */
  readonly tunnel?: Partial<TunnelOptions>;
  readonly clients?: number;
  /** Takes minutes: only with --full. */
  readonly full?: boolean;
  readonly timeoutMs?: number;
  /** Whether most of its time goes by without work for the processor. */
  readonly waits?: boolean;
  run(bed: Bed): Promise<void>;
}

/** Makes a test of a scenario for one pairing. */
export function toTest(scenario: Scenario, feature: string, pairing: Pairing): CompatTest {
  return {
    name: scenario.name,
    group: 'scenario',
    feature: scenario.feature ?? feature,
    pairing,
    limits: { ...limitsOf(scenario.tunnel ?? {}), ...scenario },
    tunnel: { ...PLAIN_TUNNEL, ...scenario.tunnel },
    timeoutMs: scenario.timeoutMs ?? 60_000,
    clients: scenario.clients,
    full: scenario.full ?? false,
    waits: scenario.waits ?? false,
    run: scenario.run,
  };
}

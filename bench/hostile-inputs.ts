/**
 * The worst that a stranger is known to be able to do to a server's event loop, for measureHolds(). Add to the list
 * what is found: a name, which tunnels it fits, and what sends it to the scene's server.
 */
import type { TunnelOptions } from '../compat-tests/config.ts';
import { FLOOD_KINDS, type FloodKind, floodKinds } from '../compat-tests/flood-packets.ts';
import type { Scene } from './hostile.ts';

export interface WorstInput {
  readonly name: string;
  readonly fits?: (tunnel: TunnelOptions) => boolean;
  /** Resolves when everything was sent. */
  readonly send: (scene: Scene) => Promise<unknown>;
}

const BURST = { perSecond: 20_000, seconds: 1 } as const;

function burst(kind: FloodKind): WorstInput {
  return {
    name: `20,000 a second: ${kind}`,
    fits: (tunnel) => floodKinds(tunnel).includes(kind),
    send: (scene) => scene.flood(scene.packets(kind), BURST),
  };
}

export const WORST_INPUTS: readonly WorstInput[] = [
  { name: 'nothing', send: () => new Promise((resolve) => setTimeout(resolve, 1_000)) },
  ...FLOOD_KINDS.map(burst),
  {
    name: '20,000 a second, from a client: random',
    send: (scene) => scene.flood(scene.packets('random'), BURST, true),
  },
  {
    name: '20,000 a second, from a client: data',
    send: (scene) => scene.flood(scene.packets('data-known'), BURST, true),
  },
];

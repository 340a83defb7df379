/** All scenarios, in the order of the table. */
import type { Pairing } from '../bed.ts';
import type { CompatTest } from '../runner.ts';
import { certificates } from './certificates.ts';
import { ciphers } from './ciphers.ts';
import { compression } from './compression.ts';
import { configErrors } from './config-errors.ts';
import { connections } from './connections.ts';
import { controlChannel } from './control-channel.ts';
import { exitNotify } from './exit-notify.ts';
import { hooks } from './hooks.ts';
import { hostile } from './hostile.ts';
import { links } from './links.ts';
import { logins } from './logins.ts';
import { p2p } from './p2p.ts';
import { proxies } from './proxies.ts';
import { pushUpdate } from './push-update.ts';
import { refusals } from './refusals.ts';
import { renegotiation } from './renegotiation.ts';
import { restarts } from './restart.ts';
import { routing } from './routing.ts';
import { type Scenario, toTest } from './scenario.ts';
import { shaping } from './shaping.ts';
import { signals } from './signals.ts';
import { socketOptions } from './socket-options.ts';
import { sockets } from './sockets.ts';
import { status } from './status.ts';
import { tap } from './tap.ts';
import { tlsCryptV2 } from './tls-crypt-v2.ts';
import { tlsEngines } from './tls-engines.ts';
import { vlan } from './vlan.ts';

const SCENARIOS: readonly Scenario[] = [
  ...renegotiation,
  ...restarts,
  ...links,
  ...connections,
  ...proxies,
  ...sockets,
  ...routing,
  ...compression,
  ...shaping,
  ...socketOptions,
  ...exitNotify,
  ...ciphers,
  ...p2p,
  ...signals,
  ...hooks,
  ...status,
  ...tap,
  ...vlan,
  ...logins,
  ...certificates,
  ...controlChannel,
  ...pushUpdate,
  ...refusals,
  ...tlsEngines,
  ...tlsCryptV2,
  ...hostile,
  ...configErrors,
];

/** The scenario tests of one pairing. */
export function scenarioTests(pairing: Pairing): CompatTest[] {
  return SCENARIOS.filter((scenario) => scenario.pairings?.includes(pairing) ?? true).map((s) =>
    toTest(s, pairing),
  );
}

/** Options as they are before the first word is read (2.x options.c init_options()), and copies of them. */
import { clientDefaults } from './client-options.ts';
import { dataChannelDefaults } from './data-channel-options.ts';
import { genericDefaults } from './generic-options.ts';
import { logDefaults } from './log-options.ts';
import { networkDefaults } from './network-options.ts';
import type { Options } from './option-types.ts';
import { scriptDefaults } from './script-options.ts';
import { serverDefaults } from './server-options.ts';
import { tlsDefaults } from './tls-options.ts';
import { tunnelDefaults } from './tunnel-options.ts';

/** A fresh configuration. `tmpDir` is $TMPDIR, or /tmp. */
export function defaultOptions(tmpDir = '/tmp'): Options {
  return {
    ...genericDefaults(),
    ...tunnelDefaults(),
    ...networkDefaults(),
    ...clientDefaults(),
    ...serverDefaults(),
    ...dataChannelDefaults(),
    ...tlsDefaults(),
    ...scriptDefaults(tmpDir),
    ...logDefaults(),
    prePull: undefined,
  };
}

/** A deep copy, one per client of a server. */
export function cloneOptions(options: Options): Options {
  return structuredClone(options);
}

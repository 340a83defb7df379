/**
 * The control channel of one peer (2.x ssl.c struct tls_multi).
 */
import type { TlsMulti, TlsMultiConfig } from './ssl.ts';

/**
 * Makes the control channel of one peer; see ssl.ts for how to drive it. `wake` is called when the
 * TLS engine has something: the owner answers with handleTlsOutput(), at once or later.
 */
export function createTlsMulti(config: TlsMultiConfig, wake: () => void): TlsMulti {
  throw new Error(config.role + wake.name);
}

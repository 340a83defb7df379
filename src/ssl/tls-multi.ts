/**
 * The control channel of one peer (2.x ssl.c struct tls_multi).
 */
import type { TlsMulti, TlsMultiConfig } from './ssl.ts';

/** Makes the control channel of one peer; see ssl.ts for how to drive it. */
export function createTlsMulti(config: TlsMultiConfig): TlsMulti {
  throw new Error(config.role);
}

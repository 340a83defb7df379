/**
 * States of a key and of its login, in 2.x's order and with its names (ssl_common.h, ssl.c
 * state_name(), ks_auth_name()).
 */
export const S_ERROR = -2;
export const S_UNDEF = -1;
export const S_INITIAL = 0;
/** Own reset queued. */
export const S_PRE_START = 1;
/** Own reset acknowledged, TLS may send. */
export const S_START = 2;
/** Own key method 2 message given to TLS. */
export const S_SENT_KEY = 3;
/** The peer's key method 2 message read. */
export const S_GOT_KEY = 4;
/** Everything sent so far acknowledged: control messages may flow. */
export const S_ACTIVE = 5;
/** Data keys are there. */
export const S_GENERATED_KEYS = 6;

export type KeyStateValue = -2 | -1 | 0 | 1 | 2 | 3 | 4 | 5 | 6;

const STATE_NAMES: readonly string[] = [
  'S_ERROR',
  'S_UNDEF',
  'S_INITIAL',
  'S_PRE_START',
  'S_START',
  'S_SENT_KEY',
  'S_GOT_KEY',
  'S_ACTIVE',
  'S_GENERATED_KEYS',
];

export function stateName(state: KeyStateValue): string {
  return STATE_NAMES[state - S_ERROR] ?? 'S_???';
}

/** Whether the peer behind a key may use the tunnel. */
export type AuthState = 'KS_AUTH_FALSE' | 'KS_AUTH_DEFERRED' | 'KS_AUTH_TRUE';

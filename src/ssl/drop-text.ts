/**
 * 2.x's log lines for control packets that are dropped (ssl.c tls_pre_decrypt(), ssl_pkt.c
 * read_control_auth(), tls_crypt.c, crypto.c).
 */
import type { ControlWrap, DropReason } from '../reliable/reliable.ts';

/** Lines for a packet that could not be unwrapped or parsed: crypto's own line first, where it has one. */
export function unwrapTexts(
  reason: DropReason,
  wrap: ControlWrap['name'],
  from: string,
): { readonly crypto: string | undefined; readonly tls: string } {
  if (reason === 'unwrapped') {
    return { crypto: undefined, tls: `TLS Error: could not determine wrapping from ${from}` };
  }
  if (reason === 'bad-acks' || reason === 'bad-session-id') {
    return { crypto: undefined, tls: 'TLS Error: reading acknowledgement record from packet' };
  }
  if (wrap === 'tls-crypt') {
    const why = { 'too-short': 'packet too short', replay: 'packet replay' }[reason as string];
    const crypto = `tls-crypt unwrap error: ${why ?? 'packet authentication failed'}`;
    return { crypto, tls: `TLS Error: tls-crypt unwrapping failed from ${from}` };
  }
  if (wrap === 'none') {
    return { crypto: undefined, tls: `TLS Error: session-id not found in packet from ${from}` };
  }
  if (reason === 'too-short') {
    return { crypto: undefined, tls: `TLS Error: cannot locate HMAC in incoming packet from ${from}` };
  }
  const crypto =
    reason === 'replay'
      ? 'Authenticate/Decrypt packet error: bad packet ID (may be a replay) -- see the man page entry for --replay-window for more info or silence this warning with --mute-replay-warnings'
      : 'Authenticate/Decrypt packet error: packet HMAC authentication failed';
  return { crypto, tls: `TLS Error: incoming packet authentication failed from ${from}` };
}

/** Lines for a packet whose wrapped client key (tls-crypt-v2) can't be used; the first is crypto's own, if any. */
export function clientKeyTexts(
  reason: DropReason,
  from: string,
): { readonly crypto: string | undefined; readonly tls: readonly string[] } {
  const last = `TLS Error: can not extract tls-crypt-v2 client key from ${from}`;
  const why: Partial<Record<DropReason, string>> = {
    'client-key-unwanted': 'Client wants tls-crypt-v2, but no server key present.',
    'client-key-missing': 'Can not locate tls-crypt-v2 client key',
  };
  const own = why[reason];
  if (own !== undefined) return { crypto: undefined, tls: [own, last] };
  return {
    crypto: 'tls_crypt_v2_unwrap_client_key: client key authentication error',
    tls: ['Can not unwrap tls-crypt-v2 client key', last],
  };
}

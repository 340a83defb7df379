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

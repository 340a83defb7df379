/**
 * 2.x's log lines for control packets that are dropped (ssl.c tls_pre_decrypt(), ssl_pkt.c
 * read_control_auth(), tls_crypt.c, crypto.c).
 */
import { timeText } from '../base/base.ts';
import { type ControlWrap, type DropReason, PREFIX_BYTES } from '../reliable/reliable.ts';

/** Packet id and time that tls-auth and tls-crypt put into a packet. */
const REPLAY_ID_BYTES = 8;

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
    reason === 'replay' ? undefined : 'Authenticate/Decrypt packet error: packet HMAC authentication failed';
  return { crypto, tls: `TLS Error: incoming packet authentication failed from ${from}` };
}

/** The line about an authentic packet whose replay id isn't new (crypto.c crypto_check_replay()). */
export function replayText(wrap: ControlWrap, packet: Uint8Array): string {
  const isTlsCrypt = wrap.name === 'tls-crypt';
  const at = PREFIX_BYTES + (isTlsCrypt ? 0 : wrap.overheadBytes - REPLAY_ID_BYTES);
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const [id, time] = [view.getUint32(at), view.getUint32(at + 4)];
  const prefix = isTlsCrypt ? 'tls-crypt unwrap error' : 'Authenticate/Decrypt packet error';
  return `${prefix}: bad packet ID (may be a replay): [ #${id} / time = (${time}) ${timeText(time * 1000)} ] -- see the man page entry for --no-replay and --replay-window for more info or silence this warning with --mute-replay-warnings`;
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

/**
 * Early negotiation in the payload of a hard reset (2.x ssl.c parse_early_negotiation_tlvs()): a list of
 * `u16 type || u16 length || value`. Type 1 (flags) asks tls-crypt-v2 clients to send their wrapped
 * key again; other types are passed over.
 */
const TLV_FLAGS = 1;
const FLAGS_BYTES = 2;
const FLAG_RESEND_WKC = 1;

/** What a reset's payload says; undefined when it is malformed. An empty one says nothing. */
export function readEarlyNegotiation(payload: Uint8Array): { readonly resendClientKey: boolean } | undefined {
  let resendClientKey = false;
  for (let at = 0; at < payload.length; ) {
    if (at + 4 > payload.length) return undefined;
    const type = uint16(payload, at);
    const length = uint16(payload, at + 2);
    if (length > payload.length - at - 4) return undefined;
    if (type === TLV_FLAGS) {
      if (length !== FLAGS_BYTES) return undefined;
      if ((uint16(payload, at + 4) & FLAG_RESEND_WKC) !== 0) resendClientKey = true;
    }
    at += 4 + length;
  }
  return { resendClientKey };
}

function uint16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/**
 * Early negotiation in the payload of a hard reset (2.x ssl.c parse_early_negotiation_tlvs()): a list of
 * `u16 type || u16 length || value`. Type 1 (flags) asks tls-crypt-v2 clients to send their wrapped
 * key again; other types are passed over.
 */
const TLV_FLAGS = 1;
const FLAGS_BYTES = 2;

/** Whether a reset's payload is well formed; an empty one is. */
export function isTlvList(payload: Uint8Array): boolean {
  for (let at = 0; at < payload.length; ) {
    if (at + 4 > payload.length) return false;
    const type = (payload[at]! << 8) | payload[at + 1]!;
    const length = (payload[at + 2]! << 8) | payload[at + 3]!;
    if (length > payload.length - at - 4 || (type === TLV_FLAGS && length !== FLAGS_BYTES)) return false;
    at += 4 + length;
  }
  return true;
}

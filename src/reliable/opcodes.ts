/**
 * Opcodes of packets in TLS mode (2.x ssl_pkt.h; protocol 2.x since 2.0). The first byte of every
 * packet is `opcode << 3 | key_id`. Names keep the 2.x spelling so that one grep finds both.
 */

/** Key method 1; not accepted. */
export const P_CONTROL_HARD_RESET_CLIENT_V1 = 1;
/** Key method 1; not accepted. */
export const P_CONTROL_HARD_RESET_SERVER_V1 = 2;
/** Starts a renegotiation, from either side. */
export const P_CONTROL_SOFT_RESET_V1 = 3;
/** TLS records. */
export const P_CONTROL_V1 = 4;
/** Acknowledgements only; has no message id. */
export const P_ACK_V1 = 5;
/** Data with a 1-byte header. */
export const P_DATA_V1 = 6;
/** First packet of a TLS client. */
export const P_CONTROL_HARD_RESET_CLIENT_V2 = 7;
/** First packet of a TLS server. */
export const P_CONTROL_HARD_RESET_SERVER_V2 = 8;
/** Data with a 4-byte header that carries the peer id. */
export const P_DATA_V2 = 9;
/** First packet of a tls-crypt-v2 client, its wrapped key appended. */
export const P_CONTROL_HARD_RESET_CLIENT_V3 = 10;
/** P_CONTROL_V1 of a tls-crypt-v2 client, its wrapped key appended. */
export const P_CONTROL_WKC_V1 = 11;

/** Lowest opcode that is accepted (2.x P_FIRST_OPCODE). */
export const P_FIRST_OPCODE = 3;
/** Highest opcode that is accepted (2.x P_LAST_OPCODE). */
export const P_LAST_OPCODE = 11;
export const P_OPCODE_SHIFT = 3;
export const P_KEY_ID_MASK = 0x07;

/** Opcode of the packet at `at`: 0..31. The caller has checked that it has a byte. */
export function readOpcode(bytes: Uint8Array, at = 0): number {
  return bytes[at]! >>> P_OPCODE_SHIFT;
}

/** Key id of the packet at `at`: 0..7. The caller has checked that it has a byte. */
export function readKeyId(bytes: Uint8Array, at = 0): number {
  return bytes[at]! & P_KEY_ID_MASK;
}

/** The first byte of a packet. */
export function firstByte(opcode: number, keyId: number): number {
  return ((opcode << P_OPCODE_SHIFT) | (keyId & P_KEY_ID_MASK)) & 0xff;
}

/** P_DATA_V1 or P_DATA_V2. */
export function isDataOpcode(opcode: number): boolean {
  return opcode === P_DATA_V1 || opcode === P_DATA_V2;
}

/** An accepted opcode of the control channel, P_ACK_V1 included. */
export function isControlOpcode(opcode: number): boolean {
  return opcode >= P_FIRST_OPCODE && opcode <= P_LAST_OPCODE && !isDataOpcode(opcode);
}

/** A hard reset of key method 2, from either side. */
export function isHardReset(opcode: number): boolean {
  return isHardResetClient(opcode) || opcode === P_CONTROL_HARD_RESET_SERVER_V2;
}

/** A hard reset that only a TLS client sends. */
export function isHardResetClient(opcode: number): boolean {
  return opcode === P_CONTROL_HARD_RESET_CLIENT_V2 || opcode === P_CONTROL_HARD_RESET_CLIENT_V3;
}

/** A packet of a tls-crypt-v2 client that ends with its wrapped key. */
export function carriesClientKey(opcode: number): boolean {
  return opcode === P_CONTROL_HARD_RESET_CLIENT_V3 || opcode === P_CONTROL_WKC_V1;
}

const NAMES: readonly (string | undefined)[] = [
  undefined,
  'P_CONTROL_HARD_RESET_CLIENT_V1',
  'P_CONTROL_HARD_RESET_SERVER_V1',
  'P_CONTROL_SOFT_RESET_V1',
  'P_CONTROL_V1',
  'P_ACK_V1',
  'P_DATA_V1',
  'P_CONTROL_HARD_RESET_CLIENT_V2',
  'P_CONTROL_HARD_RESET_SERVER_V2',
  'P_DATA_V2',
  'P_CONTROL_HARD_RESET_CLIENT_V3',
  'P_CONTROL_WKC_V1',
];

/** Name for logs; `P_???` when unknown, as 2.x packet_opcode_name() prints it. */
export function opcodeName(opcode: number): string {
  return NAMES[opcode] ?? 'P_???';
}

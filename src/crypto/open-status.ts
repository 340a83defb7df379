/**
 * Results of opening a data packet, in PacketBatch.status after openBatch(): why it was dropped (2.x
 * crypto.c openvpn_decrypt_aead(), openvpn_decrypt_v1(), crypto_epoch.c).
 */
export const OPEN_OK = 0;
/** AEAD: no room for id, tag and payload. CBC, CFB, OFB: no payload behind the IV. */
export const OPEN_TOO_SHORT = 1;
/** Tag or HMAC is wrong. */
export const OPEN_AUTH_FAILED = 2;
/** Shorter than the HMAC. */
export const OPEN_NO_HMAC = 3;
/** Shorter than the IV. */
export const OPEN_NO_IV = 4;
/** Wrong length or padding; with an HMAC only a peer that has the key can cause it. */
export const OPEN_BAD_CIPHERTEXT = 5;
/** No room for the packet id. */
export const OPEN_NO_PACKET_ID = 6;
/** Epoch format: an epoch that is over, or too far ahead. */
export const OPEN_BAD_EPOCH = 7;

/**
 * Key derivation without TLS exporter (2.x ssl.c generate_key_expansion_openvpn_prf(), crypto.c
 * ssl_tls1_PRF()): the TLS 1.0 PRF of RFC 2246 section 5, applied twice.
 *
 *   master = PRF(pre_master[48], "OpenVPN master secret" || client.random1 || server.random1)[48]
 *   key2   = PRF(master, "OpenVPN key expansion" || client.random2 || server.random2
 *                        || client session id || server session id)[256]
 *
 * Client and server are the TLS roles. Intermediate secrets are zeroed.
 */
import type { CryptoBackend } from './crypto.ts';
import { KEY2_BYTES, type Key2 } from './static-key.ts';

/** What both peers put into key method 2, and the session ids. */
export interface KeySources {
  /** 48 bytes, from the client. */
  readonly preMaster: Uint8Array;
  /** 32 bytes each. */
  readonly clientRandom1: Uint8Array;
  readonly clientRandom2: Uint8Array;
  readonly serverRandom1: Uint8Array;
  readonly serverRandom2: Uint8Array;
  /** 8 bytes each. */
  readonly clientSessionId: Uint8Array;
  readonly serverSessionId: Uint8Array;
}

const MASTER_BYTES = 48;
const MASTER_LABEL = ascii('OpenVPN master secret');
const EXPANSION_LABEL = ascii('OpenVPN key expansion');

/** The data channel keys of key method 2: 256 bytes, the caller's to zero. */
export function prf(crypto: CryptoBackend, sources: KeySources): Key2 {
  const { preMaster, clientRandom1, serverRandom1, clientRandom2, serverRandom2 } = sources;
  const master = tls1Prf(crypto, preMaster, [MASTER_LABEL, clientRandom1, serverRandom1], MASTER_BYTES);
  const seed = [
    EXPANSION_LABEL,
    clientRandom2,
    serverRandom2,
    sources.clientSessionId,
    sources.serverSessionId,
  ];
  const key2 = tls1Prf(crypto, master, seed, KEY2_BYTES);
  master.fill(0);
  return key2;
}

/** TLS 1.0 PRF: `length` bytes from `secret` and the concatenated `seed`, label first. */
export function tls1Prf(
  crypto: CryptoBackend,
  secret: Uint8Array,
  seed: readonly Uint8Array[],
  length: number,
): Uint8Array {
  // The halves share the middle byte of a secret of odd length.
  const half = (secret.length + 1) >> 1;
  const out = new Uint8Array(length);
  xorHmacStream(crypto, 'MD5', secret.subarray(0, half), seed, out);
  xorHmacStream(crypto, 'SHA1', secret.subarray(secret.length - half), seed, out);
  return out;
}

/** XORs P_hash(secret, seed) onto `out`. */
function xorHmacStream(
  crypto: CryptoBackend,
  digest: string,
  secret: Uint8Array,
  seed: readonly Uint8Array[],
  out: Uint8Array,
): void {
  let a = crypto.hmac(digest, secret, ...seed);
  for (let at = 0; at < out.length; ) {
    const block = crypto.hmac(digest, secret, a, ...seed);
    for (let i = 0; i < block.length && at < out.length; i++, at++) out[at] = out[at]! ^ block[i]!;
    block.fill(0);
    const next = crypto.hmac(digest, secret, a);
    a.fill(0);
    a = next;
  }
  a.fill(0);
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

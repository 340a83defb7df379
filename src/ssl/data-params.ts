/**
 * What the ends agree on for the data channel, from what each has said: a server's choice for its client
 * (2.x multi.c multi_client_set_protocol_options(), multi_client_generate_tls_keys()), a pulling client's reading of the
 * push (init.c do_deferred_options(), ssl_ncp.c check_session_cipher()), and what two equals compute alike
 * (do_deferred_p2p_ncp(), p2p_mode_ncp()).
 */
import type { Logger } from '../base/base.ts';
import { D_MULTI_ERRORS, D_PUSH_ERRORS, D_TLS_DEBUG_LOW, D_TLS_ERRORS, M_INFO } from '../base/errlevel.ts';
import {
  type CipherInfo,
  type CryptoBackend,
  digestInfo,
  unusableCipher,
  usableCipher,
} from '../crypto/crypto.ts';
import { epochAllowed, type Options } from '../options/options.ts';
import {
  IV_PROTO_CC_EXIT_NOTIFY,
  IV_PROTO_DATA_EPOCH,
  IV_PROTO_DATA_V2,
  IV_PROTO_DYN_TLS_CRYPT,
  IV_PROTO_TLS_KEY_EXPORT,
  NO_PEER_INFO,
} from './peer-info.ts';
import type { DataChannelParams, PeerIdentity, TlsMulti } from './ssl.ts';
import {
  NO_SHARED_CIPHER,
  negotiateP2p,
  negotiateServerCipher,
  P2P_PEER_ID,
  P2P_PEER_ID_LABEL,
  type P2pNegotiation,
  pickClientCipher,
} from './ssl-ncp.ts';

const NO_EKM =
  'Client incompatible with this server. Keying Material Exporters (RFC 5705) support missing. Upgrade to a client that supports this feature (OpenVPN 2.6.0+).';
const P2P_PEER_ID_BYTES = 3;

/** Where lines go, and what can be computed. */
export interface NegotiationParts {
  readonly crypto: CryptoBackend;
  readonly log: Logger;
}

/** A server's choice, or the reason for AUTH_FAILED. */
export type ServerNegotiation =
  | { readonly params: DataChannelParams }
  | { readonly params: undefined; readonly reason: string };

/** @param options those of the client, its file's among them */
export function serverDataParams(
  options: Options,
  identity: PeerIdentity | undefined,
  ownPeerId: number,
  { crypto, log }: NegotiationParts,
): ServerNegotiation {
  const peerInfo = identity?.peerInfo ?? NO_PEER_INFO;
  const has = (bit: number): boolean => (peerInfo.proto & bit) !== 0;
  const choice = negotiateServerCipher({
    dataCiphers: options.dataCiphers.split(':'),
    fallback: fallbackOf(options),
    remoteOptions: identity?.options ?? '',
    peerInfo,
  });
  for (const line of choice.log) log.log(M_INFO, line);
  if (choice.cipher === undefined) return { params: undefined, reason: choice.reason };
  const cipher = usableCipher(choice.cipher, crypto);
  if (!cipher) {
    log.log(D_MULTI_ERRORS, unusableCipher(choice.cipher));
    return { params: undefined, reason: NO_SHARED_CIPHER };
  }
  const tlsEkm = has(IV_PROTO_TLS_KEY_EXPORT);
  if (!tlsEkm && options.forceTlsKeyMaterialExport) return { params: undefined, reason: NO_EKM };
  const dataV2 = has(IV_PROTO_DATA_V2);
  const epoch = epochAllowed(options) && has(IV_PROTO_DATA_EPOCH);
  return {
    params: {
      cipher,
      digest: digestInfo(options.auth),
      peerId: dataV2 ? ownPeerId : -1,
      epoch: epoch && dataV2 && cipher.mode === 'aead',
      tlsEkm,
      dynTlsCrypt: has(IV_PROTO_DYN_TLS_CRYPT),
      ccExit: has(IV_PROTO_CC_EXIT_NOTIFY),
    },
  };
}

/**
 * A pulling client's, from the pulled options; undefined, with 2.x's line, when they can't be used.
 * `pushed` are the options of the PUSH_REPLY, `remoteOptions` the server's options string.
 */
export function pulledDataParams(
  options: Options,
  pushed: readonly string[],
  remoteOptions: string,
  { crypto, log }: NegotiationParts,
): DataChannelParams | undefined {
  const pushedCipher = pushed.findLast((item) => item.startsWith('cipher '));
  const choice = pickClientCipher({
    dataCiphers: options.dataCiphers.split(':'),
    fallback: fallbackOf(options),
    remoteOptions,
    pushed: pushedCipher?.slice('cipher '.length).trim(),
  });
  for (const line of choice.log) log.log(D_TLS_ERRORS, line);
  if (choice.cipher === undefined) return undefined;
  const cipher = usableCipher(choice.cipher, crypto);
  if (!cipher) {
    log.log(D_TLS_ERRORS, `ERROR: failed to set crypto cipher ${choice.cipher}`);
    return undefined;
  }
  const { protocolFlags, auth, peerId = -1 } = options;
  const problem = protocolFlags.epoch ? epochProblem(cipher, peerId) : undefined;
  if (problem !== undefined) {
    log.log(D_PUSH_ERRORS, problem);
    return undefined;
  }
  return { cipher, digest: digestInfo(auth), peerId, ...protocolFlags };
}

/** What both TLS peers compute alike from their key messages; undefined, with 2.x's line, when they have no cipher. */
export function p2pDataParams(
  options: Options,
  tls: Pick<TlsMulti, 'identity' | 'exportKeyingMaterial'>,
  { crypto, log }: NegotiationParts,
): DataChannelParams | undefined {
  const agreed = negotiateP2p({
    role: options.tlsServer ? 'server' : 'client',
    dataCiphers: options.dataCiphers.split(':'),
    peerInfo: tls.identity?.peerInfo ?? NO_PEER_INFO,
    epoch: epochAllowed(options),
  });
  const peerId = agreed.dataV2 ? p2pPeerId(tls, agreed) : -1;
  logAgreement(log, options, agreed, peerId);
  const name = agreed.cipher ?? fallbackOf(options);
  if (name === undefined) {
    log.log(
      D_TLS_ERRORS,
      'ERROR: failed to negotiate cipher with peer and --data-ciphers-fallback not enabled. No usable data channel cipher',
    );
    return undefined;
  }
  const cipher = usableCipher(name, crypto);
  if (!cipher) {
    log.log(D_TLS_ERRORS, 'ERROR: failed to set crypto cipher');
    return undefined;
  }
  const { tlsEkm, dynTlsCrypt, ccExit, epoch } = agreed;
  return { cipher, digest: digestInfo(options.auth), peerId, tlsEkm, dynTlsCrypt, ccExit, epoch };
}

function fallbackOf({ enableNcpFallback, cipher }: Options): string | undefined {
  return enableNcpFallback ? cipher : undefined;
}

function epochProblem(cipher: CipherInfo, peerId: number): string | undefined {
  if (peerId < 0) {
    return 'OPTIONS ERROR: Epoch key data format tag requires data v2 (peer-id) to be enabled.';
  }
  if (cipher.mode === 'aead') return undefined;
  return `AEAD cipher (currently ${cipher.name}) required for epoch data format.`;
}

/** With key export the id is taken from TLS, without it is the same everywhere. */
function p2pPeerId(tls: Pick<TlsMulti, 'exportKeyingMaterial'>, { tlsEkm }: P2pNegotiation): number {
  const bytes = tlsEkm ? tls.exportKeyingMaterial(P2P_PEER_ID_LABEL, P2P_PEER_ID_BYTES) : undefined;
  return bytes ? (bytes[0]! << 16) | (bytes[1]! << 8) | bytes[2]! : P2P_PEER_ID;
}

function logAgreement(log: Logger, options: Options, agreed: P2pNegotiation, peerId: number): void {
  const cipher = agreed.cipher ?? `(not negotiated, fallback-cipher: ${options.cipher})`;
  const [ekm, v2] = [agreed.tlsEkm, agreed.dataV2].map(Number);
  log.log(
    D_TLS_DEBUG_LOW,
    `P2P mode NCP negotiation result: TLS_export=${ekm}, DATA_v2=${v2}, peer-id ${Math.max(0, peerId)}, cipher=${cipher}`,
  );
}

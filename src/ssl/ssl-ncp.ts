/**
 * Negotiation of the data cipher (2.x ssl_ncp.c, 2.6): the server's choice from IV_CIPHERS, IV_NCP or
 * the options string, the client's check of a pushed cipher, "poor man's NCP" without a push, and the
 * P2P rule where both sides compute the same. Names are compared exactly, as 2.x does; the lists
 * are canonical already. Texts are 2.x's.
 */
import { cipherInfo } from '../crypto/crypto.ts';
import {
  IV_PROTO_CC_EXIT_NOTIFY,
  IV_PROTO_DATA_EPOCH,
  IV_PROTO_DATA_V2,
  IV_PROTO_DYN_TLS_CRYPT,
  IV_PROTO_NCP_P2P,
  IV_PROTO_TLS_KEY_EXPORT,
  type PeerInfo,
} from './peer-info.ts';

/** A cipher, or why there is none. `log` are 2.x's lines for level M_INFO (server) or D_TLS_ERRORS (client). */
export type CipherChoice =
  | { readonly cipher: string; readonly log: readonly string[] }
  | { readonly cipher: undefined; readonly log: readonly string[]; readonly reason: string };

export interface CipherInputs {
  /** Own --data-ciphers, best first. */
  readonly dataCiphers: readonly string[];
  /** --data-ciphers-fallback (or --cipher kept as fallback), undefined when off. */
  readonly fallback: string | undefined;
  /** The peer's options string of the key method 2 message. */
  readonly remoteOptions: string;
}

/** AUTH_FAILED reason of a server that finds no cipher. */
export const NO_SHARED_CIPHER = 'Data channel cipher negotiation failed (no shared cipher)';

/** The cipher named in an options string: `none` for `[null-cipher]`, undefined when it names none. */
export function optionsCipher(options: string): string | undefined {
  for (const item of options.split(',')) {
    if (!item.startsWith('cipher ')) continue;
    const name = item.slice('cipher '.length);
    return name === '[null-cipher]' ? 'none' : name;
  }
  return undefined;
}

/** What the peer announces: IV_CIPHERS, else both GCMs with IV_NCP >= 2, else nothing. */
export function peerCiphers(info: PeerInfo): readonly string[] {
  if (info.ciphers) return info.ciphers;
  return info.ncp >= 2 ? ['AES-256-GCM', 'AES-128-GCM'] : [];
}

/** P2MP server: the first own cipher that the client can use. */
export function negotiateServerCipher(inputs: CipherInputs & { readonly peerInfo: PeerInfo }): CipherChoice {
  const { dataCiphers, peerInfo, fallback } = inputs;
  const theirs = peerCiphers(peerInfo);
  const occ = optionsCipher(inputs.remoteOptions);
  const usableOcc = peerInfo.ciphers ? undefined : occ;
  const cipher = dataCiphers.find((name) => theirs.includes(name) || name === usableOcc);
  if (cipher !== undefined) return { cipher, log: [] };

  const own = dataCiphers.join(':');
  const common = `PUSH: No common cipher between server and client. Server data-ciphers: '${own}', `;
  if (theirs.join(':') !== '') return noCipher(`${common}client supported ciphers '${theirs.join(':')}'`);
  if (occ !== undefined) return noCipher(`${common}client supports cipher '${occ}'`);
  const nothing = 'PUSH: No NCP or OCC cipher data received from peer.';
  if (fallback !== undefined) {
    const using = `Using data channel cipher '${fallback}' since --data-ciphers-fallback is set.`;
    return { cipher: fallback, log: [nothing, using] };
  }
  return noCipher(
    nothing,
    'Use --data-ciphers-fallback with the cipher the client is using if you want to allow the client to connect',
  );
}

/** Pull client: checks a pushed cipher, or falls back on the server's options string. */
export function pickClientCipher(
  inputs: CipherInputs & { readonly pushed: string | undefined },
): CipherChoice {
  const { dataCiphers, fallback, pushed } = inputs;
  const own = dataCiphers.join(':');
  if (pushed !== undefined) {
    if (dataCiphers.includes(pushed) || pushed === fallback) return { cipher: pushed, log: [] };
    const text = `Error: negotiated cipher not allowed - ${pushed} not in ${own}`;
    return { cipher: undefined, log: [text], reason: text };
  }
  const remote = optionsCipher(inputs.remoteOptions);
  if (remote !== undefined && dataCiphers.includes(remote)) {
    return { cipher: remote, log: [`Using peer cipher '${remote}'`] };
  }
  if (remote === undefined && fallback !== undefined) return { cipher: fallback, log: [] };
  const failed = 'OPTIONS ERROR: failed to negotiate cipher with server. ';
  const text =
    remote === undefined
      ? `${failed}Configure --data-ciphers-fallback if you want to connect to this server.`
      : `${failed} Add the server's cipher ('${remote}') to --data-ciphers (currently '${own}') if you want to connect to this server.`;
  return { cipher: undefined, log: [text], reason: text };
}

/** What two TLS peers without --pull and --mode server agree on (2.x p2p_mode_ncp()). */
export interface P2pNegotiation {
  /** undefined: use the fallback. */
  readonly cipher: string | undefined;
  readonly dataV2: boolean;
  readonly tlsEkm: boolean;
  readonly dynTlsCrypt: boolean;
  readonly ccExit: boolean;
  readonly epoch: boolean;
}

/** The fixed peer id of P2P peers without key export: "vpn". */
export const P2P_PEER_ID = 0x76706e;

/** Label of the peer id that P2P peers with key export take from TLS, 3 bytes. */
export const P2P_PEER_ID_LABEL = 'EXPORTER-OpenVPN-p2p-peerid';

/** P2P: both peers compute this from what they announced to each other. `epoch`: we announced the epoch format. */
export function negotiateP2p(inputs: {
  readonly role: 'client' | 'server';
  readonly dataCiphers: readonly string[];
  readonly peerInfo: PeerInfo;
  readonly epoch?: boolean;
}): P2pNegotiation {
  const { role, dataCiphers, peerInfo, epoch = false } = inputs;
  const theirs = peerInfo.ciphers ?? [];
  const serverList = role === 'server' ? dataCiphers : theirs;
  const clientList = role === 'server' ? theirs : dataCiphers;
  const bit = (mask: number): boolean =>
    (peerInfo.proto & IV_PROTO_NCP_P2P) !== 0 && (peerInfo.proto & mask) !== 0;
  const cipher = serverList.find((name) => clientList.includes(name));
  return {
    cipher,
    epoch: epoch && bit(IV_PROTO_DATA_EPOCH) && bit(IV_PROTO_DATA_V2) && isAead(cipher),
    dataV2: bit(IV_PROTO_DATA_V2),
    tlsEkm: bit(IV_PROTO_TLS_KEY_EXPORT),
    dynTlsCrypt: bit(IV_PROTO_DYN_TLS_CRYPT),
    ccExit: bit(IV_PROTO_CC_EXIT_NOTIFY),
  };
}

function isAead(name: string | undefined): boolean {
  return name !== undefined && cipherInfo(name)?.mode === 'aead';
}

function noCipher(...log: string[]): CipherChoice {
  return { cipher: undefined, log, reason: NO_SHARED_CIPHER };
}

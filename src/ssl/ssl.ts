/**
 * Header of ssl/ (2.x ssl.h, ssl_common.h, ssl_ncp.h, ssl_verify.h): TlsMulti > TlsSession > KeyState.
 * One TlsMulti per peer owns the whole control channel: it unwraps packets, runs reliability, feeds
 * the TLS engine, exchanges key method 2, and holds the data keys. It does no I/O and keeps no timer.
 *
 * How to drive it: after every handle*() call, after every `wake`, and at nextTimeout(), call
 * pollTransmit() until undefined and pollEvent() until undefined.
 */
import type { Clock, LinkAddress, Logger, PeerAddress } from '../base/base.ts';
import type {
  CipherInfo,
  CryptoBackend,
  DigestInfo,
  OpeningKey,
  ReplayCheck,
  SealingKey,
} from '../crypto/crypto.ts';
import type { ControlWrap, DropReason, WrapSession } from '../reliable/reliable.ts';
import type { PeerInfo } from './peer-info.ts';
import type { ChainProblem, PeerCertificate, SslContext } from './ssl-backend.ts';

export type {
  ChainProblem,
  ExternalKey,
  PeerCertificate,
  SignRequest,
  SslBackend,
  SslContext,
  SslSession,
  TlsEngineConfig,
} from './ssl-backend.ts';

/** Checks of the peer's certificate that 2.x makes after the chain (ssl_verify.c). */
export interface VerifyPolicy {
  /** Chain verification by CA; false with --peer-fingerprint and no CA. */
  readonly chain: boolean;
  /** --remote-cert-ku masks; empty = only presence demanded; undefined = no check. */
  readonly remoteCertKu?: readonly number[];
  readonly remoteCertEku?: string;
  readonly nsCertType?: 'client' | 'server';
  readonly verifyX509Name?: { readonly name: string; readonly type: 'subject' | 'name' | 'name-prefix' };
  /** SHA-256 fingerprints, lower-case hex without colons; undefined = no check. */
  readonly peerFingerprints?: readonly string[];
  /** Server: 'none' | 'optional' | 'require'. */
  readonly clientCert: 'none' | 'optional' | 'require';
  readonly x509UsernameField?: readonly string[];
  /** --verify-hash: fingerprints that the certificate at depth 1 may have, lower-case hex without colons. */
  readonly verifyHash?: { readonly algorithm: 'SHA1' | 'SHA256'; readonly hashes: readonly string[] };
  /** --crl-verify, lists of --capath. */
  readonly revocation?: RevocationCheck;
  /** False when what answers 'verify' is no tls-verify script, so that there is no verdict of one to log. */
  readonly verifyScript?: boolean;
}

/** Says which certificates were revoked; see revocation-node.ts. */
export interface RevocationCheck {
  /** Looks whether there is news; called at the start of every handshake. */
  refresh(): void;
  /** Whether there is any list, where one is demanded. */
  readonly loaded: boolean;
  /** The first certificate, leaf first, that its issuer's list speaks against. `missing`: has no list. */
  chainProblem(
    chain: readonly PeerCertificate[],
    missing: (certificate: PeerCertificate) => void,
  ): ChainProblem | undefined;
  /** What is asked certificate by certificate, at the end of its checks; logs a no. */
  accepts(certificate: PeerCertificate, subject: () => string): boolean;
}

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** Configuration of one peer's control channel; but for address, log and wake one object may serve all peers of a server. */
export interface TlsMultiConfig {
  /** Where the peer is, for packets to it and from it; moved to where a session proves that it is. */
  readonly address: PeerAddress;
  readonly role: 'client' | 'server';
  /** True with --pull or --mode server: data keys wait for generateDataKeys(). */
  readonly p2mp: boolean;
  readonly crypto: CryptoBackend;
  readonly ssl: SslContext;
  readonly wrap: ControlWrap;
  readonly verify: VerifyPolicy;
  readonly localOptions: string;
  readonly remoteOptions: string;
  /** Server, --compress migrate: a peer with `comp-lzo` in its options string gets one with it back. */
  readonly compressMigrate?: boolean;
  /** --disable-occ turns off sending and checking the options string. */
  readonly occ: boolean;
  /** IV_/UV_ lines for the key method 2 message; '' sends none. */
  readonly peerInfo: () => string;
  /**
   * Client: what to log in with, read anew for every key; undefined = no login. 'pending' = being asked for:
   * call handleTlsOutput() when it is there.
   */
  readonly credentials?: () => Credentials | 'pending' | undefined;
  /** Server: whether username and password must be there. */
  readonly needCredentials: boolean;
  /** Server: emit 'authenticate' and wait for handleAuthResult() even without credentials. */
  readonly deferAuth: boolean;
  /** Server, --opt-verify: refuses peers whose options string isn't `remoteOptions`. */
  readonly optVerify?: boolean;
  /** Server, --username-as-common-name: the name that a peer goes by is its login's. */
  readonly usernameAsCommonName?: boolean;
  /** Emit 'verify' for every certificate (tls-verify script) and wait for handleVerifyResult(). */
  readonly deferVerify: boolean;
  /** Server: emit 'client-key' for every tls-crypt-v2 key (verify script) and wait for handleClientKeyResult(). */
  readonly deferClientKey?: boolean;
  /** --tls-crypt-v2-max-age, days; keys without a timestamp are refused then. */
  readonly clientKeyMaxDays?: number;
  readonly tlsTimeoutMs: number;
  readonly handWindowMs: number;
  readonly transitionWindowMs: number;
  /** 0 disables. */
  readonly renegMs: number;
  readonly renegBytes: number;
  readonly renegPackets: number;
  readonly tlsMtu: number;
  /** IP + UDP header bytes counted into tlsMtu: 28 or 48. */
  readonly linkOverheadBytes: number;
  readonly tcp: boolean;
  readonly singleSession: boolean;
  /** --replay-window: packets and seconds. */
  readonly replayWindow: number;
  readonly replaySec: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called, never from inside a call into TlsMulti, when handleTlsOutput() has something to drain. */
  readonly wake: () => void;
}

/** What negotiation (NCP, PUSH_REPLY) decided; kept for all later keys of the session. */
export interface DataChannelParams {
  readonly cipher: CipherInfo;
  readonly digest: DigestInfo | undefined;
  /** 24 bits, or -1 for P_DATA_V1. */
  readonly peerId: number;
  readonly tlsEkm: boolean;
  readonly dynTlsCrypt: boolean;
  readonly ccExit: boolean;
  /** Epoch data format: AEAD and a peer id only. */
  readonly epoch?: boolean;
  /** Static key mode or no keys at all: packets have no opcode, ids have the long form. */
  readonly headerless?: boolean;
}

/** Keys of one KeyState that reached GENERATED_KEYS. */
export interface DataKeys {
  readonly keyId: number;
  readonly seal: SealingKey;
  readonly open: OpeningKey;
  readonly replay: ReplayCheck;
  /** Counted by the data path; --reneg-bytes and --reneg-pkts look at them. */
  bytes: number;
  packets: number;
  /** Blocks of 16 bytes sealed and opened, rounded up per packet: what an AEAD cipher's limit counts. */
  sealedBlocks: number;
  openedBlocks: number;
}

/** What the peer told about itself, once its key method 2 message was read. */
export interface PeerIdentity {
  readonly commonName: string;
  readonly username: string;
  /** The one that it goes by: its login's with --username-as-common-name, else its certificate's. */
  readonly name: string;
  readonly peerInfo: PeerInfo;
  /** The peer's options string. */
  readonly options: string;
  /** Leaf first. */
  readonly chain: readonly PeerCertificate[];
}

/** What a server does with an answer or a message depends on whose session it belongs to: see TlsEvent. */
interface OfSession {
  /** Number of the TLS session, counted from 1; only the one in the last 'promoted' is the peer's. */
  readonly session: number;
}

export type TlsEvent =
  /** First packet of a new session. */
  | { readonly type: 'session'; readonly from: LinkAddress; readonly sessionId: Uint8Array }
  /** Server: metadata of a tls-crypt-v2 key waits for handleClientKeyResult(id, ok). Type byte first; may be empty. */
  | { readonly type: 'client-key'; readonly id: number; readonly metadata: Uint8Array }
  /** A certificate waits for a tls-verify answer: handleVerifyResult(id, ok). Depth goes from CA to leaf. */
  | ({ readonly type: 'verify'; readonly id: number; readonly certificate: PeerCertificate } & OfSession)
  /** Server: a login waits for handleAuthResult(id, ...). Password is the caller's to forget. */
  | ({
      readonly type: 'authenticate';
      readonly id: number;
      readonly keyId: number;
      readonly credentials: Credentials | undefined;
      readonly identity: PeerIdentity;
    } & OfSession)
  /**
   * The session took ACTIVE's place: its peer has proven its certificate, where one is asked for, and sent its
   * login, which may still be undecided. What was begun for an earlier session is void.
   */
  | ({ readonly type: 'promoted' } & OfSession)
  /** Key method 2 done both ways, everything acknowledged, peer authenticated. `first` on key_id 0 of a session. */
  | ({
      readonly type: 'active';
      readonly keyId: number;
      readonly first: boolean;
      readonly identity: PeerIdentity;
    } & OfSession)
  /** Server: the login failed; 2.x answers AUTH_FAILED and closes after 5 s. */
  | ({
      readonly type: 'auth-failed';
      readonly keyId: number;
      readonly reason: string | undefined;
    } & OfSession)
  /** Data keys of this key id can be used. */
  | ({ readonly type: 'keys'; readonly keyId: number } & OfSession)
  /** One control message, without its NUL: `PUSH_REQUEST`, `PUSH_REPLY,...`, `AUTH_FAILED`, ... */
  | ({ readonly type: 'message'; readonly text: string } & OfSession)
  /** The session can't go on (handshake failed or timed out): a client restarts, a server drops the instance. */
  | { readonly type: 'error'; readonly reason: 'tls-error'; readonly text: string };

/** Session ids of the two resets of a cookie handshake, which has proven the peer's address. */
export interface ProvenIds {
  readonly own: Uint8Array;
  readonly peer: Uint8Array;
}

/** What became of a control packet. What is taken was the peer's, be it a repetition. */
export type PacketVerdict = 'taken' | DropReason;

/** One peer's control channel. See the file comment for how to drive it. */
export interface TlsMulti {
  /** Client: sends the first hard reset. */
  start(nowMs: number): void;
  /**
   * Server after a cookie handshake: continues with both resets done, then handles `packet`, the one
   * that proved the address. `wrap` has sent replay id 1 already.
   */
  startFromCookie(ids: ProvenIds, packet: Uint8Array, from: LinkAddress, nowMs: number): void;
  /** One control packet (opcode other than P_DATA_*). Copies what it keeps. */
  handlePacket(packet: Uint8Array, from: LinkAddress, nowMs: number): PacketVerdict;
  /** Due timers: retransmission, handshake window, renegotiation, lame-duck expiry. Extra calls are harmless. */
  handleTimeout(nowMs: number): void;
  /** Drains the TLS engine after its wake(). */
  handleTlsOutput(nowMs: number): void;
  handleClientKeyResult(id: number, ok: boolean, nowMs: number): void;
  handleVerifyResult(id: number, ok: boolean, nowMs: number): void;
  /** `username` may replace the one given (override-username, token). */
  handleAuthResult(
    id: number,
    result: { readonly ok: boolean; readonly reason?: string; readonly username?: string },
    nowMs: number,
  ): void;
  /** Absolute, same clock as nowMs; undefined = nothing to wait for. */
  nextTimeout(): number | undefined;
  pollTransmit(): { readonly packet: Uint8Array; readonly to: LinkAddress } | undefined;
  pollEvent(): TlsEvent | undefined;

  /**
   * Queues one control message (NUL is added). While a renegotiation runs it waits for the new key and for
   * the verdict on its login. False when there is no key or its login is undecided or refused.
   */
  sendMessage(text: string, nowMs: number): boolean;
  /** The same for what a peer may hear before its login is decided: AUTH_PENDING, its INFO_PRE, and AUTH_FAILED. */
  sendLoginMessage(text: string, nowMs: number): boolean;
  /** Makes the data keys of the newest active key state; later keys follow by themselves with the same parameters. */
  generateDataKeys(params: DataChannelParams, nowMs: number): void;
  /** Starts a renegotiation now. */
  softReset(nowMs: number): void;
  /** The key to seal with, by 2.x's overlap rule; undefined while there is none. Cheap enough for each batch. */
  sealKeys(nowMs: number): DataKeys | undefined;
  /** The keys that open packets with this key id; undefined = drop. */
  openKeys(keyId: number): DataKeys | undefined;
  /** Data has shown the peer at another place: a session that has begun elsewhere goes on there, too. */
  handleMoved(): void;
  readonly identity: PeerIdentity | undefined;
  /** Whether the newest key of the peer's session has data keys and its login was accepted. */
  readonly authenticated: boolean;
  readonly params: DataChannelParams | undefined;
  /** RFC 5705 export from the newest active key's TLS session (P2P peer id); undefined while none is active. */
  exportKeyingMaterial(label: string, lengthBytes: number): Uint8Array | undefined;
  /** Drops by reason, for counters and tests. */
  readonly drops: ReadonlyMap<string, number>;
  /** Zeroes keys, closes TLS engines. */
  close(): void;
}

export {
  type AuthTokenOptions,
  AuthTokens,
  type AuthTokenVerdict,
  authTokenSession,
  isAuthToken,
} from './auth-token.ts';
/** logDataChannel(log, options, ce, params, framing): what is in use, once the data channel is ready. */
export { logDataChannel } from './data-channel-lines.ts';
/** What server, pulling client and point to point peers agree on for the data channel. */
export {
  type NegotiationParts,
  p2pDataParams,
  pulledDataParams,
  type ServerNegotiation,
  serverDataParams,
} from './data-params.ts';
/** dhBits(pem): bits of Diffie-Hellman parameters. */
export { dhBits } from './der.ts';
/** cleanSubject(certificate): as logs and scripts see it. replaceControlCharacters(text): each by `_`. */
export { replaceControlCharacters } from './key-method-2.ts';
/** usesCompression(options): whether a peer's options string says comp-lzo, i.e. any compression framing. */
export { usesCompression } from './options-compare.ts';
export {
  defaultPeerInfo,
  IV_PROTO_AUTH_PENDING_KW,
  IV_PROTO_PUSH_UPDATE,
  IV_PROTO_REQUEST_PUSH,
  NO_PEER_INFO,
  type PeerInfo,
  type PeerInfoOptions,
  parsePeerInfo,
} from './peer-info.ts';
export { cleanSubject, commonNameOf } from './ssl-verify.ts';
/** Peers without control channel: createStaticControl(config) for --secret, createPlainControl(none) without keys. */
export { createPlainControl, createStaticControl, type StaticKeysConfig } from './static-control.ts';
export { createTlsMulti } from './tls-multi.ts';
export { isTrackable, subjectAttributes, trackedValue } from './x509-print.ts';
/** Kept here so that tests and multi/ can name it. */
export type { ControlWrap, WrapSession };

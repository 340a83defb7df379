/**
 * The TLS engine interface (2.x ssl_backend.h). An engine works on bytes: ciphertext in and out,
 * plaintext in and out. It may answer within the call (ssl-native.ts) or later (ssl-node.ts): whenever
 * anything became readable, the handshake ended or failed, it calls `wake()` once, outside of any call
 * into it, and the owner drains it with the poll methods.
 */
export interface TlsEngineConfig {
  readonly role: 'client' | 'server';
  /** PEM texts. */
  readonly ca?: readonly string[];
  /** Own certificate followed by its chain, PEM. */
  readonly cert?: string;
  readonly key?: string;
  readonly keyPassphrase?: string;
  readonly pkcs12?: Uint8Array;
  readonly extraCerts?: string;
  /** DH parameters PEM, 'auto', or undefined for none. */
  readonly dh?: string;
  readonly minVersion?: '1.0' | '1.1' | '1.2' | '1.3';
  readonly maxVersion?: '1.0' | '1.1' | '1.2' | '1.3';
  /** OpenSSL cipher list for TLS <= 1.2. */
  readonly ciphers?: string;
  readonly ciphersuites?: string;
  readonly groups?: string;
  readonly certProfile?: 'insecure' | 'legacy' | 'preferred' | 'suiteb';
  /** File names for messages; without one it is `[[INLINE]]`, as 2.x prints it. */
  readonly names?: Readonly<Partial<Record<'ca' | 'cert' | 'key' | 'pkcs12' | 'extraCerts' | 'dh', string>>>;
  /** Server: ask for a client certificate. */
  readonly requestCert: boolean;
  /**
   * In place of `key`; `cert` is its certificate: RSA, EC, Ed25519 or Ed448. An engine that can't ask (node:tls)
   * refuses it with a TlsError in createContext().
   */
  readonly externalKey?: ExternalKey;
}

/** A private key that lives elsewhere, e.g. behind --management-external-key. */
export interface ExternalKey {
  /**
   * Asks for one signature, raw for RSA and EdDSA, in DER for ECDSA; a rejection ends the session, its text in
   * failure(). The handshake waits as long as it takes, others don't: the owner's hand-window ends it.
   * What comes after close() is passed over.
   */
  sign(request: SignRequest): Promise<Uint8Array>;
}

/** What 2.x's `>PK_SIGN:` is made of: hashed and padded from here, or as it is (`data=message`). */
export interface SignRequest {
  /** Not hashed; the callee's to keep. */
  readonly message: Uint8Array;
  readonly padding: 'RSA_PKCS1_PADDING' | 'RSA_PKCS1_PSS_PADDING' | 'ECDSA' | 'EDDSA';
  /** OpenSSL's name, `SHA256`; undefined for EdDSA. `MD5-SHA1`, TLS 1.1 with RSA, goes without DigestInfo. */
  readonly digest?: string;
  /** Bytes, PSS only; as long as the digest. */
  readonly saltLength?: number;
}

/** One certificate of the peer's chain, leaf first. */
export interface PeerCertificate {
  /** 0 = leaf. */
  readonly depth: number;
  readonly der: Uint8Array;
  /** 2.x one-line form: `C=DE, O=Example, CN=client1`. */
  readonly subject: string;
  readonly issuer: string;
  readonly commonName: string | undefined;
  /** Decimal text. */
  readonly serial: string;
  readonly notBefore: number;
  /** Unix milliseconds. */
  readonly notAfter: number;
  /** Lower-case hex without colons. */
  readonly sha1: string;
  readonly sha256: string;
  /** Key usage bits as in X.509 (digitalSignature = 0x80 ...), undefined when the extension is absent. */
  readonly keyUsage: number | undefined;
  /** OIDs of the extended key usage extension, undefined when absent. */
  readonly extendedKeyUsage: readonly string[] | undefined;
}

/** The engine's own judgement of the peer's chain against `ca`: undefined = good. */
export interface ChainProblem {
  /** OpenSSL's text, e.g. `certificate has expired`. */
  readonly reason: string;
  /** Depth of the offending certificate when known, else 0. */
  readonly depth: number;
}

export interface SslSession {
  /** Gives the engine bytes from the peer. Never throws; a bad record shows up as failure(). */
  writeCiphertext(bytes: Uint8Array): void;
  /** Next bytes for the peer, or undefined. Repeat after every write and every wake until undefined. */
  readCiphertext(): Uint8Array | undefined;
  /** Queues one plaintext record (<= 2048 bytes each, see key method 2). */
  writePlaintext(bytes: Uint8Array): void;
  /** Next decrypted chunk, or undefined. */
  readPlaintext(): Uint8Array | undefined;
  readonly handshakeDone: boolean;
  /** Whether all plaintext given has become ciphertext. Becoming idle wakes. */
  readonly idle: boolean;
  /**
   * Why the engine gave up, in OpenSSL's words; undefined while it is fine. An alert for the peer may still
   * be in readCiphertext(); 2.6 doesn't send it.
   */
  failure(): string | undefined;
  /** Leaf first; empty when the peer sent none. Valid once handshakeDone. */
  peerChain(): readonly PeerCertificate[];
  chainProblem(): ChainProblem | undefined;
  /** RFC 5705 exporter without context. */
  exportKeyingMaterial(label: string, length: number): Uint8Array;
  /** The tail of 2.x's line "Control Channel: TLSv1.3, cipher TLSv1.3 TLS_AES_256_GCM_SHA384, peer certificate: ...". */
  describe(): string;
  close(): void;
}

export interface SslContext {
  createSession(wake: () => void): SslSession;
  /** Frees what all sessions share. */
  close(): void;
}

export interface SslBackend {
  readonly name: string;
  /** Throws OptionsError or TlsError in 2.x's words when a certificate, key or cipher can't be used. */
  createContext(config: TlsEngineConfig): SslContext;
}

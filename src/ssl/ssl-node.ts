/**
 * TLS engine on node:tls (2.x ssl_openssl.c, ssl_verify_openssl.c): a TLSSocket over an in-memory
 * Duplex for every session, one SecureContext for all sessions of a configuration. Asynchronous:
 * whatever a stream callback brings is queued, and wake() is called once from a microtask.
 *
 * The peer's chain is never judged by node:tls itself (rejectUnauthorized is off): the verdict is
 * read after the handshake, so that 2.x's checks and texts apply. Without a readable verdict the
 * chain counts as bad. No tickets, resumption, renegotiation, SNI or ALPN.
 */
import { X509Certificate } from 'node:crypto';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { TlsError } from '../base/base.ts';
import { describeChain } from './peer-certificates-node.ts';
import type {
  ChainProblem,
  PeerCertificate,
  SslBackend,
  SslContext,
  SslSession,
  TlsEngineConfig,
} from './ssl-backend.ts';
import { createSecureContext } from './ssl-node-context.ts';
import { readCertificate, signatureName } from './x509-der.ts';

/** Certificates of one chain that are looked at (2.x MAX_CERT_DEPTH). */
const MAX_CHAIN = 16;
/** Input that fits into node:tls's first buffer of 1024 bytes; more makes it keep one of 16 KiB for good. */
const PUSH_BYTES = 1000;

/** The default TLS engine. */
export function createNodeSsl(): SslBackend {
  return { name: 'node:tls', createContext: (config) => new NodeSslContext(config) };
}

class NodeSslContext implements SslContext {
  readonly #config: TlsEngineConfig;
  readonly #secureContext: tls.SecureContext;
  readonly #authorities: readonly X509Certificate[];

  constructor(config: TlsEngineConfig) {
    this.#config = config;
    this.#secureContext = createSecureContext(config);
    this.#authorities = readAuthorities(config.ca ?? []);
  }

  createSession(wake: () => void): SslSession {
    return new NodeSslSession(this.#config, this.#secureContext, this.#authorities, wake);
  }

  close(): void {
    // The SecureContext belongs to the garbage collector; sessions keep it alive while they need it.
  }
}

/** The wire between TLSSocket and session: what is written to it waits for readCiphertext(). */
class MemoryWire extends Duplex {
  readonly #onWrite: (chunk: Buffer) => void;

  constructor(onWrite: (chunk: Buffer) => void) {
    super({ allowHalfOpen: false, decodeStrings: true, emitClose: false });
    this.#onWrite = onWrite;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#onWrite(chunk);
    done();
  }
}

class NodeSslSession implements SslSession {
  readonly #authorities: readonly X509Certificate[];
  readonly #wake: () => void;
  readonly #wire: MemoryWire;
  readonly #socket: tls.TLSSocket;
  #ciphertext: Buffer[] = [];
  #plaintext: Buffer[] = [];
  /** Records that wait: each must be a write() of its own, and node:tls merges writes that overlap. */
  #toWrite: Uint8Array[] = [];
  #writing = false;
  #handshakeDone = false;
  #failure: string | undefined;
  #wakePending = false;
  #closed = false;
  #chain: readonly PeerCertificate[] | undefined;

  constructor(
    config: TlsEngineConfig,
    secureContext: tls.SecureContext,
    authorities: readonly X509Certificate[],
    wake: () => void,
  ) {
    this.#authorities = authorities;
    this.#wake = wake;
    this.#wire = new MemoryWire((chunk) => {
      this.#ciphertext.push(chunk);
      this.#notify();
    });
    // A failing wire is reported by the socket.
    this.#wire.on('error', () => undefined);
    const client = config.role === 'client';
    this.#socket = client
      ? tls.connect({
          socket: this.#wire,
          secureContext,
          rejectUnauthorized: false,
          checkServerIdentity: () => undefined,
        })
      : new tls.TLSSocket(this.#wire, {
          isServer: true,
          secureContext,
          requestCert: config.requestCert,
          rejectUnauthorized: false,
        });
    this.#socket.on(client ? 'secureConnect' : 'secure', () => this.#onSecure());
    this.#socket.on('data', (chunk: Buffer) => {
      this.#plaintext.push(chunk);
      this.#notify();
    });
    this.#socket.on('error', (error) => this.#fail(opensslText(error)));
    // Without a tls.Server, node:tls reports a server's later errors only here.
    this.#socket.on('_tlsError', (error: Error) => this.#fail(opensslText(error)));
    this.#socket.on('end', () => this.#fail('error:0A000126:SSL routines::unexpected eof while reading'));
  }

  get handshakeDone(): boolean {
    return this.#handshakeDone;
  }

  get idle(): boolean {
    return !this.#writing && this.#toWrite.length === 0;
  }

  writeCiphertext(bytes: Uint8Array): void {
    if (this.#closed || this.#failure !== undefined) return;
    for (let at = 0; at < bytes.length; at += PUSH_BYTES) {
      this.#wire.push(Buffer.from(bytes.subarray(at, at + PUSH_BYTES)));
    }
  }

  readCiphertext(): Uint8Array | undefined {
    return this.#ciphertext.shift();
  }

  writePlaintext(bytes: Uint8Array): void {
    if (this.#closed || this.#failure !== undefined) return;
    this.#toWrite.push(Uint8Array.from(bytes));
    this.#pumpWrites();
  }

  readPlaintext(): Uint8Array | undefined {
    return this.#plaintext.shift();
  }

  failure(): string | undefined {
    return this.#failure;
  }

  peerChain(): readonly PeerCertificate[] {
    if (!this.#handshakeDone || this.#closed) return this.#chain ?? [];
    this.#chain ??= describeChain(this.#rawChain());
    return this.#chain;
  }

  chainProblem(): ChainProblem | undefined {
    const chain = this.peerChain();
    if (chain.length === 0) return undefined;
    const reason = verifyVerdict(this.#socket);
    return reason === undefined ? undefined : { reason, depth: problemDepth(reason, chain) };
  }

  exportKeyingMaterial(label: string, length: number): Uint8Array {
    if (!this.#handshakeDone || this.#closed) throw new TlsError('TLS session is not established');
    // The context must be left undefined: an empty one gives other bytes in TLS 1.2.
    return this.#socket.exportKeyingMaterial(length, label, undefined as unknown as Buffer);
  }

  describe(): string {
    if (!this.#handshakeDone || this.#closed) return '';
    const cipher = this.#socket.getCipher();
    let text = `${this.#socket.getProtocol()}, cipher ${cipher.version} ${cipher.name}`;
    const leaf = this.peerChain()[0];
    if (leaf) text += `, peer certificate: ${describeCertificate(leaf.der)}`;
    const key = this.#socket.getEphemeralKeyInfo() as { type?: string; name?: string; size?: number } | null;
    if (key?.size !== undefined) text += `, peer temporary key: ${describeTemporaryKey(key)}`;
    return text;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const record of this.#toWrite) record.fill(0);
    for (const chunk of this.#plaintext) chunk.fill(0);
    this.#toWrite = [];
    this.#plaintext = [];
    this.#ciphertext = [];
    this.#socket.destroy();
    this.#wire.destroy();
  }

  #onSecure(): void {
    this.#handshakeDone = true;
    this.#notify();
    this.#pumpWrites();
  }

  #fail(text: string): void {
    if (this.#closed) return;
    this.#failure ??= text;
    this.#notify();
  }

  #notify(): void {
    if (this.#wakePending || this.#closed) return;
    this.#wakePending = true;
    queueMicrotask(() => {
      this.#wakePending = false;
      if (!this.#closed) this.#wake();
    });
  }

  #pumpWrites(): void {
    if (this.#writing || !this.#handshakeDone || this.#closed) return;
    const record = this.#toWrite.shift();
    if (!record) return;
    this.#writing = true;
    this.#socket.write(record, () => {
      record.fill(0);
      this.#writing = false;
      this.#pumpWrites();
      if (this.idle) this.#notify();
    });
  }

  /** DER of the peer's chain, leaf first, completed from our own authorities. */
  #rawChain(): Buffer[] {
    const chain: Buffer[] = [];
    let next: tls.DetailedPeerCertificate | undefined = this.#socket.getPeerCertificate(true);
    while (next?.raw && chain.length < MAX_CHAIN && !chain.some((der) => der.equals(next!.raw))) {
      chain.push(next.raw);
      next = next.issuerCertificate;
    }
    while (chain.length > 0 && chain.length < MAX_CHAIN) {
      const last = new X509Certificate(chain.at(-1)!);
      const issuer = this.#authorities.find((ca) => last.checkIssued(ca) && !ca.raw.equals(last.raw));
      if (last.checkIssued(last) || !issuer) break;
      chain.push(issuer.raw);
    }
    return chain;
  }
}

/** OpenSSL's verdict on the peer's chain; undefined = good. Fails closed. */
function verifyVerdict(socket: tls.TLSSocket): string | undefined {
  const { ssl } = socket as unknown as { ssl?: { verifyError?: () => Error | null | undefined } };
  if (typeof ssl?.verifyError !== 'function') return 'application verification failure';
  // Node 24 adds advice of its own to OpenSSL's words.
  const reason = ssl.verifyError()?.message.replace(/; if the root CA .*$/, '');
  // node:tls lets OpenSSL go on after the first problem, 2.x stops there.
  return reason === 'unable to verify the first certificate'
    ? 'unable to get local issuer certificate'
    : reason;
}

/** The depth that OpenSSL would name: it isn't reported, but follows from the kind of problem. */
function problemDepth(reason: string, chain: readonly PeerCertificate[]): number {
  const now = Date.now();
  if (reason === 'certificate has expired')
    return Math.max(
      0,
      lastIndex(chain, (c) => c.notAfter < now),
    );
  if (reason === 'certificate is not yet valid')
    return Math.max(
      0,
      lastIndex(chain, (c) => c.notBefore > now),
    );
  const aboutTop = /issuer certificate|self[- ]signed certificate in certificate chain/.test(reason);
  return aboutTop ? chain.length - 1 : 0;
}

function lastIndex(
  chain: readonly PeerCertificate[],
  matches: (certificate: PeerCertificate) => boolean,
): number {
  return chain.findLastIndex(matches);
}

/** `2048 bits RSA, signature: RSA-SHA256`, as 2.x print_cert_details() has it. */
function describeCertificate(der: Uint8Array): string {
  const { publicKey } = new X509Certificate(der);
  const details = publicKey.asymmetricKeyDetails;
  const kinds: Record<string, string> = {
    rsa: `${details?.modulusLength} bits RSA`,
    'rsa-pss': `${details?.modulusLength} bits RSA-PSS`,
    dsa: `${details?.modulusLength} bits DSA`,
    ec: `${curveBits(details?.namedCurve)} bits EC${details?.namedCurve}`,
    ed25519: '256 bits ED25519',
    ed448: '456 bits ED448',
  };
  const fields = readCertificate(der);
  const signature = fields ? `, signature: ${signatureName(fields.signatureOid)}` : '';
  return `${kinds[publicKey.asymmetricKeyType ?? ''] ?? '(error getting type)'}${signature}`;
}

function describeTemporaryKey(key: { type?: string; name?: string; size?: number }): string {
  const montgomery = key.name === 'X25519' || key.name === 'X448';
  const kind = key.type === 'DH' ? 'DH' : montgomery ? key.name : `EC${key.name}`;
  return `${key.size} bits ${kind}`;
}

function curveBits(curve: string | undefined): string {
  return /\d{3}/.exec(curve ?? '')?.[0] ?? '0';
}

function readAuthorities(pems: readonly string[]): X509Certificate[] {
  const blocks = pems
    .join('\n')
    .match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[\s\S]+?-----END (?:TRUSTED )?CERTIFICATE-----/g);
  return (blocks ?? []).flatMap((pem) => {
    try {
      return [new X509Certificate(pem)];
    } catch {
      // OpenSSL read it or refused it already; here it only can't complete a chain.
      return [];
    }
  });
}

/** The `error:...` line of an OpenSSL error as ERR_error_string() prints it. */
function opensslText(error: Error): string {
  const match = /error:([0-9A-F]{8}):([^:]*):[^:]*:([^:\n]*)/.exec(error.message);
  if (match) return `error:${match[1]}:${match[2]}::${match[3]}`;
  if (
    /before secure TLS connection|ECONNRESET/.test(`${error.message} ${(error as { code?: string }).code}`)
  ) {
    return 'error:0A000126:SSL routines::unexpected eof while reading';
  }
  return error.message;
}

/**
 * A TLS engine for tests that follows a fixed script instead of TLS: four flights, two of them long
 * enough for several control packets, then records. Nothing is secret, everything is deterministic.
 * Like node:tls it answers later: work waits until run(), which then calls wake().
 *
 *   record : u8 type || u16 length || u32 checksum || body       a wrong checksum fails, as a wrong MAC would
 *   client : HELLO random[32] ------------>
 *            <------------ SERVER_FLIGHT random[32] || certificate
 *            CLIENT_FLIGHT certificate --->
 *            <------------ FINISHED                       then DATA both ways, ALERT at any time
 */
import { createHmac } from 'node:crypto';
import type { PeerCertificate, SslBackend, SslContext, SslSession, TlsEngineConfig } from '../src/ssl/ssl.ts';
import { createPrng } from './prng.ts';

const HELLO = 1;
const SERVER_FLIGHT = 2;
const CLIENT_FLIGHT = 3;
const FINISHED = 4;
const ALERT = 21;
const DATA = 23;
const RANDOM_BYTES = 32;
const HEADER_BYTES = 7;
const CHECKSUM_OFFSET = 3;

export interface ScriptedSslOptions {
  readonly seed: number;
  /** Length of the certificate that each side sends. */
  readonly certificateBytes?: number;
  /** What chainProblem() says to the side of that role. */
  readonly chainProblem?: { readonly role: 'client' | 'server'; readonly reason: string };
  /** Servers answer the hello with an alert. */
  readonly refuse?: boolean;
}

/** The backend, and the hand that drives it. */
export class ScriptedSsl implements SslBackend {
  readonly name = 'scripted';
  /** Sessions that were created and not closed. */
  openSessions = 0;
  /** Records with a wrong checksum, of all sessions. */
  badRecords = 0;
  readonly #options: ScriptedSslOptions;
  readonly #random: () => number;
  #tasks: (() => void)[] = [];

  constructor(options: ScriptedSslOptions) {
    this.#options = options;
    this.#random = createPrng(options.seed);
  }

  createContext(config: TlsEngineConfig): SslContext {
    return {
      createSession: (wake) => {
        const random = Uint8Array.from({ length: RANDOM_BYTES }, () => this.#random() * 256);
        this.openSessions++;
        const closed = () => this.openSessions--;
        const badRecord = () => this.badRecords++;
        return new ScriptedSession({
          ...this.#options,
          role: config.role,
          random,
          wake,
          closed,
          badRecord,
          later: this.#later,
        });
      },
      close: () => undefined,
    };
  }

  /** Does all work that waits, wakes the owners, and says whether there was any. */
  run(): boolean {
    const tasks = this.#tasks;
    this.#tasks = [];
    for (const task of tasks) task();
    return tasks.length > 0;
  }

  #later = (task: () => void): void => {
    this.#tasks.push(task);
  };
}

interface SessionOptions extends ScriptedSslOptions {
  readonly role: 'client' | 'server';
  readonly random: Uint8Array;
  readonly wake: () => void;
  readonly closed: () => void;
  readonly badRecord: () => void;
  readonly later: (task: () => void) => void;
}

class ScriptedSession implements SslSession {
  handshakeDone = false;
  readonly #options: SessionOptions;
  #peerRandom: Uint8Array = new Uint8Array(0);
  #hasPeerCertificate = false;
  #incoming = Buffer.alloc(0);
  readonly #ciphertext: Uint8Array[] = [];
  readonly #plaintext: Uint8Array[] = [];
  readonly #waiting: Uint8Array[] = [];
  #failure: string | undefined;
  #scheduled = false;
  #closed = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    if (options.role === 'client') this.#schedule(() => this.#write(HELLO, options.random));
  }

  get idle(): boolean {
    return this.#waiting.length === 0;
  }

  writeCiphertext(bytes: Uint8Array): void {
    this.#incoming = Buffer.concat([this.#incoming, bytes]);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(() => this.#readRecords());
  }

  readCiphertext(): Uint8Array | undefined {
    return this.#ciphertext.shift();
  }

  writePlaintext(bytes: Uint8Array): void {
    const record = bytes.slice();
    this.#waiting.push(record);
    if (this.handshakeDone) this.#schedule(() => this.#flush());
  }

  readPlaintext(): Uint8Array | undefined {
    return this.#plaintext.shift();
  }

  failure(): string | undefined {
    return this.#failure;
  }

  peerChain(): readonly PeerCertificate[] {
    if (!this.#hasPeerCertificate) return [];
    return [certificate(this.#options.role === 'client' ? 'server' : 'client')];
  }

  chainProblem(): { readonly reason: string; readonly depth: number } | undefined {
    const problem = this.#options.chainProblem;
    return problem?.role === this.#options.role ? { reason: problem.reason, depth: 0 } : undefined;
  }

  exportKeyingMaterial(label: string, length: number): Uint8Array {
    const client = this.#options.role === 'client';
    const randoms = [this.#options.random, this.#peerRandom];
    const secret = Buffer.concat(client ? randoms : randoms.reverse());
    const blocks: Buffer[] = [];
    for (let i = 0; i * 32 < length; i++) {
      blocks.push(createHmac('sha256', secret).update(`${i} ${label}`).digest());
    }
    return Uint8Array.from(Buffer.concat(blocks).subarray(0, length));
  }

  describe(): string {
    return 'scripted, no cipher';
  }

  close(): void {
    if (!this.#closed) this.#options.closed();
    this.#closed = true;
  }

  #schedule(work: () => void): void {
    this.#options.later(() => {
      if (this.#closed) return;
      work();
      this.#options.wake();
    });
  }

  #readRecords(): void {
    this.#scheduled = false;
    while (this.#failure === undefined && this.#incoming.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + this.#incoming.readUInt16BE(1);
      if (this.#incoming.length < end) return;
      const [type, body] = [this.#incoming[0]!, this.#incoming.subarray(HEADER_BYTES, end)];
      if (checksum(type, body) !== this.#incoming.readUInt32BE(CHECKSUM_OFFSET)) {
        this.#failure = 'scripted bad record';
        this.#options.badRecord();
        return;
      }
      this.#incoming = this.#incoming.subarray(end);
      this.#handleRecord(type, Uint8Array.from(body));
    }
  }

  #handleRecord(type: number, body: Uint8Array): void {
    const client = this.#options.role === 'client';
    if (type === DATA && this.handshakeDone) this.#plaintext.push(body);
    else if (type === ALERT) this.#failure = 'scripted alert from the peer';
    else if (type === HELLO && !client && this.#peerRandom.length === 0) this.#answerHello(body);
    else if (type === SERVER_FLIGHT && client && this.#peerRandom.length === 0) this.#answerServer(body);
    else if (type === CLIENT_FLIGHT && !client && this.#peerRandom.length > 0) this.#finish(true);
    else if (type === FINISHED && client && this.#hasPeerCertificate) this.#finish(false);
    else this.#failure = `scripted engine can't take record ${type}`;
  }

  #answerHello(random: Uint8Array): void {
    if (this.#options.refuse) {
      this.#failure = 'scripted refusal';
      this.#write(ALERT, new Uint8Array(2));
      return;
    }
    this.#peerRandom = random;
    this.#write(SERVER_FLIGHT, Buffer.concat([this.#options.random, this.#certificateBytes()]));
  }

  #answerServer(body: Uint8Array): void {
    this.#peerRandom = body.subarray(0, RANDOM_BYTES);
    this.#hasPeerCertificate = true;
    this.#write(CLIENT_FLIGHT, this.#certificateBytes());
  }

  #finish(tellPeer: boolean): void {
    this.#hasPeerCertificate = true;
    this.handshakeDone = true;
    if (tellPeer) this.#write(FINISHED, new Uint8Array(32));
    this.#flush();
  }

  #flush(): void {
    for (const record of this.#waiting.splice(0)) this.#write(DATA, record);
  }

  #write(type: number, body: Uint8Array): void {
    const record = Buffer.alloc(HEADER_BYTES + body.length);
    record[0] = type;
    record.writeUInt16BE(body.length, 1);
    record.writeUInt32BE(checksum(type, body), CHECKSUM_OFFSET);
    record.set(body, HEADER_BYTES);
    this.#ciphertext.push(record);
  }

  #certificateBytes(): Uint8Array {
    return new Uint8Array(this.#options.certificateBytes ?? 2500).fill(0xce);
  }
}

/** FNV-1a over type and body. */
function checksum(type: number, body: Uint8Array): number {
  let sum = Math.imul(0x811c9dc5 ^ type, 0x01000193);
  for (const byte of body) sum = Math.imul(sum ^ byte, 0x01000193);
  return sum >>> 0;
}

function certificate(name: string): PeerCertificate {
  const client = name === 'client';
  return {
    depth: 0,
    der: new TextEncoder().encode(name),
    subject: `CN=${name}`,
    issuer: 'CN=Scripted CA',
    commonName: name,
    serial: client ? '2' : '1',
    notBefore: 0,
    notAfter: 4_000_000_000_000,
    sha1: (client ? 'c' : 'd').repeat(40),
    sha256: (client ? 'c' : 'd').repeat(64),
    keyUsage: undefined,
    extendedKeyUsage: undefined,
  };
}

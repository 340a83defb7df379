/**
 * TLS engine on the addon (native/tls.cc, native/tls_session.cc): OpenSSL over memory, as 2.x's
 * ssl_openssl.c uses it. Synchronous: what follows from a call can be read when the call returns; wake()
 * comes all the same where something was left unread, or handshake or session ended, from a microtask.
 *
 * With an external key the handshake waits for signatures, which are asked for from a microtask, too.
 *
 * The peer's chain never ends the handshake. OpenSSL's verification callback notes the first problem with
 * its depth, and the verdict is read after the handshake, so that 2.x's checks and texts apply.
 */
import { ApiMisuseError, errorMessage, TlsError } from '../base/base.ts';
import {
  NATIVE_TLS_DONE,
  NATIVE_TLS_FAILED,
  NATIVE_TLS_OUTPUT,
  NATIVE_TLS_PLAINTEXT,
  NATIVE_TLS_SIGN,
  type NativeAddon,
  type NativeTlsContext,
  type NativeTlsSession,
} from '../native/native.ts';
import { describeChain, KnownAuthorities } from './peer-certificates-node.ts';
import type {
  ChainProblem,
  ExternalKey,
  PeerCertificate,
  SignRequest,
  SslBackend,
  SslContext,
  SslSession,
  TlsEngineConfig,
} from './ssl-backend.ts';
import { createNativeContext } from './ssl-native-context.ts';

const READABLE = NATIVE_TLS_OUTPUT | NATIVE_TLS_PLAINTEXT;
const ENDED = NATIVE_TLS_DONE | NATIVE_TLS_FAILED;

/** The TLS engine of the addon. */
export function createNativeSsl(addon: NativeAddon): SslBackend {
  return { name: 'native', createContext: (config) => new NativeSslContext(addon, config) };
}

class NativeSslContext implements SslContext {
  readonly #addon: NativeAddon;
  readonly #context: NativeTlsContext;
  readonly #externalKey: ExternalKey | undefined;
  readonly #authorities = new KnownAuthorities();
  #closed = false;

  constructor(addon: NativeAddon, config: TlsEngineConfig) {
    this.#addon = addon;
    this.#externalKey = config.externalKey;
    this.#context = createNativeContext(addon, config);
  }

  createSession(wake: () => void): SslSession {
    if (this.#closed) throw new ApiMisuseError('the TLS context was closed');
    const native = new this.#addon.TlsSession(this.#context);
    return new NativeSslSession(native, wake, this.#externalKey, this.#authorities);
  }

  close(): void {
    this.#closed = true;
    this.#context.close();
  }
}

class NativeSslSession implements SslSession {
  readonly #native: NativeTlsSession;
  readonly #wake: () => void;
  readonly #externalKey: ExternalKey | undefined;
  readonly #authorities: KnownAuthorities;
  /** State bits after the latest call. */
  #state = 0;
  /** Plaintext given before the end of the handshake. */
  #toWrite: Uint8Array[] = [];
  #failure: string | undefined;
  #chain: readonly PeerCertificate[] | undefined;
  #wakePending = false;
  /** Whether handshake or session ended since the last wake. */
  #ended = false;
  #closed = false;

  constructor(
    native: NativeTlsSession,
    wake: () => void,
    externalKey: ExternalKey | undefined,
    authorities: KnownAuthorities,
  ) {
    this.#native = native;
    this.#wake = wake;
    this.#externalKey = externalKey;
    this.#authorities = authorities;
    this.#take(native.state);
  }

  get handshakeDone(): boolean {
    return (this.#state & NATIVE_TLS_DONE) !== 0;
  }

  get idle(): boolean {
    return this.#toWrite.length === 0;
  }

  writeCiphertext(bytes: Uint8Array): void {
    if (this.#closed || this.#failure !== undefined) return;
    this.#take(this.#native.write(bytes));
  }

  readCiphertext(): Uint8Array | undefined {
    return this.#closed ? undefined : this.#native.output();
  }

  writePlaintext(bytes: Uint8Array): void {
    if (this.#closed || this.#failure !== undefined) return;
    if (this.handshakeDone) this.#take(this.#native.send(bytes));
    else this.#toWrite.push(Uint8Array.from(bytes));
  }

  readPlaintext(): Uint8Array | undefined {
    return this.#closed ? undefined : this.#native.plaintext();
  }

  failure(): string | undefined {
    return this.#failure;
  }

  peerChain(): readonly PeerCertificate[] {
    if (!this.handshakeDone || this.#closed) return this.#chain ?? [];
    this.#chain ??= describeChain(this.#native.chain(), this.#authorities);
    return this.#chain;
  }

  chainProblem(): ChainProblem | undefined {
    const problem = this.#closed ? undefined : this.#native.problem();
    return problem && { reason: problem[0], depth: problem[1] };
  }

  exportKeyingMaterial(label: string, length: number): Uint8Array {
    const exported = new Uint8Array(length);
    if (!this.handshakeDone || this.#closed || !this.#native.exportKey(label, exported)) {
      throw new TlsError('TLS session is not established');
    }
    return exported;
  }

  describe(): string {
    return this.#closed ? '' : this.#native.describe();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const record of this.#toWrite) record.fill(0);
    this.#toWrite = [];
    this.#native.close();
  }

  #take(state: number): void {
    const ended = state & ENDED & ~this.#state;
    const asks = (state & NATIVE_TLS_SIGN & ~this.#state) !== 0;
    this.#state = state;
    if ((ended & NATIVE_TLS_FAILED) !== 0) this.#failure = this.#native.failure();
    if (ended !== 0) this.#ended = true;
    if (asks) void this.#sign();
    if ((ended & NATIVE_TLS_DONE) !== 0) this.#flush();
    if (this.#ended || (this.#state & READABLE) !== 0) this.#notify();
  }

  /** Never rejects; what the key answers after close() is nobody's. */
  async #sign(): Promise<void> {
    const request = signRequest(this.#native);
    if (!request) return;
    try {
      // Not within the caller's call: the key may close this session.
      await Promise.resolve();
      if (this.#closed) return;
      const signature = await this.#externalKey?.sign(request);
      if (!(signature instanceof Uint8Array)) throw new TlsError('it gave none');
      if (!this.#closed) this.#take(this.#native.provideSignature(signature));
    } catch (error) {
      const reason = errorMessage(error);
      if (!this.#closed) this.#take(this.#native.refuseSignature(reason.replaceAll('\0', ' ')));
    }
  }

  #flush(): void {
    for (const record of this.#toWrite.splice(0)) {
      if (this.#failure === undefined) this.#take(this.#native.send(record));
      record.fill(0);
    }
  }

  #notify(): void {
    if (this.#wakePending) return;
    this.#wakePending = true;
    queueMicrotask(() => {
      this.#wakePending = false;
      if (this.#closed || (!this.#ended && (this.#native.state & READABLE) === 0)) return;
      this.#ended = false;
      this.#wake();
    });
  }
}

function signRequest(native: NativeTlsSession): SignRequest | undefined {
  const asked = native.signRequest();
  if (!asked) return undefined;
  const [message, padding, digest, saltLength] = asked;
  return {
    message,
    padding,
    ...(digest !== '' && { digest }),
    ...(saltLength >= 0 && { saltLength }),
  };
}

/**
 * Certificates, keys and revocation lists of a configuration (2.x ssl.c init_ssl()): what the TLS engine works with, for
 * as long as no restart reads them anew. Files that may change while running (--crl-verify, --capath) are looked at
 * before every handshake.
 */
import { X509Certificate } from 'node:crypto';
import { CryptoError, errnoText, errorMessage, type Logger, OptionsError, TlsError } from '../base/base.ts';
import { D_TLS_DEBUG_LOW, M_WARN } from '../base/errlevel.ts';
import { BF_CBC, keyTypeWarnings, unusableCipher, usableCipher } from '../crypto/crypto.ts';
import type { FileOrInline, Options } from '../options/options.ts';
import { readPkcs12 } from '../ssl/pkcs12-node.ts';
import {
  createRevocationDirectory,
  createRevocationLists,
  type RevocationSource,
} from '../ssl/revocation-node.ts';
import {
  dhBits,
  isTrackable,
  type RevocationCheck,
  type SslBackend,
  type SslContext,
  type TlsEngineConfig,
} from '../ssl/ssl.ts';
import { AuthorityDirectory } from './authority-directory.ts';
import { readBytes, readText } from './file-text.ts';
import type { Providers } from './init.ts';
import { checkDigest } from './tls-setup.ts';

export interface TlsMaterials {
  readonly context: SslContext;
  readonly revocation: RevocationCheck | undefined;
  close(): void;
}

/** What 2.6 on OpenSSL 3 does with --ecdh-curve, and says. */
const CURVE_IGNORED =
  'WARNING: OpenSSL 3.0+ builds do not support specifying an ECDH curve with --ecdh-curve, ' +
  'using default curves. Use --tls-groups to specify groups.';

/**
 * Reads everything. `passphrase` opens the private key. Throws OptionsError, CryptoError or TlsError when
 * something can't be used.
 */
export function loadTlsMaterials(
  options: Options,
  providers: Providers,
  passphrase: string | undefined,
): TlsMaterials {
  checkAlgorithms(options, providers);
  // OpenSSL takes an empty list for no cipher at all, and engines differ in what they make of it.
  if (options.tlsCipher === '') throw new TlsError('Failed to set restricted TLS cipher list: ');
  const strange = options.x509Track?.find(({ name }) => !isTrackable(name));
  if (strange) throw new OptionsError(`x509_track: no such attribute '${strange.name}'`);
  const { ssl, log, clock } = providers;
  const directory = options.capath === undefined ? undefined : new AuthorityDirectory(options.capath, log);
  const config = {
    ...engineConfig(options, passphrase),
    ...(providers.externalKey && { externalKey: providers.externalKey }),
  };
  const context = directory ? new DirectoryContext(ssl, config, directory, log) : ssl.createContext(config);
  warnOfValidity(ownCertificate(config), log, clock.wallMs());
  if (options.tlsServer && config.dh !== undefined)
    log.log(D_TLS_DEBUG_LOW, `Diffie-Hellman initialized with ${dhBits(config.dh)} bit key`);
  if (options.tlsServer && options.ecdhCurve !== undefined) log.log(M_WARN, CURVE_IGNORED);
  const revocation = createRevocation(options, directory, log, () => clock.wallMs());
  return { context, revocation, close: () => context.close() };
}

/** The own certificate as PEM; undefined without one. */
function ownCertificate({ cert, pkcs12, keyPassphrase }: TlsEngineConfig): string | undefined {
  return pkcs12 ? readPkcs12(pkcs12, keyPassphrase ?? '').cert : cert;
}

/** Peers will refuse it, which only their logs tell (2.x ssl_openssl.c tls_ctx_check_cert_time()). */
function warnOfValidity(pem: string | undefined, log: Logger, wallMs: number): void {
  if (pem === undefined) return;
  const { validFrom, validTo } = new X509Certificate(pem);
  if (Date.parse(validFrom) > wallMs) log.log(M_WARN, 'WARNING: Your certificate is not yet valid!');
  if (Date.parse(validTo) < wallMs) log.log(M_WARN, 'WARNING: Your certificate has expired!');
}

/**
 * 2.x sets up --cipher and --auth even where negotiation replaces them; only BF-CBC, its default, may be
 * missing as long as nothing can choose it. Source: 2.x init.c do_init_crypto_tls_c1().
 */
function checkAlgorithms(options: Options, { crypto, log }: Providers): void {
  const { cipher: name, auth, dataCiphers, enableNcpFallback } = options;
  const digest = checkDigest(auth, crypto);
  const unused = name === BF_CBC.name && !dataCiphers.split(':').includes(name) && !enableNcpFallback;
  if (name === '' || unused) return;
  const cipher = usableCipher(name, crypto);
  if (!cipher) throw new CryptoError(unusableCipher(name));
  if (!enableNcpFallback) return;
  for (const line of keyTypeWarnings(cipher, digest)) log.log(M_WARN, line);
}

function createRevocation(
  options: Options,
  directory: AuthorityDirectory | undefined,
  log: Logger,
  wallMs: () => number,
): RevocationCheck | undefined {
  const { crlVerify } = options;
  if (crlVerify && options.crlVerifyDir)
    return createRevocationDirectory(crlVerify.kind === 'file' ? crlVerify.path : '', log);
  const sources: RevocationSource[] = [];
  if (crlVerify) sources.push(crlVerify);
  if (directory) sources.push({ kind: 'texts', read: () => directory.lists });
  if (sources.length === 0) return undefined;
  return createRevocationLists({ sources, demanded: crlVerify !== undefined, log, wallMs });
}

/** A directory reads as empty, as by fopen(); what else can't be opened has words of its own (tls_ctx_load_extra_certs()). */
function readExtraCerts(value: FileOrInline): string {
  try {
    return readText(value, 'extra-certs');
  } catch (error) {
    const { code } = (error as OptionsError).cause as NodeJS.ErrnoException;
    if (code === 'EISDIR') return '';
    const why = code === 'ENOENT' ? NO_SUCH_FILE : errnoText((error as OptionsError).cause);
    const path = value.kind === 'file' ? value.path : '';
    throw new TlsError(`Cannot load extra-certs file: ${path}`, { cause: new TlsError(why) });
  }
}

/** OpenSSL's words. */
const NO_SUCH_FILE = 'error:10000080:BIO routines::no such file';

function engineConfig(options: Options, passphrase: string | undefined): TlsEngineConfig {
  const text = (value: FileOrInline | undefined, option: string): string | undefined =>
    value && readText(value, option);
  const ca = text(options.ca, 'ca');
  const cert = text(options.cert, 'cert');
  const key = text(options.key, 'key');
  const extraCerts = options.extraCerts && readExtraCerts(options.extraCerts);
  const dh = options.dh === undefined || options.dh === 'none' ? undefined : readText(options.dh, 'dh');
  return {
    role: options.tlsServer ? 'server' : 'client',
    names: fileNames(options),
    ...(ca !== undefined && { ca: [ca] }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(passphrase !== undefined && { keyPassphrase: passphrase }),
    ...(extraCerts !== undefined && { extraCerts }),
    ...(options.pkcs12 && { pkcs12: readPkcs12Bytes(options.pkcs12) }),
    ...(dh !== undefined && { dh }),
    ...(options.tlsVersionMin && { minVersion: options.tlsVersionMin }),
    ...(options.tlsVersionMax && { maxVersion: options.tlsVersionMax }),
    ...(options.tlsCipher !== undefined && { ciphers: options.tlsCipher }),
    ...(options.tlsCiphersuites !== undefined && { ciphersuites: options.tlsCiphersuites }),
    ...(options.tlsGroups !== undefined && { groups: options.tlsGroups }),
    ...(options.tlsCertProfile && { certProfile: options.tlsCertProfile }),
    requestCert: options.verifyClientCert !== 'none',
  };
}

/** The bytes of a PKCS#12 file; inline it is base64. */
export function readPkcs12Bytes(value: FileOrInline): Uint8Array {
  return value.kind === 'inline' ? Buffer.from(value.text, 'base64') : readBytes(value, 'pkcs12');
}

function fileNames(options: Options): NonNullable<TlsEngineConfig['names']> {
  const { ca, cert, key, pkcs12, extraCerts, dh } = options;
  const parts = { ca, cert, key, pkcs12, extraCerts, dh };
  return Object.fromEntries(
    Object.entries(parts).flatMap(([part, value]) =>
      typeof value === 'object' && value.kind === 'file' ? [[part, value.path]] : [],
    ),
  );
}

/** A context whose authorities are those of a directory, too: made anew when the directory changed. */
class DirectoryContext implements SslContext {
  readonly #backend: SslBackend;
  readonly #config: TlsEngineConfig;
  readonly #directory: AuthorityDirectory;
  readonly #log: Logger;
  #context: SslContext;

  constructor(backend: SslBackend, config: TlsEngineConfig, directory: AuthorityDirectory, log: Logger) {
    this.#backend = backend;
    this.#config = config;
    this.#directory = directory;
    this.#log = log;
    this.#context = this.#create();
  }

  createSession(wake: () => void): ReturnType<SslContext['createSession']> {
    try {
      if (this.#directory.refresh()) {
        const next = this.#create();
        this.#context.close();
        this.#context = next;
      }
    } catch (error) {
      // What was good before goes on being used.
      this.#log.log(M_WARN, `WARNING: --capath: ${errorMessage(error)}`);
    }
    return this.#context.createSession(wake);
  }

  close(): void {
    this.#context.close();
  }

  #create(): SslContext {
    const ca = [...(this.#config.ca ?? []), ...this.#directory.certificates];
    return this.#backend.createContext({ ...this.#config, ca });
  }
}

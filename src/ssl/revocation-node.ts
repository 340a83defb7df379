/**
 * Revocation by lists (2.x ssl_openssl.c backend_tls_ctx_reload_crl(), ssl.c tls_ctx_reload_crl();
 * ssl_verify.c verify_check_crl_dir()): every certificate of a chain is looked up in the list of its issuer that
 * OpenSSL would choose with CRL_CHECK_ALL; a missing list is only noted. Files are looked at before every
 * handshake and read again when they changed. The directory form has a file per revoked serial number.
 *
 * Lists are judged here and not by the TLS engine: node:tls can't take a new list without a new context, and
 * reports one problem only, so that a missing list could hide a worse one.
 */
import { constants, createPublicKey, verify, X509Certificate } from 'node:crypto';
import { accessSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Logger, OptionsError } from '../base/base.ts';
import { D_HANDSHAKE, M_INFO, M_WARN } from '../base/errlevel.ts';
import { covers, directoryKey } from './crl-scope.ts';
import { children, oidText } from './der.ts';
import { fieldsOf } from './peer-fields.ts';
import type { PeerCertificate, RevocationCheck } from './ssl.ts';
import { type RevocationList, readRevocationLists, serialKey } from './x509-crl.ts';
import { canonicalName, ownKeyId, type X509Fields } from './x509-der.ts';

/** Bit of key usage that lets an authority sign lists. */
const KU_CRL_SIGN = 0x02;

/** Digest per signature algorithm; null for those that bring their own. */
const DIGESTS: ReadonlyMap<string, string | null> = new Map([
  ['1.2.840.113549.1.1.5', 'sha1'],
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.2.840.113549.1.1.14', 'sha224'],
  ['1.2.840.10045.4.1', 'sha1'],
  ['1.2.840.10045.4.3.1', 'sha224'],
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
  ['1.3.101.112', null],
  ['1.3.101.113', null],
]);
/** Path of a serial number's file in the directory form, as 2.x has it (its NUL not counted). */
const FILE_NAME_MAX_BYTES = 255;
const RSA_PSS = '1.2.840.113549.1.1.10';
const HASHES: ReadonlyMap<string, string> = new Map([
  ['1.3.14.3.2.26', 'sha1'],
  ['2.16.840.1.101.3.4.2.4', 'sha224'],
  ['2.16.840.1.101.3.4.2.1', 'sha256'],
  ['2.16.840.1.101.3.4.2.2', 'sha384'],
  ['2.16.840.1.101.3.4.2.3', 'sha512'],
]);

/** Where lists come from: the file of --crl-verify, a text, or what a directory of authorities holds. */
export type RevocationSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'inline'; readonly text: string }
  /** Called before every handshake; PEM texts. */
  | { readonly kind: 'texts'; readonly read: () => readonly string[] };

export interface RevocationOptions {
  readonly sources: readonly RevocationSource[];
  /** --crl-verify: without any list nobody gets in. */
  readonly demanded: boolean;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly wallMs: () => number;
}

/** Lists from files. Throws OptionsError when the file of --crl-verify isn't there. */
export function createRevocationLists(options: RevocationOptions): RevocationCheck {
  return new RevocationLists(options);
}

/** --crl-verify DIR dir. */
export function createRevocationDirectory(directory: string, log: Logger): RevocationCheck {
  return {
    refresh: () => undefined,
    chainProblem: () => undefined,
    accepts: ({ depth, serial }, subject) => {
      // A name that no file could have must not let its certificate in.
      if (Buffer.byteLength(`${directory}/${serial}`) > FILE_NAME_MAX_BYTES) {
        log.log(D_HANDSHAKE, 'VERIFY CRL: filename overflow');
        return false;
      }
      if (!isReadable(join(directory, serial))) return true;
      log.log(D_HANDSHAKE, `VERIFY CRL: depth=${depth}, ${subject()}, serial=${serial} is revoked`);
      return false;
    },
    loaded: true,
  };
}

class RevocationLists implements RevocationCheck {
  readonly #options: RevocationOptions;
  readonly #stores: ListStore[];

  constructor(options: RevocationOptions) {
    this.#options = options;
    this.#stores = options.sources.map((source) => new ListStore(source, options.log));
    this.refresh();
  }

  get loaded(): boolean {
    return !this.#options.demanded || this.#stores.some((store) => store.lists.length > 0);
  }

  refresh(): void {
    for (const store of this.#stores) store.refresh();
  }

  accepts(): boolean {
    return true;
  }

  chainProblem(
    chain: readonly PeerCertificate[],
    missing: (certificate: PeerCertificate) => void,
  ): { readonly depth: number; readonly reason: string } | undefined {
    for (const [depth, certificate] of chain.entries()) {
      const found = this.#listFor(chain, depth);
      if (!found) {
        missing(certificate);
        continue;
      }
      const reason = this.#judge(certificate, found);
      if (reason !== undefined) return { depth, reason };
    }
    return undefined;
  }

  /**
   * The list by which OpenSSL goes: of the certificate's issuer, of those the one that fits best, of those the newest.
   * Names are compared as OpenSSL does, so that a list may be written by another program than the certificate.
   */
  #listFor(chain: readonly PeerCertificate[], depth: number): FoundList | undefined {
    const fields = fieldsOf(chain[depth]!);
    const lists = this.#stores.flatMap((store) => store.lists);
    if (!fields || lists.length === 0) return undefined;
    const issuer = canonicalName(fields.issuer);
    const nowMs = this.#options.wallMs();
    const found: FoundList[] = [];
    for (const list of lists) {
      const passedOver = list.delta || list.scope?.passedOver === true || list.issuer !== issuer;
      const signer = passedOver ? undefined : signerOf(list, chain, depth);
      if (!signer) continue;
      const inScope = covers(list.scope, fields);
      const inTime = timeProblem(list, nowMs) === undefined;
      found.push({ list, signer, inScope, fit: score(list, signer === chain[depth + 1], inScope, inTime) });
    }
    return found.sort((a, b) => b.fit - a.fit || b.list.thisUpdate - a.list.thisUpdate)[0];
  }

  /** In OpenSSL's words and order. */
  #judge(certificate: PeerCertificate, { list, signer, inScope }: FoundList): string | undefined {
    if (signer.keyUsage !== undefined && (signer.keyUsage & KU_CRL_SIGN) === 0)
      return 'key usage does not include CRL signing';
    if (!inScope) return 'different CRL scope';
    const late = timeProblem(list, this.#options.wallMs());
    if (late !== undefined) return late;
    if (!isSignedBy(list, signer)) return 'CRL signature failure';
    if (list.critical) return 'unhandled critical CRL extension';
    const serial = fieldsOf(certificate)?.serialBytes;
    return !serial || list.serials.has(serialKey(serial)) ? 'certificate revoked' : undefined;
  }
}

interface FoundList {
  readonly list: RevocationList;
  readonly signer: PeerCertificate;
  readonly inScope: boolean;
  readonly fit: number;
}

/** OpenSSL's order: without critical extensions, in scope, in force, by the issuer itself. */
function score(list: RevocationList, byIssuer: boolean, inScope: boolean, inTime: boolean): number {
  return (list.critical ? 0 : 8) + (inScope ? 4 : 0) + (inTime ? 2 : 0) + (byIssuer ? 1 : 0);
}

/**
 * Whose key signed the list: the issuer's, or that of a certificate above it with the same name. Undefined when the list
 * is of none of them, as that of an authority which changed its key.
 */
function signerOf(
  list: RevocationList,
  chain: readonly PeerCertificate[],
  depth: number,
): PeerCertificate | undefined {
  const first = Math.min(depth + 1, chain.length - 1);
  return chain.slice(first).find((certificate, i) => {
    const fields = fieldsOf(certificate);
    return (
      fields !== undefined &&
      isOfKey(list, fields) &&
      (i === 0 || canonicalName(fields.subject) === list.issuer)
    );
  });
}

/** What either side doesn't say fits all. */
function isOfKey({ authority }: RevocationList, signer: X509Fields): boolean {
  if (!authority) return true;
  const { keyId, serial, issuers } = authority;
  const own = ownKeyId(signer);
  if (keyId && own && Buffer.compare(keyId, own) !== 0) return false;
  if (serial !== undefined && serial !== serialKey(signer.serialBytes)) return false;
  const directories = [...(issuers ?? [])].filter((name) => name.startsWith('directory '));
  return directories.length === 0 || directories[0] === directoryKey(signer.issuer);
}

function timeProblem(list: RevocationList, nowMs: number): string | undefined {
  if (list.thisUpdate > nowMs) return 'CRL is not yet valid';
  return list.nextUpdate !== undefined && list.nextUpdate < nowMs ? 'CRL has expired' : undefined;
}

function isSignedBy(list: RevocationList, issuer: PeerCertificate): boolean {
  try {
    const key = createPublicKey(
      new X509Certificate(issuer.der).publicKey.export({ type: 'spki', format: 'pem' }),
    );
    if (list.signatureOid === RSA_PSS) {
      const digest = pssDigest(list.signatureParameters);
      const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_AUTO: saltLength } = constants;
      return (
        digest !== undefined && verify(digest, list.signed, { key, padding, saltLength }, list.signature)
      );
    }
    const digest = DIGESTS.get(list.signatureOid);
    return digest !== undefined && verify(digest, list.signed, key, list.signature);
  } catch {
    // A key that can't be used, or not with this algorithm, has signed nothing.
    return false;
  }
}

/** The hash in RSASSA-PSS-params: [0] SEQUENCE { OID }; SHA-1 when left out. */
function pssDigest(parameters: Uint8Array): string | undefined {
  const fields = children(parameters, 0, parameters.length)?.[0];
  const tagged = fields && children(parameters, fields.start, fields.end);
  if (!tagged) return undefined;
  const hash = tagged.find((field) => field.tag === 0xa0);
  if (!hash) return 'sha1';
  const algorithm = children(parameters, hash.start, hash.end)?.[0];
  const oid = algorithm && children(parameters, algorithm.start, algorithm.end)?.[0];
  const text = oid && oidText(parameters.subarray(oid.start, oid.end));
  return text === undefined ? undefined : HASHES.get(text);
}

/** The lists of one source, as of the last look. */
class ListStore {
  lists: readonly RevocationList[] = [];
  readonly #source: RevocationSource;
  readonly #log: Logger;
  /** Modification time and size at the last reading. */
  #seen: string | undefined;
  #texts: readonly string[] = [];

  constructor(source: RevocationSource, log: Logger) {
    this.#source = source;
    this.#log = log;
  }

  refresh(): void {
    const source = this.#source;
    if (source.kind === 'texts') this.#takeTexts(source.read());
    else if (source.kind === 'file') this.#takeFile(source.path);
    else if (this.#seen === undefined) {
      this.#seen = '';
      this.#take(source.text, '[[INLINE]]');
    }
  }

  #takeTexts(texts: readonly string[]): void {
    if (texts.length === this.#texts.length && texts.every((text, i) => text === this.#texts[i])) return;
    this.#texts = texts;
    this.lists = texts.flatMap((text) => readRevocationLists(text).lists);
  }

  #takeFile(path: string): void {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (!stat) {
      if (this.#seen === undefined)
        throw new OptionsError('ERROR: Failed to stat CRL file during initialization, exiting.');
      this.#log.log(M_WARN, 'WARNING: Failed to stat CRL file, not reloading CRL.');
      return;
    }
    const seen = `${stat.mtimeMs} ${stat.size}`;
    if (seen === this.#seen) return;
    this.#seen = seen;
    try {
      this.#take(readFileSync(path, 'utf8'), path);
    } catch {
      this.lists = [];
      this.#log.log(M_WARN, `CRL: cannot read: ${path}`);
    }
  }

  #take(text: string, name: string): void {
    const { lists, good } = readRevocationLists(text);
    // With no list at all everybody is refused.
    if (!good) this.#log.log(M_WARN, `CRL: cannot read CRL from file ${name}`);
    this.lists = lists;
    this.#log.log(M_INFO, `CRL: loaded ${lists.length} CRLs from file ${name}`);
  }
}

function isReadable(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * From the DER of a peer's chain to what verification, logs and scripts see of it, for engines on
 * OpenSSL (2.x ssl_verify_openssl.c x509_get_subject(), x509_get_*_fingerprint()). Whoever comes may bring 100 KB of
 * certificates: texts and fingerprints are made when somebody asks for them, and once.
 */
import { createHash } from 'node:crypto';
import { TlsError } from '../base/base.ts';
import { rememberFields } from './peer-fields.ts';
import type { PeerCertificate } from './ssl-backend.ts';
import {
  nameField,
  nameText,
  readCertificate,
  SERIAL_MAX_BYTES,
  serialText,
  type X509Fields,
} from './x509-der.ts';

/** Certificates of authorities that are kept, and the longest of them: clients of one server all come with the same few. */
const KEPT_AUTHORITIES = 8;
const KEPT_MAX_BYTES = 4_096;

/** The certificates of authorities that were described last. */
export class KnownAuthorities {
  readonly #kept: PeerCertificate[] = [];

  find(depth: number, der: Uint8Array): PeerCertificate | undefined {
    return this.#kept.find((known) => known.depth === depth && Buffer.compare(known.der, der) === 0);
  }

  keep(certificate: PeerCertificate): void {
    if (certificate.depth === 0 || certificate.der.length > KEPT_MAX_BYTES) return;
    if (this.#kept.push(certificate) > KEPT_AUTHORITIES) this.#kept.shift();
  }
}

/** Leaf first, as given. Throws TlsError for a certificate that can't be read, or whose serial number is no number any more. */
export function describeChain(ders: readonly Buffer[], authorities?: KnownAuthorities): PeerCertificate[] {
  return ders.map((der, depth) => {
    const known = authorities?.find(depth, der);
    if (known) return known;
    const certificate = describe(der, depth);
    authorities?.keep(certificate);
    return certificate;
  });
}

function describe(der: Buffer, depth: number): PeerCertificate {
  const fields = readCertificate(der);
  if (!fields) throw new TlsError(`certificate at depth ${depth} can't be parsed`);
  const { length } = fields.serialBytes;
  if (length > SERIAL_MAX_BYTES)
    throw new TlsError(`certificate at depth ${depth} has a serial number of ${length} bytes`);
  return new OpensslCertificate(depth, der, fields);
}

class OpensslCertificate implements PeerCertificate {
  readonly depth: number;
  readonly der: Uint8Array;
  readonly #fields: X509Fields;
  #subject: string | undefined;
  #serial: string | undefined;
  #sha1: string | undefined;
  #sha256: string | undefined;

  constructor(depth: number, der: Uint8Array, fields: X509Fields) {
    this.depth = depth;
    this.der = der;
    this.#fields = fields;
    rememberFields(this, fields);
  }

  get subject(): string {
    this.#subject ??= nameText(this.#fields.subject);
    return this.#subject;
  }

  get issuer(): string {
    return nameText(this.#fields.issuer);
  }

  get commonName(): string | undefined {
    return nameField(this.#fields.subject, 'CN');
  }

  get serial(): string {
    this.#serial ??= serialText(this.#fields.serialBytes);
    return this.#serial;
  }

  get notBefore(): number {
    return this.#fields.notBefore;
  }

  get notAfter(): number {
    return this.#fields.notAfter;
  }

  get sha1(): string {
    this.#sha1 ??= createHash('sha1').update(this.der).digest('hex');
    return this.#sha1;
  }

  get sha256(): string {
    this.#sha256 ??= createHash('sha256').update(this.der).digest('hex');
    return this.#sha256;
  }

  get keyUsage(): number | undefined {
    return this.#fields.keyUsage;
  }

  get extendedKeyUsage(): readonly string[] | undefined {
    return this.#fields.extendedKeyUsage;
  }
}

/**
 * From the DER of a peer's chain to what verification, logs and scripts see of it, for engines on
 * OpenSSL (2.x ssl_verify_openssl.c x509_get_subject(), x509_get_*_fingerprint()).
 */
import { createHash } from 'node:crypto';
import { TlsError } from '../base/base.ts';
import type { PeerCertificate } from './ssl-backend.ts';
import { nameField, nameText, readCertificate } from './x509-der.ts';

/** Leaf first, as given. Throws TlsError for a certificate that can't be read. */
export function describeChain(ders: readonly Buffer[]): PeerCertificate[] {
  return ders.map((der, depth) => {
    const fields = readCertificate(der);
    if (!fields) throw new TlsError(`certificate at depth ${depth} can't be parsed`);
    return {
      depth,
      der,
      subject: nameText(fields.subject),
      issuer: nameText(fields.issuer),
      commonName: nameField(fields.subject, 'CN'),
      serial: fields.serial.toString(),
      notBefore: fields.notBefore,
      notAfter: fields.notAfter,
      sha1: createHash('sha1').update(der).digest('hex'),
      sha256: createHash('sha256').update(der).digest('hex'),
      keyUsage: fields.keyUsage,
      extendedKeyUsage: fields.extendedKeyUsage,
    };
  });
}

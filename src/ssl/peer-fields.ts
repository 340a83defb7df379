/** What was read of a peer's certificate, once for all who ask: checks, revocation, scripts. */
import type { PeerCertificate } from './ssl-backend.ts';
import { readCertificate, type X509Fields } from './x509-der.ts';

const known = new WeakMap<PeerCertificate, X509Fields>();

/** The certificate's fields; undefined when it is malformed. */
export function fieldsOf(certificate: PeerCertificate): X509Fields | undefined {
  const fields = known.get(certificate) ?? readCertificate(certificate.der);
  if (fields) known.set(certificate, fields);
  return fields;
}

/** For whoever has read them already. */
export function rememberFields(certificate: PeerCertificate, fields: X509Fields): void {
  known.set(certificate, fields);
}

/**
 * Fuzz entry of what is read of certificates and revocation lists: any bytes give fields or nothing, never an
 * exception, and no field reaches beyond its input.
 */

import { readRevocationList } from '../src/ssl/x509-crl.ts';
import { readCertificate } from '../src/ssl/x509-der.ts';
import { isTrackable, trackedValue } from '../src/ssl/x509-print.ts';

const NAMES = ['CN', 'subjectAltName', 'keyUsage', 'extendedKeyUsage', 'basicConstraints', 'nsComment'];

export const target = {
  name: 'x509',
  run(bytes: Uint8Array): void {
    const list = readRevocationList(bytes);
    if (list && list.signed.length + list.signature.length > bytes.length) throw new Error('a list grew');
    const fields = readCertificate(bytes);
    if (fields && fields.subjectDer.length > bytes.length) throw new Error('a name grew');
    const certificate = { ...NOBODY, der: bytes };
    for (const name of NAMES) {
      if (!isTrackable(name)) throw new Error(`${name} is not known`);
      if (/[\r\n]/.test(trackedValue(certificate, name) ?? '')) throw new Error('a line end got through');
    }
  },
};

const NOBODY = {
  depth: 0,
  subject: '',
  issuer: '',
  commonName: undefined,
  serial: '1',
  notBefore: 0,
  notAfter: 0,
  sha1: '',
  sha256: '',
  keyUsage: undefined,
  extendedKeyUsage: undefined,
};

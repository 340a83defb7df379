/** Fields of TLS, certificates and control channel keys with their defaults: see table-tls.ts. */
import type { FileOrInline } from './material.ts';

export type TlsVersion = '1.0' | '1.1' | '1.2' | '1.3';

export interface TlsOptions {
  tlsServer: boolean;
  tlsClient: boolean;
  ca: FileOrInline | undefined;
  capath: string | undefined;
  cert: FileOrInline | undefined;
  key: FileOrInline | undefined;
  /** 'none' as given; undefined on a client. */
  dh: FileOrInline | 'none' | undefined;
  extraCerts: FileOrInline | undefined;
  /** Inline text is base64. */
  pkcs12: FileOrInline | undefined;
  crlVerify: FileOrInline | undefined;
  crlVerifyDir: boolean;
  tlsAuth: FileOrInline | undefined;
  tlsCrypt: FileOrInline | undefined;
  tlsCryptV2: FileOrInline | undefined;
  tlsCipher: string | undefined;
  tlsCiphersuites: string | undefined;
  tlsGroups: string | undefined;
  tlsCertProfile: 'insecure' | 'legacy' | 'preferred' | 'suiteb' | undefined;
  ecdhCurve: string | undefined;
  tlsVersionMin: TlsVersion | undefined;
  tlsVersionMinOrHighest: boolean;
  tlsVersionMax: TlsVersion | undefined;
  /** Masks; [] = presence only; undefined = no check. */
  remoteCertKu: number[] | undefined;
  remoteCertEku: string | undefined;
  nsCertType: 'client' | 'server' | undefined;
  verifyX509Name: { name: string; type: 'subject' | 'name' | 'name-prefix' } | undefined;
  /** --peer-fingerprint: lower-case hex SHA-256 without colons, checked at depth 0; undefined = no check. */
  peerFingerprints: string[] | undefined;
  /** --verify-hash: same form, checked at depth 1. */
  verifyHash: { algorithm: 'SHA1' | 'SHA256'; hashes: string[] } | undefined;
  /** Fingerprints replace the CA. */
  verifyHashNoCa: boolean;
  x509UsernameField: string[];
  tlsTimeout: number;
  handWindow: number;
  tranWindow: number;
  /** Seconds; 0 = off. `renegSecMin` is the lower end of the random spread; undefined = 2.x's 10 %. */
  renegSec: number;
  renegSecMin: number | undefined;
  /** 0 = off, undefined = default of the cipher. */
  renegBytes: number | undefined;
  renegPkts: number;
  singleSession: boolean;
  tlsExit: boolean;
  forceTlsKeyMaterialExport: boolean;
}

export function tlsDefaults(): TlsOptions {
  return {
    tlsServer: false,
    tlsClient: false,
    ca: undefined,
    capath: undefined,
    cert: undefined,
    key: undefined,
    dh: undefined,
    extraCerts: undefined,
    pkcs12: undefined,
    crlVerify: undefined,
    crlVerifyDir: false,
    tlsAuth: undefined,
    tlsCrypt: undefined,
    tlsCryptV2: undefined,
    tlsCipher: undefined,
    tlsCiphersuites: undefined,
    tlsGroups: undefined,
    tlsCertProfile: undefined,
    ecdhCurve: undefined,
    tlsVersionMin: undefined,
    tlsVersionMinOrHighest: false,
    tlsVersionMax: undefined,
    remoteCertKu: undefined,
    remoteCertEku: undefined,
    nsCertType: undefined,
    verifyX509Name: undefined,
    peerFingerprints: undefined,
    verifyHash: undefined,
    verifyHashNoCa: false,
    x509UsernameField: ['CN'],
    tlsTimeout: 2,
    handWindow: 60,
    tranWindow: 3600,
    renegSec: 3600,
    renegSecMin: undefined,
    renegBytes: undefined,
    renegPkts: 0,
    singleSession: false,
    tlsExit: false,
    forceTlsKeyMaterialExport: false,
  };
}

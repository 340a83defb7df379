/**
 * A small certificate authority for quickstart and `openvpn-ts pki` (what easy-rsa does for OpenVPN):
 * RSA 2048 keys made by node:crypto, certificates built and signed with SHA-256 by node-forge.
 *
 *   CA      10 years, CA:TRUE, keyCertSign + cRLSign
 *   server  825 days, digitalSignature + keyEncipherment, serverAuth (for remote-cert-tls server)
 *   client  825 days, digitalSignature, clientAuth
 *
 * Serial numbers are random, positive, 127 bits long. Certificates start a day early, so that a peer
 * whose clock is a little behind takes them.
 */
import { generateKeyPair, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import forge from 'node-forge';
import { writeStaticKey } from '../crypto/crypto.ts';

/** A certificate and its private key, both PEM. */
export interface Credential {
  readonly certificate: string;
  readonly privateKey: string;
}

export type LeafKind = 'server' | 'client';

const DAY_MS = 86_400_000;
const CA_DAYS = 3650;
/** Longest validity that common TLS stacks take for a leaf. */
const LEAF_DAYS = 825;
const KEY_BITS = 2048;
/** Bytes of a tls-crypt key: two directions of cipher and HMAC key, 64 each. */
const STATIC_KEY_BYTES = 256;

const generateKeys = promisify(generateKeyPair);

/** A new self-signed CA. */
export async function createAuthority(commonName: string, nowMs = Date.now()): Promise<Credential> {
  const keys = await newKeys();
  const certificate = newCertificate(keys.publicKey, commonName, CA_DAYS, nowMs);
  certificate.setIssuer(subjectOf(commonName));
  certificate.setExtensions([
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    { name: 'subjectKeyIdentifier' },
    authorityKeyIdentifier(certificate),
  ]);
  return signed(certificate, keys, keys.privateKey);
}

/** A new certificate signed by `authority`. */
export async function issueCertificate(
  authority: Credential,
  kind: LeafKind,
  commonName: string,
  nowMs = Date.now(),
): Promise<Credential> {
  const ca = forge.pki.certificateFromPem(authority.certificate);
  const caKey = forge.pki.privateKeyFromPem(authority.privateKey);
  const keys = await newKeys();
  const certificate = newCertificate(keys.publicKey, commonName, LEAF_DAYS, nowMs);
  certificate.setIssuer(ca.subject.attributes);
  certificate.setExtensions([
    { name: 'basicConstraints', cA: false },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: kind === 'server', critical: true },
    { name: 'extKeyUsage', serverAuth: kind === 'server', clientAuth: kind === 'client' },
    ...(kind === 'server' ? [{ name: 'subjectAltName', altNames: [{ type: 2, value: commonName }] }] : []),
    { name: 'subjectKeyIdentifier' },
    authorityKeyIdentifier(ca),
  ]);
  return signed(certificate, keys, caKey);
}

/** Text of a new `OpenVPN Static key V1` for --tls-crypt. */
export function createTlsCryptKey(): string {
  return writeStaticKey(randomBytes(STATIC_KEY_BYTES));
}

interface Keys {
  readonly publicKey: forge.pki.PublicKey;
  readonly privateKey: forge.pki.PrivateKey;
  readonly privatePem: string;
}

async function newKeys(): Promise<Keys> {
  const { publicKey, privateKey } = await generateKeys('rsa', {
    modulusLength: KEY_BITS,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return {
    publicKey: forge.pki.publicKeyFromPem(publicKey),
    privateKey: forge.pki.privateKeyFromPem(privateKey),
    privatePem: privateKey,
  };
}

function newCertificate(
  publicKey: forge.pki.PublicKey,
  commonName: string,
  days: number,
  nowMs: number,
): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = publicKey;
  certificate.serialNumber = randomSerial();
  certificate.validity.notBefore = new Date(nowMs - DAY_MS);
  certificate.validity.notAfter = new Date(nowMs + days * DAY_MS);
  certificate.setSubject(subjectOf(commonName));
  return certificate;
}

/** forge's `valueTagClass` is the string type; names may have characters that PrintableString lacks. */
function subjectOf(commonName: string): forge.pki.CertificateField[] {
  return [
    {
      name: 'commonName',
      value: commonName,
      valueTagClass: forge.asn1.Type.UTF8 as unknown as forge.asn1.Class,
    },
  ];
}

/** forge takes the raw key identifier of the issuer. */
function authorityKeyIdentifier(issuer: forge.pki.Certificate): { name: string; keyIdentifier: string } {
  return { name: 'authorityKeyIdentifier', keyIdentifier: issuer.generateSubjectKeyIdentifier().getBytes() };
}

function signed(certificate: forge.pki.Certificate, keys: Keys, signer: forge.pki.PrivateKey): Credential {
  certificate.sign(signer as forge.pki.rsa.PrivateKey, forge.md.sha256.create());
  const certificatePem = forge.pki.certificateToPem(certificate).replaceAll('\r', '');
  return { certificate: certificatePem, privateKey: keys.privatePem };
}

/** Hex of 16 bytes whose highest bit is 0 and next is 1: positive and without superfluous zeros in DER. */
function randomSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes.toString('hex');
}

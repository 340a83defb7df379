/**
 * Taking a PKCS#12 file apart (2.x ssl_openssl.c tls_ctx_load_pkcs12()): own certificate, key and the authorities that
 * come along, each as PEM. node:tls reads such files too, but trusts their authorities in any case; this is for
 * configurations that name the authorities to trust. By node-forge, which reads keys it can't use itself, EC ones
 * for instance, as bare ASN.1.
 */
import type Forge from 'node-forge';
import { TlsError } from '../base/base.ts';
import { moduleRequire } from '../base/module-node.ts';

export interface Pkcs12Parts {
  readonly cert: string;
  readonly key: string;
  readonly authorities: readonly string[];
}

/** 2.x's words for a file that can't be opened. */
export const PKCS12_FAILED =
  'Decoding PKCS12 failed. Probably wrong password or unsupported/legacy encryption';

/** Loaded with the first file: it takes as long to load as all else that a start needs. */
function forge(): typeof Forge {
  return moduleRequire()('node-forge') as typeof Forge;
}

/** Throws TlsError when the file can't be read with this password or lacks a certificate or key. */
export function readPkcs12(bytes: Uint8Array, passphrase: string): Pkcs12Parts {
  const file = decrypt(readDer(bytes), passphrase);
  const bags = file.safeContents.flatMap((content) => content.safeBags);
  const { certBag, keyBag, pkcs8ShroudedKeyBag } = forge().pki.oids;
  const keyOf = bags.find((bag) => bag.type === keyBag || bag.type === pkcs8ShroudedKeyBag);
  const certificates = bags.filter((bag) => bag.type === certBag);
  const own = certificates.find((bag) => keyOf && sameKey(bag, keyOf)) ?? certificates[0];
  if (!keyOf || !own) throw new TlsError(PKCS12_FAILED);
  return {
    cert: pem('CERTIFICATE', certificateAsn1(own)),
    key: keyPem(keyOf),
    authorities: certificates
      .filter((bag) => bag !== own)
      .map((bag) => pem('CERTIFICATE', certificateAsn1(bag))),
  };
}

/** What is no DER at all was never a PKCS#12 file. */
function readDer(bytes: Uint8Array): Forge.asn1.Asn1 {
  try {
    return forge().asn1.fromDer(forge().util.createBuffer(Buffer.from(bytes).toString('binary')));
  } catch (cause) {
    throw new TlsError('Error reading inline PKCS#12 file', { cause });
  }
}

function decrypt(der: Forge.asn1.Asn1, passphrase: string): Forge.pkcs12.Pkcs12Pfx {
  try {
    return forge().pkcs12.pkcs12FromAsn1(der, false, passphrase);
  } catch (cause) {
    throw new TlsError(PKCS12_FAILED, { cause });
  }
}

/** The certificate and its key carry the same local key id. */
function sameKey(a: Forge.pkcs12.Bag, b: Forge.pkcs12.Bag): boolean {
  const [idA, idB] = [a, b].map((bag) => (bag.attributes as { localKeyId?: string[] }).localKeyId?.[0]);
  return idA !== undefined && idA === idB;
}

function certificateAsn1(bag: Forge.pkcs12.Bag): Forge.asn1.Asn1 {
  return bag.cert ? forge().pki.certificateToAsn1(bag.cert) : bag.asn1;
}

function keyPem(bag: Forge.pkcs12.Bag): string {
  const { key } = bag;
  const info = key
    ? forge().pki.wrapRsaPrivateKey(forge().pki.privateKeyToAsn1(key as Forge.pki.rsa.PrivateKey))
    : bag.asn1;
  return pem('PRIVATE KEY', info);
}

function pem(type: string, value: Forge.asn1.Asn1): string {
  return forge().pem.encode({ type, body: forge().asn1.toDer(value).getBytes() });
}

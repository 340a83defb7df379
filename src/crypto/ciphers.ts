/**
 * Cipher and digest tables (2.x crypto_openssl.c): the ciphers that `openvpn --show-ciphers` of 2.6
 * lists with OpenSSL 3.0 and its legacy provider, and the digests that work with HMAC. Names are looked up without regard to
 * case and come back in the spelling that 2.x writes into IV_CIPHERS, options strings and logs.
 *
 * Sizes are 2.x's view of a cipher: the block of a CFB, OFB or GCM cipher is that of its CBC sister,
 * ChaCha20-Poly1305 has block 1, AEAD nonces are 12 bytes. Whether a backend can use a cipher is the
 * backend's answer (CryptoBackend.supportsCipher).
 */
import type { CipherInfo, CipherMode, CryptoBackend, DigestInfo } from './crypto.ts';

/** AEAD ciphers in 2.x's order of --show-ciphers. */
export const AEAD_CIPHERS: readonly string[] = [
  'AES-128-GCM',
  'AES-192-GCM',
  'AES-256-GCM',
  'ARIA-128-GCM',
  'ARIA-192-GCM',
  'ARIA-256-GCM',
  'CHACHA20-POLY1305',
];

/**
 * What an options string says when `--cipher` is not set: its sizes are needed for link-mtu and keysize
 * even where OpenSSL lacks the legacy provider.
 */
export const BF_CBC: CipherInfo = {
  name: 'BF-CBC',
  mode: 'cbc',
  keyBytes: 16,
  ivBytes: 8,
  blockBytes: 8,
  tagBytes: 0,
  legacy: true,
};

/**
 * The cipher called `name` in any case, `none` and those of the legacy provider included; undefined when
 * 2.6 has no such cipher.
 */
export function cipherInfo(name: string): CipherInfo | undefined {
  const upper = name.toUpperCase();
  return CIPHERS.get(CIPHER_ALIASES.get(upper) ?? upper);
}

/** The cipher of this name, where the backend has it. */
export function usableCipher(
  name: string,
  crypto: Pick<CryptoBackend, 'supportsCipher'>,
): CipherInfo | undefined {
  const info = cipherInfo(name);
  return info && crypto.supportsCipher(info) ? info : undefined;
}

/** Whether OpenSSL 3.0 has a cipher of this name in its default provider, in a mode that 2.6 has no use for. */
export function hasUnusedMode(name: string): boolean {
  return UNUSED_MODES.test(name);
}

/** Why no cipher of this name can be used, in 2.6's words (crypto.c init_key_type()). */
export function unusableCipher(name: string): string {
  return hasUnusedMode(name) ? `Cipher '${name}' mode not supported` : `Cipher ${name} not supported`;
}

const UNUSED_MODES =
  /^(NULL|ChaCha20|(AES|ARIA|CAMELLIA)-(128|192|256)-(CTR|ECB)|SM4-(CTR|ECB)|(AES|ARIA)-(128|192|256)-CCM|id-aes(128|192|256)-CCM|AES-(128|192|256)-(OCB|SIV)|AES-(128|256)-(XTS|CBC-HMAC-SHA1|CBC-HMAC-SHA256)|AES-(128|192|256)-(CBC-CTS|WRAP|WRAP-PAD|WRAP-INV|WRAP-PAD-INV)|(id-)?aes(128|192|256)-wrap(-pad)?|DES-EDE3?(-ECB)?|DES3-WRAP)$/i;

/** 2.6's warnings about data ciphers that protect badly or not at all (crypto.c init_key_type()). */
export function keyTypeWarnings(cipher: CipherInfo, digest: DigestInfo | undefined): readonly string[] {
  const lines: string[] = [];
  if (cipher.mode === 'none') {
    lines.push(
      "******* WARNING *******: '--cipher none' was specified. This means NO encryption will be performed and tunnelled data WILL be transmitted in clear text over the network! PLEASE DO RECONSIDER THIS SETTING!",
    );
  }
  const insecure = insecureCipherWarning(cipher);
  if (insecure !== undefined) lines.push(insecure);
  if (!digest && cipher.mode !== 'aead') {
    lines.push(
      "******* WARNING *******: '--auth none' was specified. This means no authentication will be performed on received packets, meaning you CANNOT trust that the data received by the remote side have NOT been manipulated. PLEASE DO RECONSIDER THIS SETTING!",
    );
  }
  return lines;
}

/** 2.6's warning about ciphers with short blocks; undefined for all others. */
export function insecureCipherWarning({ name, blockBytes, mode }: CipherInfo): string | undefined {
  if (mode === 'aead' || mode === 'none' || blockBytes >= 16) return undefined;
  return `WARNING: INSECURE cipher (${name}) with block size less than 128 bit (${blockBytes * 8} bit).  This allows attacks like SWEET32.  Mitigate by using a --cipher with a larger block size (e.g. AES-256-CBC). Support for these insecure ciphers will be removed in OpenVPN 2.7.`;
}

/** The digest called `name` in any case; undefined when unknown or unusable with HMAC. */
export function digestInfo(name: string): DigestInfo | undefined {
  const upper = name.toUpperCase();
  return DIGESTS.get(DIGEST_ALIASES.get(upper) ?? upper);
}

/**
 * All ciphers in --show-ciphers order, those with a block below 128 bits last; without `none`. `legacy`
 * adds those that `--providers legacy default` adds.
 */
export function allCiphers(legacy = false): readonly CipherInfo[] {
  return [...CIPHERS.values()].filter((cipher) => cipher.mode !== 'none' && (legacy || !cipher.legacy));
}

/** All digests that digestInfo() knows; `legacy` adds those that `--providers legacy default` adds. */
export function allDigests(legacy = false): readonly DigestInfo[] {
  return [...DIGESTS.values()].filter((digest) => legacy || !digest.legacy);
}

/** key bits, block bytes and modes of each cipher family, in --show-ciphers order. */
const FAMILIES: readonly (readonly [string, number, number, readonly string[]])[] = [
  ...[128, 192, 256].map((bits) => family('AES', bits, ['CBC', 'CFB', 'CFB1', 'CFB8', 'GCM', 'OFB'])),
  ...[128, 192, 256].map((bits) => family('ARIA', bits, ['CBC', 'CFB', 'CFB1', 'CFB8', 'GCM', 'OFB'])),
  ...[128, 192, 256].map((bits) => family('CAMELLIA', bits, ['CBC', 'CFB', 'CFB1', 'CFB8', 'OFB'])),
  ['SEED', 128, 16, ['CBC', 'CFB', 'OFB']],
  ['SM4', 128, 16, ['CBC', 'CFB', 'OFB']],
  ['BF', 128, 8, ['CBC', 'CFB', 'OFB']],
  ['CAST5', 128, 8, ['CBC', 'CFB', 'OFB']],
  ['DES', 64, 8, ['CBC', 'CFB', 'CFB1', 'CFB8', 'OFB']],
  ['DES-EDE', 128, 8, ['CBC', 'CFB', 'OFB']],
  ['DES-EDE3', 192, 8, ['CBC', 'CFB', 'CFB1', 'CFB8', 'OFB']],
  ['DESX', 192, 8, ['CBC']],
  ['RC2-40', 40, 8, ['CBC']],
  ['RC2-64', 64, 8, ['CBC']],
  ['RC2', 128, 8, ['CBC', 'CFB', 'OFB']],
];

/** Families of OpenSSL's legacy provider. */
const LEGACY = new Set(['SEED', 'BF', 'CAST5', 'DES', 'DESX', 'RC2-40', 'RC2-64', 'RC2']);

const CIPHERS: ReadonlyMap<string, CipherInfo> = buildCiphers();

/** OpenSSL's other names of the same ciphers, upper case. */
const CIPHER_ALIASES: ReadonlyMap<string, string> = new Map([
  ...[128, 192, 256].flatMap((bits): [string, string][] => [
    [`ID-AES${bits}-GCM`, `AES-${bits}-GCM`],
    [`AES${bits}`, `AES-${bits}-CBC`],
    [`ARIA${bits}`, `ARIA-${bits}-CBC`],
    [`CAMELLIA${bits}`, `CAMELLIA-${bits}-CBC`],
  ]),
  ['BF', 'BF-CBC'],
  ['BLOWFISH', 'BF-CBC'],
  ['CAST', 'CAST5-CBC'],
  ['CAST-CBC', 'CAST5-CBC'],
  ['DES', 'DES-CBC'],
  ['DES3', 'DES-EDE3-CBC'],
  ['DESX', 'DESX-CBC'],
  ['SEED', 'SEED-CBC'],
  ['SM4', 'SM4-CBC'],
]);

const DIGESTS: ReadonlyMap<string, DigestInfo> = new Map<string, DigestInfo>([
  ...(
    [
      ['MD5', 16],
      ['MD5-SHA1', 36],
      ['RIPEMD160', 20],
      ['SHA1', 20],
      ['SHA224', 28],
      ['SHA256', 32],
      ['SHA384', 48],
      ['SHA512', 64],
      ['SHA512-224', 28],
      ['SHA512-256', 32],
      ['SHA3-224', 28],
      ['SHA3-256', 32],
      ['SHA3-384', 48],
      ['SHA3-512', 64],
      ['BLAKE2s256', 32],
      ['BLAKE2b512', 64],
      ['SM3', 32],
    ] as const
  ).map(([name, bytes]): [string, DigestInfo] => [name.toUpperCase(), { name, bytes }]),
  ['MD4', { name: 'MD4', bytes: 16, legacy: true }],
  ['WHIRLPOOL', { name: 'WHIRLPOOL', bytes: 64, legacy: true }],
]);

/** OpenSSL's other names of the same digests, upper case. */
const DIGEST_ALIASES: ReadonlyMap<string, string> = new Map([
  ['SSL3-MD5', 'MD5'],
  ['RIPEMD', 'RIPEMD160'],
  ['RIPEMD-160', 'RIPEMD160'],
  ['RMD160', 'RIPEMD160'],
  ['SHA-1', 'SHA1'],
  ['SSL3-SHA1', 'SHA1'],
  ...['224', '256', '384', '512'].flatMap((bits): [string, string][] => [
    [`SHA-${bits}`, `SHA${bits}`],
    [`SHA2-${bits}`, `SHA${bits}`],
  ]),
  ['SHA-512/224', 'SHA512-224'],
  ['SHA2-512/224', 'SHA512-224'],
  ['SHA-512/256', 'SHA512-256'],
  ['SHA2-512/256', 'SHA512-256'],
  ['BLAKE2S-256', 'BLAKE2S256'],
  ['BLAKE2B-512', 'BLAKE2B512'],
]);

function family(name: string, bits: number, modes: readonly string[]) {
  return [`${name}-${bits}`, bits, 16, modes] as const;
}

function buildCiphers(): Map<string, CipherInfo> {
  const table = new Map<string, CipherInfo>();
  const add = (
    name: string,
    keyBits: number,
    blockBytes: number,
    mode: CipherMode,
    ivBytes: number,
    legacy = false,
  ): void => {
    const tagBytes = mode === 'aead' ? 16 : 0;
    const sizes = { keyBytes: keyBits / 8, ivBytes, blockBytes, tagBytes };
    table.set(name.toUpperCase(), { name, mode, ...sizes, ...(legacy && { legacy }) });
  };
  for (const [prefix, keyBits, blockBytes, modes] of FAMILIES) {
    if (prefix === 'SEED') add('CHACHA20-POLY1305', 256, 1, 'aead', 12);
    for (const mode of modes) {
      const kind = mode === 'GCM' ? 'aead' : mode === 'CBC' ? 'cbc' : mode === 'OFB' ? 'ofb' : 'cfb';
      const ivBytes = kind === 'aead' ? 12 : blockBytes;
      add(`${prefix}-${mode}`, keyBits, blockBytes, kind, ivBytes, LEGACY.has(prefix));
    }
  }
  add('none', 0, 0, 'none', 0);
  return table;
}

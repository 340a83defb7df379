/** The tables against what OpenSSL itself says, and the names 2.x accepts. */
import { createHash, getCipherInfo, getCiphers } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  AEAD_CIPHERS,
  allCiphers,
  allDigests,
  BF_CBC,
  cipherInfo,
  digestInfo,
  hasUnusedMode,
  unusableCipher,
} from './ciphers.ts';

describe('cipherInfo', () => {
  it('agrees with OpenSSL on key and nonce lengths of every cipher it has', () => {
    const available = new Set(getCiphers());
    const known = allCiphers().filter((cipher) => available.has(cipher.name.toLowerCase()));
    expect(known.length).toBeGreaterThan(50);
    for (const { name, keyBytes, ivBytes } of known) {
      const openssl = getCipherInfo(name.toLowerCase());
      expect([name, keyBytes, ivBytes]).toEqual([name, openssl?.keyLength, openssl?.ivLength]);
    }
  });

  it('counts blocks as 2.x does', () => {
    const blocks = ['AES-256-GCM', 'CHACHA20-POLY1305', 'AES-128-CFB8', 'DES-EDE3-CBC', 'none'].map(
      (name) => cipherInfo(name)?.blockBytes,
    );
    expect(blocks).toEqual([16, 1, 16, 8, 0]);
  });

  it('finds names in any case and by OpenSSL aliases, and spells them as 2.x', () => {
    const names = ['aes-256-gcm', 'id-aes128-GCM', 'ChaCha20-Poly1305', 'AES256', 'des3', 'NONE'].map(
      (name) => cipherInfo(name)?.name,
    );
    expect(names).toEqual([
      'AES-256-GCM',
      'AES-128-GCM',
      'CHACHA20-POLY1305',
      'AES-256-CBC',
      'DES-EDE3-CBC',
      'none',
    ]);
  });

  it('does not know what 2.6 with OpenSSL 3 refuses', () => {
    for (const name of ['AES-256-CCM', 'AES-256-CTR', 'AES-256', 'DES-EDE3', 'IDEA-CBC', '', 'constructor']) {
      expect([name, cipherInfo(name)]).toEqual([name, undefined]);
    }
  });

  it('tells ciphers of OpenSSL that 2.6 has no use for from names of none', () => {
    const unused = [
      'null',
      'AES-128-CCM',
      'AES-256-SIV',
      'chacha20',
      'AES-128-CBC-HMAC-SHA1',
      'AES-256-WRAP',
    ];
    for (const name of unused) expect(unusableCipher(name)).toBe(`Cipher '${name}' mode not supported`);
    for (const name of ['BF-ECB', 'AES-128', 'nonsense', ''])
      expect(unusableCipher(name)).toBe(`Cipher ${name} not supported`);
    expect(allCiphers(true).filter(({ name }) => hasUnusedMode(name))).toEqual([]);
  });

  it('marks what OpenSSL 3 has in its legacy provider only', () => {
    const legacy = ['bf-cbc', 'blowfish', 'CAST5-OFB', 'DES-CBC', 'SEED-CFB'].map((name) => cipherInfo(name));
    expect(legacy.map((cipher) => [cipher?.name, cipher?.legacy])).toEqual([
      ['BF-CBC', true],
      ['BF-CBC', true],
      ['CAST5-OFB', true],
      ['DES-CBC', true],
      ['SEED-CFB', true],
    ]);
    expect(cipherInfo('BF-CBC')).toEqual(BF_CBC);
    expect(cipherInfo('DES-EDE3-CBC')?.legacy).toBeUndefined();
    expect(allCiphers(true)).toHaveLength(63 + 20);
  });

  it('lists ciphers as --show-ciphers does: 63 of them, short blocks last', () => {
    const names = allCiphers().map((cipher) => cipher.name);
    expect(names).toHaveLength(63);
    expect(names.slice(0, 6).join(' ')).toBe(
      'AES-128-CBC AES-128-CFB AES-128-CFB1 AES-128-CFB8 AES-128-GCM AES-128-OFB',
    );
    expect(names.slice(-9, -7)).toEqual(['SM4-OFB', 'DES-EDE-CBC']);
    const aead = allCiphers().filter((cipher) => cipher.mode === 'aead');
    expect(aead.map((cipher) => cipher.name)).toEqual(AEAD_CIPHERS);
    expect(aead.every((cipher) => cipher.tagBytes === 16 && cipher.ivBytes === 12)).toBe(true);
  });
});

describe('digestInfo', () => {
  it('agrees with OpenSSL on lengths', () => {
    for (const { name, bytes } of allDigests()) {
      expect([name, bytes]).toEqual([name, createHash(name).digest().length]);
    }
  });

  it('finds names in any case and by OpenSSL aliases, and spells them as 2.x', () => {
    const names = ['sha1', 'SHA2-256', 'sha2-512', 'ripemd-160', 'BLAKE2B-512', 'sha512-256'].map(
      (name) => digestInfo(name)?.name,
    );
    expect(names).toEqual(['SHA1', 'SHA256', 'SHA512', 'RIPEMD160', 'BLAKE2b512', 'SHA512-256']);
  });

  it('marks what OpenSSL 3 has in its legacy provider only', () => {
    expect(allDigests().some(({ legacy }) => legacy)).toBe(false);
    const added = allDigests(true).filter(({ legacy }) => legacy);
    expect(added.map(({ name }) => name)).toEqual(['MD4', 'WHIRLPOOL']);
    expect(digestInfo('whirlpool')).toEqual({ name: 'WHIRLPOOL', bytes: 64, legacy: true });
  });

  it('does not know digests without HMAC', () => {
    for (const name of ['SHAKE128', 'NULL', 'none', 'KECCAK-KMAC-128'])
      expect(digestInfo(name)).toBeUndefined();
  });
});

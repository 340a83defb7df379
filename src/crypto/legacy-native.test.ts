/** Ciphers and digests of OpenSSL's legacy provider once the addon has loaded it into this process. */
import { describe, expect, it } from 'vitest';
import { addonForTests } from '../../test-kit/native-addon.ts';
import { allCiphers, allDigests, BF_CBC, digestInfo } from './crypto.ts';
import { createNodeCrypto } from './crypto-node.ts';
import { hmacKeyConformance } from './hmac-keys.conformance.ts';

const crypto = createNodeCrypto();
const before = [crypto.supportsCipher(BF_CBC), crypto.supportsDigest(digestInfo('MD4')!)];
const problem = addonForTests().loadProvider('legacy');

describe('the legacy provider', () => {
  it('is loaded while the process runs', () => {
    expect(before).toEqual([false, false]);
    expect(problem).toBeUndefined();
  });

  it('makes every cipher and digest of the tables work, the others as before', () => {
    const missing = allCiphers(true).filter((cipher) => !crypto.supportsCipher(cipher));
    expect(missing.map(({ name }) => name)).toEqual([]);
    expect(allDigests(true).every((digest) => crypto.supportsDigest(digest))).toBe(true);
    expect(crypto.hmac('MD4', new Uint8Array(1))).toHaveLength(16);
    expect(crypto.hmac('WHIRLPOOL', new Uint8Array(1))).toHaveLength(64);
  });

  it("says in OpenSSL's words why a provider can't be loaded", () => {
    const lines = addonForTests().loadProvider('no-such-provider')?.split('\n');
    expect(lines?.[0]).toMatch(/^error:[0-9A-F]{8}:DSO support routines::could not load the shared library:/);
    expect(lines?.at(-1)).toMatch(/:name=no-such-provider$/);
  });
});

hmacKeyConformance('crypto-node with the legacy provider', () => crypto);

/** Builds of other sources than native.ts are told from the right one. */
import { describe, expect, it } from 'vitest';
import { addonForTests } from '../../test-kit/native-addon.ts';
import { NATIVE_ABI, nativeMismatch } from './native-abi.ts';

const other = (what: string): string =>
  `the C++ addon is of another build (${what} differs; run: node scripts/install.mjs)`;

describe('nativeMismatch()', () => {
  const addon = addonForTests();

  it('takes the addon of these sources', () => {
    expect(nativeMismatch(addon)).toBeUndefined();
  });

  it('names the class, function or number that an older build lacks', () => {
    expect(nativeMismatch({ ...addon, TlsContext: undefined })).toBe(other('TlsContext'));
    expect(nativeMismatch({ ...addon, coalesceBatch: undefined })).toBe(other('coalesceBatch'));
    expect(nativeMismatch({ ...addon, abi: undefined })).toBe(other('abi'));
    expect(nativeMismatch({ ...addon, abi: NATIVE_ABI - 1 })).toBe(other('abi'));
  });

  it('names the method or getter that a class lacks', () => {
    class Older {
      poll(): void {}
    }
    expect(nativeMismatch({ ...addon, Udp: Older })).toBe(other('Udp.fd'));
    expect(nativeMismatch({ ...addon, AeadSealer: () => undefined })).toBe(other('AeadSealer.prototype'));
  });

  it.each([undefined, null, 0, 'text', []])('takes nothing else: %j', (loaded) => {
    expect(nativeMismatch(loaded)).toMatch(/^the C\+\+ addon is of another build \((abi|everything) differs/);
  });
});

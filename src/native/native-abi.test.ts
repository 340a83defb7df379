/** Builds of other sources than native.ts are told from the right one. */
import { describe, expect, it } from 'vitest';
import { addonForTests } from '../../test-kit/native-addon.ts';
import { NATIVE_ABI, nativeMismatch } from './native-abi.ts';

describe('nativeMismatch()', () => {
  const addon = addonForTests();

  it('takes the addon of these sources', () => {
    expect(nativeMismatch(addon)).toBeUndefined();
  });

  it('names the class, function or number that an older build lacks', () => {
    expect(nativeMismatch({ ...addon, TlsContext: undefined })).toBe('TlsContext');
    expect(nativeMismatch({ ...addon, coalesceBatch: undefined })).toBe('coalesceBatch');
    expect(nativeMismatch({ ...addon, abi: undefined })).toBe('abi');
    expect(nativeMismatch({ ...addon, abi: NATIVE_ABI - 1 })).toBe('abi');
  });

  it('names the method or getter that a class lacks', () => {
    class Older {
      poll(): void {}
    }
    expect(nativeMismatch({ ...addon, Udp: Older })).toBe('Udp.fd');
    expect(nativeMismatch({ ...addon, AeadSealer: () => undefined })).toBe('AeadSealer.prototype');
  });

  it.each([undefined, null, 0, 'text', []])('takes nothing else: %j', (loaded) => {
    expect(nativeMismatch(loaded)).toMatch(/^(abi|everything)$/);
  });
});

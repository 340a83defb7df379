/** The addon for tests; says what to do where it isn't built, instead of passing over the tests. */
import { loadNative, type NativeAddon, nativeMissingReason } from '../src/native/native.ts';

export function addonForTests(): NativeAddon {
  const addon = loadNative();
  if (addon === undefined) throw new Error(`native tests need the addon: ${nativeMissingReason()}`);
  return addon;
}

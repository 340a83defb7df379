/** The addon for tests; says what to do where it isn't built, instead of passing over the tests. */
import { loadNative, type NativeAddon, nativeMissingReason } from '../src/native/native.ts';

export function addonForTests(): NativeAddon {
  const addon = loadNative();
  if (addon === undefined) throw new Error(`native tests need the addon: ${nativeMissingReason()}`);
  return addon;
}

/** An addon that counts how often its objects of this class call their `onReady`, their only function. */
export function countWakes(
  addon: NativeAddon,
  name: 'Tun' | 'Udp',
): { readonly addon: NativeAddon; readonly wakes: number } {
  let wakes = 0;
  type OnReady = (events: number) => void;
  const counted =
    (onReady: OnReady): OnReady =>
    (events) => {
      wakes++;
      onReady(events);
    };
  const Counting = new Proxy(addon[name], {
    construct: (Native, args: unknown[]): object =>
      Reflect.construct(
        Native,
        args.map((arg) => (typeof arg === 'function' ? counted(arg as OnReady) : arg)),
      ),
  });
  return {
    addon: { ...addon, [name]: Counting },
    get wakes() {
      return wakes;
    },
  };
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressChanges, buildPushUpdates } from './push-update.ts';

describe('buildPushUpdates', () => {
  it('sends what fits in one message', () => {
    expect(buildPushUpdates('-route,?dns x')).toEqual(['PUSH_UPDATE,-route,?dns x']);
  });

  it('divides at commas and marks the parts', () => {
    expect(buildPushUpdates('aaaa,bbbb,cccc', 9)).toEqual([
      'PUSH_UPDATE,aaaa,bbbb,push-continuation 2',
      'PUSH_UPDATE,cccc,push-continuation 1',
    ]);
  });

  it('sends nothing when there is nothing or one option is too long', () => {
    expect(buildPushUpdates('')).toBeUndefined();
    expect(buildPushUpdates('x'.repeat(929))).toBeUndefined();
    expect(buildPushUpdates('x'.repeat(928))).toHaveLength(1);
  });

  it('loses nothing and stays within a message', () => {
    const option = fc.string({ minLength: 1, maxLength: 200 }).map((text) => text.replaceAll(',', ';'));
    fc.assert(
      fc.property(fc.array(option, { minLength: 1, maxLength: 60 }), (options) => {
        const text = options.join(',');
        const messages = buildPushUpdates(text);
        if (options.some((item) => Buffer.byteLength(item) > 928)) return;
        const joined = messages!.map((message) =>
          message.slice('PUSH_UPDATE,'.length).replace(/,push-continuation [12]$/, ''),
        );
        expect(joined.join(',')).toBe(text);
        expect(Math.max(...messages!.map((message) => Buffer.byteLength(message)))).toBeLessThan(1024);
      }),
    );
  });
});

describe('addressChanges', () => {
  it('finds the last word about each family', () => {
    expect(addressChanges('route x,ifconfig 10.8.0.9 255.255.255.0,-ifconfig-ipv6')).toEqual({
      v4: { type: 'set', words: ['10.8.0.9', '255.255.255.0'] },
      v6: { type: 'removed' },
    });
    expect(addressChanges('-?ifconfig,?ifconfig-ipv6 fd00::9/64 fd00::1')).toEqual({
      v4: { type: 'removed' },
      v6: { type: 'set', words: ['fd00::9/64', 'fd00::1'] },
    });
    expect(addressChanges('route 10.0.0.0')).toEqual({ v4: undefined, v6: undefined });
  });
});

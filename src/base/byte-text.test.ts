/** Bytes as text and back. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { bytesOfText, cutText, hasOtherBytes, textOfBytes } from './byte-text.ts';

it('gives every sequence of bytes back, and another text for other bytes', () => {
  const bytes = fc.uint8Array({ maxLength: 40 });
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      expect(bytesOfText(textOfBytes(a))).toEqual(a);
      expect(textOfBytes(a) === textOfBytes(b)).toBe(Buffer.from(a).equals(b));
    }),
    { numRuns: 2000 },
  );
});

it('shows UTF-8 as what it says, a byte order mark and characters beyond U+FFFF included', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(textOfBytes(Buffer.from(text))).toBe(text);
      expect(hasOtherBytes(text)).toBe(false);
    }),
  );
  expect(textOfBytes(Buffer.from('\ufeffadmin'))).toBe('\ufeffadmin');
  // U+1F480 has 0xDC80 as its second half.
  expect(bytesOfText('\u{1f480}')).toEqual(Uint8Array.from(Buffer.from('\u{1f480}')));
});

it.each([
  ['a byte of Latin-1', [0x41, 0xe9], 'A\udce9'],
  ['an overlong slash', [0xc0, 0xaf], '\udcc0\udcaf'],
  ['a surrogate', [0xed, 0xa0, 0x80], '\udced\udca0\udc80'],
  ['a character beyond Unicode', [0xf4, 0x90, 0x80, 0x80], '\udcf4\udc90\udc80\udc80'],
  ['a cut character', [0xe2, 0x82], '\udce2\udc82'],
])('escapes %s', (_what, bytes, text) => {
  expect(textOfBytes(Uint8Array.from(bytes))).toBe(text);
  expect(hasOtherBytes(text)).toBe(true);
});

it('cuts at bytes', () => {
  expect(cutText('abc', 2)).toBe('ab');
  expect(cutText('äö', 4)).toBe('äö');
  expect(cutText('äö', 3)).toBe('ä\udcc3');
  expect(bytesOfText(cutText('\u{1f480}'.repeat(9), 35)).length).toBe(35);
  const long = 'x'.repeat(1_000_000);
  expect(cutText(long, 10).length).toBe(10);
});

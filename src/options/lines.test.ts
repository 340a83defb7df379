/** Line sources: limits of files and of texts in memory, inline blocks. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fileLines, memoryLines, readInlineBlock, splitBuffer } from './lines.ts';

function all(source: { next(): string | undefined }): string[] {
  const lines: string[] = [];
  for (let line = source.next(); line !== undefined; line = source.next()) lines.push(line);
  return lines;
}

describe('line sources', () => {
  it('gives file lines with newlines, the last one as it is', () => {
    expect(all(fileLines('a\r\n\nb'))).toEqual(['a\r\n', '\n', 'b']);
  });

  it('cuts file lines like fgets() with a 257-byte buffer', () => {
    expect(all(fileLines(`${'x'.repeat(300)}\n`)).map((line) => line.length)).toEqual([256, 45]);
  });

  it('cuts memory lines at 255 bytes and loses two', () => {
    expect(splitBuffer(`${'a'.repeat(255)}bcd,e`, ',')).toEqual(['a'.repeat(255), 'd', 'e']);
  });

  it('keeps empty pieces but no empty end', () => {
    expect(splitBuffer('a,,b,', ',')).toEqual(['a', '', 'b']);
  });

  it('loses nothing of a file', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 900 }), (text) => {
        expect(all(fileLines(text)).join('')).toBe(text);
      }),
    );
  });

  it('never gives a memory piece above 255 bytes', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 2000 }), (text) => {
        expect(splitBuffer(text, ',').every((piece) => piece.length <= 255)).toBe(true);
      }),
    );
  });
});

describe('readInlineBlock', () => {
  it('takes raw lines until a line that starts with the end tag', () => {
    const source = fileLines('# a\r\n "b\n  </ca> junk\nrest\n');
    expect(readInlineBlock(source, 'ca')).toEqual({ text: '# a\r\n "b\n', lines: 3 });
    expect(source.next()).toBe('rest\n');
  });

  it('says when the end tag is missing', () => {
    expect(readInlineBlock(memoryLines('x\ny'), 'ca')).toBeUndefined();
  });
});

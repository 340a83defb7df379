/** The lexer against the facts checked with the 2.6.14 binary. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeToken, encodeText, MAX_PARMS, splitCommand, splitConfigLine, stripDashes } from './lexer.ts';

const tokens = (line: string): string[] => {
  const lexed = splitConfigLine(line, 'F:1');
  if ('problem' in lexed) throw new TypeError(lexed.problem);
  return lexed.tokens;
};
const problem = (line: string): string => {
  const lexed = splitConfigLine(line, 'F:1');
  return 'problem' in lexed ? lexed.problem : 'none';
};

describe('splitConfigLine', () => {
  it.each([
    ['verb 3\n', ['verb', '3']],
    ['  verb\t3 \r\n', ['verb', '3']],
    ['', []],
    ['# comment', []],
    ['; comment', []],
    ['verb 3 # comment', ['verb', '3']],
    ['verb 3#x', ['verb', '3#x']],
    ['a#b c;d', ['a#b', 'c;d']],
    ['"a"b', ['a', 'b']],
    ["'s\\t'", ['s\\t']],
    ['c"d e\'f', ['c"d', "e'f"]],
    ['x "" \'\'', ['x', '', '']],
    ['"a b" c', ['a b', 'c']],
    ['"a \\"b\\" \\\\"', ['a "b" \\']],
    ['a\\ b', ['a b']],
    ['\\#x rest', []],
    ['up "/x/h.sh a1 \'a 2\'"', ['up', "/x/h.sh a1 'a 2'"]],
    ['a\0b', ['a']],
  ])('reads %j', (line, expected) => {
    expect(tokens(line)).toEqual(expected);
  });

  it('drops words beyond the sixteenth without a word', () => {
    const words = Array.from({ length: 33 }, (_, i) => `w${i}`);
    expect(tokens(words.join(' '))).toEqual(words.slice(0, MAX_PARMS));
  });

  it('takes 256 bytes a token and refuses 257', () => {
    expect(tokens('x'.repeat(256))[0]).toHaveLength(256);
    expect(problem('x'.repeat(257))).toBe(`Parameter at F:1 is too long (256 chars max): ${'x'.repeat(255)}`);
  });

  it('reports quotes that stay open', () => {
    expect(problem('a "b')).toBe('No closing quotation (") in F:1');
    expect(problem("a 'b")).toBe("No closing single quotation (') in F:1");
  });

  it('reports a backslash at the end of the text', () => {
    expect(problem('a\\')).toBe('Residual parse state (2) in F:1');
  });

  it('explains a bad backslash in its own words, without "Options error"', () => {
    const lexed = splitConfigLine('log c:\\new', 'F:1');
    expect(lexed).toMatchObject({ raw: true });
    expect(problem('log c:\\new')).toBe(
      'Options warning: Bad backslash (\'\\\') usage in F:1: remember that backslashes are treated as shell-escapes and if you need to pass backslash characters as part of a Windows filename, you should use double backslashes such as "c:\\\\openvpn\\\\static.key"',
    );
  });

  it('never throws and keeps its limits on any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 600 }), (line) => {
        const lexed = splitConfigLine(encodeText(line), 'F:1');
        if ('problem' in lexed) return;
        expect(lexed.tokens.length).toBeLessThanOrEqual(MAX_PARMS);
        expect(lexed.tokens.every((token) => token.length <= 256)).toBe(true);
      }),
    );
  });

  it('gives back what was quoted and escaped', () => {
    const word = fc.string({ unit: 'binary-ascii', maxLength: 40 }).map((text) => text.replaceAll('\0', ''));
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), (words) => {
        const line = words.map((text) => `"${text.replace(/[\\"]/g, '\\$&')}"`).join(' ');
        expect(tokens(line)).toEqual(words);
      }),
    );
  });
});

describe('words', () => {
  it('strips two dashes when a character follows', () => {
    expect(['--verb', '--', '-verb', '---verb', '--x'].map(stripDashes)).toEqual([
      'verb',
      '--',
      '-verb',
      '-verb',
      'x',
    ]);
  });

  it('brings UTF-8 through the byte lexer', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 20 }), (text) => {
        expect(decodeToken(encodeText(text))).toBe(text);
      }),
    );
  });

  it('splits a script command into program and arguments', () => {
    expect(splitCommand("/x/h.sh a1 'a 2'")).toEqual(['/x/h.sh', 'a1', 'a 2']);
  });
});

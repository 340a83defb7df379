/**
 * Line sources (2.x fgets() in read_config_file(), buf_parse() in read_config_string() and
 * apply_push_options()). Files give lines of any length and the reader checks the limit; texts in
 * memory (connection blocks, pushed messages) are cut as 2.x's buffer code cuts them.
 */
import { isSpace, OPTION_PARM_SIZE } from './lexer.ts';

/** Gives lines with their newline until undefined. */
export interface LineSource {
  next(): string | undefined;
}

/** Lines of a file. A line that is too long comes in pieces of 256 bytes, as fgets() would give it. */
export function fileLines(text: string): LineSource {
  let at = 0;
  return {
    next() {
      if (at >= text.length) return undefined;
      const newline = text.indexOf('\n', at);
      const end = Math.min(newline < 0 ? text.length : newline + 1, at + OPTION_PARM_SIZE);
      const line = text.slice(at, end);
      at = end;
      return line;
    },
  };
}

/** Pieces of a text in memory, each with a newline put back when it fits. */
export function memoryLines(text: string): LineSource {
  const pieces = splitBuffer(text, '\n');
  let next = 0;
  return {
    next() {
      const piece = pieces[next++];
      if (piece === undefined) return undefined;
      return piece.length + 1 < OPTION_PARM_SIZE ? `${piece}\n` : piece;
    },
  };
}

/**
 * Splits at a delimiter into pieces of at most 255 bytes. A longer piece is cut, loses its 256th and
 * 257th byte, and goes on as the next piece. NUL delimits too. Source: 2.x buffer.c buf_parse().
 */
export function splitBuffer(text: string, delimiter: string): string[] {
  const pieces: string[] = [];
  let piece = '';
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    const ends = char === delimiter || char === '\0';
    if (piece.length >= OPTION_PARM_SIZE) {
      pieces.push(piece.slice(0, OPTION_PARM_SIZE - 1));
      piece = '';
    } else if (ends) {
      pieces.push(piece.slice(0, OPTION_PARM_SIZE - 1));
      piece = '';
    } else {
      piece += char;
    }
  }
  if (piece !== '') pieces.push(piece.slice(0, OPTION_PARM_SIZE - 1));
  return pieces;
}

/** Text of an inline block up to its end tag, and the source lines used; undefined when the tag is missing. */
export function readInlineBlock(
  source: LineSource,
  tag: string,
): { text: string; lines: number } | undefined {
  const endTag = `</${tag}>`;
  const parts: string[] = [];
  let lines = 0;
  for (let line = source.next(); line !== undefined; line = source.next()) {
    lines++;
    let start = 0;
    while (start < line.length && isSpace(line[start]!)) start++;
    if (line.startsWith(endTag, start)) return { text: parts.join(''), lines };
    parts.push(line);
  }
  return undefined;
}

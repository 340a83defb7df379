/** What is typed into a terminal in raw mode, and into one that edits lines itself. */
import { expect, it } from 'vitest';
import { HiddenLine } from './hidden-line.ts';

const feed = (edit: boolean, ...chunks: string[]) => {
  const line = new HiddenLine(edit);
  const events = chunks.map((chunk) => line.feed(chunk));
  return { text: line.text, rest: line.rest, last: events.at(-1) };
};

it('is what comes before the first line end, in however many pieces', () => {
  expect(feed(false, 'bo', 'b\nsec')).toEqual({ text: 'bob', rest: 'sec', last: 'line' });
  expect(feed(true, 'g', 'eheim\r')).toEqual({ text: 'geheim', rest: '', last: 'line' });
});

it('is edited in raw mode: erase takes a whole character, Ctrl-U all', () => {
  expect(feed(true, 'ab\x7f\x7f\x7fc😀\bd\r').text).toBe('cd');
  expect(feed(true, 'wrong\x15right\n').text).toBe('right');
});

it('tells Ctrl-C from the end of input', () => {
  expect(feed(true, 'abc\x03').last).toBe('interrupt');
  expect(feed(true, 'abc\x04').last).toBeUndefined();
  expect(feed(true, '\x04').last).toBe('end');
});

it('leaves control characters out and stays short', () => {
  expect(feed(true, '\x1b[Ax\n').text).toBe('[Ax');
  expect(feed(false, `${'y'.repeat(9_999)}\n`).text).toHaveLength(4_096);
});

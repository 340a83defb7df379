/**
 * A line as it is typed: found in the bytes of a terminal that edits lines itself, or edited here where the
 * terminal is in raw mode, so that nothing of it shows.
 */

/** What came with a piece of input: the whole line, the end of input, or Ctrl-C. */
export type LineEvent = 'line' | 'end' | 'interrupt' | undefined;

const CTRL_C = '\x03';
const CTRL_D = '\x04';
const CTRL_U = '\x15';
const ERASE = ['\b', '\x7f'];
/** Longer answers are cut, as 2.x cuts them. */
const MAX_CHARACTERS = 4_096;

export class HiddenLine {
  readonly #edit: boolean;
  #typed: string[] = [];
  /** What came behind the line. */
  rest = '';

  constructor(edit: boolean) {
    this.#edit = edit;
  }

  get text(): string {
    return this.#typed.join('');
  }

  feed(chunk: string): LineEvent {
    const characters = [...chunk];
    for (const [index, character] of characters.entries()) {
      const event = this.#take(character);
      if (event === undefined) continue;
      this.rest = characters.slice(index + 1).join('');
      return event;
    }
    return undefined;
  }

  #take(character: string): LineEvent {
    if (character === '\n' || character === '\r') return 'line';
    if (this.#edit) {
      if (character === CTRL_C) return 'interrupt';
      if (character === CTRL_D) return this.#typed.length === 0 ? 'end' : undefined;
      if (character === CTRL_U) this.#typed = [];
      if (ERASE.includes(character)) this.#typed.pop();
    }
    if (character >= ' ' && character !== '\x7f' && this.#typed.length < MAX_CHARACTERS)
      this.#typed.push(character);
    return undefined;
  }
}

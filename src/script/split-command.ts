/**
 * Splits a configured command into program and arguments (2.x argv_parse_cmd(), argv.c, by the rules of
 * parse_line(), options_parse.c): words are separated by white space; "..." and '...' keep it;
 * outside '...' a backslash takes the next character as it is, which has to be \, " or white space;
 * a word that begins with # or ; ends the text.
 */

/** Most words that 2.x takes from one command. */
const MAX_PARMS = 16;
const SPACE = /[ \t\n\v\f\r]/;

/** Words of the command, at least one; undefined when its quoting is broken. */
export function splitCommand(command: string): string[] | undefined {
  const words: string[] = [];
  let at = 0;
  while (words.length < MAX_PARMS) {
    while (at < command.length && SPACE.test(command[at]!)) at++;
    const first = command[at];
    if (first === undefined || first === '#' || first === ';') break;
    const word = readWord(command, at);
    if (word === undefined) return undefined;
    words.push(word.text);
    at = word.end;
  }
  return words.length > 0 ? words : undefined;
}

/** One word from its first character or quote; `end` lies behind its closing quote or separator. */
function readWord(command: string, start: number): { text: string; end: number } | undefined {
  const first = command[start];
  const quote = first === '"' || first === "'" ? first : undefined;
  let text = '';
  for (let at = quote === undefined ? start : start + 1; at <= command.length; at++) {
    let character = command[at];
    if (character === undefined) return quote === undefined ? { text, end: at } : undefined;
    if (character === '\\' && quote !== "'") {
      character = command[++at];
      if (character === undefined || !(character === '\\' || character === '"' || SPACE.test(character))) {
        return undefined;
      }
    } else if (quote === undefined ? SPACE.test(character) : character === quote) {
      return { text, end: at + 1 };
    }
    text += character;
  }
  return undefined;
}

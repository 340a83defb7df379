/**
 * The lexer of config lines, pushed options and command texts (2.x options.c parse_line(),
 * bypass_doubledash()). Pure: one line in, tokens or a problem out. Rules that surprise:
 * a quote counts only at the start of a token and its partner ends the token; a backslash may stand
 * only before a backslash, a double quote or white space; `#` and `;` comment only at token start.
 *
 * Text is taken as it is, one JavaScript character for one byte: callers decode config bytes as
 * Latin-1 first, so that the limits count bytes, and decode tokens with decodeToken().
 */

import { bytesOfText, textOfBytes } from '../base/base.ts';

/** Tokens a line can have, the option word included; the rest of the line is ignored. */
export const MAX_PARMS = 16;
/** Longest token in bytes, and the line buffer of 2.x. Both chosen by 2.x. */
export const OPTION_PARM_SIZE = 256;

export type LexedLine =
  | { readonly tokens: string[] }
  /** `text` without "Options error: "; `raw` marks a text that 2.x prints without that prefix. */
  | { readonly problem: string; readonly raw: boolean };

type State = 'initial' | 'unquoted' | 'double' | 'single';

/** 2.x's state numbers, for the text about a residual state. */
const STATE_NUMBER: Readonly<Record<State, number>> = { initial: 0, double: 1, unquoted: 2, single: 4 };

/** Splits one line (with or without its newline). `where` is `FILE:LINE` for problem texts. */
export function splitConfigLine(line: string, where: string): LexedLine {
  const end = line.indexOf('\0');
  const text = `${end < 0 ? line : line.slice(0, end)}\0`;
  const tokens: string[] = [];
  let state: State = 'initial';
  let backslash = false;
  let token = '';
  for (let i = 0; i < text.length && tokens.length < MAX_PARMS; i++) {
    const char = text[i]!;
    if (!backslash && char === '\\' && state !== 'single') {
      backslash = true;
      continue;
    }
    if (state === 'initial' && (char === ';' || char === '#')) break;
    const step = advance(state, char, backslash);
    state = step.state;
    if (step.done) {
      tokens.push(token);
      token = '';
    }
    if (step.out && char !== '\0') {
      if (backslash && char !== '\\' && char !== '"' && !isSpace(char)) return badBackslash(where);
      if (token.length >= OPTION_PARM_SIZE) return tooLong(token, where);
      token += char;
    }
    backslash = false;
  }
  return state === 'initial' ? { tokens } : unfinished(state, where);
}

/** Program and arguments of a script option: the same quoting rules again (2.x argv_parse_cmd()). */
export function splitCommand(command: string): string[] {
  const lexed = splitConfigLine(command, '[CMD-LINE]:1');
  return 'tokens' in lexed ? lexed.tokens : [command];
}

/** Takes `--` off an option word, if at least one character follows. */
export function stripDashes(word: string): string {
  return word.length >= 3 && word.startsWith('--') ? word.slice(2) : word;
}

/** C isspace(), with NUL counted as white space as in 2.x. */
export function isSpace(char: string): boolean {
  return char === ' ' || (char >= '\t' && char <= '\r') || char === '\0';
}

/** Text of a token whose characters are bytes, see base/byte-text.ts. */
export function decodeToken(token: string): string {
  if (!/[\x80-\xff]/.test(token)) return token;
  return textOfBytes(Uint8Array.from(token, (char) => char.charCodeAt(0)));
}

/** One character per byte of `text`. */
export function encodeText(text: string): string {
  const bytes = bytesOfText(text);
  return bytes.length === text.length ? text : bytesToLatin1(bytes);
}

/** One character per byte; Latin-1 in the strict sense, not windows-1252. */
export function bytesToLatin1(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 4096) text += String.fromCharCode(...bytes.subarray(i, i + 4096));
  return text;
}

interface Step {
  readonly state: State;
  readonly out: boolean;
  readonly done: boolean;
}

const STAY_OUT: Readonly<Record<State, Step>> = {
  initial: { state: 'initial', out: false, done: false },
  unquoted: { state: 'unquoted', out: true, done: false },
  double: { state: 'double', out: true, done: false },
  single: { state: 'single', out: true, done: false },
};
const FINISHED: Step = { state: 'initial', out: false, done: true };
const OPEN_DOUBLE: Step = { state: 'double', out: false, done: false };
const OPEN_SINGLE: Step = { state: 'single', out: false, done: false };

function advance(state: State, char: string, backslash: boolean): Step {
  switch (state) {
    case 'initial':
      if (isSpace(char)) return STAY_OUT.initial;
      if (!backslash && char === '"') return OPEN_DOUBLE;
      if (!backslash && char === "'") return OPEN_SINGLE;
      return STAY_OUT.unquoted;
    case 'unquoted':
      return !backslash && isSpace(char) ? FINISHED : STAY_OUT.unquoted;
    case 'double':
      return !backslash && char === '"' ? FINISHED : STAY_OUT.double;
    case 'single':
      return char === "'" ? FINISHED : STAY_OUT.single;
  }
}

function badBackslash(where: string): LexedLine {
  return {
    problem: `Options warning: Bad backslash ('\\') usage in ${where}: remember that backslashes are treated as shell-escapes and if you need to pass backslash characters as part of a Windows filename, you should use double backslashes such as "c:\\\\openvpn\\\\static.key"`,
    raw: true,
  };
}

function tooLong(token: string, where: string): LexedLine {
  const shown = token.slice(0, OPTION_PARM_SIZE - 1);
  return {
    problem: `Parameter at ${where} is too long (${OPTION_PARM_SIZE} chars max): ${shown}`,
    raw: false,
  };
}

function unfinished(state: State, where: string): LexedLine {
  if (state === 'double') return { problem: `No closing quotation (") in ${where}`, raw: false };
  if (state === 'single') return { problem: `No closing single quotation (') in ${where}`, raw: false };
  return { problem: `Residual parse state (${STATE_NUMBER[state]}) in ${where}`, raw: false };
}

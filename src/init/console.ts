/**
 * Questions to the person at the terminal (2.x console.c, console_builtin.c): on the controlling terminal, whatever
 * standard input and output are; without one on standard input and standard error, if one of them is a terminal.
 * Without any there is nobody to ask, which is fatal. Ctrl-C and signals end a question at once.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { isatty, ReadStream } from 'node:tty';
import { OpenVpnError } from '../base/base.ts';
import { HiddenLine } from './hidden-line.ts';

/** Asks one question; `echo` shows the answer while it is typed, `signal` ends the question. */
export type Ask = (prompt: string, echo: boolean, signal?: AbortSignal) => Promise<string>;

/** A signal came before the answer. */
export class AskAborted extends OpenVpnError {
  constructor() {
    super('nobody answered before a signal came', 'ERR_OVPN_ASK_ABORTED');
  }
}

const STDIN = 0;
const STDERR = 2;
const ENDING: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1'];

/** Typed after the line that was asked for. */
let typedAhead = '';

/** Asks on the terminal. Rejects with OpenVpnError in 2.x's words where there is none. */
export const askOnTerminal: Ask = async (prompt, echo, signal) => {
  const terminal = openTerminal(prompt);
  const { input, output } = terminal;
  const raw = !echo && input instanceof ReadStream;
  try {
    // First, so that nothing of a quick answer shows.
    if (raw) input.setRawMode(true);
    writeSync(output, prompt);
    return await readLine(input, raw, signal);
  } finally {
    if (raw) {
      input.setRawMode(false);
      writeSync(output, '\n');
    }
    terminal.close();
  }
};

interface Terminal {
  readonly input: NodeJS.ReadStream | ReadStream;
  /** Descriptor. */
  readonly output: number;
  close(): void;
}

function openTerminal(prompt: string): Terminal {
  let fd: number | undefined;
  try {
    fd = openSync('/dev/tty', 'r+');
    const input = new ReadStream(fd);
    return { input, output: fd, close: () => input.destroy() };
  } catch (cause) {
    if (fd !== undefined) closeSync(fd);
    const close = (): void => void process.stdin.pause();
    if (isatty(STDIN) || isatty(STDERR)) return { input: process.stdin, output: STDERR, close };
    throw new OpenVpnError(
      `neither stdin nor stderr are a tty device and you have neither a controlling tty nor systemd - can't ask for '${prompt}'.  If you used --daemon, you need to use --askpass to make passphrase-protected keys work, and you can not use --auth-nocache.`,
      'ERR_OVPN_CREDENTIALS',
      { cause },
    );
  }
}

/** One line without its end. With `raw` the terminal leaves the editing to us. */
function readLine(input: Terminal['input'], raw: boolean, signal?: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const line = new HiddenLine(raw);
    const finish = (end: () => void): void => {
      input.pause();
      input.off('data', take).off('end', handleEnd).off('error', handleEnd);
      stopListening();
      typedAhead = line.rest;
      end();
    };
    const stopListening = onAbort(signal, () => finish(() => reject(new AskAborted())));
    const handleEnd = (): void => finish(() => reject(unanswered()));
    const take = (chunk: string): void => {
      const event = line.feed(chunk);
      if (event === 'line') finish(() => resolve(line.text));
      else if (event === 'end') handleEnd();
      else if (event === 'interrupt') process.kill(process.pid, 'SIGINT');
    };
    input.setEncoding('utf8');
    input.on('data', take).on('end', handleEnd).on('error', handleEnd);
    input.resume();
    if (typedAhead !== '') take(typedAhead);
  });
}

/** By `signal`, or where there is none by the process's. Returns what ends the listening. */
function onAbort(signal: AbortSignal | undefined, act: () => void): () => void {
  if (signal) {
    signal.addEventListener('abort', act, { once: true });
    return () => signal.removeEventListener('abort', act);
  }
  const abort = (name: NodeJS.Signals): void => {
    act();
    // It was meant for the program, which would have ended if it listened to none.
    if (process.listenerCount(name) === 0) process.kill(process.pid, name);
  };
  for (const name of ENDING) process.on(name, abort);
  return () => {
    for (const name of ENDING) process.off(name, abort);
  };
}

function unanswered(): OpenVpnError {
  return new OpenVpnError('ERROR: Failed retrieving username or password', 'ERR_OVPN_CREDENTIALS');
}

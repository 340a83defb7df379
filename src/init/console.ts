/**
 * Questions to the person at the terminal (2.x console.c, console_builtin.c): on standard input where that is a
 * terminal, else on the controlling one. Without either there is nobody to ask, which is fatal.
 */
import { closeSync, openSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { ReadStream } from 'node:tty';
import { OpenVpnError } from '../base/base.ts';

/** Asks one question; `echo` shows the answer while it is typed. */
export type Ask = (prompt: string, echo: boolean) => Promise<string>;

/** Asks on the terminal. Rejects with OpenVpnError in 2.x's words where there is none. */
export const askOnTerminal: Ask = async (prompt, echo) => {
  const terminal = openTerminal(prompt);
  const muted = new Writable({ write: (_chunk, _encoding, done) => done() });
  process.stderr.write(prompt);
  const lines = createInterface({
    input: terminal.input,
    output: echo ? process.stderr : muted,
    terminal: true,
  });
  try {
    return await lines.question('');
  } finally {
    lines.close();
    terminal.close();
    if (!echo) process.stderr.write('\n');
  }
};

function openTerminal(prompt: string): { readonly input: NodeJS.ReadStream; close(): void } {
  if (process.stdin.isTTY) return { input: process.stdin, close: () => process.stdin.pause() };
  let fd: number | undefined;
  try {
    fd = openSync('/dev/tty', 'r+');
    const input = new ReadStream(fd);
    return { input, close: () => input.destroy() };
  } catch (cause) {
    if (fd !== undefined) closeSync(fd);
    throw new OpenVpnError(
      `neither stdin nor stderr are a tty device and you have neither a controlling tty nor systemd - can't ask for '${prompt}'.  If you used --daemon, you need to use --askpass to make passphrase-protected keys work, and you can not use --auth-nocache.`,
      'ERR_OVPN_CREDENTIALS',
      { cause },
    );
  }
}

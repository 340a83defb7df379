/**
 * What a client logs in with (2.x misc.c get_user_pass(), ssl.c auth_user_pass_setup(),
 * ssl_set_auth_token()): username and password from file, inline block or terminal; a pushed token takes
 * the password's place until the server refuses it.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { OpenVpnError } from '../base/base.ts';
import type { Options } from '../options/options.ts';
import type { Credentials } from '../ssl/ssl.ts';

export class UserPass {
  readonly #source: Options['authUserPass'];
  readonly #nocache: boolean;
  #given: Credentials | undefined;
  /** Goes with tokens that have no name of their own; outlives the password. */
  #username = '';
  #token: { readonly value: string; readonly username: string | undefined } | undefined;

  constructor(options: Options) {
    this.#source = options.authUserPass;
    this.#nocache = options.authNocache;
  }

  get wanted(): boolean {
    return this.#source !== undefined;
  }

  get hasToken(): boolean {
    return this.#token !== undefined;
  }

  /** Reads what is missing; asks on the terminal when the configuration says so. Throws OpenVpnError when there is nothing to read from. */
  async prepare(): Promise<void> {
    if (this.#source === undefined || this.#given || this.#token) return;
    this.#given = await readLogin(this.#source, 'Auth');
    this.#username = this.#given.username;
  }

  /** For the next key. */
  current(): Credentials | undefined {
    const token = this.#token;
    if (token) return { username: token.username ?? this.#username, password: token.value };
    return this.#given;
  }

  /** A key was made: --auth-nocache forgets the password as soon as a token does its work. */
  used(): void {
    if (this.#nocache && this.#token) this.#given = undefined;
  }

  /** `auth-token` was pushed. */
  setToken(value: string, username: string | undefined): void {
    this.#token = { value, username };
  }

  /** The server refused the token: real credentials next time. Returns whether there was one. */
  dropToken(): boolean {
    const had = this.#token !== undefined;
    this.#token = undefined;
    return had;
  }

  /** auth-retry interact, or a server that wants to know again. */
  forget(): void {
    this.#given = undefined;
  }
}

/** Username and password from a file or block; what is missing, or all of `prompt`, is asked for. `label` names the login. */
export async function readLogin(
  source: NonNullable<Options['authUserPass']>,
  label: string,
): Promise<Credentials> {
  const lines = source === 'prompt' ? [] : readLines(source, label);
  const username = lines[0] ?? (await ask(`Enter ${label} Username: `, true));
  const password = lines[1] ?? (await ask(`Enter ${label} Password: `, false));
  return { username, password };
}

function readLines(source: Exclude<Options['authUserPass'], 'prompt' | undefined>, label: string): string[] {
  let text: string;
  try {
    text = source.kind === 'inline' ? source.text : readFileSync(source.path, 'utf8');
  } catch (cause) {
    throw new OpenVpnError(
      `Error opening '${label}' auth file: ${source.kind === 'file' ? source.path : ''}`,
      'ERR_OVPN_CREDENTIALS',
      { cause },
    );
  }
  const lines = text.split(/\r?\n/).slice(0, 2);
  if (!lines[0])
    throw new OpenVpnError(`Error reading username from ${label} authfile`, 'ERR_OVPN_CREDENTIALS');
  return lines.filter((line) => line !== '');
}

/** One line from the terminal, with or without echo. */
async function ask(question: string, echo: boolean): Promise<string> {
  if (!process.stdin.isTTY) {
    throw new OpenVpnError(
      `neither stdin nor stderr are a tty device and you have neither a controlling tty nor systemd - can't ask for '${question.trim()}'.  If you used --daemon, you need to use --askpass to make passphrase-protected keys work, and you can not use --auth-nocache.`,
      'ERR_OVPN_CREDENTIALS',
    );
  }
  const muted = new Writable({ write: (_chunk, _encoding, done) => done() });
  process.stderr.write(question);
  const lines = createInterface({
    input: process.stdin,
    output: echo ? process.stderr : muted,
    terminal: true,
  });
  try {
    return await lines.question('');
  } finally {
    lines.close();
    if (!echo) process.stderr.write('\n');
  }
}

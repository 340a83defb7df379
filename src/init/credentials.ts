/**
 * What a client logs in with (2.x misc.c get_user_pass_cr(), ssl.c auth_user_pass_setup(),
 * ssl_set_auth_token(), ssl_put_auth_challenge()): username and password from file, inline block or prompter;
 * the answer to a challenge in the password's place; a pushed token, until the server refuses it.
 *
 *   static challenge  : SCRV1:base64(password):base64(answer), or password and answer in one (concat)
 *   dynamic challenge : CRV1::state id::answer, under the name that came with the challenge
 */
import { readFileSync } from 'node:fs';
import {
  bytesOfText,
  errnoLine,
  errorMessage,
  type Logger,
  OpenVpnError,
  textOfBytes,
} from '../base/base.ts';
import type { Options } from '../options/options.ts';
import type { Credentials } from '../ssl/ssl.ts';
import { warnOfCache } from './cache-warning.ts';
import type { AskQuestion, QuestionKind } from './prompter.ts';

export interface UserPassParts {
  readonly options: Options;
  readonly ask: AskQuestion;
  readonly log: Logger;
  /** Called when what current() called 'pending' is there, or can't be had. */
  readonly onAnswer: (error: OpenVpnError | undefined) => void;
}

interface Challenge {
  readonly echo: boolean;
  readonly stateId: string;
  readonly username: string;
  readonly text: string;
}

export class UserPass {
  readonly #parts: UserPassParts;
  #given: Credentials | undefined;
  #token: { readonly value: string; readonly username: string | undefined } | undefined;
  /** The name that was sent last: a token without a name of its own goes with it. */
  #lastUsername = '';
  #challenge: Challenge | undefined;
  #asking: Promise<void> | undefined;

  constructor(parts: UserPassParts) {
    this.#parts = parts;
  }

  get wanted(): boolean {
    return this.#source !== undefined;
  }

  /** Reads or asks what is missing. Rejects with OpenVpnError when it can't be had. */
  async prepare(): Promise<void> {
    if (!this.wanted || this.#given || this.#usableToken()) return;
    this.#asking ??= this.#collect().finally(() => {
      this.#asking = undefined;
    });
    await this.#asking;
  }

  /** For the next key. 'pending' starts a question; onAnswer() is called when it is answered. */
  current(): Credentials | 'pending' | undefined {
    const token = this.#usableToken();
    if (token) return token;
    if (!this.wanted) return undefined;
    if (!this.#given) this.#readAgain();
    const given = this.#given;
    if (!given) {
      this.prepare().then(
        () => this.#parts.onAnswer(undefined),
        (error: unknown) => this.#parts.onAnswer(asOpenVpnError(error)),
      );
      return 'pending';
    }
    this.#lastUsername = given.username;
    if (this.#parts.options.authNocache) this.#given = undefined;
    else warnOfCache(this.#parts.log);
    return given;
  }

  /** `auth-token` was pushed, with `auth-token-user` or without. */
  setToken(value: string, username: string | undefined): void {
    if (value !== '') this.#token = { value, username: username ?? this.#token?.username };
  }

  /** The server refused the login: a token, if there was one, is not used again. Says whether it was. */
  dropToken(): boolean {
    const had = this.#usableToken() !== undefined;
    this.#token = undefined;
    return had;
  }

  /** Username and password are read or asked for again. */
  forget(): void {
    this.#given = undefined;
    this.#challenge = undefined;
  }

  /** `CRV1:flags:state id:base64 username:text`: to be answered with the next login. */
  setChallenge(text: string): void {
    const challenge = readChallenge(text);
    if (!challenge) return;
    this.#given = undefined;
    this.#challenge = challenge;
  }

  get #source(): Options['authUserPass'] {
    return this.#parts.options.authUserPass;
  }

  #usableToken(): Credentials | undefined {
    if (!this.#token) return undefined;
    const username = this.#token.username ?? this.#lastUsername;
    return username === '' ? undefined : { username, password: this.#token.value };
  }

  /** --auth-nocache: a renegotiation reads the file again; nobody has to be asked. */
  #readAgain(): void {
    const { staticChallenge } = this.#parts.options;
    if (this.#source === 'prompt' || this.#challenge || staticChallenge) return;
    const [username, password] = readLines(this.#source!, 'Auth');
    if (username !== undefined && password !== undefined) this.#given = { username, password };
  }

  async #collect(): Promise<void> {
    const challenge = this.#challenge;
    if (challenge) {
      const answer = await this.#respond('dynamic', challenge, challenge.username);
      this.#challenge = undefined;
      this.#given = {
        username: challenge.username,
        password: `CRV1::${challenge.stateId}::${answer}`,
      };
      return;
    }
    const { ask, options } = this.#parts;
    const login = await readLogin(this.#source!, 'Auth', ask);
    const { username, password } = login;
    this.#lastUsername = username;
    const { staticChallenge } = options;
    if (!staticChallenge) {
      this.#given = login;
      return;
    }
    const answer = await this.#respond('static', staticChallenge, username);
    const both = staticChallenge.format === 'concat' ? `${password}${answer}` : scrv1(password, answer);
    this.#given = { username, password: both };
  }

  async #respond(
    type: 'static' | 'dynamic',
    { text, echo }: { readonly text: string; readonly echo: boolean },
    username: string,
  ): Promise<string> {
    const answer = await this.#parts.ask({
      kind: 'Auth',
      field: 'response',
      text: `CHALLENGE: ${text}`,
      echo,
      challenge: { type, text, username },
    });
    return printable(answer);
  }
}

/**
 * Username and password from a file or block; what is missing, or all of `prompt`, is asked for. `label` names the
 * login. Rejects with OpenVpnError when it can't be had.
 */
export async function readLogin(
  source: NonNullable<Options['authUserPass']>,
  label: QuestionKind,
  ask: AskQuestion,
): Promise<Credentials> {
  const lines = source === 'prompt' ? [] : readLines(source, label);
  const question = (field: 'username' | 'password', name: string) =>
    ask({ kind: label, field, text: `Enter ${label} ${name}:`, echo: field === 'username' });
  const username = printable(lines[0] ?? (await question('username', 'Username')));
  const password = printable(lines[1] ?? (await question('password', 'Password')));
  if (username === '') throw failure(`ERROR: ${label} username is empty`);
  return { username, password };
}

function scrv1(password: string, answer: string): string {
  const [first, second] = [password, answer].map((text) => Buffer.from(bytesOfText(text)).toString('base64'));
  return `SCRV1:${first}:${second}`;
}

/** Undefined for anything that isn't a dynamic challenge. */
function readChallenge(text: string): Challenge | undefined {
  const [kind, flags, stateId, user, ...rest] = text.split(':');
  if (kind !== 'CRV1' || flags === undefined || stateId === undefined || user === undefined) return undefined;
  const username = textOfBytes(Buffer.from(user, 'base64'));
  return { echo: flags.includes('E'), stateId, username: printable(username), text: rest.join(':') };
}

function readLines(source: Exclude<Options['authUserPass'], 'prompt' | undefined>, label: string): string[] {
  const path = source.kind === 'file' ? source.path : '[[INLINE]]';
  if (path === 'stdin') return [];
  let text: string;
  try {
    text = source.kind === 'inline' ? source.text : textOfBytes(readFileSync(source.path));
  } catch (cause) {
    throw failure(errnoLine(`Error opening '${label}' auth file: ${path}`, cause), cause);
  }
  const lines = text.split(/\r?\n/).slice(0, 2);
  if (lines[0] === undefined || text === '')
    throw failure(`Error reading username from ${label} authfile: ${path}`);
  if (lines[0] === '') throw failure(`ERROR: username from ${label} authfile '${path}' is empty`);
  return lines.filter((line) => line !== '');
}

/** Without control characters, as 2.x cleans what it reads. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
  return text.replace(/[\x00-\x1f\x7f]/g, '');
}

function failure(text: string, cause?: unknown): OpenVpnError {
  return new OpenVpnError(text, 'ERR_OVPN_CREDENTIALS', cause === undefined ? undefined : { cause });
}

function asOpenVpnError(error: unknown): OpenVpnError {
  if (error instanceof OpenVpnError) return error;
  return failure(errorMessage(error), error);
}

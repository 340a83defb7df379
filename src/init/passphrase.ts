/**
 * The password of the own private key or PKCS#12 file (2.x ssl.c pem_password_setup(),
 * pem_password_callback()): from the file of --askpass or from the prompter, asked for only when a key needs
 * it. Kept for restarts unless --auth-nocache says otherwise.
 */
import { createSecureContext } from 'node:tls';
import { type Logger, OpenVpnError } from '../base/base.ts';
import type { Options } from '../options/options.ts';
import { warnOfCache } from './cache-warning.ts';
import { readText } from './file-text.ts';
import type { AskQuestion } from './prompter.ts';
import { readPkcs12Bytes } from './tls-materials.ts';

export class Passphrase {
  readonly #ask: AskQuestion;
  #value: string | undefined;

  constructor(ask: AskQuestion) {
    this.#ask = ask;
  }

  /** What opens the key; undefined when it is open. Rejects with OpenVpnError when it can't be had. */
  async take(options: Options, log: Logger): Promise<string | undefined> {
    if (options.askpass === undefined && !isLocked(options)) return undefined;
    const value = this.#value ?? (await this.#obtain(options.askpass));
    this.#value = options.authNocache ? undefined : value;
    if (!options.authNocache) warnOfCache(log);
    return value;
  }

  /** It was wrong, or the server wants everything anew: asked for again. */
  forget(): void {
    this.#value = undefined;
  }

  async #obtain(askpass: Options['askpass']): Promise<string> {
    if (askpass === undefined || askpass === 'prompt' || askpass === 'stdin')
      return this.#ask({
        kind: 'Private Key',
        field: 'password',
        text: 'Enter Private Key Password:',
        echo: false,
      });
    const [line = ''] = readText({ kind: 'file', path: askpass }, 'askpass').split(/\r?\n/, 1);
    if (line !== '') return line;
    const text = `Error reading password from Private Key authfile: ${askpass}`;
    throw new OpenVpnError(text, 'ERR_OVPN_CREDENTIALS');
  }
}

const LOCKED_PEM = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m;

/** Whether the key can't be read without a password. */
function isLocked({ key, pkcs12 }: Options): boolean {
  if (!pkcs12) return key !== undefined && LOCKED_PEM.test(readText(key, 'key'));
  try {
    createSecureContext({ pfx: Buffer.from(readPkcs12Bytes(pkcs12)), passphrase: '' });
    return false;
  } catch (error) {
    return /mac verify/i.test(String(error));
  }
}

/**
 * Tokens that a server makes for clients that logged in, so that they needn't send their password again
 * (2.x auth_token.c). A token proves itself: the server keeps nothing but the key.
 *
 *   token : "SESS_ID_AT_" || base64( session id (12) || u64 initial time || u64 time || HMAC (32) )
 *   HMAC  : HMAC-SHA256(key, username || session id || initial time || time)
 *   key   : bytes 64..95 of the 128-byte auth-token key
 *
 * Session id and initial time stay for the life of a login; `time` moves with every renewal. A token whose
 * HMAC holds for the empty name only says nothing about who sends it.
 */
import { bytesOfText, CryptoError } from '../base/base.ts';
import { type CryptoBackend, PEM_KEY_BYTES } from '../crypto/crypto.ts';

const PREFIX = 'SESS_ID_AT_';
const SESSION_BYTES = 12;
const TIME_BYTES = 8;
const MAC_BYTES = 32;
const SIGNED_BYTES = SESSION_BYTES + 2 * TIME_BYTES;
const TOKEN_BYTES = SIGNED_BYTES + MAC_BYTES;
const SESSION_CHARACTERS = (SESSION_BYTES * 8) / 6;
/** Prefix and session id: what two tokens of one login have in common. */
const SAME_CHARACTERS = PREFIX.length + SESSION_CHARACTERS;
/** Where the hmac half of a 128-byte key starts. */
const MAC_KEY_OFFSET = PEM_KEY_BYTES / 2;

export interface AuthTokenOptions {
  /** 128 bytes; copied. */
  readonly key: Uint8Array;
  /** 0 = unlimited. */
  readonly lifetimeSec: number;
  /** A token is good for twice this long after it was made. */
  readonly renewalSec: number;
  readonly crypto: CryptoBackend;
}

/** What a token says about its sender. */
export interface AuthTokenVerdict {
  /** This server made it, for the given name or for the empty one. */
  readonly genuine: boolean;
  /** Made for the empty name: the given one is not to be trusted. */
  readonly emptyUser: boolean;
  readonly expired: boolean;
  /** 2.x's warnings, for the log. */
  readonly warnings: readonly string[];
}

/** Whether a password means to be a token. */
export function isAuthToken(password: string): boolean {
  return password.startsWith(PREFIX);
}

/** The session id of a token, in base64, as scripts get it. */
export function authTokenSession(token: string): string {
  return token.slice(PREFIX.length, SAME_CHARACTERS);
}

/** Makes and checks the tokens of one server. */
export class AuthTokens {
  readonly #options: AuthTokenOptions;
  readonly #key: Uint8Array;

  /** Throws CryptoError when the key is too short. */
  constructor(options: AuthTokenOptions) {
    if (options.key.length < PEM_KEY_BYTES)
      throw new CryptoError('ERROR: not enough data in auth-token secret');
    this.#options = options;
    this.#key = Uint8Array.from(options.key.subarray(MAC_KEY_OFFSET, MAC_KEY_OFFSET + MAC_BYTES));
  }

  /** A token for `username`; with `earlier`, a token of the same login, it continues that one's session. */
  create(username: string, nowSec: number, earlier?: string): string {
    const signed = Buffer.alloc(SIGNED_BYTES);
    const old = earlier === undefined ? undefined : decode(earlier);
    if (old) signed.set(old.subarray(0, SESSION_BYTES + TIME_BYTES));
    else {
      signed.set(this.#options.crypto.randomBytes(SESSION_BYTES));
      signed.writeBigUInt64BE(BigInt(nowSec), SESSION_BYTES);
    }
    signed.writeBigUInt64BE(BigInt(nowSec), SESSION_BYTES + TIME_BYTES);
    return `${PREFIX}${Buffer.concat([signed, this.#mac(username, signed)]).toString('base64')}`;
  }

  /** Judges `token`; `earlier` is a token that this login had before, whose session it must continue. */
  verify(token: string, username: string, nowSec: number, earlier?: string): AuthTokenVerdict {
    const bytes = decode(token);
    if (!bytes) return refused([wrongSize(token)]);
    const signed = bytes.subarray(0, SIGNED_BYTES);
    const mac = bytes.subarray(SIGNED_BYTES);
    const { crypto } = this.#options;
    const named = crypto.equal(this.#mac(username, signed), mac);
    if (!named && !crypto.equal(this.#mac('', signed), mac)) {
      return refused([`--auth-gen-token: HMAC on token from client failed (${username})`]);
    }
    const warnings: string[] = [];
    const expired = this.#expired(bytes, BigInt(nowSec), warnings);
    if (earlier !== undefined && !sameSession(earlier, token, crypto)) {
      return refused([...warnings, '--auth-gen-token: session id in token changed (Rejecting token.']);
    }
    return { genuine: true, emptyUser: !named, expired, warnings };
  }

  /** Zeroes the key. */
  destroy(): void {
    this.#key.fill(0);
  }

  #expired(bytes: Buffer, now: bigint, warnings: string[]): boolean {
    const initial = bytes.readBigUInt64BE(SESSION_BYTES);
    const time = bytes.readBigUInt64BE(SESSION_BYTES + TIME_BYTES);
    const { lifetimeSec, renewalSec } = this.#options;
    const late = now < time || now >= time + 2n * BigInt(renewalSec);
    if (late) warnings.push(`Timestamp (${time}) of auth-token is out of the renewal window`);
    if (time < initial) {
      warnings.push(
        `Initial timestamp (${initial}) in token from client earlier than current timestamp ${time}. Broken/unsynchronised clock?`,
      );
    }
    return late || time < initial || (lifetimeSec > 0 && now > initial + BigInt(lifetimeSec));
  }

  #mac(username: string, signed: Uint8Array): Uint8Array {
    const name = bytesOfText(username);
    return this.#options.crypto.hmac('SHA256', this.#key, name, signed);
  }
}

function refused(warnings: readonly string[]): AuthTokenVerdict {
  return { genuine: false, emptyUser: false, expired: false, warnings };
}

/** The 60 bytes of a token; undefined for anything else. */
function decode(token: string): Buffer | undefined {
  const text = token.slice(PREFIX.length);
  if (!isAuthToken(token) || !/^[A-Za-z0-9+/]*$/.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === TOKEN_BYTES && text.length === (TOKEN_BYTES * 4) / 3 ? bytes : undefined;
}

function wrongSize(token: string): string {
  const text = token.slice(PREFIX.length);
  const length = /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64').length : -1;
  return `ERROR: --auth-token wrong size (${length}!=${TOKEN_BYTES})`;
}

function sameSession(a: string, b: string, crypto: CryptoBackend): boolean {
  const encoder = new TextEncoder();
  return crypto.equal(
    encoder.encode(a.slice(0, SAME_CHARACTERS)),
    encoder.encode(b.slice(0, SAME_CHARACTERS)),
  );
}

/**
 * The key method 2 message, the only TLS plaintext of a handshake (2.x ssl.c key_method_2_write(),
 * key_method_2_read()), and the splitting of later plaintext into control messages:
 *
 *   u32 0 || u8 2 || [u8[48] pre_master, client only] || u8[32] random1 || u8[32] random2
 *   str options || str username || str password || str peer_info
 *   str: u16 length with NUL || bytes || 00; length 0 for none
 *
 * A message may end after any string; what is missing counts as empty.
 */
import { bytesOfText, textOfBytes } from '../base/base.ts';
import type { Credentials } from './ssl.ts';

/** What one side adds to the data keys. Whoever holds it zeroes it. */
export interface KeySource {
  /** 48 bytes, from the TLS client only. */
  readonly preMaster: Uint8Array | undefined;
  /** 32 bytes each. */
  readonly random1: Uint8Array;
  readonly random2: Uint8Array;
}

export interface KeyMessage {
  readonly source: KeySource;
  readonly options: string;
  readonly username: string;
  readonly password: string;
  readonly peerInfo: string;
  /** Username and password were there, be they empty. */
  readonly hasCredentials: boolean;
  /** Username or password were longer than accepted; both are empty then. */
  readonly credentialsTooLong: boolean;
}

/** Most bytes of a message that 2.x reads (TLS_CHANNEL_BUF_SIZE), so most that we write. */
export const KEY_MESSAGE_WRITE_MAX = 2048;
/** Most bytes of a message that we collect: two credentials of the longest kind and the rest. */
export const KEY_MESSAGE_READ_MAX = 16384;
/** TLS_OPTIONS_LEN, NUL included. */
const OPTIONS_MAX = 512;
/** USER_PASS_LEN of builds with PKCS#11, as distributions make them, NUL included. */
const CREDENTIAL_MAX = 4096;
const PRE_MASTER_BYTES = 48;
const RANDOM_BYTES = 32;
const HEAD_BYTES = 5;
const KEY_METHOD = 2;
const KEY_METHOD_MASK = 0x0f;
const CR = 0x0d;
const LF = 0x0a;

/** Writes a message; undefined when it would be longer than a peer can read. */
export function writeKeyMessage(message: {
  readonly source: KeySource;
  readonly options: string;
  readonly credentials: Credentials | undefined;
  readonly peerInfo: string;
}): Uint8Array | undefined {
  const { preMaster, random1, random2 } = message.source;
  const { credentials } = message;
  const strings = [message.options, credentials?.username, credentials?.password, message.peerInfo].map(
    // A login with an empty part is still told apart from none.
    (text, i) => encodeString(text ?? '', credentials !== undefined && (i === 1 || i === 2)),
  );
  const parts = [
    Uint8Array.of(0, 0, 0, 0, KEY_METHOD),
    preMaster ?? new Uint8Array(0),
    random1,
    random2,
    ...strings,
  ];
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  let out: Uint8Array | undefined;
  if (length <= KEY_MESSAGE_WRITE_MAX) {
    out = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      out.set(part, at);
      at += part.length;
    }
  }
  for (const text of strings) text.fill(0);
  return out;
}

/** Why a message can't be used, in 2.x's words; 'incomplete' asks for more bytes. */
export type KeyMessageProblem = 'incomplete' | { readonly text: string };

/** Reads a message that came from a TLS client (`fromClient`) or server. */
export function readKeyMessage(bytes: Uint8Array, fromClient: boolean): KeyMessage | KeyMessageProblem {
  if (bytes.length < HEAD_BYTES) return 'incomplete';
  const method = bytes[4]!;
  if ((method & KEY_METHOD_MASK) !== KEY_METHOD) {
    return { text: `TLS ERROR: Unknown key_method/flags=${method} received from remote host` };
  }
  const secretBytes = (fromClient ? PRE_MASTER_BYTES : 0) + 2 * RANDOM_BYTES;
  const stringsAt = HEAD_BYTES + secretBytes;
  if (bytes.length < stringsAt) return 'incomplete';

  const options = readString(bytes, stringsAt, OPTIONS_MAX);
  if (!options) return 'incomplete';
  if (options.tooLong) return { text: 'TLS Error: Failed to read required OCC options string' };
  const username = readString(bytes, options.next, CREDENTIAL_MAX);
  const password = username && readString(bytes, username.next, CREDENTIAL_MAX);
  const peerInfo = password && readString(bytes, password.next, KEY_MESSAGE_READ_MAX);
  if (!username || !password || !peerInfo) return 'incomplete';

  const secretsAt = stringsAt - 2 * RANDOM_BYTES;
  const credentialsTooLong = username.tooLong || password.tooLong;
  return {
    source: {
      preMaster: fromClient ? Uint8Array.from(bytes.subarray(HEAD_BYTES, secretsAt)) : undefined,
      random1: Uint8Array.from(bytes.subarray(secretsAt, secretsAt + RANDOM_BYTES)),
      random2: Uint8Array.from(bytes.subarray(secretsAt + RANDOM_BYTES, stringsAt)),
    },
    options: options.text,
    username: credentialsTooLong ? '' : username.text,
    password: credentialsTooLong ? '' : password.text,
    peerInfo: peerInfo.text,
    hasCredentials: username.given && password.given && !credentialsTooLong,
    credentialsTooLong,
  };
}

/** New random key source. */
export function createKeySource(
  crypto: { randomBytes(length: number): Uint8Array },
  role: 'client' | 'server',
): KeySource {
  return {
    preMaster: role === 'client' ? crypto.randomBytes(PRE_MASTER_BYTES) : undefined,
    random1: crypto.randomBytes(RANDOM_BYTES),
    random2: crypto.randomBytes(RANDOM_BYTES),
  };
}

export function zeroKeySource(source: KeySource | undefined): void {
  source?.preMaster?.fill(0);
  source?.random1.fill(0);
  source?.random2.fill(0);
}

/** Control characters become `_`: what 2.x does to names and logins before anything sees them. */
export function replaceControlCharacters(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\x00-\x1f\x7f]/g, '_');
}

/** Messages of one chunk of plaintext, and what was dropped for unprintable characters (views). */
export interface ControlMessages {
  readonly messages: readonly string[];
  readonly invalid: readonly Uint8Array[];
}

/**
 * Splits plaintext at its NULs. Text without a NUL behind it is dropped, as 2.6 does; trailing CR and
 * LF are cut; a message with another control character is dropped.
 */
export function splitControlMessages(chunk: Uint8Array): ControlMessages {
  const messages: string[] = [];
  const invalid: Uint8Array[] = [];
  for (let at = 0; at < chunk.length; ) {
    const end = chunk.indexOf(0, at);
    if (end < 0) break;
    let last = end;
    while (last > at && (chunk[last - 1] === CR || chunk[last - 1] === LF)) last--;
    const text = textOfBytes(chunk.subarray(at, last));
    if (replaceControlCharacters(text) !== text) invalid.push(chunk.subarray(at, end));
    else if (text !== '') messages.push(text);
    at = end + 1;
  }
  return { messages, invalid };
}

function encodeString(text: string, keepEmpty: boolean): Uint8Array {
  if (text === '' && !keepEmpty) return Uint8Array.of(0, 0);
  const bytes = bytesOfText(text);
  const out = new Uint8Array(2 + bytes.length + 1);
  out[0] = (bytes.length + 1) >>> 8;
  out[1] = bytes.length + 1;
  out.set(bytes, 2);
  bytes.fill(0);
  return out;
}

interface ReadString {
  readonly text: string;
  readonly next: number;
  /** There, be it empty: an absent string has length 0, an empty one its NUL. */
  readonly given: boolean;
  readonly tooLong: boolean;
}

/** The string at `at`; '' when the message ends there; undefined when it is cut off within. */
function readString(bytes: Uint8Array, at: number, max: number): ReadString | undefined {
  if (at === bytes.length) return { text: '', next: at, given: false, tooLong: false };
  if (at + 2 > bytes.length) return undefined;
  const length = (bytes[at]! << 8) | bytes[at + 1]!;
  const start = at + 2;
  const next = start + length;
  if (next > bytes.length) return undefined;
  if (length > max) return { text: '', next, given: false, tooLong: true };
  const raw = bytes.subarray(start, Math.max(start, next - 1));
  const nul = raw.indexOf(0);
  const text = textOfBytes(nul < 0 ? raw : raw.subarray(0, nul));
  return { text, next, given: length > 0, tooLong: false };
}

/**
 * NTLM messages for HTTP proxies (2.6 ntlm.c; [MS-NLMP] 2.2.1, 3.3.1 and 3.3.2).
 *
 *   type 1:  "NTLMSSP\0" || u32 1 || u32 flags
 *   type 2:  "NTLMSSP\0" || u32 2 || target name[8] || u32 flags (20) || challenge[8] (24) || reserved[8]
 *            || target info: u16 length, u16, u32 offset (40)
 *   type 3:  "NTLMSSP\0" || u32 3 || LM || NT || domain || user || workstation || session key || u32 flags (60)
 *            || data (64); each field is u16 length, u16 length, u32 offset; all little-endian
 */
import { createCipheriv, createHmac } from 'node:crypto';
import { md4 } from './md4.ts';

/** Type 1 in base64, with the flags "negotiate OEM" and "negotiate NTLM"; 2.x sends the same. */
export const NTLM_NEGOTIATE = 'TlRMTVNTUAABAAAAAgIAAA==';

const SIGNATURE = 'NTLMSSP\0';
const CHALLENGE_FLAGS = 20;
const CHALLENGE = 24;
const TARGET_INFO = 40;
/** Shortest type 2 message: up to the end of the challenge. */
const MIN_CHALLENGE_BYTES = 32;
const NEGOTIATE_TARGET_INFO = 0x00800000;
const NEGOTIATE_OEM_NTLM = 0x0202;
const AUTHENTICATE_HEAD_BYTES = 64;
/** Seconds from 1601 to 1970. */
const FILETIME_EPOCH_SEC = 11_644_473_600n;

export interface NtlmChallenge {
  /** 8 bytes. */
  readonly challenge: Uint8Array;
  /** Copied into the response; empty when the proxy sent none. */
  readonly targetInfo: Uint8Array;
}

/** Reads a type 2 message; undefined when it is none, or points outside of itself. */
export function readNtlmChallenge(base64: string): NtlmChallenge | undefined {
  const message = Buffer.from(base64, 'base64');
  if (message.length < MIN_CHALLENGE_BYTES) return undefined;
  if (message.toString('latin1', 0, 8) !== SIGNATURE || message.readUInt32LE(8) !== 2) return undefined;
  const challenge = message.subarray(CHALLENGE, CHALLENGE + 8);
  if ((message.readUInt32LE(CHALLENGE_FLAGS) & NEGOTIATE_TARGET_INFO) === 0) {
    return { challenge, targetInfo: new Uint8Array(0) };
  }
  if (message.length < TARGET_INFO + 8) return undefined;
  const length = message.readUInt16LE(TARGET_INFO);
  const offset = message.readUInt32LE(TARGET_INFO + 4);
  if (offset + length > message.length) return undefined;
  return { challenge, targetInfo: message.subarray(offset, offset + length) };
}

export interface NtlmLogin {
  /** `user` or `domain\user`. */
  readonly username: string;
  readonly password: string;
  /** 8 random bytes. */
  readonly nonce: Uint8Array;
  /** Unix time. */
  readonly wallMs: number;
}

/** Type 3 in base64: the answer to a challenge, version 2. */
export function writeNtlmAuthenticate(asked: NtlmChallenge, login: NtlmLogin): string {
  const { domain, user } = splitUsername(login.username);
  const key = ntlmV2Key(user, domain, login.password);
  const blob = writeBlob(asked.targetInfo, login);
  const proof = createHmac('md5', key).update(asked.challenge).update(blob).digest();
  key.fill(0);
  return writeType3(Buffer.concat([proof, blob]), login.username);
}

/** Type 3 in base64 by version 1 of the response, whose DES keys a listener can search: for --http-proxy's `ntlm` alone. */
export function writeNtlmV1Authenticate(
  { challenge }: NtlmChallenge,
  { username, password }: Pick<NtlmLogin, 'username' | 'password'>,
): string {
  return writeType3(ntlmV1Response(challenge, password), username);
}

/** [MS-NLMP] 3.3.1 without extended session security: the challenge under three DES keys made of the password's MD4. */
export function ntlmV1Response(challenge: Uint8Array, password: string): Buffer {
  const secret = Buffer.from(password, 'utf16le');
  const hash = Buffer.concat([md4(secret), Buffer.alloc(5)]);
  const blocks = [0, 7, 14].map((at) => {
    const key = desKey(hash.subarray(at, at + 7));
    // OpenSSL 3 has single DES in its legacy provider only; with one key thrice triple DES is the same.
    const cipher = createCipheriv('des-ede3', Buffer.concat([key, key, key]), null).setAutoPadding(false);
    key.fill(0);
    return cipher.update(challenge);
  });
  secret.fill(0);
  hash.fill(0);
  return Buffer.concat(blocks);
}

/** 56 bits spread over 8 bytes, the lowest bit of each (parity) left out. */
function desKey(bits: Uint8Array): Buffer {
  const key = Buffer.alloc(8);
  for (let i = 0; i < 8; i++) {
    const pair = ((i > 0 ? bits[i - 1]! : 0) << 8) | (i < 7 ? bits[i]! : 0);
    key[i] = (pair >> i) & 0xfe;
  }
  return key;
}

function writeType3(response: Buffer, username: string): string {
  const { domain, user } = splitUsername(username);
  const fields = [
    { at: 20, data: response },
    { at: 36, data: Buffer.from(user) },
    { at: 28, data: Buffer.from(domain) },
    { at: 12, data: Buffer.alloc(0) },
    { at: 44, data: Buffer.alloc(0) },
    { at: 52, data: Buffer.alloc(0) },
  ];
  const head = Buffer.alloc(AUTHENTICATE_HEAD_BYTES);
  head.write(SIGNATURE, 'latin1');
  head.writeUInt32LE(3, 8);
  head.writeUInt32LE(NEGOTIATE_OEM_NTLM, 60);
  let offset = AUTHENTICATE_HEAD_BYTES;
  for (const { at, data } of fields) {
    head.writeUInt16LE(data.length, at);
    head.writeUInt16LE(data.length, at + 2);
    head.writeUInt32LE(offset, at + 4);
    offset += data.length;
  }
  return Buffer.concat([head, ...fields.map(({ data }) => data)]).toString('base64');
}

/** [MS-NLMP] NTOWFv2: HMAC-MD5 of upper(user) and domain under the MD4 of the password, all UTF-16LE. */
export function ntlmV2Key(user: string, domain: string, password: string): Buffer {
  const secret = Buffer.from(password, 'utf16le');
  const hash = md4(secret);
  secret.fill(0);
  const key = createHmac('md5', hash)
    .update(Buffer.from(user.toUpperCase() + domain, 'utf16le'))
    .digest();
  hash.fill(0);
  return key;
}

/** 01 01 00 00 | 0*4 | FILETIME | nonce | 0*4 | target info | 0*4 */
function writeBlob(targetInfo: Uint8Array, { nonce, wallMs }: NtlmLogin): Buffer {
  const head = Buffer.alloc(28);
  head[0] = 1;
  head[1] = 1;
  head.writeBigUInt64LE((BigInt(Math.floor(wallMs / 1000)) + FILETIME_EPOCH_SEC) * 10_000_000n, 8);
  head.set(nonce.subarray(0, 8), 16);
  return Buffer.concat([head, targetInfo, Buffer.alloc(4)]);
}

function splitUsername(username: string): { readonly domain: string; readonly user: string } {
  const at = username.indexOf('\\');
  return at < 0
    ? { domain: '', user: username }
    : { domain: username.slice(0, at), user: username.slice(at + 1) };
}

/**
 * Fuzz entry: any bytes as what an HTTP or SOCKS proxy sends. Each reader asks for more, refuses, or uses
 * no more than there is; what it made of a beginning it makes of that beginning followed by anything.
 */
import { challengeParameter, digestAuthorization, readProxyChallenge } from '../src/socket/http-auth.ts';
import { type Answer, MAX_HEAD_BYTES, readChunks, readHttpHead } from '../src/socket/http-message.ts';
import { readNtlmChallenge, writeNtlmAuthenticate } from '../src/socket/ntlm.ts';
import { isOpenVpnStart } from '../src/socket/port-share.ts';
import { readSocksLogin, readSocksMethod, readSocksReply } from '../src/socket/socks-message.ts';

const READERS: Readonly<Record<string, (bytes: Uint8Array) => Answer<unknown>>> = {
  head: readHttpHead,
  chunks: readChunks,
  method: (bytes) => readSocksMethod(bytes, 0),
  login: readSocksLogin,
  reply: readSocksReply,
};
const LOGIN = { username: 'user', password: 'password' };

export const target = {
  name: 'proxy-answers',
  run(bytes: Uint8Array): void {
    const text = Buffer.from(bytes).toString('latin1');
    const headed = Buffer.concat([Buffer.from(`HTTP/1.1 407 x\r\nProxy-Authenticate: ${text}`), bytes]);
    for (const [name, read] of Object.entries(READERS)) {
      checkReader(name, read, bytes);
      checkReader(name, read, headed);
    }
    checkChallenge(text);
    checkNtlm(Buffer.from(bytes));
    checkNtlm(Buffer.concat([Buffer.from('NTLMSSP\0\x02\0\0\0', 'latin1'), bytes]));
    if (bytes.length >= 3 && isOpenVpnStart(bytes) === undefined) throw new Error('undecided');
  },
};

function checkReader(name: string, read: (bytes: Uint8Array) => Answer<unknown>, bytes: Uint8Array): void {
  const answer = read(bytes);
  if (answer.type === 'more') {
    if (bytes.length > MAX_HEAD_BYTES + 0x1000000) throw new Error(`${name}: wants more of too much`);
    return;
  }
  if (answer.type === 'done' && answer.used > bytes.length)
    throw new Error(`${name}: used what is not there`);
  const longer = read(Buffer.concat([bytes, Buffer.of(10, 13, 10)]));
  const same = JSON.stringify(longer) === JSON.stringify(answer);
  if (answer.type === 'done' && !same) throw new Error(`${name}: another verdict with more bytes`);
}

function checkChallenge(text: string): void {
  const challenge = readProxyChallenge(text) ?? { text };
  const realm = challengeParameter(challenge.text, 'realm');
  if (realm !== undefined && realm.length > 255) throw new Error('too long a value');
  digestAuthorization(challenge.text, LOGIN, { method: 'CONNECT', uri: 'h:1', cnonce: 'c' });
}

function checkNtlm(message: Buffer): void {
  const challenge = readNtlmChallenge(message.toString('base64'));
  if (challenge === undefined) return;
  if (challenge.challenge.length !== 8) throw new Error('a challenge is 8 bytes');
  if (challenge.targetInfo.length > message.length) throw new Error('target information from nowhere');
  const answer = writeNtlmAuthenticate(challenge, { ...LOGIN, nonce: new Uint8Array(8), wallMs: 0 });
  if (Buffer.from(answer, 'base64').length < 64 + challenge.targetInfo.length) throw new Error('too short');
}

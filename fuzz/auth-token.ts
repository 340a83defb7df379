/**
 * Fuzz entry: any text as the token that a client sends for its password. A stranger's is never genuine and the
 * judge never throws; a token that is good is refused with any other character in it.
 */
import { createNodeCrypto } from '../src/crypto/crypto-node.ts';
import { AuthTokens, authTokenSession, isAuthToken } from '../src/ssl/auth-token.ts';

const NOW = 1_800_000_000;
const LIFETIME = { lifetimeSec: 3600, renewalSec: 600 };
const tokens = new AuthTokens({ key: new Uint8Array(128).fill(9), crypto: createNodeCrypto(), ...LIFETIME });
const good = tokens.create('alice', NOW);

export const target = {
  name: 'auth-token',
  corpus: [good, good.slice(0, 40), `${good}=`, 'SESS_ID_AT_'].map((text) => Buffer.from(text)),
  run(bytes: Uint8Array): void {
    const text = Buffer.from(bytes).toString('utf8');
    const verdict = tokens.verify(text, 'alice', NOW + 1, good);
    if (verdict.genuine !== (text === good)) throw new Error('a forged token, or a good one refused');
    if (verdict.genuine && verdict.expired) throw new Error('expired too early');
    if (isAuthToken(text) && authTokenSession(text).length > 16) throw new Error('too long a session id');
    // A token that goes on from whatever came before is good for its owner alone.
    const next = tokens.create('bob', NOW, text);
    if (!tokens.verify(next, 'bob', NOW).genuine) throw new Error('our own token was refused');
    if (tokens.verify(next, 'alice', NOW).genuine) throw new Error("another user's token was taken");
  },
};

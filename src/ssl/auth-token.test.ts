import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import vectors from '../../test-kit/vectors.json' with { type: 'json' };
import { AUTH_TOKEN_KEY, readPemKey } from '../crypto/crypto.ts';
import { createNodeCrypto } from '../crypto/crypto-node.ts';
import { AuthTokens, authTokenSession, isAuthToken } from './ssl.ts';

const VECTOR = vectors.auth_token;
const KEY = readPemKey(VECTOR.server_key_pem, AUTH_TOKEN_KEY);
const MADE = Number.parseInt(VECTOR.decoded.time, 16);
const HOUR = 3600;
const USER = VECTOR.username_text;

describe('a token of a live 2.6.14 server', () => {
  it('is made with the second half of its key file', () => {
    expect(Buffer.from(KEY).toString('hex')).toBe(VECTOR.server_key);
    expect(Buffer.from(KEY.subarray(64, 96)).toString('hex')).toBe(VECTOR.hmac_key);
  });

  it('is genuine for its user, and made again from its parts', () => {
    expect(tokens().verify(VECTOR.token_text, USER, MADE)).toEqual({
      genuine: true,
      emptyUser: false,
      expired: false,
      warnings: [],
    });
    expect(tokens().create(USER, MADE, VECTOR.token_text)).toBe(VECTOR.token_text);
    expect(Buffer.from(authTokenSession(VECTOR.token_text), 'base64').toString('hex')).toBe(
      VECTOR.decoded.session_id,
    );
  });

  it('is refused for another user, under another key, or with any bit changed', () => {
    const bob = tokens().verify(VECTOR.token_text, 'bob', MADE);
    expect(bob.genuine).toBe(false);
    expect(bob.warnings).toEqual(['--auth-gen-token: HMAC on token from client failed (bob)']);
    expect(tokens({ key: KEY.toReversed() }).verify(VECTOR.token_text, USER, MADE).genuine).toBe(false);
    fc.assert(
      fc.property(fc.nat(60 * 8 - 1), (bit) => {
        const bytes = Buffer.from(VECTOR.token_text.slice(11), 'base64');
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        return !tokens().verify(`SESS_ID_AT_${bytes.toString('base64')}`, USER, MADE).genuine;
      }),
    );
  });

  it('is recognised when it was made for the empty name', () => {
    const bytes = Buffer.from(VECTOR.token_text.slice(11), 'base64');
    bytes.set(Buffer.from(VECTOR.empty_user_hmac, 'hex'), 28);
    const verdict = tokens().verify(`SESS_ID_AT_${bytes.toString('base64')}`, USER, MADE);
    expect(verdict).toMatchObject({ genuine: true, emptyUser: true, expired: false });
  });
});

describe('the age of a token', () => {
  it('is at most twice the renewal time since it was made', () => {
    const server = tokens();
    const token = server.create(USER, 1_000_000);
    expect(server.verify(token, USER, 1_000_000 + 2 * HOUR - 1).expired).toBe(false);
    const late = server.verify(token, USER, 1_000_000 + 2 * HOUR);
    expect(late).toMatchObject({ genuine: true, expired: true });
    expect(late.warnings).toEqual(['Timestamp (1000000) of auth-token is out of the renewal window']);
    expect(server.verify(token, USER, 999_999).expired).toBe(true);
  });

  it('is at most the lifetime since the login, however often it was renewed', () => {
    const server = tokens({ lifetimeSec: 5000 });
    let token = server.create(USER, 1_000_000);
    for (let now = 1_001_000; now <= 1_005_000; now += 1000) {
      expect(server.verify(token, USER, now, token).expired).toBe(false);
      token = server.create(USER, now, token);
    }
    expect(server.verify(token, USER, 1_005_001, token)).toMatchObject({ genuine: true, expired: true });
  });
});

describe('the session of a token', () => {
  it('goes on with every renewal and may not change within a login', () => {
    const server = tokens();
    const first = server.create(USER, 1_000_000);
    const second = server.create(USER, 1_000_100, first);
    expect(authTokenSession(second)).toBe(authTokenSession(first));
    expect(server.verify(second, USER, 1_000_200, first).genuine).toBe(true);
    const stranger = server.create(USER, 1_000_000);
    const verdict = server.verify(stranger, USER, 1_000_200, first);
    expect(verdict.genuine).toBe(false);
    expect(verdict.warnings).toEqual(['--auth-gen-token: session id in token changed (Rejecting token.']);
  });
});

describe('what is no token', () => {
  it('is refused without an exception, whatever it is', () => {
    const server = tokens();
    fc.assert(
      fc.property(fc.string(), fc.string(), (tail, user) => {
        const password = `SESS_ID_AT_${tail}`;
        expect(isAuthToken(password)).toBe(true);
        return !server.verify(password, user, 1_000_000).genuine;
      }),
    );
    expect(isAuthToken('secret')).toBe(false);
    expect(server.verify('SESS_ID_AT_AAAA', USER, 0).warnings).toEqual([
      'ERROR: --auth-token wrong size (3!=60)',
    ]);
    expect(() => tokens({ key: new Uint8Array(127) })).toThrow('not enough data in auth-token secret');
  });
});

function tokens(options: { key?: Uint8Array; lifetimeSec?: number } = {}): AuthTokens {
  return new AuthTokens({
    key: KEY,
    lifetimeSec: 0,
    renewalSec: HOUR,
    crypto: createNodeCrypto(),
    ...options,
  });
}

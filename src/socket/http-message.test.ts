/** CONNECT requests and answers, and logins, against what a 2.6.14 client sent (test-kit/vectors.json). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import vectors from '../../test-kit/vectors.json' with { type: 'json' };
import {
  basicAuthorization,
  challengeParameter,
  digestAuthorization,
  readProxyChallenge,
} from './http-auth.ts';
import {
  bodyBytes,
  connectLines,
  isChunked,
  MAX_HEAD_BYTES,
  readChunks,
  readHttpHead,
} from './http-message.ts';

const { proxy } = vectors;
const PLAIN = {
  host: '10.99.7.1',
  port: '11940',
  version: '1.0',
  agent: undefined,
  customHeaders: [],
};
const LOGIN = { username: 'user', password: 'pass' };

describe('CONNECT request', () => {
  it('has the lines of a live 2.6 client', () => {
    expect(text(connectLines(PLAIN))).toBe(proxy.http_connect_text);
    const login = `Proxy-Authorization: ${basicAuthorization(LOGIN)}`;
    expect(text([...connectLines(PLAIN), login])).toBe(proxy.http_basic_text);
  });

  it('puts custom headers first, the agent behind Host, and leaves out a Host that was given', () => {
    const request = { ...PLAIN, version: '1.1', agent: 'some/1' };
    const customHeaders = [
      { name: 'X-One', content: '1' },
      { name: 'X-Two: 2', content: undefined },
    ];
    expect(connectLines({ ...request, customHeaders })).toEqual([
      'CONNECT 10.99.7.1:11940 HTTP/1.1',
      'X-One: 1',
      'X-Two: 2',
      'Host: 10.99.7.1',
      'User-Agent: some/1',
    ]);
    for (const own of [
      { name: 'HOST', content: 'other' },
      { name: 'host: other', content: undefined },
    ]) {
      expect(connectLines({ ...PLAIN, customHeaders: [own] })).not.toContain('Host: 10.99.7.1');
    }
  });
});

describe('answer of a proxy', () => {
  it('is read up to its empty line however it is cut', () => {
    const head = 'HTTP/1.1 407 Proxy Authentication Required\r\nA: b\r\nContent-Length: 12\r\n\r\n';
    const bytes = Buffer.from(`${head}rest`);
    for (let end = 0; end < head.length; end++) {
      expect(readHttpHead(bytes.subarray(0, end))).toEqual({ type: 'more' });
    }
    const answer = readHttpHead(bytes);
    expect(answer).toMatchObject({ type: 'done', used: head.length, value: { status: 407 } });
    if (answer.type !== 'done') return;
    expect(answer.value.headers).toEqual([
      ['a', 'b'],
      ['content-length', '12'],
    ]);
    expect([bodyBytes(answer.value), isChunked(answer.value)]).toEqual([12, false]);
  });

  it('may end its lines in LF alone and lack a status', () => {
    expect(readHttpHead(Buffer.from('HTTP/1.0 200 OK\n\n'))).toMatchObject({ value: { status: 200 } });
    expect(readHttpHead(Buffer.from('hello\r\n\r\n'))).toMatchObject({ value: { status: undefined } });
  });

  it('is refused when it has no end', () => {
    expect(readHttpHead(Buffer.alloc(MAX_HEAD_BYTES - 1, 'x'))).toEqual({ type: 'more' });
    expect(readHttpHead(Buffer.alloc(MAX_HEAD_BYTES, 'x'))).toMatchObject({ type: 'bad' });
  });

  it('gives the same verdict for the same bytes, and uses no more than there are', () => {
    const piece = fc.constantFrom('HTTP/1.1 200 OK', '\r\n', '\n', '\r', 'A: b', '\r\n\r\n', ':', ' ', '\0');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const bytes = Buffer.from(pieces.join(''));
        const answer = readHttpHead(bytes);
        expect(readHttpHead(Buffer.concat([bytes]))).toEqual(answer);
        if (answer.type !== 'done') return;
        expect(bytes.subarray(0, answer.used).toString()).toMatch(/\n\r?\n$/);
        expect(readHttpHead(Buffer.concat([bytes, Buffer.from('more')]))).toEqual(answer);
      }),
    );
  });

  it('finds the end of a body in chunks', () => {
    const body = Buffer.from('4\r\nWiki\r\n6;x=y\r\npedia \r\n0\r\n\r\nHTTP/1.1');
    for (let end = 0; end < body.length - 8; end++) {
      expect(readChunks(body.subarray(0, end)).type).toBe('more');
    }
    expect(readChunks(body)).toEqual({ type: 'done', value: true, used: body.length - 8 });
    expect(readChunks(Buffer.from('xyz\r\n')).type).toBe('bad');
    expect(readChunks(Buffer.alloc(64, '1')).type).toBe('bad');
  });
});

describe('login', () => {
  it('answers a digest challenge as a live 2.6 client did', () => {
    const { realm, nonce, cnonce, uri, header_text } = proxy.http_digest;
    const challenge = `realm="${realm}", nonce="${nonce}", qop="auth", opaque="op"`;
    const answer = digestAuthorization(challenge, LOGIN, { method: 'CONNECT', uri, cnonce });
    expect(`Proxy-Authorization: ${answer}`).toBe(header_text);
  });

  it('can do MD5-sess, and nothing without realm or nonce', () => {
    const request = { method: 'CONNECT', uri: 'h:1', cnonce: 'c' };
    const plain = digestAuthorization('realm="r", nonce="n"', LOGIN, request);
    const session = digestAuthorization('realm="r", nonce="n", algorithm=MD5-sess', LOGIN, request);
    expect(session).not.toBe(plain);
    expect(digestAuthorization('realm="r"', LOGIN, request)).toBeUndefined();
    expect(digestAuthorization('nonce="n"', LOGIN, request)).toBeUndefined();
  });

  it('reads parameters with and without quotes', () => {
    const challenge = 'realm="a, \\"b\\"", stale=TRUE,nonce=abc,  qop="auth"';
    expect(
      ['realm', 'stale', 'nonce', 'qop', 'opaque'].map((name) => challengeParameter(challenge, name)),
    ).toEqual(['a, \\"b\\"', 'TRUE', 'abc', 'auth', undefined]);
  });

  it('knows its methods', () => {
    expect(readProxyChallenge('Basic realm="x"')).toEqual({ method: 'basic', text: 'realm="x"' });
    expect(readProxyChallenge('NTLM')).toEqual({ method: 'ntlm', text: '' });
    expect(readProxyChallenge('Negotiate abc')).toBeUndefined();
    expect(readProxyChallenge('Basically')).toBeUndefined();
  });

  it('reads any challenge in reasonable time', () => {
    const piece = fc.constantFrom('realm', '=', '"', '\\', ',', ' ', 'a', '\t');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 200 }), (pieces) => {
        const value = challengeParameter(pieces.join(''), 'realm');
        expect(value === undefined || value.length <= 255).toBe(true);
      }),
    );
  });
});

function text(lines: readonly string[]): string {
  return `${lines.join('\r\n')}\r\n\r\n`;
}

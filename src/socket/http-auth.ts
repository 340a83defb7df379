/**
 * What an HTTP proxy asks for and what it gets (2.x proxy.c get_proxy_authenticate(), get_pa_var();
 * httpdigest.c; RFC 2617 with qop=auth). Pure.
 */
import { createHash } from 'node:crypto';
import { bytesOfText } from '../base/base.ts';

export type HttpAuthMethod = 'basic' | 'digest' | 'ntlm';

export interface ProxyCredentials {
  readonly username: string;
  readonly password: string;
}

/** A Proxy-Authenticate header that we can answer. */
export interface ProxyChallenge {
  readonly method: HttpAuthMethod;
  /** What stands behind the method's name. */
  readonly text: string;
}

/** Longest name and value of a challenge's parameter; longer ones are cut, as in 2.x. */
const MAX_NAME = 63;
const MAX_VALUE = 255;

/** A Proxy-Authenticate value; undefined for a method that we don't know. */
export function readProxyChallenge(value: string): ProxyChallenge | undefined {
  const [, name = '', text = ''] = /^(Basic|Digest|NTLM)(?:[ \t]+(.*))?$/i.exec(value) ?? [];
  const method = name.toLowerCase();
  return method === 'basic' || method === 'digest' || method === 'ntlm' ? { method, text } : undefined;
}

/**
 * Parameter `name` of a challenge. 2.x's sloppy grammar: `name=value` or `name="value"`, divided by commas;
 * a backslash inside quotes stays with the character it protects.
 */
export function challengeParameter(text: string, name: string): string | undefined {
  for (let at = 0; at < text.length; ) {
    const equals = text.indexOf('=', at);
    if (equals < 0 || equals - at > MAX_NAME) return undefined;
    const key = text.slice(at, equals);
    const value = readValue(text, equals + 1);
    if (key === name) return value.text.slice(0, MAX_VALUE);
    at = value.end;
    if (text[at] === ',') at++;
    while (at < text.length && /\s/.test(text[at]!)) at++;
  }
  return undefined;
}

export function basicAuthorization({ username, password }: ProxyCredentials): string {
  return `Basic ${Buffer.from(bytesOfText(`${username}:${password}`)).toString('base64')}`;
}

export interface DigestRequest {
  readonly method: string;
  /** `host:port` for CONNECT. */
  readonly uri: string;
  /** Our nonce, base64 of 8 random bytes. */
  readonly cnonce: string;
}

/** The answer to a Digest challenge; undefined when realm or nonce are missing. */
export function digestAuthorization(
  challenge: string,
  { username, password }: ProxyCredentials,
  { method, uri, cnonce }: DigestRequest,
): string | undefined {
  const realm = challengeParameter(challenge, 'realm');
  const nonce = challengeParameter(challenge, 'nonce');
  if (realm === undefined || nonce === undefined) return undefined;
  const algorithm = challengeParameter(challenge, 'algorithm')?.toLowerCase();
  const opaque = challengeParameter(challenge, 'opaque');
  const login = md5(`${username}:${realm}:${password}`);
  const session = algorithm === 'md5-sess' ? createHash('md5').update(Buffer.from(login, 'hex')) : undefined;
  const secret = session ? session.update(`:${nonce}:${cnonce}`).digest('hex') : login;
  const response = md5(`${secret}:${nonce}:${NONCE_COUNT}:${cnonce}:auth:${md5(`${method}:${uri}`)}`);
  const parts = [
    `Digest username="${username}"`,
    `realm="${realm}"`,
    `nonce="${nonce}"`,
    `uri="${uri}"`,
    'qop=auth',
    `nc=${NONCE_COUNT}`,
    `cnonce="${cnonce}"`,
    `response="${response}"`,
  ];
  if (opaque !== undefined) parts.push(`opaque="${opaque}"`);
  return parts.join(', ');
}

/** Every request has a nonce of its own. */
const NONCE_COUNT = '00000001';

function readValue(text: string, start: number): { readonly text: string; readonly end: number } {
  if (text[start] !== '"') {
    const comma = text.indexOf(',', start);
    const end = comma < 0 ? text.length : comma;
    return { text: text.slice(start, end), end };
  }
  let end = start + 1;
  while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
  const stop = Math.min(end, text.length);
  return { text: text.slice(start + 1, stop), end: Math.min(stop + 1, text.length) };
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

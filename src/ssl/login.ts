/**
 * What a server makes of the login in a client's key message (2.x ssl.c key_method_2_read()).
 */
import { type KeyMessage, replaceControlCharacters } from './key-method-2.ts';
import type { Credentials, PeerIdentity, TlsMultiConfig } from './ssl.ts';

export type LoginDecision =
  /** The handshake can't go on. */
  | { readonly type: 'fail'; readonly text: string }
  /** The handshake goes on, so that the client can be told. */
  | { readonly type: 'refused'; readonly text: string; readonly reason: string }
  | { readonly type: 'ask'; readonly credentials: Credentials | undefined }
  /** The certificate is all that counts. */
  | { readonly type: 'admitted' };

export function decideLogin(
  message: KeyMessage,
  config: TlsMultiConfig,
  identity: PeerIdentity,
): LoginDecision {
  if (message.credentialsTooLong) {
    return {
      type: 'refused',
      text: 'TLS Error: Username or password too long',
      reason: 'Username or password is too long. Maximum length is 128 bytes',
    };
  }
  const given = message.hasCredentials;
  if (config.needCredentials && !given) {
    return { type: 'fail', text: 'TLS Error: Auth Username/Password was not provided by peer' };
  }
  if (config.needCredentials || config.deferAuth) {
    const password = replaceControlCharacters(message.password);
    return { type: 'ask', credentials: given ? { username: identity.username, password } : undefined };
  }
  if (identity.chain.length === 0) {
    return { type: 'fail', text: 'TLS Error: Certificate verification failed (key-method 2)' };
  }
  return { type: 'admitted' };
}

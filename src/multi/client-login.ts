/**
 * The login of a server's client (2.x ssl_verify.c verify_user_pass(), add_session_token_env(),
 * key_state_check_auth_pending_file(); auth_token.c): a token is judged here, a password by the script, which may
 * take its time or send the user elsewhere first. Whoever gets in has a new token made.
 */
import { D_HANDSHAKE, D_PUSH, D_TLS_ERRORS, M_INFO, M_WARN } from '../base/errlevel.ts';
import { authPendingMessages } from '../push/push.ts';
import type { AuthDeferOptions, AuthScriptAnswer, PendingAuth } from '../script/script.ts';
import {
  type AuthTokenVerdict,
  authTokenSession,
  type Credentials,
  IV_PROTO_AUTH_PENDING_KW,
  isAuthToken,
  type PeerInfo,
  type TlsEvent,
} from '../ssl/ssl.ts';
import { setIdentity } from './client-env.ts';
import type { InstanceSession } from './instance-session.ts';
import type { MultiConfig } from './multi.ts';
import type { MultiInstance } from './multi-instance.ts';

/** Most characters of a name that becomes the common name (2.x TLS_USERNAME_LEN). */
const COMMON_NAME_MAX = 64;

export interface LoginHost {
  readonly config: MultiConfig;
}

/** A login in question: whose, and in which of its sessions. */
interface Asked {
  readonly instance: MultiInstance;
  readonly session: InstanceSession;
}

type AuthenticateEvent = Extract<TlsEvent, { readonly type: 'authenticate' }>;

/** For Peer.answer(). */
export type LoginAnswer = AuthScriptAnswer & { readonly username?: string };

export class ClientLogin {
  readonly #host: LoginHost;

  constructor(host: LoginHost) {
    this.#host = host;
  }

  /** Settles when the login is decided. */
  async judge(
    instance: MultiInstance,
    session: InstanceSession,
    event: AuthenticateEvent,
  ): Promise<LoginAnswer> {
    const { x509Track } = this.#host.config.options;
    setIdentity(session.env, event.identity, instance.remote, x509Track);
    const asked = { instance, session };
    const given = event.credentials ?? { username: '', password: '' };
    const token = this.#judgeToken(asked, given);
    const username = token?.emptyUser ? '' : given.username;
    const login = { username, password: given.password };
    const answer = await this.#decide(asked, login, token, event.identity.peerInfo);
    session.setChallenge(false);
    if (session.over) return { ok: false };
    if (!answer.ok) {
      instance.log.log(D_TLS_ERRORS, 'TLS Auth Error: Auth Username/Password verification failed for peer');
      return answer;
    }
    this.#renew(session, token?.emptyUser ? '' : username);
    return username === given.username ? answer : { ...answer, username };
  }

  /** A new token for a client that has one, sent at once: after a renegotiation, and from time to time. */
  renewToken(instance: MultiInstance, nowMs: number, anew: boolean): void {
    const { tokens } = instance.session;
    if (!this.#host.config.authTokens || tokens.initial === undefined) return;
    if (anew) this.#renew(instance.session, tokens.username);
    instance.peer.sendMessage(`PUSH_REPLY,auth-token ${tokens.current}`, nowMs);
  }

  async #decide(
    asked: Asked,
    login: Credentials,
    token: AuthTokenVerdict | undefined,
    peerInfo: PeerInfo,
  ): Promise<AuthScriptAnswer> {
    const { options } = this.#host.config;
    const { instance, session } = asked;
    if (token && !options.authGenToken?.externalAuth) {
      const good = token.genuine && !token.expired && !token.emptyUser;
      const outcome = good ? 'succeeded' : 'failed';
      instance.log.log(
        M_WARN,
        `TLS: Username/auth-token authentication ${outcome} for username '${login.username}'`,
      );
      if (!good) {
        session.tokens.current = undefined;
        session.tokens.initial = undefined;
        return { ok: false, ...expiry(token) };
      }
      return this.#checkName(instance, login.username) ? { ok: true } : { ok: false };
    }
    if (login.username === '' && !options.authUserPassOptional) {
      instance.log.log(D_TLS_ERRORS, 'TLS Auth Error: peer provided a blank username');
      return { ok: false, ...expiry(token) };
    }
    this.#exportSession(session, login, token);
    const answer = await this.#ask(asked, login, peerInfo);
    if (!answer.ok) return { ...expiry(token), ...answer };
    if (session.over || !this.#checkName(instance, login.username)) return { ok: false };
    const asName = options.usernameAsCommonName ? '[CN SET]' : '';
    instance.log.log(
      D_HANDSHAKE,
      `TLS: Username/Password authentication succeeded for username '${login.username}' ${asName}`,
    );
    return answer;
  }

  #judgeToken(
    { instance: { log }, session: { tokens } }: Asked,
    { username, password }: Credentials,
  ): AuthTokenVerdict | undefined {
    const { authTokens, clock } = this.#host.config;
    if (!authTokens || !isAuthToken(password)) return undefined;
    const nowSec = Math.floor(clock.wallMs() / 1000);
    const verdict = authTokens.verify(password, username, nowSec, tokens.initial);
    for (const text of verdict.warnings) log.log(M_WARN, text);
    if (verdict.expired) log.log(M_INFO, '--auth-gen-token: auth-token from client expired');
    if (verdict.genuine) tokens.initial ??= password;
    return verdict;
  }

  /** session_id and session_state for scripts that judge tokens themselves. */
  #exportSession(
    { tokens, env }: InstanceSession,
    login: Credentials,
    token: AuthTokenVerdict | undefined,
  ): void {
    const { authTokens, clock } = this.#host.config;
    if (!authTokens) return;
    env.set('session_state', sessionState(token));
    let source = login.password;
    if (!token?.genuine || token.expired) {
      tokens.initial ??= authTokens.create(login.username, Math.floor(clock.wallMs() / 1000));
      source = tokens.initial;
    }
    env.set('session_id', authTokenSession(source));
  }

  #ask(asked: Asked, login: Credentials, peerInfo: PeerInfo): Promise<AuthScriptAnswer> {
    const { hooks } = this.#host.config;
    const { instance, session } = asked;
    const startedMs = this.#nowMs;
    const defer: AuthDeferOptions = {
      deadlineMs: instance.bound.profile.tls.handWindowMs,
      signal: session.signal,
      onDeferred: () =>
        instance.log.log(
          D_HANDSHAKE,
          `TLS: Username/Password authentication deferred for username '${login.username}' `,
        ),
      onPending: (pending) => this.#sendPending(asked, pending, peerInfo, startedMs),
    };
    return hooks.authUserPassVerify(session.env, login, defer);
  }

  /** The script sends the user elsewhere: tells the client how long that may take. 0 = the client can't do it. */
  #sendPending(
    { instance, session }: Asked,
    pending: PendingAuth,
    peerInfo: PeerInfo,
    startedMs: number,
  ): number {
    // Only the session that holds the place can be told; that of a newcomer does by the time its key is there.
    if (session !== instance.session) return 0;
    if (!peerInfo.values.get('IV_SSO')?.split(',').includes(pending.method)) return 0;
    const { handWindowMs, renegMs } = instance.bound.profile.tls;
    const nowMs = this.#nowMs;
    const mostMs = Math.max(renegMs / 2, handWindowMs) - (nowMs - startedMs);
    const timeoutMs = Math.max(1000, Math.min(mostMs, pending.timeoutSec * 1000));
    const keywords = (peerInfo.proto & IV_PROTO_AUTH_PENDING_KW) !== 0;
    const messages = authPendingMessages(pending.extra, Math.floor(timeoutMs / 1000), keywords);
    if (!messages) {
      instance.log.log(D_PUSH, 'AUTH_PENDING message of the script is too long');
      return 0;
    }
    instance.handshakeUntilMs = Math.max(instance.handshakeUntilMs, nowMs + timeoutMs);
    for (const text of messages) instance.peer.sendLoginMessage(text, nowMs);
    session.setChallenge(true);
    instance.peer.drive(nowMs);
    return timeoutMs;
  }

  /** A name that becomes the common name may not be longer than one. */
  #checkName(instance: MultiInstance, username: string): boolean {
    const { options } = this.#host.config;
    if (!options.usernameAsCommonName || Buffer.byteLength(username) <= COMMON_NAME_MAX) return true;
    instance.log.log(
      D_TLS_ERRORS,
      `TLS Auth Error: --username-as-common name specified and username is longer than the maximum permitted Common Name length of ${COMMON_NAME_MAX} characters`,
    );
    return false;
  }

  #renew({ tokens }: InstanceSession, username: string): void {
    const { authTokens, clock } = this.#host.config;
    if (!authTokens) return;
    tokens.username = username;
    tokens.current = authTokens.create(username, Math.floor(clock.wallMs() / 1000), tokens.initial);
    tokens.initial ??= tokens.current;
  }

  get #nowMs(): number {
    return this.#host.config.clock.nowMs();
  }
}

/** What the client is told when its token was too old. */
function expiry(token: AuthTokenVerdict | undefined): { readonly reason?: string } {
  return token?.expired ? { reason: 'SESSION: token expired' } : {};
}

function sessionState(token: AuthTokenVerdict | undefined): string {
  if (!token) return 'Initial';
  if (!token.genuine) return 'Invalid';
  return `${token.expired ? 'Expired' : 'Authenticated'}${token.emptyUser ? 'EmptyUser' : ''}`;
}

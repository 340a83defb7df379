/**
 * Every place where the outside may decide or is told (2.x the hooks of scripts and plugins). Answers are promises, so
 * that one that takes its time holds up nobody else. Who has nothing to say to a hook agrees.
 */
import type { LinkAddress } from '../base/base.ts';
import type { EnvSet } from './env-set.ts';
import type {
  AuthDeferOptions,
  AuthScriptAnswer,
  ClientConnectAnswer,
  DeferOptions,
  UpDownContext,
} from './script.ts';

/** What a tls-verify hook judges. */
export interface VerifiedCertificate {
  readonly depth: number;
  /** As logs show it. */
  readonly subject: string;
  readonly der: Uint8Array;
}

/** What a wrapped client key of tls-crypt-v2 carries; type 0 user data, 1 timestamp. */
export interface ClientKeyMetadata {
  readonly type: number;
  readonly data: Uint8Array;
}

export interface Login {
  readonly username: string;
  readonly password: string;
}

export type AddressOperation = 'add' | 'update' | 'delete';

export interface Hooks {
  /** Whether anybody has something to say to this hook. */
  handles(hook: HookName): boolean;
  /** False is fatal, as in 2.x. */
  up(env: EnvSet, context: UpDownContext): Promise<boolean>;
  /** False is fatal. */
  down(env: EnvSet, context: UpDownContext): Promise<boolean>;
  /** False is fatal. */
  routePreDown(env: EnvSet, context: UpDownContext): Promise<boolean>;
  routeUp(env: EnvSet): Promise<boolean>;
  /** Client and p2p, after each successful authentication. */
  ipchange(env: EnvSet, from: LinkAddress): Promise<boolean>;
  /** True accepts the certificate. */
  tlsVerify(env: EnvSet, certificate: VerifiedCertificate, signal?: AbortSignal): Promise<boolean>;
  tlsCryptV2Verify(env: EnvSet, metadata: ClientKeyMetadata, signal?: AbortSignal): Promise<boolean>;
  /** A login at a server. */
  authUserPassVerify(env: EnvSet, login: Login, defer: AuthDeferOptions): Promise<AuthScriptAnswer>;
  /** A client's answer to a challenge; false deauthenticates the client. */
  clientCrresponse(env: EnvSet, responseBase64: string): Promise<boolean>;
  /** Server, after authentication. `config` has options with context letter D. */
  clientConnect(env: EnvSet, defer: DeferOptions): Promise<ClientConnectAnswer>;
  clientDisconnect(env: EnvSet): Promise<void>;
  /**
   * `address` as 2.x prints it: `10.8.0.2`, `192.168.77.0/24`, a MAC. `commonName` is absent for delete,
   * for which 2.x passes an empty set. False for add or update rejects the address.
   */
  learnAddress(
    env: EnvSet,
    operation: AddressOperation,
    address: string,
    commonName?: string,
  ): Promise<boolean>;
}

export type HookName = Exclude<keyof Hooks, 'handles'>;

/**
 * All of them, in their order. What must agree agrees when all do, and who comes after a no isn't asked; who is told is
 * told by all.
 */
export function chain(...all: readonly Hooks[]): Hooks {
  const every = async (ask: (hooks: Hooks) => Promise<boolean>): Promise<boolean> => {
    for (const hooks of all) if (!(await ask(hooks))) return false;
    return true;
  };
  return {
    handles: (hook) => all.some((hooks) => hooks.handles(hook)),
    up: (env, context) => every((hooks) => hooks.up(env, context)),
    down: (env, context) => every((hooks) => hooks.down(env, context)),
    routePreDown: (env, context) => every((hooks) => hooks.routePreDown(env, context)),
    routeUp: (env) => every((hooks) => hooks.routeUp(env)),
    ipchange: (env, from) => every((hooks) => hooks.ipchange(env, from)),
    tlsVerify: (env, certificate, signal) => every((hooks) => hooks.tlsVerify(env, certificate, signal)),
    tlsCryptV2Verify: (env, metadata, signal) =>
      every((hooks) => hooks.tlsCryptV2Verify(env, metadata, signal)),
    authUserPassVerify: async (env, login, defer) => {
      for (const hooks of all) {
        const answer = await hooks.authUserPassVerify(env, login, defer);
        if (!answer.ok) return answer;
      }
      return { ok: true };
    },
    clientCrresponse: (env, response) => every((hooks) => hooks.clientCrresponse(env, response)),
    clientConnect: (env, defer) => connectAll(all, env, defer),
    clientDisconnect: async (env) => {
      for (const hooks of all) await hooks.clientDisconnect(env);
    },
    learnAddress: (env, operation, address, commonName) =>
      every((hooks) => hooks.learnAddress(env, operation, address, commonName)),
  };
}

/** Options of all, the later ones last. */
async function connectAll(
  all: readonly Hooks[],
  env: EnvSet,
  defer: DeferOptions,
): Promise<ClientConnectAnswer> {
  const given: ClientConnectAnswer[] = [];
  for (const hooks of all) {
    const answer = await hooks.clientConnect(env, defer);
    if (!answer.ok) return answer;
    if (answer.file !== undefined) given.push(answer);
  }
  const [first] = given;
  if (first?.file === undefined) return { ok: true, config: '' };
  return { ok: true, config: given.map(({ config }) => config).join('\n'), file: first.file };
}

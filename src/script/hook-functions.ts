/**
 * Hooks in TypeScript: an object with a function for each hook that it has something to say to. A function answers at
 * once or later; one that throws is a hook that failed, and logged.
 */
import { errorMessage, type LinkAddress, type Logger } from '../base/base.ts';
import { M_WARN } from '../base/errlevel.ts';
import type { EnvSet } from './env-set.ts';
import type {
  AddressOperation,
  ClientKeyMetadata,
  HookName,
  Hooks,
  Login,
  VerifiedCertificate,
} from './hooks.ts';
import type {
  AuthDeferOptions,
  AuthScriptAnswer,
  ClientConnectAnswer,
  DeferOptions,
  PendingAuth,
  UpDownContext,
} from './script.ts';

/** What every hook sees: the variables that a script would have, without passwords. */
export interface HookEvent {
  readonly env: Readonly<Record<string, string>>;
}

export interface LoginEvent extends HookEvent, Login {
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /**
   * Tells the client that the login goes on elsewhere (AUTH_PENDING), and waits accordingly longer. False when the
   * client doesn't know the method.
   */
  pend(pending: PendingAuth): boolean;
}

type Later<T> = T | Promise<T>;

/** Where nothing is decided, `false` alone says that something failed. */
export interface HookFunctions {
  up?(event: HookEvent & UpDownContext): unknown;
  down?(event: HookEvent & UpDownContext): unknown;
  routePreDown?(event: HookEvent & UpDownContext): unknown;
  routeUp?(event: HookEvent): unknown;
  ipchange?(event: HookEvent & { readonly from: LinkAddress }): unknown;
  tlsVerify?(event: HookEvent & VerifiedCertificate): Later<boolean>;
  tlsCryptV2Verify?(event: HookEvent & ClientKeyMetadata): Later<boolean>;
  /** `reason` reaches the client with its AUTH_FAILED. */
  authUserPassVerify?(event: LoginEvent): Later<boolean | AuthScriptAnswer>;
  clientCrresponse?(event: HookEvent & { readonly responseBase64: string }): Later<boolean>;
  /** False refuses the client; a text has options for it, as a file of client-config-dir. */
  clientConnect?(event: HookEvent & { readonly signal: AbortSignal }): Later<boolean | string>;
  clientDisconnect?(event: HookEvent): unknown;
  learnAddress?(
    event: HookEvent & {
      readonly operation: AddressOperation;
      readonly address: string;
      readonly commonName: string | undefined;
    },
  ): Later<boolean>;
}

/** What --script-security shows to scripts without passwords. */
const WITHOUT_PASSWORDS = 2;
/** Stands for a file's name where errors of options are told. */
const CONNECT_LABEL = 'client-connect hook';

/** The object's functions as hooks. */
export function hooksOf(functions: HookFunctions, log: Logger): Hooks {
  return new FunctionHooks(functions, log);
}

class FunctionHooks implements Hooks {
  readonly #functions: HookFunctions;
  readonly #log: Logger;

  constructor(functions: HookFunctions, log: Logger) {
    this.#functions = functions;
    this.#log = log;
  }

  handles(hook: HookName): boolean {
    return this.#functions[hook] !== undefined;
  }

  up(env: EnvSet, context: UpDownContext): Promise<boolean> {
    return this.#tell('up', () => this.#functions.up?.({ ...context, ...event(env) }));
  }

  down(env: EnvSet, context: UpDownContext): Promise<boolean> {
    return this.#tell('down', () => this.#functions.down?.({ ...context, ...event(env) }));
  }

  routePreDown(env: EnvSet, context: UpDownContext): Promise<boolean> {
    return this.#tell('routePreDown', () => this.#functions.routePreDown?.({ ...context, ...event(env) }));
  }

  routeUp(env: EnvSet): Promise<boolean> {
    return this.#tell('routeUp', () => this.#functions.routeUp?.(event(env)));
  }

  ipchange(env: EnvSet, from: LinkAddress): Promise<boolean> {
    return this.#tell('ipchange', () => this.#functions.ipchange?.({ from, ...event(env) }));
  }

  tlsVerify(env: EnvSet, { depth, subject, der }: VerifiedCertificate): Promise<boolean> {
    return this.#decide('tlsVerify', { depth, subject, der, ...event(env) });
  }

  tlsCryptV2Verify(env: EnvSet, { type, data }: ClientKeyMetadata): Promise<boolean> {
    return this.#decide('tlsCryptV2Verify', { type, data, ...event(env) });
  }

  async authUserPassVerify(env: EnvSet, login: Login, defer: AuthDeferOptions): Promise<AuthScriptAnswer> {
    const ask = this.#functions.authUserPassVerify?.bind(this.#functions);
    if (!ask) return { ok: true };
    const wait = new Wait(defer);
    const pend = (pending: PendingAuth): boolean => {
      const allowedMs = defer.onPending?.(pending) ?? 0;
      if (allowedMs > 0) wait.allow(allowedMs);
      return allowedMs > 0;
    };
    const { signal } = wait;
    const { username, password } = login;
    const answer = await wait.until(
      this.#try('authUserPassVerify', () => ask({ username, password, signal, pend, ...event(env) })),
    );
    return readAnswer(answer);
  }

  clientCrresponse(env: EnvSet, responseBase64: string): Promise<boolean> {
    return this.#decide('clientCrresponse', { responseBase64, ...event(env) });
  }

  async clientConnect(env: EnvSet, defer: DeferOptions): Promise<ClientConnectAnswer> {
    const ask = this.#functions.clientConnect?.bind(this.#functions);
    if (!ask) return { ok: true, config: '' };
    const wait = new Wait(defer);
    const { signal } = wait;
    const answer = await wait.until(this.#try('clientConnect', () => ask({ signal, ...event(env) })));
    if (typeof answer === 'string') return { ok: true, config: answer, file: CONNECT_LABEL };
    return { ok: answer === true, config: '' };
  }

  async clientDisconnect(env: EnvSet): Promise<void> {
    await this.#tell('clientDisconnect', () => this.#functions.clientDisconnect?.(event(env)));
  }

  learnAddress(
    env: EnvSet,
    operation: AddressOperation,
    address: string,
    commonName?: string,
  ): Promise<boolean> {
    return this.#decide('learnAddress', { operation, address, commonName, ...event(env) });
  }

  async #decide<H extends HookName>(
    hook: H,
    about: Parameters<NonNullable<HookFunctions[H]>>[0],
  ): Promise<boolean> {
    const ask = this.#functions[hook] as ((about: unknown) => unknown) | undefined;
    return ask === undefined || (await this.#try(hook, () => ask.call(this.#functions, about))) === true;
  }

  async #tell(hook: HookName, tell: () => unknown): Promise<boolean> {
    return (await this.#try(hook, async () => (await tell()) !== false)) === true;
  }

  /** Undefined when it throws. */
  async #try<T>(hook: HookName, call: () => Later<T>): Promise<T | undefined> {
    try {
      return await call();
    } catch (error) {
      const why = errorMessage(error);
      this.#log.log(M_WARN, `WARNING: the hook ${hook} threw: ${why}`);
      return undefined;
    }
  }
}

/** Whatever it is that came, only what says yes is one. */
function readAnswer(answer: unknown): AuthScriptAnswer {
  if (typeof answer !== 'object' || answer === null) return { ok: answer === true };
  const { ok, reason } = answer as Partial<AuthScriptAnswer>;
  return { ok: ok === true, ...(typeof reason === 'string' && { reason }) };
}

/** How long an answer is waited for. */
class Wait {
  readonly #ended = new AbortController();
  #timer: NodeJS.Timeout;

  constructor({ deadlineMs, signal }: DeferOptions) {
    this.#timer = setTimeout(() => this.#ended.abort(), deadlineMs);
    if (signal?.aborted) this.#ended.abort();
    else signal?.addEventListener('abort', () => this.#ended.abort(), { once: true, signal: this.signal });
  }

  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Counts anew from here on. */
  allow(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ended.abort(), ms);
  }

  /** The answer, or undefined when it didn't come in time. */
  async until<T>(answer: Promise<T>): Promise<T | undefined> {
    const { signal } = this;
    try {
      if (signal.aborted) return undefined;
      const late = new Promise<undefined>((resolve) => {
        signal.addEventListener('abort', () => resolve(undefined), { once: true });
      });
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(this.#timer);
      // Whoever still works on it may stop.
      this.#ended.abort();
    }
  }
}

function event(env: EnvSet): HookEvent {
  return { env: env.snapshot(WITHOUT_PASSWORDS) };
}

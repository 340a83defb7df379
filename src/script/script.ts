/**
 * Header of script/ (2.x run_command.h, env_set.h, argv.h): user scripts, their environment and
 * arguments. A script never blocks the loop: its end is an answer that comes later.
 *
 * Backend of ScriptRunner: script-runner-node.ts (execve-like child processes). ScriptHooks knows what
 * each hook gets: script_type, positional arguments, temporary files, and how its answer is read.
 */
export interface ScriptResult {
  /** Exit status; 127 = could not be executed; undefined = ended by a signal or never started. */
  readonly status: number | undefined;
  /** Why it never started: script-security forbids it, or the system refused a new process. */
  readonly failure?: 'disallowed' | 'fork';
}

/** Runs one hook. `command` is the configured text, split by the 2.x tokenizer; `args` are appended. */
export interface ScriptRunner {
  readonly name: string;
  /**
   * `env` is the whole environment of the child. Never rejects: failures are results. `signal`: what still
   * waits for its turn isn't wanted any more; what runs goes on.
   */
  run(
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<ScriptResult>;
  /**
   * From here on scripts have only so long and are ended then: what holds up the end of the program must end.
   * Without `limits` they have as long as they like, as from the start.
   */
  limit?(limits?: ScriptLimits): void;
}

/** How long scripts may take, ms from the call of limit() or from their start. */
export interface ScriptLimits {
  /** Those that run already. */
  readonly runningMs: number;
  /** Those that are started later, to take things down. */
  readonly newMs: number;
}

/**
 * Configured command texts; a missing one means that the hook isn't run and counts as a success.
 * Names and types are those of `Options`, so that an Options object can be passed as it is.
 */
export interface HookCommands {
  readonly up?: string | undefined;
  readonly down?: string | undefined;
  readonly routeUp?: string | undefined;
  readonly routePreDown?: string | undefined;
  readonly ipchange?: string | undefined;
  readonly tlsVerify?: string | undefined;
  readonly tlsCryptV2Verify?: string | undefined;
  readonly clientConnect?: string | undefined;
  readonly clientDisconnect?: string | undefined;
  readonly clientCrresponse?: string | undefined;
  readonly learnAddress?: string | undefined;
  readonly authUserPassVerify?: { readonly command: string; readonly viaFile: boolean } | undefined;
}

/** What up, down and route-pre-down tell about the device. */
export interface UpDownContext {
  readonly dev: string;
  /** Left out for what goes down: 2.x tells it to up alone. */
  readonly devType?: 'tun' | 'tap' | 'null' | undefined;
  readonly tunMtu: number;
  /** `ifconfig` words; undefined is an empty argument, so that the others keep their places. */
  readonly ifconfigLocal?: string | undefined;
  /** Remote address (p2p, net30) or netmask. */
  readonly ifconfigRemote?: string | undefined;
  readonly context: 'init' | 'restart';
  /** Reason such as `sigterm` or `ping-restart`; for down and route-pre-down. */
  readonly signal?: string | undefined;
}

/** Timing of scripts that answer through files. */
export interface DeferOptions {
  /** How long a deferred answer may take, ms; then it counts as a failure. */
  readonly deadlineMs: number;
  /** Stops waiting; the promise then resolves as a failure and the files are removed. */
  readonly signal?: AbortSignal | undefined;
  /** Told once when the script defers. */
  readonly onDeferred?: () => void;
}

/** What a script asked for in auth_pending_file. */
export interface PendingAuth {
  readonly timeoutSec: number;
  /** Has to be in the client's IV_SSO. */
  readonly method: string;
  readonly extra: string;
}

export interface AuthDeferOptions extends DeferOptions {
  /**
   * Sends AUTH_PENDING to the client and returns how long the answer may take, ms (2.x: the script's
   * timeout, at most the larger of reneg-sec / 2 and hand-window). 0 = the client lacks the method.
   */
  readonly onPending?: (pending: PendingAuth) => number;
}

export interface AuthScriptAnswer {
  readonly ok: boolean;
  /** Client reason for AUTH_FAILED, as written by the script. */
  readonly reason?: string;
}

export interface ClientConnectAnswer {
  readonly ok: boolean;
  /** Text that the script wrote: options with context letter D. '' when it wrote nothing. */
  readonly config: string;
  /** Where it wrote; undefined without a script, or when it removed the file. */
  readonly file?: string;
}

export {
  setCertificate,
  setChain,
  setPeerAddress,
  type TrackedAttribute,
} from './certificate-env.ts';
export { EnvSet } from './env-set.ts';
/** hooksOf(functions, log): hooks in TypeScript. */
export { type HookEvent, type HookFunctions, hooksOf, type LoginEvent } from './hook-functions.ts';
/** chain(...hooks): all of them, in their order. */
export { chain, type HookName, type Hooks } from './hooks.ts';
export { inheritedDescriptors } from './inherited-fds.ts';
export { type HookOptions, ScriptHooks } from './script-hooks.ts';

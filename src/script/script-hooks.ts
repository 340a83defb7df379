/**
 * What each hook gets and how its answer is read (2.x run_up_down() of init.c, ssl_verify.c,
 * multi.c): script_type and further variables, positional arguments, temporary files
 * (`openvpn_<prefix>_<hex>.tmp`, mode 0600, in tmp-dir) and deferred answers. A hook without a
 * configured command succeeds at once. Every method settles in its own time; none throws.
 *
 * Arguments that are empty stay, so that each has its place (2.x argv_printf_cat()).
 */
import type { LinkAddress, Logger } from '../base/base.ts';
import { D_HANDSHAKE, D_MULTI_ERRORS, D_TLS_ERRORS, M_INFO, M_WARN } from '../base/errlevel.ts';
import { splitCommand } from '../options/options.ts';
import { AuthControlFiles, readFirstCharacter, watchAnswer } from './deferred-files.ts';
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
  HookCommands,
  ScriptResult,
  ScriptRunner,
  UpDownContext,
} from './script.ts';
import { createTempFile, readTextFile, removeFile } from './temp-files.ts';

export interface HookOptions {
  readonly runner: ScriptRunner;
  readonly log: Logger;
  /** 0..3, see --script-security. */
  readonly scriptSecurity: number;
  /** --tmp-dir; $TMPDIR or /tmp by default. */
  readonly tmpDir: string;
  readonly commands: HookCommands;
  /** --tls-export-cert: where tls-verify scripts find the certificate in question. */
  readonly exportCertDir?: string | undefined;
  /** Distance of looks at a deferred answer, ms. */
  readonly pollMs?: number;
}

const DEFAULT_POLL_MS = 250;

const SECURITY_WARNING =
  "WARNING: External program may not be called unless '--script-security 2' or higher is enabled. See --help text or man page for detailed info.";

export class ScriptHooks implements Hooks {
  readonly #options: HookOptions;
  #securityWarned = false;

  constructor(options: HookOptions) {
    this.#options = options;
  }

  handles(hook: HookName): boolean {
    return this.#commands[hook] !== undefined;
  }

  get #commands(): HookCommands {
    return this.#options.commands;
  }

  /** False means fatal in 2.x (exit status 1), with the failure logged. */
  up(env: EnvSet, context: UpDownContext): Promise<boolean> {
    return this.#upDown('up', this.#commands.up, env, context);
  }

  /** False means fatal in 2.x. */
  down(env: EnvSet, context: UpDownContext): Promise<boolean> {
    return this.#upDown('down', this.#commands.down, env, context);
  }

  /** False means fatal in 2.x. */
  routePreDown(env: EnvSet, context: UpDownContext): Promise<boolean> {
    return this.#upDown('route-pre-down', this.#commands.routePreDown, env, context);
  }

  /** Failures are only logged. */
  async routeUp(env: EnvSet): Promise<boolean> {
    return this.#simple('route-up', '--route-up', this.#commands.routeUp, [], env);
  }

  /** Client and p2p, after each successful authentication. Failures are only logged. */
  async ipchange(env: EnvSet, from: LinkAddress): Promise<boolean> {
    const family = from.family === 4 ? '[AF_INET]' : '[AF_INET6]';
    const argument = `${family}${from.address} ${from.port}`;
    return this.#simple('ipchange', '--ipchange', this.#commands.ipchange, [argument], env);
  }

  /** True accepts the certificate. `subject` is one word, however many spaces it has. */
  async tlsVerify(env: EnvSet, certificate: VerifiedCertificate, signal?: AbortSignal): Promise<boolean> {
    const { exportCertDir, log } = this.#options;
    const { depth, subject, der } = certificate;
    const file = exportCertDir && (await createTempFile(exportCertDir, 'pef', pemText(der), log));
    if (exportCertDir !== undefined && file === undefined) {
      const text = `TLS Error: Failed to export certificate for --tls-export-cert in ${exportCertDir}`;
      log.log(D_TLS_ERRORS, text);
      return false;
    }
    env.set('peer_cert', file);
    const args = [String(depth), subject];
    const { tlsVerify } = this.#commands;
    const ok = await this.#simple('tls-verify', '--tls-verify script', tlsVerify, args, env, signal);
    env.delete('peer_cert');
    if (file !== undefined) await removeFile(file);
    return ok;
  }

  async tlsCryptV2Verify(env: EnvSet, metadata: ClientKeyMetadata, signal?: AbortSignal): Promise<boolean> {
    const command = this.#commands.tlsCryptV2Verify;
    if (command === undefined) return true;
    const { log } = this.#options;
    const file = await this.#tempFile('tls_crypt_v2_metadata_', metadata.data);
    if (file === undefined) return false;
    env.set('metadata_type', metadata.type);
    env.set('metadata_file', file);
    const ok = await this.#simple('tls-crypt-v2-verify', '--tls-crypt-v2-verify', command, [], env, signal);
    await removeFile(file);
    if (ok) log.log(D_HANDSHAKE, 'TLS CRYPT V2 VERIFY SCRIPT OK');
    else log.log(D_HANDSHAKE, 'TLS CRYPT V2 VERIFY SCRIPT ERROR');
    return ok;
  }

  /**
   * Server login. via-file passes a temporary file (user line, password line), via-env sets
   * `password` for the time of the call (visible only at script-security 3). Status 0 accepts, 2 waits
   * for auth_control_file, anything else rejects.
   */
  async authUserPassVerify(env: EnvSet, login: Login, defer: AuthDeferOptions): Promise<AuthScriptAnswer> {
    const config = this.#commands.authUserPassVerify;
    if (config === undefined) return { ok: true };
    const { log, tmpDir } = this.#options;
    const loginFile = config.viaFile
      ? await this.#tempFile('up', `${login.username}\n${login.password}\n`)
      : undefined;
    if (config.viaFile && loginFile === undefined) return { ok: false };
    const files = await AuthControlFiles.create(tmpDir, log);
    if (files === undefined) {
      log.log(
        D_TLS_ERRORS,
        'TLS Auth Error (verify_user_pass_script): could not create deferred auth control file',
      );
      if (loginFile !== undefined) await removeFile(loginFile);
      return { ok: false };
    }
    env.set('script_type', 'user-pass-verify');
    env.set('username', login.username);
    files.exportTo(env);
    if (loginFile === undefined) env.set('password', login.password);
    const run = this.#run(
      '--auth-user-pass-verify',
      config.command,
      loginFile ? [loginFile] : [],
      env,
      isExitCode,
      defer.signal,
    );
    env.delete('password');
    const result = await run;
    if (loginFile !== undefined) await removeFile(loginFile);
    const answer = await this.#authAnswer(files, result.status, defer);
    await files.remove();
    return answer;
  }

  /** Client-side challenge answer on a server; false deauthenticates the client. */
  async clientCrresponse(env: EnvSet, responseBase64: string): Promise<boolean> {
    const command = this.#commands.clientCrresponse;
    if (command === undefined) return true;
    const file = await this.#tempFile('cr', `${responseBase64}\n`);
    if (file === undefined) return false;
    const ok = await this.#simple('client-crresponse', '--client-crresponse', command, [file], env);
    await removeFile(file);
    return ok;
  }

  async clientConnect(env: EnvSet, defer: DeferOptions): Promise<ClientConnectAnswer> {
    const command = this.#commands.clientConnect;
    if (command === undefined) return { ok: true, config: '' };
    const configFile = await this.#tempFile('cc', '');
    const deferredFile = await this.#tempFile('ccr', '');
    let answer: ClientConnectAnswer = { ok: false, config: '' };
    if (configFile !== undefined && deferredFile !== undefined) {
      env.set('client_connect_config_file', configFile);
      env.set('client_connect_deferred_file', deferredFile);
      const args = [configFile];
      const ok = await this.#simple('client-connect', '--client-connect', command, args, env, defer.signal);
      if (ok && (await this.#clientConnectOk(deferredFile, defer))) {
        const config = await readTextFile(configFile);
        answer = config === undefined ? { ok: true, config: '' } : { ok: true, config, file: configFile };
      }
    }
    env.delete('client_connect_config_file');
    env.delete('client_connect_deferred_file');
    for (const file of [configFile, deferredFile]) await this.#removeClientConnectFile(file);
    return answer;
  }

  /** The exit status is ignored, a failure logged. */
  async clientDisconnect(env: EnvSet): Promise<void> {
    await this.#simple('client-disconnect', '--client-disconnect', this.#commands.clientDisconnect, [], env);
  }

  async learnAddress(
    env: EnvSet,
    operation: AddressOperation,
    address: string,
    commonName?: string,
  ): Promise<boolean> {
    const args = commonName === undefined ? [operation, address] : [operation, address, commonName];
    return this.#simple('learn-address', '--learn-address', this.#commands.learnAddress, args, env);
  }

  async #upDown(
    type: 'up' | 'down' | 'route-pre-down',
    command: string | undefined,
    env: EnvSet,
    context: UpDownContext,
  ): Promise<boolean> {
    if (context.signal !== undefined) env.set('signal', context.signal);
    env.set('script_context', context.context);
    env.set('tun_mtu', context.tunMtu);
    env.set('dev', context.dev);
    if (context.devType !== undefined) env.set('dev_type', context.devType);
    if (command === undefined) return true;
    const { dev, tunMtu, ifconfigLocal, ifconfigRemote } = context;
    const args = [dev, String(tunMtu), '0', ifconfigLocal ?? '', ifconfigRemote ?? '', context.context];
    this.#options.log.log(M_INFO, [...splitCommand(command), ...args].join(' '));
    return this.#simple(type, '--up/--down', command, args, env);
  }

  async #simple(
    type: string,
    hook: string,
    command: string | undefined,
    args: readonly string[],
    env: EnvSet,
    signal?: AbortSignal,
  ): Promise<boolean> {
    if (command === undefined) return true;
    env.set('script_type', type);
    const result = await this.#run(hook, command, args, env, isZero, signal);
    return result.status === 0;
  }

  /** Statuses that aren't `fine` are logged as failures. The environment is taken before the first await. */
  async #run(
    hook: string,
    command: string,
    args: readonly string[],
    env: EnvSet,
    fine: (status: number | undefined) => boolean,
    signal?: AbortSignal,
  ): Promise<ScriptResult> {
    const { scriptSecurity, runner, log } = this.#options;
    if (scriptSecurity < 2) {
      if (!this.#securityWarned) log.log(M_WARN, SECURITY_WARNING);
      this.#securityWarned = true;
      this.#logFailure(hook, { status: undefined, failure: 'disallowed' });
      return { status: undefined, failure: 'disallowed' };
    }
    const result = await runner.run(command, args, env.snapshot(scriptSecurity), signal);
    if (!fine(result.status)) this.#logFailure(hook, result);
    return result;
  }

  #logFailure(hook: string, result: ScriptResult): void {
    this.#options.log.log(M_WARN, `WARNING: Failed running command (${hook}): ${failureText(result)}`);
  }

  async #authAnswer(
    files: AuthControlFiles,
    status: number | undefined,
    defer: AuthDeferOptions,
  ): Promise<AuthScriptAnswer> {
    if (status === 0) return { ok: true };
    if (status !== 2) return files.failure();
    const pending = await files.readPending();
    if (pending === 'bad') return { ok: false };
    const deadlineMs = pending === undefined ? defer.deadlineMs : (defer.onPending?.(pending) ?? 0);
    if (pending !== undefined && deadlineMs === 0) {
      const { log } = this.#options;
      log.log(M_INFO, `Client does not supported auth pending method '${pending.method}'`);
      return {
        ok: false,
        reason: `Authentication failed, required pending auth method '${pending.method}' not supported`,
      };
    }
    defer.onDeferred?.();
    const first = await this.#watch(files.control, ['0', '1'], { ...defer, deadlineMs });
    return first === '1' ? { ok: true } : files.failure();
  }

  /** Whether the deferred file lets the client in; empty, `1` and no file are yes at once. */
  async #clientConnectOk(deferredFile: string, defer: DeferOptions): Promise<boolean> {
    if ((await readFirstCharacter(deferredFile)) !== '2') return true;
    defer.onDeferred?.();
    const first = await this.#watch(deferredFile, ['0', '1'], defer);
    if (first === '1') return true;
    this.#options.log.log(M_INFO, 'MULTI: deferred --client-connect script returned CC_RET_FAILED');
    return false;
  }

  #watch(file: string, answers: readonly string[], defer: DeferOptions): Promise<string | undefined> {
    return watchAnswer(file, answers, {
      pollMs: this.#options.pollMs ?? DEFAULT_POLL_MS,
      deadlineMs: defer.deadlineMs,
      signal: defer.signal,
    });
  }

  async #removeClientConnectFile(file: string | undefined): Promise<void> {
    if (file === undefined || (await removeFile(file))) return;
    this.#options.log.log(D_MULTI_ERRORS, `MULTI: problem deleting temporary file: ${file}`);
  }

  #tempFile(prefix: string, content: string | Uint8Array): Promise<string | undefined> {
    return createTempFile(this.#options.tmpDir, prefix, content, this.#options.log);
  }
}

function pemText(der: Uint8Array): string {
  const body = Buffer.from(der)
    .toString('base64')
    .replace(/(.{64})(?=.)/g, '$1\n');
  return `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`;
}

function isZero(status: number | undefined): boolean {
  return status === 0;
}

/** With S_EXITCODE every status but 255 is an answer of the script, not a failure to run it. */
function isExitCode(status: number | undefined): boolean {
  return status !== undefined && status < 255 && status !== 127;
}

/** 2.x system_error_message() of run_command.c. */
function failureText(result: ScriptResult): string {
  if (result.failure === 'disallowed') return 'disallowed by script-security setting';
  if (result.failure === 'fork') return 'external program fork failed';
  if (result.status === undefined) return 'external program did not exit normally';
  if (result.status === 127) return 'could not execute external program';
  return `external program exited with error status: ${result.status}`;
}

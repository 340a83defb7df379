/**
 * The program without its process (2.x openvpn.c openvpn_main()): from words to exit status, over and
 * over with SIGHUP. The process hands in signals and a log; nothing here calls process.exit().
 */
import { errorMessage, OpenVpnError, OptionsError, TunError } from '../base/base.ts';
import { M_FATAL, M_INFO, M_NONFATAL, M_NOPREFIX, M_WARN } from '../base/errlevel.ts';
import { createLog, type RealLogger } from '../base/log-node.ts';
import { type CryptoBackend, usableCipher } from '../crypto/crypto.ts';
import { createNodeCrypto } from '../crypto/crypto-node.ts';
import { createConfigFilesNode } from '../options/config-files-node.ts';
import {
  type ConfigFileSystem,
  defaultOptions,
  formatHelp,
  formatOptionsError,
  formatVersion,
  type LogLine,
  libraryLine,
  type Options,
  optionWarnings,
  type ParseResult,
  parseArgv,
  titleLine,
  type VersionInfo,
} from '../options/options.ts';
import { isTrackable } from '../ssl/ssl.ts';
import { runClient } from './client.ts';
import { ClientStatusFile } from './client-status.ts';
import type { Providers, RunEnd } from './init.ts';
import { loadOpensslProvider } from './openssl-providers.ts';
import { Passphrase } from './passphrase.ts';
import { Privileges } from './privileges.ts';
import { questionsTo, terminalPrompter } from './prompter.ts';
import { createProviders } from './providers.ts';
import { createEnv, createHooks, limitScripts } from './script-setup.ts';
import { runServer } from './server.ts';
import type { SignalState } from './sig.ts';
import { runTool } from './tools.ts';
import { MARKING_VERB, markTraffic } from './traffic-marks.ts';

export interface Program {
  /** Words after the program's name. */
  readonly argv: readonly string[];
  /** The machine's files by default. */
  readonly files?: ConfigFileSystem;
  readonly signals: SignalState;
  readonly version: VersionInfo;
  /** Plain text on standard output: help, version, usage errors. */
  readonly print: (text: string) => void;
  /** Plain text on standard error (--errors-to-stderr); print() serves where there is none. */
  readonly printError?: (text: string) => void;
  /** Descriptors that the process was started with, for scripts. */
  readonly inheritedFds?: readonly number[];
  /** Any provider may be replaced. */
  readonly providers?: Partial<Providers>;
}

/** Runs to the end; resolves the exit status: 0, or 1 for usage errors and fatal ones. */
export async function runProgram(program: Program): Promise<number> {
  const log = createLog();
  const privileges = new Privileges(log);
  const prompter = program.providers?.prompter ?? terminalPrompter;
  const passphrase = new Passphrase(questionsTo(prompter, program.signals));
  let pidFile: string | undefined;
  try {
    for (let first = true; ; first = false) {
      const parsed = parse(program, log);
      if (typeof parsed === 'number') return parsed;
      const { options } = parsed;
      setUpLog(log, options);
      for (const line of parsed.messages) log.log(line.level, line.text);
      logBanner(log, program.version, options);
      if (first) {
        privileges.prepare(options);
        pidFile = privileges.writePid(options.writepid);
      }
      const parts = { options, log, privileges, passphrase, restarted: !first };
      if ((await runOnce(program, parts)) === 'exit') return 0;
    }
  } catch (error) {
    logFatal(log, error);
    return 1;
  } finally {
    privileges.removePid(pidFile);
    log.close();
  }
}

/** The configuration, or an exit status when that was all. */
function parse(program: Program, log: RealLogger): ParseResult | number {
  const { argv, files = createConfigFilesNode(), print, version } = program;
  const messages: LogLine[] = [];
  const options = defaultOptions();
  let result: ParseResult;
  try {
    const tmpDir = process.env.TMPDIR;
    const supportsCipher = cipherCheck(program.providers?.crypto ?? createNodeCrypto());
    const tables = { supportsCipher, isTrackable, loadProvider: loadOpensslProvider };
    const environment = { files, messages, options, ...tables };
    result = parseArgv(argv, { ...environment, ...(tmpDir !== undefined && { tmpDir }) });
  } catch (error) {
    if (!(error instanceof OptionsError)) throw error;
    // What was said and set before the bad option holds all the same.
    setUpLog(log, options);
    for (const line of messages) writeEarly(program, log, line);
    printOptionsError(options.errorsToStderr ? toStderr(program) : program, log, error);
    return 1;
  }
  switch (result.tool) {
    case undefined:
      return result;
    case 'help':
      print(formatHelp(version));
      return 1;
    case 'version':
      print(formatVersion(version));
      return 0;
    default:
      return runToolMode(program, log, result);
  }
}

/** 2.x opens no log file before these. */
function runToolMode(program: Program, log: RealLogger, result: ParseResult): number {
  setUpLog(log, { ...result.options, log: undefined });
  for (const line of result.messages) writeEarly(program, log, line);
  try {
    return runTool(result, { print: program.print, log });
  } catch (error) {
    if (!(error instanceof OptionsError)) throw error;
    printOptionsError(program, log, error);
    return 1;
  }
}

/** Which ciphers may be listed: OpenSSL's legacy ones depend on --providers and on how Node was started. */
function cipherCheck(crypto: CryptoBackend): (name: string) => boolean {
  return (name) => usableCipher(name, crypto) !== undefined;
}

/** Lines of option checking: usage text is plain as long as nobody redirected it. */
function writeEarly(program: Program, log: RealLogger, line: LogLine): void {
  if (line.level & M_NOPREFIX && log.fd === undefined) program.print(line.text);
  else log.log(line.level, line.text);
}

interface RunParts {
  readonly options: Options;
  readonly log: RealLogger;
  readonly privileges: Privileges;
  readonly passphrase: Passphrase;
  readonly restarted: boolean;
}

async function runOnce(program: Program, parts: RunParts): Promise<RunEnd> {
  const { options, log, privileges, passphrase, restarted } = parts;
  const { signals } = program;
  signals.remapUsr1 = options.remapUsr1;
  const { inheritedFds = [] } = program;
  const replaced = { prompter: terminalPrompter, ...program.providers };
  const chosen = createProviders({ log, outputFd: () => log.fd, inheritedFds }, replaced);
  const marked = options.verb === MARKING_VERB;
  const providers = marked ? markTraffic(chosen, (text) => log.raw(text)) : chosen;
  const hooks = createHooks(options, providers);
  limitScripts(signals, providers.scripts);
  const env = createEnv(options, providers.clock.wallMs());
  const dropPrivileges = (): void => privileges.drop(options);
  const common = { options, providers, signals, hooks, env, passphrase, restarted };
  if (options.mode === 'server') {
    return runServer({ ...common, title: titleLine(program.version), dropPrivileges });
  }
  const status = new ClientStatusFile(options, providers, signals);
  try {
    const onVerbosity = ({ verb, mute }: Pick<Options, 'verb' | 'mute'>): void =>
      log.configure({ verb, mute });
    return await runClient({ ...common, dropPrivileges, onVerbosity }, (current) => status.start(current));
  } finally {
    status.stop();
  }
}

function setUpLog(log: RealLogger, options: Options): void {
  if (options.log) log.openFile(options.log.file, options.log.append);
  log.configure({
    verb: options.verb,
    mute: options.mute,
    suppressTimestamps: options.suppressTimestamps,
    machineReadable: options.machineReadableOutput,
    errorsToStderr: options.errorsToStderr,
  });
}

function logBanner(log: RealLogger, version: VersionInfo, options: Options): void {
  log.log(M_INFO, titleLine(version));
  log.log(M_INFO, libraryLine(version));
  for (const line of optionWarnings(options)) log.log(line.level, line.text);
}

/** What was wrong goes to standard error, what to do about it stays where it is. */
function toStderr({ print, printError = print }: Program): Pick<Program, 'print'> {
  return { print: (text) => (text.startsWith('Use --help') ? print(text) : printError(text)) };
}

/** Usage errors go out plain, fatal ones like run-time messages. */
function printOptionsError(program: Pick<Program, 'print'>, log: RealLogger, error: OptionsError): void {
  const { lines, timestamp } = formatOptionsError(error);
  for (const line of lines) {
    if (timestamp) log.log(M_NONFATAL, line);
    else if (log.fd !== undefined) log.log(M_NONFATAL | M_NOPREFIX, line);
    else program.print(line);
  }
}

/** What led to an error, first things first; OpenSSL's words in 2.x's form. */
function causesOf(error: unknown): string[] {
  if (!(error instanceof OpenVpnError && error.cause instanceof OpenVpnError)) return [];
  const { message } = error.cause;
  return [...causesOf(error.cause), message.startsWith('error:') ? `OpenSSL: ${message}:` : message];
}

function logFatal(log: RealLogger, error: unknown): void {
  const text = errorMessage(error);
  if (!wasLogged(error)) for (const cause of causesOf(error)) log.log(M_WARN, cause);
  if (!(error instanceof OpenVpnError) && error instanceof Error && error.stack)
    log.log(M_NONFATAL, error.stack);
  // The log adds "Exiting due to fatal error".
  log.log(M_FATAL, text);
}

/** What stands behind a TunError was logged by the backend that met it, behind the last of many attempts when it failed. */
function wasLogged(error: unknown): boolean {
  return error instanceof TunError || (error instanceof OpenVpnError && error.code === 'ERR_OVPN_RETRY_MAX');
}

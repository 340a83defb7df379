/**
 * Actions of script options (2.x options.c set_user_script(), check_cmd_access(); setenv). A command
 * is checked when it is parsed: its first word must be executable.
 */
import { M_NOPREFIX } from '../base/errlevel.ts';
import { X_OK } from './config-files.ts';
import { splitCommand } from './lexer.ts';
import { type Apply, type ApplyContext, positiveAtoi } from './option-row.ts';
import type { Options } from './option-types.ts';

type ScriptKey =
  | 'up'
  | 'down'
  | 'ipchange'
  | 'routeUp'
  | 'routePreDown'
  | 'tlsVerify'
  | 'clientConnect'
  | 'clientDisconnect'
  | 'clientCrresponse'
  | 'learnAddress';

interface ScriptRules {
  /** Commas stand for blanks, as very old configs have it. */
  readonly commas?: true;
  /** Runs before a chroot, so it is looked up outside of it. */
  readonly outsideChroot?: true;
}

/** Stores a command after checking that it can be run. */
export function script(key: ScriptKey, rules: ScriptRules = {}): Apply {
  return ([value = ''], options, context) => {
    const command = rules.commas ? value.replaceAll(',', ' ') : value;
    warnIfSet(options[key] !== undefined, context);
    options[key] = command;
    options.userScriptUsed = true;
    checkCommand(command, rules.outsideChroot ? undefined : options.chroot, context);
  };
}

export const applyAuthUserPassVerify: Apply = ([command = '', method], options, context) => {
  if (method === undefined) {
    return context.fail("--auth-user-pass-verify requires a second parameter ('via-env' or 'via-file')");
  }
  if (method !== 'via-env' && method !== 'via-file') {
    return context.fail("second parm to --auth-user-pass-verify must be 'via-env' or 'via-file'");
  }
  warnIfSet(options.authUserPassVerify !== undefined, context);
  options.authUserPassVerify = { command, viaFile: method === 'via-file' };
  options.userScriptUsed = true;
  checkCommand(command, options.chroot, context);
};

/** Some names switch features on; the rest goes to the environment of scripts. */
export const applySetenv: Apply = ([name = '', value], options, context) => {
  if (name === 'REMOTE_RANDOM_HOSTNAME' && value === undefined) {
    options.remoteRandomHostname = true;
  } else if (name === 'GENERIC_CONFIG') {
    return context.fail('this is a generic configuration and cannot directly be used');
  } else if (name === 'PUSH_PEER_INFO' && value === undefined) {
    options.pushPeerInfo = true;
  } else if (name === 'SERVER_POLL_TIMEOUT' && value !== undefined) {
    options.ce.connectTimeout = positiveAtoi(value);
  } else {
    if (name === 'FORWARD_COMPATIBLE' && value === '1') options.forwardCompatible = true;
    setVariable(options, name, value ?? '');
  }
};

/** Sets a variable; a name set before keeps its place and changes its value. */
export function setVariable(options: Options, name: string, value: string): void {
  const found = options.setenv.find((entry) => entry.name === name);
  if (found === undefined) options.setenv.push({ name, value });
  else found.value = value;
}

function warnIfSet(set: boolean, context: ApplyContext): void {
  if (!set) return;
  context.warn(
    `Multiple --${context.name} scripts defined.  The previously configured script is overridden.`,
  );
}

function checkCommand(command: string, chroot: string | undefined, context: ApplyContext): void {
  const { name, files, log } = context;
  if (files === undefined) return;
  const program = splitCommand(command)[0];
  if (program === undefined && command !== '') {
    log(M_NOPREFIX, `Options error: --${name} script fails with '${command}': No path to executable.`);
    context.fail('Please correct this error.');
  }
  const path = chroot === undefined ? (program ?? '') : `${chroot}/${program ?? ''}`;
  const problem = files.access(path, X_OK);
  if (problem === undefined) return;
  log(
    M_NOPREFIX,
    `Options error: --${name} script fails with '${path}': ${problem.text} (errno=${problem.errno})`,
  );
  context.fail('Please correct this error.');
}

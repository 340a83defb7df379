/**
 * Header of script/ (2.x run_command.h, env_set.h, argv.h): user scripts, their environment and
 * arguments. A script never blocks the loop: its end is an answer that comes later.
 */
export interface ScriptResult {
  /** Exit status; 127 = could not be executed; undefined = ended by a signal. */
  readonly status: number | undefined;
}

/** Runs one hook. `command` is the configured text, split by the 2.x tokenizer; `args` are appended. */
export interface ScriptRunner {
  readonly name: string;
  run(command: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<ScriptResult>;
}

export { EnvSet } from './env-set.ts';
export { ScriptHooks } from './script-hooks.ts';

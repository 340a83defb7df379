/**
 * What ends or interrupts parsing (2.x msg() with M_USAGE, M_FATAL; openvpn_exit()), and log lines
 * that wait until the log is up.
 */
import { OpenVpnError, OptionsError } from '../base/base.ts';
import type { ToolMode } from './generic-options.ts';

/** A line to write once the log is up. `level` is a constant of errlevel.ts. */
export interface LogLine {
  readonly level: number;
  readonly text: string;
}

/**
 * - `usage`: "Options error: " in front, the hint about --help behind.
 * - `raw`: as usage, but the message has its own prefix.
 * - `fatal`: a run-time error, with a timestamp and "Exiting due to fatal error" behind.
 */
export type ConfigErrorKind = 'usage' | 'raw' | 'fatal';

/** A configuration that can't be used; `kind` says how 2.x prints it. */
export class ConfigError extends OptionsError {
  readonly kind: ConfigErrorKind;

  constructor(
    message: string,
    kind: ConfigErrorKind = 'usage',
    where: { file?: string; line?: number } = {},
  ) {
    super(message, where);
    this.kind = kind;
  }
}

/** One option was refused where that isn't fatal; already logged. */
export class OptionSkipped extends OpenVpnError {}

/** --help or --version was met. */
export class ToolStop extends OpenVpnError {
  readonly tool: ToolMode;

  constructor(tool: ToolMode) {
    super(tool);
    this.tool = tool;
  }
}

/** Fields of log and status options with their defaults: see table-log.ts. */

export interface LogOptions {
  /** First --log or --log-append. */
  log: { file: string; append: boolean } | undefined;
  /** --syslog or --daemon program name; undefined = no syslog. */
  syslog: string | undefined;
  verb: number;
  /** 0 = off. */
  mute: number;
  suppressTimestamps: boolean;
  machineReadableOutput: boolean;
  errorsToStderr: boolean;
  status: string | undefined;
  /** Seconds between writes. */
  statusInterval: number;
  statusVersion: 1 | 2 | 3;
}

export function logDefaults(): LogOptions {
  return {
    log: undefined,
    syslog: undefined,
    verb: 1,
    mute: 0,
    suppressTimestamps: false,
    machineReadableOutput: false,
    errorsToStderr: false,
    status: undefined,
    statusInterval: 60,
    statusVersion: 1,
  };
}

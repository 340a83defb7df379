/** Fields of scripts and their environment with their defaults: see table-script.ts. */

/** --setenv and --setenv-safe, in order; `safe` names have OPENVPN_ in front already. */
export interface SetenvEntry {
  name: string;
  value: string;
}

export interface ScriptOptions {
  scriptSecurity: number;
  up: string | undefined;
  down: string | undefined;
  downPre: boolean;
  upDelay: boolean;
  upRestart: boolean;
  ipchange: string | undefined;
  routeUp: string | undefined;
  routePreDown: string | undefined;
  tlsVerify: string | undefined;
  clientConnect: string | undefined;
  clientDisconnect: string | undefined;
  clientCrresponse: string | undefined;
  learnAddress: string | undefined;
  tlsCryptV2Verify: string | undefined;
  /** --tls-crypt-v2-max-age, days; 0 = any age. */
  tlsCryptV2MaxAge: number;
  authUserPassVerify: { command: string; viaFile: boolean } | undefined;
  tlsExportCert: string | undefined;
  /** --x509-track: attributes for scripts instead of the whole subject; `chain`: of every certificate. */
  x509Track: { name: string; chain: boolean }[] | undefined;
  /** At least one user script is configured. */
  userScriptUsed: boolean;
  setenv: SetenvEntry[];
  tmpDir: string;
}

/** `tmpDir` is $TMPDIR, or /tmp. */
export function scriptDefaults(tmpDir: string): ScriptOptions {
  return {
    scriptSecurity: 1,
    up: undefined,
    down: undefined,
    downPre: false,
    upDelay: false,
    upRestart: false,
    ipchange: undefined,
    routeUp: undefined,
    routePreDown: undefined,
    tlsVerify: undefined,
    clientConnect: undefined,
    clientDisconnect: undefined,
    clientCrresponse: undefined,
    learnAddress: undefined,
    tlsCryptV2Verify: undefined,
    tlsCryptV2MaxAge: 0,
    authUserPassVerify: undefined,
    tlsExportCert: undefined,
    x509Track: undefined,
    userScriptUsed: false,
    setenv: [],
    tmpDir,
  };
}

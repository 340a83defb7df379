/**
 * Fields of general and process options, and of tool modes, with their defaults: see table-generic.ts and
 * table-tool-mode.ts.
 */

/** Modes that print something or make a file and exit instead of running a tunnel. */
export type ToolMode =
  | 'help'
  | 'version'
  | 'genkey'
  | 'show-ciphers'
  | 'show-digests'
  | 'show-tls'
  | 'show-groups'
  | 'show-engines'
  | 'show-gateway';

export interface GenkeyOptions {
  type: 'secret' | 'tls-crypt-v2-server' | 'tls-crypt-v2-client' | 'auth-token';
  /** undefined = stdout. */
  file: string | undefined;
  extra: string | undefined;
}

export interface GenericOptions {
  /** Name of the first config file, '' when there is none. */
  config: string;
  forwardCompatible: boolean;
  /** --compat-mode as major*10000+minor*100+patch; 0 = off. */
  compatMode: number;
  ignoreUnknownOption: string[];
  tool: ToolMode | undefined;
  genkey: GenkeyOptions | undefined;
  showGatewayTarget: string | undefined;

  // Process
  user: string | undefined;
  group: string | undefined;
  chroot: string | undefined;
  cd: string | undefined;
  nice: number;
  mlock: boolean;
  daemon: boolean;
  writepid: string | undefined;
  persistTun: boolean;
  persistKey: boolean;
  persistLocalIp: boolean;
  persistRemoteIp: boolean;
  remapUsr1: 'none' | 'SIGHUP' | 'SIGTERM';
}

export function genericDefaults(): GenericOptions {
  return {
    config: '',
    forwardCompatible: false,
    compatMode: 0,
    ignoreUnknownOption: [],
    tool: undefined,
    genkey: undefined,
    showGatewayTarget: undefined,
    user: undefined,
    group: undefined,
    chroot: undefined,
    cd: undefined,
    nice: 0,
    mlock: false,
    daemon: false,
    writepid: undefined,
    persistTun: false,
    persistKey: false,
    persistLocalIp: false,
    persistRemoteIp: false,
    remapUsr1: 'none',
  };
}

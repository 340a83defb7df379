/**
 * A connection profile and its defaults (2.x struct connection_entry, options.h 2.6): what a `<connection>`
 * block may hold. Numbers are those of 2.x options.h and mtu.h.
 */
import type { FileOrInline, KeyDirection } from './material.ts';

/** Default port. */
export const OPENVPN_PORT = '1194';
export const TUN_MTU_DEFAULT = 1500;
/** Bytes: least --tun-mtu. Source: 2.x mtu.h. */
export const TUN_MTU_MIN = 100;
export const TAP_MTU_EXTRA_DEFAULT = 32;
export const MSSFIX_DEFAULT = 1492;
/** Largest control channel packet we send by default, bytes. */
export const TLS_MTU_DEFAULT = 1250;
export const TLS_CHANNEL_MTU_MIN = 154;
export const TLS_CHANNEL_BUF_SIZE = 2048;

/** Every value of --proto, as typed. */
export type ProtoName =
  | 'udp'
  | 'udp4'
  | 'udp6'
  | 'tcp'
  | 'tcp4'
  | 'tcp6'
  | 'tcp-server'
  | 'tcp4-server'
  | 'tcp6-server'
  | 'tcp-client'
  | 'tcp4-client'
  | 'tcp6-client';

/** 2.x mssfix: `mode` says what the value bounds (see protocol.md 19.2). */
export interface Mssfix {
  /** 0 = off. */
  value: number;
  /** 'payload': UDP payload; 'mtu': with IP and UDP headers; 'fixed': tun-mtu style, minus 40. */
  mode: 'payload' | 'mtu' | 'fixed';
}

/** One connection profile: a `<connection>` block, a --remote line, or the only one of a server. */
export interface ConnectionEntry {
  proto: ProtoName;
  /** Host name or literal; undefined for a listening side. */
  remote: string | undefined;
  /** Remote port. */
  rport: string;
  /** Address of the last --local; undefined = any. */
  local: string | undefined;
  /** Every --local in order; see listenEntries(). */
  locals: LocalOption[];
  /** Local port; undefined = kernel's choice (nobind). */
  lport: string | undefined;
  lportDefined: boolean;
  /** --bind was given. */
  bindDefined: boolean;
  bindIpv6Only: boolean;
  /** Whether to bind locally; false by --nobind or implied for clients. */
  bindLocal: boolean;
  float: boolean;
  /** Seconds between attempts: first value and cap. */
  connectRetry: number;
  connectRetryMaxDelay: number;
  /** --connect-timeout, --server-poll-timeout. */
  connectTimeout: number;
  tunMtu: number;
  tunMtuDefined: boolean;
  /** Second value of --tun-mtu, for the options string; 0 = tunMtu. */
  occMtu: number;
  /** After post-processing at least 1600 and --tun-mtu. */
  tunMtuMax: number;
  tunMtuExtra: number;
  tunMtuExtraDefined: boolean;
  linkMtu: number;
  linkMtuDefined: boolean;
  /** --max-packet-size: limit of control packets, 1250 by default. */
  maxPacketSize: number;
  mtuDisc: 'no' | 'maybe' | 'yes' | undefined;
  /** 0 = off. */
  fragment: number;
  fragmentMtu: boolean;
  mssfix: Mssfix;
  /** True while mssfix still waits for its default. */
  mssfixDefault: boolean;
  /** 0 = off. */
  explicitExitNotify: number;
  tlsAuth: FileOrInline | undefined;
  tlsCrypt: FileOrInline | undefined;
  tlsCryptV2: FileOrInline | undefined;
  tlsCryptV2ForceCookie: boolean;
  keyDirection: KeyDirection;
  httpProxy: HttpProxyOptions | undefined;
  socksProxy: SocksProxyOptions | undefined;
  /** Switched off by --proto-force. */
  disabled: boolean;
}

/** One --local. Port and protocol are 2.7's; a server opens a socket for each. */
export interface LocalOption {
  /** undefined for `*`. */
  address: string | undefined;
  port: string | undefined;
  proto: ProtoName | undefined;
}

export interface HttpProxyOptions {
  /** '' while only other options of the proxy were given. */
  server: string;
  port: string;
  /** Any text that was given as method; bad ones are found when the proxy is used. */
  auth: string;
  /** File of --http-proxy; --http-proxy-user-pass overrides it. */
  authFile: FileOrInline | undefined;
  userPass: FileOrInline | undefined;
  version: string;
  agent: string | undefined;
  customHeaders: { name: string; content: string | undefined }[];
}

export interface SocksProxyOptions {
  server: string;
  port: string;
  authFile: string | undefined;
}

/** A profile before the first word is read. */
export function defaultConnectionEntry(): ConnectionEntry {
  return {
    proto: 'udp',
    remote: undefined,
    rport: OPENVPN_PORT,
    local: undefined,
    locals: [],
    lport: OPENVPN_PORT,
    lportDefined: false,
    bindDefined: false,
    bindIpv6Only: false,
    bindLocal: true,
    float: false,
    connectRetry: 1,
    connectRetryMaxDelay: 300,
    connectTimeout: 120,
    tunMtu: TUN_MTU_DEFAULT,
    tunMtuDefined: false,
    occMtu: 0,
    tunMtuMax: 0,
    tunMtuExtra: 0,
    tunMtuExtraDefined: false,
    linkMtu: 1500,
    linkMtuDefined: false,
    maxPacketSize: TLS_MTU_DEFAULT,
    mtuDisc: undefined,
    fragment: 0,
    fragmentMtu: false,
    mssfix: { value: 0, mode: 'mtu' },
    mssfixDefault: true,
    explicitExitNotify: 0,
    tlsAuth: undefined,
    tlsCrypt: undefined,
    tlsCryptV2: undefined,
    tlsCryptV2ForceCookie: false,
    keyDirection: -1,
    httpProxy: undefined,
    socksProxy: undefined,
    disabled: false,
  };
}

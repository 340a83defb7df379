/**
 * Peer info of the key method 2 message (2.x ssl.c push_peer_info(), ssl_util.c): `NAME=value\n`
 * lines in the order of 2.6, and their reading. Lines are found by name, not by position; the first
 * of two lines with one name counts, as 2.x's substring search has it.
 */
import { bytesOfText } from '../base/base.ts';

/** Capability bits of IV_PROTO (2.x ssl.h). */
export const IV_PROTO_DATA_V2 = 1 << 1;
export const IV_PROTO_REQUEST_PUSH = 1 << 2;
export const IV_PROTO_TLS_KEY_EXPORT = 1 << 3;
export const IV_PROTO_AUTH_PENDING_KW = 1 << 4;
export const IV_PROTO_NCP_P2P = 1 << 5;
export const IV_PROTO_DNS_OPTION = 1 << 6;
export const IV_PROTO_CC_EXIT_NOTIFY = 1 << 7;
export const IV_PROTO_AUTH_FAIL_TEMP = 1 << 8;
export const IV_PROTO_DYN_TLS_CRYPT = 1 << 9;
/** Since 2.7. */
export const IV_PROTO_DATA_EPOCH = 1 << 10;
export const IV_PROTO_PUSH_UPDATE = 1 << 12;

/** Most bytes of peer info that we write; 2.x's buffer for it. */
export const PEER_INFO_MAX_BYTES = 512 * 3 - 1;
/** Most lines that parsePeerInfo() keeps. */
const MAX_LINES = 128;
/** Characters of a line that are shown; 2.x's buffer for one. */
const SHOWN_MAX = 255;

export interface PeerInfoOptions {
  /** Value of IV_VER, e.g. `2.6.14`. */
  readonly version: string;
  /** Value of IV_PLAT: linux, mac, win, freebsd, ... */
  readonly platform: string;
  /** --pull client; false builds what a P2P peer sends. */
  readonly pull: boolean;
  /** --data-ciphers, own order. */
  readonly ciphers: readonly string[];
  /** Largest tun-mtu that may be pushed, 1600 by default. */
  readonly tunMtuMax: number;
  /** Lines about compression without newline, e.g. `IV_LZO_STUB=1`; see compressionPeerInfo(). */
  readonly compression: readonly string[];
  /** --push-peer-info: adds these, and UV_ lines of `env`. */
  readonly push?: { readonly hwaddr?: string; readonly ssl: string; readonly platformVersion: string };
  /** Announces the epoch data format, as 2.7 does. */
  readonly epoch?: boolean;
  /** Environment lines `NAME=value`; IV_GUI_VER, IV_SSO and (with `push`) UV_*, IV_PLAT_VER are sent. */
  readonly env?: readonly string[];
}

/** The peer info text of a pull client or P2P peer. P2MP servers send ''. */
export function defaultPeerInfo(options: PeerInfoOptions): string {
  const { push } = options;
  const lines: string[] = [];
  if (options.pull || push)
    lines.push(`IV_VER=${options.version}`, `IV_PLAT=${options.platform}`, 'IV_TCPNL=1');
  if (options.pull) {
    lines.push(`IV_MTU=${options.tunMtuMax}`);
    if (['AES-128-GCM', 'AES-256-GCM'].every((name) => options.ciphers.includes(name)))
      lines.push('IV_NCP=2');
  }
  lines.push(`IV_CIPHERS=${options.ciphers.join(':')}`);
  lines.push(`IV_PROTO=${ivProto(options.pull, options.epoch)}`);
  if (!options.pull && !push) return joinLines(lines);
  lines.push(...options.compression);
  if (push) {
    if (push.hwaddr) lines.push(`IV_HWADDR=${push.hwaddr}`);
    lines.push(`IV_SSL=${push.ssl}`, `IV_PLAT_VER=${push.platformVersion}`);
  }
  for (const line of options.env ?? []) if (isSentFromEnv(line, push !== undefined)) lines.push(line);
  return joinLines(lines);
}

/**
 * The IV_PROTO value we announce: 2.6's 990 and PUSH_UPDATE for a pull client, 746 for a P2P peer; 1024 more
 * with `epoch`.
 */
export function ivProto(pull: boolean, epoch = false): number {
  const common =
    IV_PROTO_DATA_V2 |
    IV_PROTO_TLS_KEY_EXPORT |
    IV_PROTO_DNS_OPTION |
    IV_PROTO_CC_EXIT_NOTIFY |
    IV_PROTO_DYN_TLS_CRYPT |
    (epoch ? IV_PROTO_DATA_EPOCH : 0);
  if (!pull) return common | IV_PROTO_NCP_P2P;
  const pulling = IV_PROTO_REQUEST_PUSH | IV_PROTO_AUTH_PENDING_KW | IV_PROTO_AUTH_FAIL_TEMP;
  return common | pulling | IV_PROTO_PUSH_UPDATE;
}

/** Peer info read by name. */
export interface PeerInfo {
  /** IV_VER, undefined when absent. */
  readonly version: string | undefined;
  readonly platform: string | undefined;
  /** IV_PROTO bits; 0 when absent or not a positive number. */
  readonly proto: number;
  /** IV_NCP; 0 when absent. */
  readonly ncp: number;
  /** IV_CIPHERS; undefined when absent. */
  readonly ciphers: readonly string[] | undefined;
  /** IV_MTU; 0 when absent. */
  readonly mtu: number;
  /** Every line by name, in the order sent. */
  readonly values: ReadonlyMap<string, string>;
  readonly shown: ShownPeerInfo;
}

/** What scripts and the log get to see. */
export interface ShownPeerInfo {
  /** In the order sent. */
  readonly lines: readonly (readonly [name: string, value: string])[];
  /** How many others there were. */
  readonly invalid: number;
}

/** Reads peer info. Lines without `=` are passed over; never throws. */
export function parsePeerInfo(text: string): PeerInfo {
  const values = new Map<string, string>();
  for (const line of text.split('\n', MAX_LINES)) {
    const equals = line.indexOf('=');
    if (equals <= 0) continue;
    const name = line.slice(0, equals);
    if (!values.has(name)) values.set(name, line.slice(equals + 1));
  }
  return {
    version: values.get('IV_VER'),
    platform: values.get('IV_PLAT'),
    proto: positiveInt(values.get('IV_PROTO')),
    ncp: positiveInt(values.get('IV_NCP')),
    ciphers: values.get('IV_CIPHERS')?.split(':'),
    mtu: positiveInt(values.get('IV_MTU')),
    values,
    shown: shownPeerInfo(text),
  };
}

/** Of a peer that said nothing of itself. */
export const NO_PEER_INFO: PeerInfo = parsePeerInfo('');

/**
 * The lines that scripts and the log get to see, in the order sent (2.x misc.c output_peer_info_env()): names start
 * with IV_ or UV_; what a shell or a log could take for more than text has become `_`. `invalid` counts the others.
 */
function shownPeerInfo(text: string): ShownPeerInfo {
  const lines: [string, string][] = [];
  let invalid = 0;
  const all = text.split('\n', MAX_LINES);
  if (all.at(-1) === '') all.pop();
  for (const line of all) {
    const [, name, value] = /^([IU]V_[A-Za-z0-9_]*)=(.*)$/s.exec(line.slice(0, SHOWN_MAX)) ?? [];
    if (name === undefined || value === undefined) invalid++;
    else lines.push([name, shownValue(value.replace(/\r+$/, ''))]);
  }
  return { lines, invalid };
}

/** Printable ASCII without spaces and shell's `$`, `(` and backtick; other bytes become `_`, one each. */
function shownValue(value: string): string {
  const bytes = bytesOfText(value);
  let shown = '';
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    shown += byte <= 0x20 || byte >= 0x7f || '$(`'.includes(character) ? '_' : character;
  }
  return shown;
}

function isSentFromEnv(line: string, pushed: boolean): boolean {
  if (/[\n\r\0]/.test(line)) return false;
  if (line.startsWith('IV_GUI_VER=') || line.startsWith('IV_SSO=')) return true;
  return pushed && (line.startsWith('UV_') || line.startsWith('IV_PLAT_VER='));
}

/** Lines that would not fit into 2.x's buffer are left out. */
function joinLines(lines: readonly string[]): string {
  let text = '';
  for (const line of lines) {
    if (Buffer.byteLength(text) + Buffer.byteLength(line) + 1 <= PEER_INFO_MAX_BYTES) text += `${line}\n`;
  }
  return text;
}

/** sscanf("%d") of a non-negative 31-bit number; 0 for anything else. */
function positiveInt(text: string | undefined): number {
  const digits = /^[ \t]*\+?(\d{1,10})/.exec(text ?? '')?.[1];
  const value = digits === undefined ? 0 : Number(digits);
  return value <= 0x7fffffff ? value : 0;
}

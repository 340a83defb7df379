/**
 * The options string that peers compare (2.x options.c options_string(), options_warning(); mtu.c
 * calc_options_string_link_mtu(); tun.c ifconfig_options_string()). Never fatal. Elements in order:
 *
 *   V4,dev-type D,link-mtu N,tun-mtu N,proto P[,tun-ipv6][,ifconfig A B][,comp-lzo][,mtu-dynamic]
 *   [,keydir 0|1][,cipher C],auth A,keysize N[,secret][,no-replay][,tls-auth][,key-method 2][,tls-client|,tls-server]
 */

import { ipv4FromNumber } from '../base/base.ts';
import { D_SHOW_OCC } from '../base/errlevel.ts';
import { type CipherInfo, cipherInfo, digestInfo } from '../crypto/crypto.ts';
import { dottedQuadToNumber } from './addresses.ts';
import { compressionBytes } from './apply-compression.ts';
import type { LogLine } from './config-error.ts';
import { type ConnectionEntry, TUN_MTU_DEFAULT } from './connection-entry.ts';
import { inList } from './data-ciphers.ts';
import type { Options } from './option-types.ts';
import { devTypeOf, isTcp, isUdp, protoKind } from './proto.ts';

/** Bytes that the SOCKS5 UDP header adds. */
const SOCKS_UDP_BYTES = 10;

export interface OptionsStringInput {
  readonly options: Options;
  readonly ce: ConnectionEntry;
  /** The string that the peer is expected to send, instead of our own. */
  readonly remote?: boolean;
}

/** Our options string for a profile, or with `remote` the one its peer should have. */
export function optionsString({ options, ce, remote = false }: OptionsStringInput): string {
  const p2pNoPull = options.mode === 'p2p' && !options.pull;
  const parts = [
    'V4',
    `dev-type ${devTypeOf(options) ?? '[unknown-dev-type]'}`,
    `link-mtu ${linkMtu(options, ce)}`,
    `tun-mtu ${ce.occMtu || ce.tunMtu}`,
    `proto ${protoText(ce, remote)}`,
  ];
  if (p2pNoPull && options.ifconfigIpv6 !== undefined) parts.push('tun-ipv6');
  if (p2pNoPull && !options.ifconfigNowarn) parts.push(...ifconfigText(options, remote));
  if (options.compress.algorithm !== 'none') parts.push('comp-lzo');
  if (ce.fragment !== 0) parts.push('mtu-dynamic');
  const direction = directionText(options, ce, remote);
  if (direction !== undefined) parts.push(`keydir ${direction}`);
  if (hasKeys(options)) parts.push(...cryptoTexts(options, p2pNoPull));
  if (options.tlsClient || options.tlsServer) {
    if (ce.tlsAuth !== undefined) parts.push('tls-auth');
    parts.push('key-method 2', options.tlsClient === remote ? 'tls-server' : 'tls-client');
  }
  return parts.join(',');
}

/** Value of one element of a peer's string, e.g. `cipher`; undefined when it is missing. */
export function optionsStringValue(text: string, name: string): string | undefined {
  const part = text.split(',').find((item) => item.startsWith(`${name} `) && item.length > name.length + 1);
  return part?.slice(name.length + 1);
}

/**
 * Differences between what the peer should send and what it sent, as 2.x words them. Empty when
 * nothing that matters differs.
 */
export function optionsWarnings(expected: string, actual: string): LogLine[] {
  const local = withVersion(expected);
  const remote = withVersion(actual);
  return [
    ...local.flatMap((part) => compare(part, remote, ['local', 'remote'], true)),
    ...remote.flatMap((part) => compare(part, local, ['remote', 'local'], false)),
  ];
}

function hasKeys({ secret, tlsClient, tlsServer }: Options): boolean {
  return secret !== undefined || tlsClient || tlsServer;
}

function protoText({ proto }: ConnectionEntry, remote: boolean): string {
  const kind = protoKind(proto);
  if (kind === 'udp') return 'UDPv4';
  return (kind === 'tcp-server') === remote ? 'TCPv4_CLIENT' : 'TCPv4_SERVER';
}

/** The pair as the peer would write it: network and mask, or its own address after ours. */
function ifconfigText({ ifconfig, dev, devType, topology }: Options, remote: boolean): string[] {
  if (ifconfig === undefined) return [];
  const type = devTypeOf({ dev, devType });
  const { local, remoteNetmask } = ifconfig;
  if (type === 'tap' || (type === 'tun' && topology === 'subnet')) {
    const network = (dottedQuadToNumber(local) ?? 0) & (dottedQuadToNumber(remoteNetmask) ?? 0);
    return [`ifconfig ${ipv4FromNumber(network)} ${remoteNetmask}`];
  }
  if (type !== 'tun') return ['ifconfig [undef]'];
  return [remote ? `ifconfig ${local} ${remoteNetmask}` : `ifconfig ${remoteNetmask} ${local}`];
}

function directionText(options: Options, ce: ConnectionEntry, remote: boolean): string | undefined {
  const direction = ce.tlsAuth !== undefined ? ce.keyDirection : options.keyDirection;
  if (direction === -1) return undefined;
  return (direction === 1) === remote ? '0' : '1';
}

function cryptoTexts(options: Options, p2pNoPull: boolean): string[] {
  const { cipher, digest } = keyTypes(options);
  const blowfish = options.cipher === 'BF-CBC';
  const name = blowfish ? 'BF-CBC' : cipher.mode === 'none' ? '[null-cipher]' : cipher.name;
  const bits = blowfish ? 128 : cipher.keyBytes * 8;
  const parts: string[] = [];
  if (p2pNoPull || inList(name, options.dataCiphers)) parts.push(`cipher ${name}`);
  parts.push(`auth ${digest?.name ?? '[null-digest]'}`, `keysize ${bits}`);
  if (options.secret !== undefined) parts.push('secret');
  if (!options.replay) parts.push('no-replay');
  return parts;
}

const NO_CIPHER: CipherInfo = {
  name: 'none',
  mode: 'none',
  keyBytes: 0,
  ivBytes: 0,
  blockBytes: 0,
  tagBytes: 0,
};

/** BF-CBC is computed as "none" plus its block and IV, so that a library without it will do. */
function keyTypes(options: Options): {
  cipher: CipherInfo;
  digest: { name: string; bytes: number } | undefined;
} {
  const cipher = options.cipher === 'BF-CBC' ? NO_CIPHER : (cipherInfo(options.cipher) ?? NO_CIPHER);
  const none = cipher.mode === 'aead' || options.auth === 'none' || options.auth === '[null-digest]';
  return { cipher, digest: none ? undefined : digestInfo(options.auth) };
}

function linkMtu(options: Options, ce: ConnectionEntry): number {
  // 2.x computes with the default where --link-mtu took the place of --tun-mtu.
  const tunMtu = ce.linkMtuDefined ? TUN_MTU_DEFAULT : ce.tunMtu;
  const fragment = ce.fragment === 0 ? 0 : 4;
  const blowfish = hasKeys(options) && options.cipher === 'BF-CBC' ? 16 : 0;
  const { cipher } = keyTypes(options);
  const packetId = hasKeys(options) && cipher.mode === 'cbc' ? packetIdBytes(options, cipher) : 0;
  const payload = tunMtu + ce.tunMtuExtra + compressionBytes(options) + fragment + packetId;
  return payload + blowfish + linkHeaderBytes(options, ce);
}

function packetIdBytes(options: Options, cipher: CipherInfo): number {
  if (!options.replay) return 0;
  const stream = cipher.mode === 'cfb' || cipher.mode === 'ofb';
  return stream || !(options.tlsClient || options.tlsServer) ? 8 : 4;
}

/**
 * Bytes around a packet as old versions reserved them: what --link-mtu leaves for --tun-mtu. The packet id of
 * CBC is inside of the packet and doesn't count. BF-CBC, which libraries lack, counts as no cipher.
 */
export function linkHeaderBytes(options: Options, ce: ConnectionEntry): number {
  if (!hasKeys(options)) return 0;
  const { cipher, digest } = keyTypes(options);
  const tls = options.tlsClient || options.tlsServer;
  const packetId = cipher.mode === 'cbc' ? 0 : packetIdBytes(options, cipher);
  const header =
    (ce.socksProxy !== undefined && isUdp(ce.proto) ? SOCKS_UDP_BYTES : 0) +
    (isTcp(ce.proto) ? 2 : 0) +
    (tls ? 1 : 0);
  const cryptoBytes = cipher.tagBytes + cipher.ivBytes + cipher.blockBytes + (digest?.bytes ?? 0);
  return header + packetId + cryptoBytes;
}

/** Differences in these are expected or negotiated. */
const IGNORED = ['key-method ', 'keydir ', 'proto ', 'tun-ipv6', 'cipher '];

function withVersion(text: string): string[] {
  return `version ${text}`.split(',');
}

function compare(
  part: string,
  others: readonly string[],
  [name, otherName]: readonly [string, string],
  reportInconsistent: boolean,
): LogLine[] {
  if (part === '' || part === 'tls-auth' || IGNORED.some((prefix) => part.startsWith(prefix))) return [];
  const word = firstWord(part);
  const found = others.find((other) => other === part || firstWord(other) === word);
  if (found === part || (found !== undefined && !reportInconsistent)) return [];
  const text =
    found === undefined
      ? `WARNING: '${safe(word)}' is present in ${name} config but missing in ${otherName} config, ${name}='${safe(part)}'`
      : `WARNING: '${safe(word)}' is used inconsistently, ${name}='${safe(part)}', ${otherName}='${safe(found)}'`;
  return [{ level: D_SHOW_OCC, text }];
}

function firstWord(part: string): string {
  const space = part.indexOf(' ');
  return space < 0 ? part : part.slice(0, space);
}

/** Only printable characters of a peer's text reach the log. */
function safe(text: string): string {
  return text.replace(/[^ -~]/g, '.');
}

/**
 * Texts of server.conf and client.ovpn with everything inside (inline blocks), for quickstart and
 * `openvpn-ts profile`. They use only options that stock OpenVPN 2.4 and newer know.
 */
import { OpenVpnError } from '../base/base.ts';
import type { Bundle } from './pki-store.ts';

export interface ClientProfile {
  /** Host name or address of the server. */
  readonly remote: string;
  readonly port: number;
  readonly proto: 'udp' | 'tcp';
}

export interface ServerProfile {
  readonly port: number;
  readonly proto: 'udp' | 'tcp';
  /** Network that clients get addresses from, e.g. `10.8.0.0`; netmask 255.255.255.0. */
  readonly network: string;
}

/** Host names and addresses; anything else would become more words or lines of the profile. */
const HOST = /^[\p{L}\p{N}_][\p{L}\p{N}._:%-]{0,252}$/u;
/** An IPv6 address may begin with its colons. */
const IPV6 = /^::[0-9A-Fa-f:.%\w]{0,60}$/;

/** Throws OpenVpnError for a remote that can't be in a profile. */
export function clientProfile(profile: ClientProfile, bundle: Bundle): string {
  if (!HOST.test(profile.remote) && !IPV6.test(profile.remote))
    throw new OpenVpnError(`${JSON.stringify(profile.remote)} is neither a host name nor an address`);
  return `client
dev tun
proto ${profile.proto === 'udp' ? 'udp' : 'tcp-client'}
remote ${profile.remote} ${profile.port}
nobind
persist-key
persist-tun
remote-cert-tls server
verb 3
${inlineBlocks(bundle)}`;
}

export function serverProfile(profile: ServerProfile, bundle: Bundle): string {
  return `port ${profile.port}
proto ${profile.proto === 'udp' ? 'udp' : 'tcp-server'}
dev tun
topology subnet
server ${profile.network} 255.255.255.0
dh none
keepalive 10 60
persist-key
persist-tun
${profile.proto === 'udp' ? 'explicit-exit-notify 1\n' : ''}verb 3
${inlineBlocks(bundle)}`;
}

function inlineBlocks(bundle: Bundle): string {
  const blocks = [
    ['ca', bundle.ca],
    ['cert', bundle.certificate],
    ['key', bundle.privateKey],
    ['tls-crypt', bundle.tlsCrypt],
  ] as const;
  return blocks.map(([name, text]) => `${inlineBlock(name, text)}\n`).join('');
}

/** Without the line's end behind it. */
export function inlineBlock(name: string, text: string): string {
  return `<${name}>\n${text.trimEnd()}\n</${name}>`;
}

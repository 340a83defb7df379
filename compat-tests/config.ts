/**
 * Configuration lines for both ends of a test tunnel, in 2.x's syntax, from the properties the matrix
 * varies. Inner addresses are always 10.8.0.0/24 and fd00:8::/64 with the server at .1 and ::1.
 */

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CertificateFiles, type KeyKind, type Pki, staticKeyText } from '../test-kit/pki.ts';
import type { PeerLimits } from './peer.ts';

/** What the matrix varies. */
export interface TunnelOptions {
  /** Layer of the tunnel; topology matters for tun only. */
  readonly dev: 'tun' | 'tap';
  readonly proto: 'udp' | 'tcp';
  readonly family: 4 | 6;
  readonly wrap: 'none' | 'tls-auth' | 'tls-crypt' | 'tls-crypt-v2';
  /** One or a list with colons; "default" for what a program does by itself. */
  readonly cipher: string;
  /** Digest of tls-auth and of data ciphers that aren't AEAD. */
  readonly auth: string;
  readonly tls: '1.2' | '1.3';
  readonly topology: 'net30' | 'p2p' | 'subnet';
  readonly key: KeyKind;
}

/** Files both ends share, besides certificates. */
export interface TunnelFiles {
  readonly wrapKey: string;
  /** A second key of the same form, for tests of a wrong one. */
  readonly otherWrapKey: string;
  /** tls-crypt-v2: the server's key, and a client's key that carries a timestamp. */
  readonly serverKeyV2: string;
  readonly clientKeyV2: string;
}

/** The tunnel that scenarios use unless they say otherwise. */
export const PLAIN_TUNNEL: TunnelOptions = {
  dev: 'tun',
  proto: 'udp',
  family: 4,
  wrap: 'none',
  cipher: 'AES-256-GCM',
  auth: 'SHA1',
  tls: '1.3',
  topology: 'subnet',
  key: 'ec',
};

/** Values that not every peer has. */
const VALUE_LIMITS: Readonly<Record<string, PeerLimits>> = {
  'dev tap': { peerKinds: ['openvpn'] },
  'topology p2p': { peerKinds: ['openvpn'] },
  'cipher AES-128-OFB': { peerKinds: ['openvpn'] },
  'cipher none': { peerKinds: ['openvpn'] },
  'wrap tls-crypt-v2': { peerFrom: '2.5' },
  'cipher CHACHA20-POLY1305': { peerFrom: '2.5' },
  'cipher ARIA-256-GCM': { peerFrom: '2.6' },
};

/** Which peers have all these values. Where two of them are limited, the last counts. */
export function limitsOf(tunnel: Partial<Record<keyof TunnelOptions, unknown>>): PeerLimits {
  const limits = Object.entries(tunnel).map(([name, value]) => VALUE_LIMITS[`${name} ${value}`]);
  return Object.assign({}, ...limits) as PeerLimits;
}

export const INNER_SERVER4 = '10.8.0.1';
export const INNER_SERVER6 = 'fd00:8::1';

/** Writes the shared keys of a tunnel into `dir`; `program` makes those of tls-crypt-v2. */
export function tunnelFiles(tunnel: TunnelOptions, dir: string, program = 'openvpn'): TunnelFiles {
  const files = {
    wrapKey: join(dir, 'wrap.key'),
    otherWrapKey: join(dir, 'other-wrap.key'),
    serverKeyV2: join(dir, 'v2-server.key'),
    clientKeyV2: join(dir, 'v2-client.key'),
  };
  for (const path of [files.wrapKey, files.otherWrapKey])
    writeFileSync(path, staticKeyText(randomBytes(256)), { mode: 0o600 });
  if (tunnel.wrap === 'tls-crypt-v2') {
    execFileSync(program, ['--genkey', 'tls-crypt-v2-server', files.serverKeyV2]);
    const options = ['--tls-crypt-v2', files.serverKeyV2, '--genkey', 'tls-crypt-v2-client'];
    execFileSync(program, [...options, files.clientKeyV2]);
  }
  return files;
}

const SERVER_ADDRESSES = ['server 10.8.0.0 255.255.255.0', 'server-ipv6 fd00:8::/64'];

/** @param addresses the helper directives that give addresses */
export function serverLines(
  tunnel: TunnelOptions,
  files: TunnelFiles,
  pki: Pki,
  addresses: readonly string[] = SERVER_ADDRESSES,
): string[] {
  return [
    `dev ${tunnel.dev}`,
    `topology ${tunnel.topology}`,
    ...addresses,
    `proto ${tunnel.proto}${tunnel.family}${tunnel.proto === 'tcp' ? '-server' : ''}`,
    'port 1194',
    'dh none',
    ...identityLines(pki.ca, pki.server),
    ...commonLines(tunnel),
    ...wrapLines(tunnel, files, 'server'),
    'keepalive 10 60',
  ];
}

export function clientLines(
  tunnel: TunnelOptions,
  files: TunnelFiles,
  ca: string,
  identity: CertificateFiles,
  remotes: readonly string[],
): string[] {
  return [
    'client',
    `dev ${tunnel.dev}`,
    `proto ${tunnel.proto}${tunnel.family}${tunnel.proto === 'tcp' ? '-client' : ''}`,
    ...remotes.map((remote) => `remote ${remote}`),
    'nobind',
    'remote-cert-tls server',
    'connect-retry 1 4',
    ...identityLines(ca, identity),
    ...commonLines(tunnel),
    ...wrapLines(tunnel, files, 'client'),
  ];
}

function identityLines(ca: string, identity: CertificateFiles): string[] {
  return [`ca ${ca}`, `cert ${identity.cert}`, `key ${identity.key}`];
}

function commonLines(tunnel: TunnelOptions): string[] {
  const versions = [`tls-version-min ${tunnel.tls}`, `tls-version-max ${tunnel.tls}`];
  const ciphers = tunnel.cipher === 'default' ? [] : [`data-ciphers ${tunnel.cipher}`];
  return [...versions, ...ciphers, `auth ${tunnel.auth}`, 'verb 3'];
}

function wrapLines(tunnel: TunnelOptions, files: TunnelFiles, role: 'server' | 'client'): string[] {
  switch (tunnel.wrap) {
    case 'none':
      return [];
    case 'tls-auth':
      return [`tls-auth ${files.wrapKey} ${role === 'server' ? 0 : 1}`];
    case 'tls-crypt':
      return [`tls-crypt ${files.wrapKey}`];
    case 'tls-crypt-v2':
      return [`tls-crypt-v2 ${role === 'server' ? files.serverKeyV2 : files.clientKeyV2}`];
  }
}

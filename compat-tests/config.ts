/**
 * Configuration lines for both ends of a test tunnel, in 2.x's syntax, from the properties the matrix
 * varies. Inner addresses are always 10.8.0.0/24 and fd00:8::/64 with the server at .1 and ::1.
 */

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CertificateFiles, type KeyKind, type Pki, staticKeyText } from '../test-kit/pki.ts';

/** What the matrix varies. */
export interface TunnelOptions {
  readonly proto: 'udp' | 'tcp';
  readonly family: 4 | 6;
  readonly wrap: 'none' | 'tls-auth' | 'tls-crypt';
  readonly cipher: 'AES-128-GCM' | 'AES-192-GCM' | 'AES-256-GCM' | 'CHACHA20-POLY1305';
  readonly tls: '1.2' | '1.3';
  readonly topology: 'net30' | 'p2p' | 'subnet';
  readonly key: KeyKind;
}

/** Files both ends share, besides certificates. */
export interface TunnelFiles {
  readonly wrapKey: string;
  /** A second key of the same form, for tests of a wrong one. */
  readonly otherWrapKey: string;
}

/** The tunnel that scenarios use unless they say otherwise. */
export const PLAIN_TUNNEL: TunnelOptions = {
  proto: 'udp',
  family: 4,
  wrap: 'none',
  cipher: 'AES-256-GCM',
  tls: '1.3',
  topology: 'subnet',
  key: 'ec',
};

export const INNER_SERVER4 = '10.8.0.1';
export const INNER_SERVER6 = 'fd00:8::1';

/** Writes the shared keys of a tunnel into `dir`. */
export function tunnelFiles(_tunnel: TunnelOptions, dir: string): TunnelFiles {
  const files = { wrapKey: join(dir, 'wrap.key'), otherWrapKey: join(dir, 'other-wrap.key') };
  for (const path of Object.values(files))
    writeFileSync(path, staticKeyText(randomBytes(256)), { mode: 0o600 });
  return files;
}

export function serverLines(tunnel: TunnelOptions, files: TunnelFiles, pki: Pki): string[] {
  return [
    'dev tun',
    `topology ${tunnel.topology}`,
    'server 10.8.0.0 255.255.255.0',
    'server-ipv6 fd00:8::/64',
    `proto ${tunnel.proto}${tunnel.family}${tunnel.proto === 'tcp' ? '-server' : ''}`,
    'port 1194',
    'dh none',
    ...identityLines(pki.ca, pki.server),
    ...commonLines(tunnel),
    ...wrapLines(tunnel, files.wrapKey, 0),
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
    'dev tun',
    `proto ${tunnel.proto}${tunnel.family}${tunnel.proto === 'tcp' ? '-client' : ''}`,
    ...remotes.map((remote) => `remote ${remote}`),
    'nobind',
    'remote-cert-tls server',
    'connect-retry 1 4',
    ...identityLines(ca, identity),
    ...commonLines(tunnel),
    ...wrapLines(tunnel, files.wrapKey, 1),
  ];
}

function identityLines(ca: string, identity: CertificateFiles): string[] {
  return [`ca ${ca}`, `cert ${identity.cert}`, `key ${identity.key}`];
}

function commonLines(tunnel: TunnelOptions): string[] {
  const versions = [`tls-version-min ${tunnel.tls}`, `tls-version-max ${tunnel.tls}`];
  return [...versions, `data-ciphers ${tunnel.cipher}`, 'verb 3'];
}

function wrapLines(tunnel: TunnelOptions, key: string, direction: number): string[] {
  if (tunnel.wrap === 'none') return [];
  return [tunnel.wrap === 'tls-auth' ? `tls-auth ${key} ${direction}` : `tls-crypt ${key}`];
}

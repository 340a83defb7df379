/**
 * What the reference program of a run is: its version, which roles it can play, and which tests are for it.
 * Tests and values of the matrix that a peer cannot do carry limits; they are left out of a run against it.
 */
import { spawnSync } from 'node:child_process';
import type { Pairing } from './pairing.ts';

/** An `openvpn` of 2.x plays both roles; the client of OpenVPN 3 only its own. */
export type PeerKind = 'openvpn' | 'openvpn3-client';

export interface Peer {
  readonly kind: PeerKind;
  /** Its column in the tables: "2.6.14" or "OpenVPN 3". */
  readonly title: string;
  /** Numbers of its version; none when it could not be asked. */
  readonly version: readonly number[];
}

/** Which peers a test is for; every `openvpn` when nothing is said. Ours with ours is never limited. */
export interface PeerLimits {
  /** First version that can do it, "2.5" or "2.4.7". */
  readonly peerFrom?: string;
  /** First version that can do it as a server, as a client. */
  readonly peerServerFrom?: string;
  readonly peerClientFrom?: string;
  /** First version that can't do it. */
  readonly peerBefore?: string;
  readonly peerKinds?: readonly PeerKind[];
}

/** For tests that are for clients of either kind. */
export const ALL_KINDS: readonly PeerKind[] = ['openvpn', 'openvpn3-client'];

const PAIRINGS_OF: Readonly<Record<PeerKind, readonly Pairing[]>> = {
  openvpn: ['ours-client', 'ours-server', 'ours-both'],
  'openvpn3-client': ['ours-server', 'ours-both'],
};

/** Asks the program at `path` for its version. */
export function readPeer(path: string): Peer {
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 10_000 });
  return parsePeer(stdout ?? '');
}

/** @param text what `--version` prints */
export function parsePeer(text: string): Peer {
  if (/^OpenVPN (core )?3\b/m.test(text))
    return { kind: 'openvpn3-client', title: 'OpenVPN 3', version: [3] };
  const title = /^OpenVPN (\d\S*)/.exec(text)?.[1];
  if (title === undefined) return { kind: 'openvpn', title: 'unknown', version: [] };
  return { kind: 'openvpn', title, version: numbersOf(title) };
}

/** Says whether the peer can play the part that a pairing leaves to it. */
export function playsIn(peer: Peer, pairing: Pairing): boolean {
  return PAIRINGS_OF[peer.kind].includes(pairing);
}

/**
 * Says whether the peer can do what `limits` ask of its part in a pairing. Numbers of versions are for 2.x only; an
 * unknown peer fits.
 */
export function fits(limits: PeerLimits, peer: Peer, pairing: Pairing): boolean {
  if (pairing === 'ours-both') return true;
  if (!(limits.peerKinds ?? ['openvpn']).includes(peer.kind)) return false;
  if (peer.kind !== 'openvpn' || peer.version.length === 0) return true;
  if (isBefore(peer, pairing === 'ours-client' ? limits.peerServerFrom : limits.peerClientFrom)) return false;
  return (
    !isBefore(peer, limits.peerFrom) && (limits.peerBefore === undefined || isBefore(peer, limits.peerBefore))
  );
}

/** Says whether the peer is older than `version`; nothing is older than no version. */
export function isBefore(peer: Peer, version: string | undefined): boolean {
  return version !== undefined && compareVersions(peer.version, numbersOf(version)) < 0;
}

/** Numbers at the start of a version: [2, 8] of "2.8_git". */
export function numbersOf(version: string): number[] {
  return (/^\d+(\.\d+)*/.exec(version)?.[0] ?? '').split('.').filter(Boolean).map(Number);
}

/** Missing numbers count as 0. */
export function compareVersions(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

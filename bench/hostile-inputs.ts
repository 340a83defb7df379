/**
 * The worst that a stranger is known to be able to do to a server's event loop, for measureHolds(). Add to the list
 * what is found: a name, which tunnels it fits, and what sends it to the scene's server.
 */
import type { TunnelOptions } from '../compat-tests/config.ts';
import { FLOOD_KINDS, type FloodKind, floodKinds } from '../compat-tests/flood-packets.ts';
import {
  CN,
  der,
  extension,
  makeCertificate,
  rdn,
  SUBJECT_ALT_NAME,
  UTF8_STRING,
} from '../test-kit/odd-certificates.ts';
import type { Scene } from './hostile.ts';

export interface WorstInput {
  readonly name: string;
  readonly fits?: (tunnel: TunnelOptions) => boolean;
  /** Resolves when everything was sent. */
  readonly send: (scene: Scene) => Promise<unknown>;
}

const BURST = { perSecond: 20_000, seconds: 1 } as const;

function burst(kind: FloodKind): WorstInput {
  return {
    name: `20,000 a second: ${kind}`,
    fits: (tunnel) => floodKinds(tunnel).includes(kind),
    send: (scene) => scene.flood(scene.packets(kind), BURST),
  };
}

const SUBJECT = [rdn(CN, UTF8_STRING, 'x')];
const O = Buffer.of(0x55, 0x04, 0x0a);
const CRL_POINTS = Buffer.of(0x55, 0x1d, 0x1f);

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(i));
}

/** A client that brings these besides its own certificate; PEM. */
function certificates(name: string, make: () => string): WorstInput {
  return { name: `a client with ${name}`, send: (scene) => scene.handshake([], make()) };
}

/** The most that is looked into: 24 with the client's own, 96 KB of names. */
function manyCertificates(): string {
  const names = der(0x30, ...times(220, () => der(0xa4, der(0x30, ...SUBJECT))));
  const extensions = [extension(SUBJECT_ALT_NAME, names)];
  return times(23, () => makeCertificate({ subject: SUBJECT, extensions }).cert).join('');
}

/** OpenSSL copies the issuer's name for each point: 0.8 s of 14 KB, 46 s of 98 KB. */
function relativePoints(): string {
  const point = der(0x30, der(0xa0, der(0xa1, SUBJECT[0]!.subarray(2))));
  const name = der(0x30, ...times(500, () => SUBJECT[0]!));
  const issuer = { ...makeCertificate({ subject: SUBJECT }), name };
  const extensions = [extension(CRL_POINTS, der(0x30, ...times(500, () => point)))];
  // Only what may have issued the client's own certificate is looked into.
  const subject = [rdn(O, UTF8_STRING, 'openvpn-ts'), rdn(CN, UTF8_STRING, 'Test CA')];
  return makeCertificate({ subject, issuer, extensions }).cert;
}

export const WORST_INPUTS: readonly WorstInput[] = [
  { name: 'nothing', send: () => new Promise((resolve) => setTimeout(resolve, 1_000)) },
  ...FLOOD_KINDS.map(burst),
  {
    name: '20,000 a second, from a client: random',
    send: (scene) => scene.flood(scene.packets('random'), BURST, true),
  },
  {
    name: '20,000 a second, from a client: data',
    send: (scene) => scene.flood(scene.packets('data-known'), BURST, true),
  },
  { name: 'a client like others', send: (scene) => scene.handshake() },
  certificates('24 certificates of 4 KB', manyCertificates),
  certificates('500 relative CRL distribution points', relativePoints),
  { name: 'a client of group ffdhe8192', send: (scene) => scene.handshake(['tls-groups ffdhe8192']) },
];

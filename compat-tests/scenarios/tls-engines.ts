/**
 * Both TLS engines (OPENVPN_TS_SSL), whichever is the default: a tunnel, a renegotiation, a refusal, and
 * what lists of ciphers and groups lead to, by the line that either end logs.
 */
import { FFDHE2048 } from '../../test-kit/tls-pki.ts';
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const ENGINES = ['node', 'native'] as const;
type Engine = (typeof ENGINES)[number];

const RENEG_SEC = 3;
const RENEG_LIMIT_MS = 8_000;
const EXPIRED = /VERIFY ERROR: depth=0, error=certificate has expired: .*CN=expired/;

interface Choice {
  readonly name: string;
  readonly tunnel: NonNullable<Scenario['tunnel']>;
  readonly peerServerFrom?: string;
  /** Lines of our end, whichever that is; those of a server; what "Control Channel:" must tell. */
  readonly lines: readonly string[];
  readonly server?: (bed: Bed) => readonly string[];
  readonly told: RegExp;
  /** What one end tells at least: a client names the server's temporary key. */
  readonly group?: RegExp;
}

const RSA12 = { tls: '1.2', key: 'rsa' } as const;

const CHOICES: readonly Choice[] = [
  {
    name: 'tls-cipher',
    tunnel: { tls: '1.2' },
    lines: ['tls-cipher TLS-ECDHE-ECDSA-WITH-CHACHA20-POLY1305-SHA256:TLS-RSA-WITH-AES-128-CBC-SHA'],
    told: /cipher TLSv1\.2 ECDHE-ECDSA-CHACHA20-POLY1305/,
  },
  {
    name: 'tls-ciphersuites',
    tunnel: {},
    lines: ['tls-ciphersuites TLS_AES_128_GCM_SHA256'],
    told: /cipher TLSv1\.3 TLS_AES_128_GCM_SHA256/,
  },
  {
    name: 'tls-groups',
    // An elliptic key of a certificate would have to be of these groups, too.
    tunnel: RSA12,
    lines: ['tls-groups secp521r1:secp384r1'],
    told: /cipher TLSv1\.2 ECDHE-RSA/,
    group: /peer temporary key: 521 bits ECsecp521r1/,
  },
  {
    name: 'dh FILE',
    tunnel: RSA12,
    lines: ['tls-cipher TLS-DHE-RSA-WITH-AES-256-GCM-SHA384'],
    server: (bed) => [`dh ${bed.write('dh.pem', FFDHE2048)}`],
    told: /cipher TLSv1\.2 DHE-RSA-AES256-GCM-SHA384/,
  },
  {
    name: 'ecdh-curve changes nothing',
    tunnel: RSA12,
    lines: [],
    server: () => ['ecdh-curve secp384r1'],
    told: /cipher TLSv1\.2 ECDHE-RSA/,
    // Servers before 2.6 take the curve.
    peerServerFrom: '2.6',
    group: /peer temporary key: 253 bits X25519/,
  },
];

export const tlsEngines: readonly Scenario[] = [
  ...ENGINES.flatMap(engineScenarios),
  // Those of the default engine are in certificate-options.ts.
  ...CHOICES.map((choice) => ({
    name: `TLS engine node: ${choice.name}`,
    pairings: ['ours-client', 'ours-server'] as const,
    tunnel: choice.tunnel,
    // Clients before 2.6 do not tell the temporary key.
    ...(choice.group ? { peerClientFrom: '2.6' } : {}),
    ...(choice.peerServerFrom ? { peerServerFrom: choice.peerServerFrom } : {}),
    run: (bed: Bed) => chooses(bed, 'node', choice),
  })),
];

function engineScenarios(engine: Engine): Scenario[] {
  return [
    {
      name: `TLS engine ${engine}: TLS 1.3, renegotiation by the client`,
      run: (bed: Bed) => renegotiates(bed, engine),
    },
    {
      name: `TLS engine ${engine}: TLS 1.2 with RSA over TCP`,
      tunnel: { tls: '1.2', key: 'rsa', proto: 'tcp' } as const,
      run: (bed: Bed) => carries(bed, engine),
    },
    {
      name: `TLS engine ${engine}: expired client certificate`,
      pairings: ['ours-server', 'ours-both'] as const,
      run: (bed: Bed) => refuses(bed, engine),
    },
  ];
}

async function chooses(bed: Bed, engine: Engine, choice: Choice): Promise<void> {
  bed.env = { OPENVPN_TS_SSL: engine };
  const { lines, server = () => [], told, group } = choice;
  const ends = [
    await bed.startServer([...(bed.isOurs('server') ? lines : []), ...server(bed)]),
    await bed.startClient(bed.isOurs('client') ? lines : []),
  ];
  const said = await Promise.all(ends.map((end) => end.waitFor(/Control Channel: TLSv/)));
  for (const line of said) check(told.test(line), line);
  check(group === undefined || said.some((line) => group.test(line)), said.join('\n'));
  await bed.checkPing(INNER_SERVER4);
}

async function renegotiates(bed: Bed, engine: Engine): Promise<void> {
  bed.env = { OPENVPN_TS_SSL: engine };
  const server = await bed.startServer(['reneg-sec 0']);
  const client = await bed.startClient([`reneg-sec ${RENEG_SEC}`]);
  await bed.waitHandshakes([server, client], 2, RENEG_LIMIT_MS);
  await bed.checkPing(INNER_SERVER4);
  await bed.stop(client);
  await bed.stop(server);
}

async function carries(bed: Bed, engine: Engine): Promise<void> {
  bed.env = { OPENVPN_TS_SSL: engine };
  const server = await bed.startServer();
  const client = await bed.startClient();
  await bed.checkTraffic(1);
  await bed.stop(client);
  await bed.stop(server);
}

async function refuses(bed: Bed, engine: Engine): Promise<void> {
  bed.env = { OPENVPN_TS_SSL: engine };
  const server = await bed.startServer();
  const client = bed.launchClient([], { identity: 'expired' });
  await bed.checkNoTunnel(client, server, { server: EXPIRED });
}

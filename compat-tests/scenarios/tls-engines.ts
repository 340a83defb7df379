/** Both TLS engines (OPENVPN_TS_SSL), whichever is the default: a tunnel, a renegotiation, a refusal. */
import { type Program, sleep } from '../../test-kit/process.ts';
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const ENGINES = ['node', 'native'] as const;
type Engine = (typeof ENGINES)[number];

const RENEG_SEC = 3;
const RENEG_LIMIT_MS = 8_000;
const PAUSE_MS = 100;
const EXPIRED = /VERIFY ERROR: depth=0, error=certificate has expired: .*CN=expired/;

export const tlsEngines: readonly Scenario[] = ENGINES.flatMap((engine) => [
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
]);

async function renegotiates(bed: Bed, engine: Engine): Promise<void> {
  bed.env = { OPENVPN_TS_SSL: engine };
  const server = await bed.startServer(['reneg-sec 0']);
  const client = await bed.startClient([`reneg-sec ${RENEG_SEC}`]);
  const deadline = Date.now() + RENEG_LIMIT_MS;
  while (Math.min(handshakes(server), handshakes(client)) < 2 && Date.now() < deadline) await sleep(PAUSE_MS);
  for (const end of [server, client])
    check(handshakes(end) >= 2, `${end.name}: no renegotiation${bed.tails()}`);
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

function handshakes(program: Program): number {
  return program.lines.filter((line) => /Control Channel: TLSv/.test(line)).length;
}

/**
 * Without the C++ addon (OPENVPN_TS_NATIVE=0): sockets, ciphers and TLS on Node's modules carry a tunnel that
 * ends in `--dev null`; a TUN device is refused with a reason. With OPENVPN_TS_NATIVE=tun the addon opens the device
 * and does nothing else.
 */
import { sleep } from '../../test-kit/process.ts';
import { type Bed, check, type Role } from '../bed.ts';
import type { Scenario } from './scenario.ts';

/** Longer than the keepalive limit of the server: the data channel must have carried pings both ways. */
const IDLE_MS = 6_000;

export const withoutAddon: readonly Scenario[] = [
  ...(['udp', 'tcp'] as const).flatMap((proto) =>
    (['client', 'server'] as const).map((role) => ({
      name: `without the addon: ${role} over ${proto}, device null`,
      pairings: [`ours-${role}`] as const,
      tunnel: { proto },
      run: (bed: Bed) => carriesPings(bed, role),
    })),
  ),
  { name: 'without the addon: no TUN device', pairings: ['ours-client'], run: refusesTun },
  { name: "the device by the addon, all else on Node's modules", run: carriesTraffic },
];

async function carriesPings(bed: Bed, role: Role): Promise<void> {
  bed.env = { OPENVPN_TS_NATIVE: '0' };
  const lines = ['dev null', 'dev-type tun', 'ifconfig-noexec', 'route-noexec'];
  const server = await bed.startServer([...(role === 'server' ? lines : []), 'keepalive 1 4']);
  const client = await bed.startClient(role === 'client' ? lines : []);
  await sleep(IDLE_MS);
  for (const end of [server, client]) {
    check(!end.has(/Inactivity timeout|process restarting|exiting/), `the tunnel did not last${bed.tails()}`);
  }
  await bed.stop(client);
  await bed.stop(server);
}

async function refusesTun(bed: Bed): Promise<void> {
  bed.env = { OPENVPN_TS_NATIVE: '0' };
  await bed.startServer();
  const client = bed.launchClient();
  await client.waitFor(/ERROR: Cannot open TUN\/TAP dev: turned off by OPENVPN_TS_NATIVE=0/);
  const { code } = await client.waitForExit();
  check(code === 1, `exit code ${code}`);
}

async function carriesTraffic(bed: Bed): Promise<void> {
  bed.env = { OPENVPN_TS_NATIVE: 'tun' };
  await bed.startServer();
  await bed.startClient();
  await bed.checkTraffic();
}

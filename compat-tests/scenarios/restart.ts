/** Ends that vanish and come back: killed programs and a link that is down longer than ping-restart. */
import type { Bed, Role } from '../bed.ts';
import { check } from '../bed.ts';
import { INNER_SERVER4, INNER_SERVER6 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const QUICK_KEEPALIVE = ['keepalive 1 4'];
const UP = /Initialization Sequence Completed/;
const PING_RESTART = /Inactivity timeout \(--ping-restart\), restarting/;

export const restarts: readonly Scenario[] = [
  { name: 'server killed and restarted: the client comes back (UDP)', run: serverKilled },
  {
    name: 'server killed and restarted: the client comes back (TCP)',
    tunnel: { proto: 'tcp' },
    run: serverKilled,
  },
  { name: 'client killed and restarted: the server takes it again (UDP)', run: clientKilled },
  {
    name: 'client killed and restarted: the server takes it again (TCP)',
    tunnel: { proto: 'tcp' },
    run: clientKilled,
  },
  { name: 'link down for a ping-restart, then up', run: linkDown },
  { name: 'server drops a silent client after ping-restart', run: silentClient },
  {
    name: 'ping-timer-rem: a server that never answers counts as silent',
    pairings: ['ours-client'],
    run: neverAnswers,
  },
  ...(['client', 'server'] as const).map(
    (role): Scenario => ({
      name: `the ${role}'s device is deleted: it starts anew`,
      pairings: [`ours-${role}`],
      run: (bed) => deviceDeleted(bed, role),
    }),
  ),
  { name: 'inactive pushed: an idle client ends', run: (bed) => timedOut(bed, 'inactive 3 100000') },
  {
    name: 'session-timeout pushed: the client ends',
    peerClientFrom: '2.6',
    run: (bed) => timedOut(bed, 'session-timeout 3'),
  },
  { name: 'inactive of a server: idle clients are dropped', run: (bed) => dropped(bed, 'inactive 3 100000') },
  {
    name: 'session-timeout of a server: clients are dropped',
    peerServerFrom: '2.6',
    run: (bed) => dropped(bed, 'session-timeout 3'),
  },
];

async function serverKilled(bed: Bed): Promise<void> {
  const first = await bed.startServer(QUICK_KEEPALIVE);
  const client = await bed.startClient();
  client.mark();
  await first.stop('SIGKILL');
  const udp = bed.tunnel.proto === 'udp';
  await client.waitFor(udp ? PING_RESTART : /Connection reset, restarting/, 20_000);
  await bed.startServer(QUICK_KEEPALIVE);
  await bed.waitUp(client, 30_000);
  await bed.checkTraffic(1);
}

async function clientKilled(bed: Bed): Promise<void> {
  const server = await bed.startServer(QUICK_KEEPALIVE);
  const first = await bed.startClient();
  await first.stop('SIGKILL');
  await bed.startClient();
  await bed.checkTraffic(1);
  if (bed.isOurs('server') && bed.tunnel.proto === 'tcp') {
    check(server.has(/Connection reset, restarting/), `the server did not note the reset${bed.tails()}`);
  }
}

/** 2.6.14 itself reads errors without end here, so only our side is tried. */
async function deviceDeleted(bed: Bed, role: Role): Promise<void> {
  const server = await bed.startServer(QUICK_KEEPALIVE);
  const client = await bed.startClient();
  const ours = role === 'client' ? client : server;
  ours.mark();
  client.mark();
  bed.ip(role === 'client' ? bed.client().ns : bed.network.server, 'link', 'del', 'tun0');
  await ours.waitFor(/TUN\/TAP I\/O operation aborted, restarting/);
  await ours.waitFor(/SIGHUP\[soft,tun-abort\] received, process restarting/);
  const errors = ours.lines.filter((line) => line.includes('TUN/TAP : File descriptor in bad state'));
  check(errors.length === 1, `${errors.length} lines about the device`);
  await bed.waitUp(client, 30_000);
  await bed.checkTraffic(1);
}

async function linkDown(bed: Bed): Promise<void> {
  const server = await bed.startServer(QUICK_KEEPALIVE);
  const client = await bed.startClient();
  client.mark();
  const link = (state: string) => bed.ip(bed.network.server, 'link', 'set', bed.client().serverDevice, state);
  link('down');
  await Promise.all([client.waitFor(PING_RESTART, 20_000), server.waitFor(PING_RESTART, 30_000)]);
  link('up');
  await bed.waitUp(client, 30_000);
  await bed.checkPing(INNER_SERVER4);
  await bed.checkPing(INNER_SERVER6);
}

async function silentClient(bed: Bed): Promise<void> {
  const server = await bed.startServer(QUICK_KEEPALIVE);
  const client = await bed.startClient();
  client.signal('SIGSTOP');
  await server.waitFor(PING_RESTART, 20_000);
  if (bed.isOurs('server'))
    await server.waitFor(/SIGUSR1\[soft,ping-restart\] received, client-instance restarting/);
  client.mark();
  client.signal('SIGCONT');
  await client.waitFor(UP, 30_000);
  await bed.checkPing(INNER_SERVER4);
}

/** The address of --remote is known from the start, so the timer runs. */
async function neverAnswers(bed: Bed): Promise<void> {
  const client = bed.launchClient(['ping-timer-rem', 'ping-restart 3']);
  await client.waitFor(PING_RESTART, 15_000);
  await client.waitFor(/SIGUSR1\[soft,ping-restart\] received, process restarting/);
}

async function dropped(bed: Bed, option: string): Promise<void> {
  const server = await bed.startServer([option]);
  await bed.startClient();
  await bed.checkPing(INNER_SERVER4);
  const reason = option.split(' ')[0];
  const line = new RegExp(`client1/.* SIGTERM\\[soft,${reason}\\] received, client-instance exiting`);
  await server.waitFor(line, 15_000);
  await bed.checkNoPing(INNER_SERVER4);
}

async function timedOut(bed: Bed, option: string): Promise<void> {
  await bed.startServer([`push "${option}"`]);
  const client = await bed.startClient();
  await bed.checkPing(INNER_SERVER4);
  const reason = option.split(' ')[0];
  await client.waitFor(new RegExp(`SIGTERM\\[soft,${reason}\\] received, process exiting`), 15_000);
  const { code } = await client.exited;
  check(code === 0, `exit code ${code}`);
}

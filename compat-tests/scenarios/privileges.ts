/**
 * Programs that give up root: what they keep (CAP_NET_ADMIN, open files, the device), what they can't read any
 * more and must not need, and that nothing stays behind in the machine when they end. All files of a bed are
 * root's alone.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { type Bed, check, type Role } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const UP = /Initialization Sequence Completed/;
const NOBODY = ['user nobody', 'group nogroup'];
const PERSIST = ['persist-key', 'persist-tun'];
const KEPT = /Preserving previous TUN\/TAP instance: tun0/;
/** Bit 12 of /proc/PID/status. */
const NET_ADMIN = '0000000000001000';
const NONE = '0000000000000000';

export const privileges: readonly Scenario[] = [
  ...(['udp', 'tcp'] as const).map(
    (proto): Scenario => ({
      name: `user nobody: a server goes on after SIGUSR1 (${proto})`,
      pairings: ['ours-server', 'ours-both'],
      tunnel: { proto, wrap: 'tls-crypt' },
      run: serverRestarts,
    }),
  ),
  ...(['client', 'server'] as const).map(
    (role): Scenario => ({
      name: `user nobody: CAP_NET_ADMIN alone is left (${role})`,
      pairings: [`ours-${role}`],
      run: (bed) => keepsNetAdmin(bed, role),
    }),
  ),
  {
    name: 'user nobody: scripts get no capability',
    pairings: ['ours-server'],
    run: scriptsGetNone,
  },
  {
    name: 'user nobody: addresses are remembered in ifconfig-pool-persist',
    pairings: ['ours-server'],
    run: remembersAddresses,
  },
  ...(['SIGTERM', 'SIGUSR1', 'SIGHUP'] as const).flatMap((signal) =>
    ['redirect-gateway', 'redirect-gateway def1'].map(
      (option): Scenario => ({
        name: `user nobody: ${option} is taken back after ${signal}`,
        pairings: ['ours-client', 'ours-both'],
        run: (bed) => takesRoutesBack(bed, option, signal),
      }),
    ),
  ),
  {
    name: 'user nobody: a changed address after SIGUSR1 leaves no route behind',
    pairings: ['ours-client'],
    run: changedAddress,
  },
  {
    name: 'user nobody: routes of a server are taken back',
    pairings: ['ours-server'],
    run: serverRoutes,
  },
  ...(['client', 'server'] as const).flatMap((role) =>
    ['user', 'group'].map(
      (option): Scenario => ({
        name: `an unknown ${option} ends the ${role} before anything is opened`,
        pairings: [`ours-${role}`],
        run: (bed) => unknownName(bed, role, option),
      }),
    ),
  ),
  { name: 'nice is for all threads', pairings: ['ours-server'], run: niceThreads },
];

async function serverRestarts(bed: Bed): Promise<void> {
  const before = bed.snapshot(bed.network.server);
  const lines = [...NOBODY, ...PERSIST, 'keepalive 1 4', 'auth-gen-token 3600'];
  const server = await bed.startServer([...lines, `status ${join(bed.dir, 'status')} 1`]);
  const client = await bed.startClient();
  await bed.checkPing(INNER_SERVER4);
  const device = bed.ip(bed.network.server, '-o', 'link', 'show', 'tun0').split(':')[0];
  for (let round = 0; round < 2; round++) {
    server.mark();
    client.mark();
    server.signal('SIGUSR1');
    await server.waitFor(/SIGUSR1\[hard,\] received, process restarting/);
    await server.waitFor(/Restart pause, 1 second\(s\)/);
    await server.waitFor(KEPT);
    await server.waitFor(UP);
    check(
      bed.ip(bed.network.server, '-o', 'link', 'show', 'tun0').split(':')[0] === device,
      'another device is in its place',
    );
    await bed.waitUp(client, 30_000);
    await bed.checkPing(INNER_SERVER4);
  }
  await bed.waitForText('status', /client1,/);
  await bed.stop(client);
  await bed.stop(server);
  bed.checkClean(bed.network.server, before);
}

async function keepsNetAdmin(bed: Bed, role: Role): Promise<void> {
  const program = await bed.startBoth(role, [...NOBODY, ...PERSIST]);
  check(program.has(/UID set to nobody/), 'no line about the user');
  const ids = program.lines.findIndex((line) => line.includes('UID set to nobody'));
  const order = program.lines.slice(ids, ids + 4).map((line) => line.replace(/^\S+ \S+ /, ''));
  check(
    order.join() ===
      'UID set to nobody,GID set to nogroup,Capabilities retained: CAP_NET_ADMIN,Initialization Sequence Completed',
    `other lines than 2.x's: ${order.join()}`,
  );
  for (const thread of readdirSync(`/proc/${program.pid}/task`)) {
    const status = statusOf(program.pid, thread);
    check(/^(65534 ?){4}$/.test(status('Uid')) && /^(65534 ?){4}$/.test(status('Gid')), 'ids of a thread');
    check(status('Groups') === '', `groups ${status('Groups')}`);
    const allowed = thread === String(program.pid) ? NET_ADMIN : NONE;
    check(status('CapEff') === allowed && status('CapPrm') === allowed, `a thread has ${status('CapEff')}`);
    check(status('CapAmb') === NONE && status('CapInh') === NONE, 'children would inherit capabilities');
  }
}

async function scriptsGetNone(bed: Bed): Promise<void> {
  const script = 'client-connect "/bin/grep Cap /proc/self/status"';
  const server = await bed.startServer([...NOBODY, ...PERSIST, 'script-security 2', script]);
  await bed.startClient();
  for (const name of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'])
    await server.waitFor(new RegExp(`${name}:\\s+0000000000000000$`));
}

async function remembersAddresses(bed: Bed): Promise<void> {
  bed.write('pool', 'client1,10.8.0.77,\n');
  const lines = [...NOBODY, ...PERSIST, 'keepalive 1 4', `ifconfig-pool-persist ${join(bed.dir, 'pool')} 1`];
  const server = await bed.startServer(lines);
  const first = await bed.startClient();
  await first.waitFor(/net_addr_v4_add: 10\.8\.0\.77\/24|ifconfig 10\.8\.0\.77 /);
  await bed.stop(first);
  const other = await bed.startClient([], { identity: 'client2' });
  await bed.waitForText('pool', /^client2,10\.8\.0\.2,/m);
  other.mark();
  server.signal('SIGUSR1');
  await server.waitFor(/SIGUSR1\[hard,\] received/);
  await bed.waitUp(other, 30_000);
  await bed.stop(server);
  const text = bed.read('pool');
  check(/^client1,10\.8\.0\.77,/m.test(text) && /^client2,10\.8\.0\.2,/m.test(text), `the file says ${text}`);
}

async function takesRoutesBack(
  bed: Bed,
  option: string,
  signal: 'SIGTERM' | 'SIGUSR1' | 'SIGHUP',
): Promise<void> {
  const { ns, server4 } = bed.client();
  bed.ip(ns, 'route', 'add', 'default', 'via', server4);
  const before = bed.snapshot(ns);
  await bed.startServer([`push "${option}"`, 'push "route 192.168.50.0 255.255.255.0 net_gateway"']);
  const client = await bed.startClient([...NOBODY, ...PERSIST]);
  check(/via 10\.8\.0\.1 dev tun0/.test(bed.ip(ns, 'route')), 'the gateway is not redirected');
  client.mark();
  if (signal === 'SIGUSR1') {
    client.signal(signal);
    await client.waitFor(KEPT, 20_000);
    await client.waitFor(UP);
    await bed.checkPing(INNER_SERVER4);
  }
  // It has no right to read its configuration again; 2.x ends the same.
  if (signal === 'SIGHUP') {
    await bed.stop(client, signal, 1);
    check(client.has(/Options error: .*Error opening configuration file/), client.tail());
  } else await bed.stop(client);
  bed.checkClean(ns, before);
}

/** The device can be opened again where /dev/net/tun is for everybody; else that is the end, for 2.x as well. */
async function changedAddress(bed: Bed): Promise<void> {
  const { ns, server4 } = bed.client();
  bed.ip(ns, 'route', 'add', 'default', 'via', server4);
  const before = bed.snapshot(ns);
  const push = ['push "redirect-gateway def1"', 'keepalive 1 4'];
  const first = await bed.startServer(push);
  const client = await bed.startClient([...NOBODY, ...PERSIST]);
  await first.stop('SIGKILL');
  client.mark();
  bed.launchServer([...push, 'push "route 192.168.51.0 255.255.255.0"']);
  await client.waitFor(/NOTE: Pulled options changed on restart, will need to close and reopen/, 30_000);
  await client.waitFor(/Initialization Sequence Completed|Cannot open TUN\/TAP dev.*Permission denied/);
  await client.stop('SIGTERM');
  bed.checkClean(ns, before);
}

async function serverRoutes(bed: Bed): Promise<void> {
  const before = bed.snapshot(bed.network.server);
  const server = await bed.startServer([...NOBODY, ...PERSIST, 'route 192.168.60.0 255.255.255.0']);
  check(/192\.168\.60\.0/.test(bed.ip(bed.network.server, 'route')), 'the route is not there');
  await bed.stop(server);
  check(!server.has(/not permitted|command failed/), `something could not be taken back\n${server.tail()}`);
  bed.checkClean(bed.network.server, before);
}

async function unknownName(bed: Bed, role: Role, option: string): Promise<void> {
  const ns = role === 'client' ? bed.client().ns : bed.network.server;
  const lines = [`${option} no-such-name`, ...PERSIST];
  const program = role === 'client' ? bed.launchClient(lines) : bed.launchServer(lines);
  const { code } = await program.waitForExit();
  check(code === 1, `exit code ${code}`);
  const kind = option === 'user' ? 'UID' : 'GID';
  check(program.has(new RegExp(`failed to find ${kind} for ${option} no-such-name$`)), program.tail());
  check(program.has(/Exiting due to fatal error/), program.tail());
  check(!program.has(/TUN\/TAP device|link (local|remote)/), `something was opened\n${program.tail()}`);
  check(!/tun0/.test(bed.ip(ns, '-o', 'link')), 'a device is left');
}

async function niceThreads(bed: Bed): Promise<void> {
  const server = await bed.startServer(['nice 7']);
  check(server.has(/nice 7 succeeded/), server.tail());
  for (const thread of readdirSync(`/proc/${server.pid}/task`)) {
    const stat = readFileSync(`/proc/${server.pid}/task/${thread}/stat`, 'latin1');
    const nice = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16];
    check(Number(nice) === getPriority() + 7, `a thread has ${nice}`);
  }
}

/** Reads fields of a thread's status. */
function statusOf(pid: number, thread: string): (name: string) => string {
  const text = readFileSync(`/proc/${pid}/task/${thread}/status`, 'latin1');
  return (name) => (new RegExp(`^${name}:(.*)$`, 'm').exec(text)?.[1] ?? '?').trim().replace(/\s+/g, ' ');
}

/** Signals: stop, restart hard and soft, statistics; nothing may stay behind, whenever the stop comes. */

import { createPrng } from '../../test-kit/prng.ts';
import { describeExit, type Program, sleep } from '../../test-kit/process.ts';
import { type Bed, check, type Role } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const UP = /Initialization Sequence Completed/;
const KEEPALIVE = ['keepalive 1 4'];
const STOP_ROUNDS = 8;
const LATEST_STOP_MS = 1_600;

export const signals: readonly Scenario[] = (['client', 'server'] as const).flatMap((role) => {
  const pairings = [`ours-${role}`] as const;
  return [
    { name: `SIGTERM ends the ${role} cleanly`, pairings, run: (bed: Bed) => stops(bed, role, 'SIGTERM') },
    { name: `SIGINT ends the ${role} cleanly`, pairings, run: (bed: Bed) => stops(bed, role, 'SIGINT') },
    { name: `SIGHUP restarts the ${role}`, pairings, run: (bed: Bed) => restarts(bed, role, 'SIGHUP') },
    { name: `SIGUSR1 reconnects the ${role}`, pairings, run: (bed: Bed) => restarts(bed, role, 'SIGUSR1') },
    { name: `SIGUSR2 prints the ${role}'s statistics`, pairings, run: (bed: Bed) => statistics(bed, role) },
    {
      name: `SIGTERM at any moment leaves nothing (${role})`,
      pairings,
      run: (bed: Bed) => anyMoment(bed, role),
    },
  ];
});

async function stops(bed: Bed, role: Role, signal: 'SIGTERM' | 'SIGINT'): Promise<void> {
  const before = bed.snapshot(namespaceOf(bed, role));
  const pair = await up(bed);
  const program = pair[role];
  await bed.stop(program, signal);
  check(
    program.has(new RegExp(`${signal}\\[hard,\\] received, process exiting`)),
    `no farewell\n${program.tail()}`,
  );
  bed.checkClean(namespaceOf(bed, role), before);
}

async function restarts(bed: Bed, role: Role, signal: 'SIGHUP' | 'SIGUSR1'): Promise<void> {
  const pair = await up(bed);
  const program = pair[role];
  pair.client.mark();
  pair.server.mark();
  program.signal(signal);
  await program.waitFor(new RegExp(`${signal}\\[hard,\\] received, process restarting`));
  await program.waitFor(UP, 20_000);
  await bed.waitUp(pair.client, 30_000);
  await bed.checkPing(INNER_SERVER4);
  if (signal === 'SIGHUP')
    check(program.has(/OpenVPN 2\.\d+\.\d+ /), `no banner after SIGHUP\n${program.tail()}`);
}

async function statistics(bed: Bed, role: Role): Promise<void> {
  const pair = await up(bed);
  const program = pair[role];
  program.mark();
  program.signal('SIGUSR2');
  if (role === 'client') {
    for (const text of [
      'OpenVPN STATISTICS',
      'TUN/TAP read bytes,',
      'TCP/UDP write bytes,',
      'Auth read bytes,',
    ]) {
      await program.waitFor(new RegExp(text));
    }
  } else {
    await program.waitFor(/OpenVPN CLIENT LIST/);
    await program.waitFor(/client1,10\.99\.0\.2:\d+,\d+,\d+,/);
    await program.waitFor(/10\.8\.0\.2,client1,/);
  }
  await program.waitFor(/END$/);
  await bed.checkPing(INNER_SERVER4);
}

/** Stops at seeded moments from the first millisecond on to after the tunnel is up. */
async function anyMoment(bed: Bed, role: Role): Promise<void> {
  const ns = namespaceOf(bed, role);
  const before = bed.snapshot(ns);
  const random = createPrng(42);
  if (role === 'client') await bed.startServer(KEEPALIVE);
  else bed.launchClient();
  for (let round = 0; round < STOP_ROUNDS; round++) {
    const program = role === 'client' ? bed.launchClient() : bed.launchServer(KEEPALIVE);
    await sleep(random() * LATEST_STOP_MS);
    const status = await program.stop('SIGTERM', 6_000);
    // Before its handlers are set the signal itself ends the program, as it does with 2.x.
    const orderly = status.code === 0 || status.signal === 'SIGTERM';
    check(orderly, `${program.name}: ${describeExit(status)}\n${program.tail()}`);
    bed.checkClean(ns, before);
  }
}

async function up(bed: Bed): Promise<Record<Role, Program>> {
  const server = await bed.startServer(KEEPALIVE);
  const client = await bed.startClient();
  await bed.checkPing(INNER_SERVER4);
  return { server, client };
}

function namespaceOf(bed: Bed, role: Role): string {
  return role === 'client' ? bed.client().ns : bed.network.server;
}

/**
 * Many clients at once: all are started together with `dev null` (no device, no routes), and the time
 * until the last one is up and the server's memory per client are taken. The client program is the same
 * for both servers, so only the server differs.
 */
import { cpuSeconds, type Program, privateKib, residentKib, sleep } from '../test-kit/process.ts';
import { type Contender, NO_DEVICE, Setting } from './setting.ts';

export interface ManyClientsRun {
  readonly server: string;
  readonly clients: number;
  /** From the first start of a client until the last one says that it is up. */
  readonly seconds: number;
  /** CPU time of the server meanwhile. */
  readonly cpuSeconds: number;
  readonly rssBeforeKib: number;
  readonly rssAfterKib: number;
  /** Growth of heaps and stacks. */
  readonly kibPerClient: number;
  /** Growth of everything resident, with the pages of the program's files that were read meanwhile. */
  readonly rssKibPerClient: number;
}

/** All clients lose their server at once and come back to the next one. */
export interface ReturnRun {
  readonly server: string;
  readonly clients: number;
  /** From the start of the new server until the last client is up again. */
  readonly seconds: number;
  /** CPU time of the new server until then. */
  readonly cpuSeconds: number;
}

const SETTLE_MS = 1_500;
const LIMIT_MS = 120_000;
const UP = /Initialization Sequence Completed/;
/** Room for all: the address pool of a /24 would do, the limit on first packets per second would not. */
const ROOM: readonly string[] = ['duplicate-cn', 'connect-freq-initial 100000 1', 'max-clients 1024'];

/** Measures one server. Rejects when a client does not come up in time. */
export async function measureManyClients(
  server: Contender,
  client: Contender,
  clients: number,
): Promise<ManyClientsRun> {
  const setting = await Setting.create();
  try {
    const program = await setting.startServer(server, ROOM);
    await sleep(SETTLE_MS);
    const rssBeforeKib = residentKib(program.pid);
    const privateBeforeKib = privateKib(program.pid);
    const cpuBefore = cpuSeconds(program.pid);
    const startedMs = performance.now();
    const started = Array.from({ length: clients }, () => setting.launchClient(client, NO_DEVICE));
    await allUp(started);
    const seconds = (performance.now() - startedMs) / 1_000;
    const cpu = cpuSeconds(program.pid) - cpuBefore;
    await sleep(SETTLE_MS);
    const rssAfterKib = residentKib(program.pid);
    const kibPerClient = (privateKib(program.pid) - privateBeforeKib) / clients;
    const rssKibPerClient = (rssAfterKib - rssBeforeKib) / clients;
    return {
      server: server.name,
      clients,
      seconds,
      cpuSeconds: cpu,
      rssBeforeKib,
      rssAfterKib,
      kibPerClient,
      rssKibPerClient,
    };
  } finally {
    await setting.close();
  }
}

/**
 * The server is killed and started again, as by a watchdog; its clients notice by the missing answers to their pings.
 * Rejects when one doesn't come back in time.
 */
export async function measureReturn(
  server: Contender,
  client: Contender,
  clients: number,
): Promise<ReturnRun> {
  const setting = await Setting.create();
  try {
    const extra = [...ROOM, 'keepalive 2 10'];
    const first = await setting.startServer(server, extra);
    const started = Array.from({ length: clients }, () => setting.launchClient(client, NO_DEVICE));
    await allUp(started);
    for (const one of started) one.mark();
    await first.stop('SIGKILL');
    const startedMs = performance.now();
    const second = await setting.startServer(server, extra);
    await allUp(started);
    const seconds = (performance.now() - startedMs) / 1_000;
    return { server: server.name, clients, seconds, cpuSeconds: cpuSeconds(second.pid) };
  } finally {
    await setting.close();
  }
}

async function allUp(clients: readonly Program[]): Promise<void> {
  await Promise.all(clients.map((client) => client.waitFor(UP, LIMIT_MS)));
}

/**
 * Many clients at once: all are started together with `dev null` (no device, no routes), and the time
 * until the last one is up and the server's memory per client are taken. The client program is the same
 * for both servers, so only the server differs.
 */
import { cpuSeconds, privateKib, residentKib, sleep } from '../test-kit/process.ts';
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

const SETTLE_MS = 1_500;
const LIMIT_MS = 120_000;

/** Measures one server. Rejects when a client does not come up in time. */
export async function measureManyClients(
  server: Contender,
  client: Contender,
  clients: number,
): Promise<ManyClientsRun> {
  const setting = await Setting.create();
  try {
    // Room for all: the address pool of a /24 would do, the limit on first packets per second would not.
    const extra = ['duplicate-cn', 'connect-freq-initial 100000 1', 'max-clients 1024'];
    const program = await setting.startServer(server, extra);
    await sleep(SETTLE_MS);
    const rssBeforeKib = residentKib(program.pid);
    const privateBeforeKib = privateKib(program.pid);
    const cpuBefore = cpuSeconds(program.pid);
    const startedMs = performance.now();
    const started = Array.from({ length: clients }, () => setting.launchClient(client, NO_DEVICE));
    await Promise.all(started.map((one) => one.waitFor(/Initialization Sequence Completed/, LIMIT_MS)));
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

/**
 * Many routes: a client with that many `route` lines. Up is from the opened device to "Initialization Sequence
 * Completed", down from SIGTERM to the end of the process, addresses and device included.
 */
import { type Contender, Setting } from './setting.ts';

export interface RoutesRun {
  readonly client: string;
  readonly routes: number;
  readonly upMs: number;
  readonly downMs: number;
}

const LIMIT_MS = 120_000;

/** Measures one client; the server is the same for all. Rejects when routes are missing or left behind. */
export async function measureRoutes(
  client: Contender,
  server: Contender,
  routes: number,
): Promise<RoutesRun> {
  const setting = await Setting.create();
  try {
    await setting.startServer(server);
    const lines = Array.from(
      { length: routes },
      (_, at) => `route 172.${16 + (at >> 8)}.${at & 255}.0 255.255.255.0`,
    );
    const program = setting.launchClient(client, ['verb 3', ...lines]);
    await program.waitFor(/TUN\/TAP device \S+ opened/, LIMIT_MS);
    const openedMs = performance.now();
    await program.waitFor(/Initialization Sequence Completed/, LIMIT_MS);
    const upMs = performance.now() - openedMs;
    const there = setting.routes().length;
    if (there !== routes) throw new Error(`${there} routes of ${routes}\n${program.tail()}`);
    const stoppedMs = performance.now();
    await program.stop('SIGTERM', LIMIT_MS);
    const downMs = performance.now() - stoppedMs;
    if (setting.routes().length > 0) throw new Error(`routes left behind\n${program.tail()}`);
    return { client: client.name, routes, upMs, downMs };
  } finally {
    await setting.close();
  }
}

/** Start-up time of a server: from exec until its UDP port shows in /proc/net/udp of its namespace. */
import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Contender, Setting } from './setting.ts';

const PORT_1194 = ':04AA ';
const LIMIT_MS = 30_000;

/** Milliseconds of each of `times` starts. */
export async function measureStartUp(server: Contender, times: number): Promise<number[]> {
  const results: number[] = [];
  for (let i = 0; i < times; i++) results.push(await once(server));
  return results;
}

async function once(server: Contender): Promise<number> {
  const setting = await Setting.create();
  try {
    const witness = setting.run(setting.network.server, ['sh', '-c', 'echo ready; exec sleep 600']);
    await witness.waitFor(/ready/);
    const sockets = `/proc/${witness.pid}/net/udp`;
    const startedMs = performance.now();
    const program = setting.launchServer(server);
    while (!readFileSync(sockets, 'latin1').includes(PORT_1194)) {
      if (performance.now() - startedMs > LIMIT_MS) throw new Error(`no socket\n${program.tail()}`);
      await nextTurn();
    }
    return performance.now() - startedMs;
  } finally {
    await setting.close();
  }
}

/**
 * What a new client costs the server: clients come one after the other and stay, so that the thousandth meets a server
 * with 999. All clients are in one process of ours, the same for both servers, so only the server differs.
 */
import { cpuMicroseconds, type Program } from '../test-kit/process.ts';
import { type Contender, median, NO_DEVICE, Setting } from './setting.ts';

/** Each part of a run: the clients from the last part's end to this many. */
export interface HandshakePart {
  readonly clients: number;
  /** CPU time of the server for each client, milliseconds, all threads. */
  readonly cpuMs: number;
  /** From the start of a client until it was up, milliseconds: median. */
  readonly upMs: number;
}

export interface HandshakeRun {
  readonly server: string;
  readonly parts: readonly HandshakePart[];
}

const PARTS = 10;
const PART_LIMIT_MS = 120_000;

/** Rejects when a part's clients don't come up in time. */
export async function measureHandshakes(server: Contender, clients: number): Promise<HandshakeRun> {
  const setting = await Setting.create();
  try {
    const extra = [
      'server 10.8.0.0 255.255.0.0',
      'duplicate-cn',
      'connect-freq-initial 100000 1',
      'max-clients 4096',
      // Pings of those that are connected are no part of a handshake.
      'keepalive 600 1800',
    ];
    const program = await setting.startServer(server, extra);
    const swarm = setting.runSwarm(clients, NO_DEVICE);
    const parts: HandshakePart[] = [];
    for (let part = 1; part <= PARTS; part++)
      parts.push(await measurePart(program, swarm, clients / PARTS, part));
    return { server: server.name, parts };
  } finally {
    await setting.close();
  }
}

async function measurePart(
  server: Program,
  swarm: Program,
  size: number,
  part: number,
): Promise<HandshakePart> {
  const before = cpuMicroseconds(server.pid);
  swarm.mark();
  await swarm.waitFor(new RegExp(`^up ${part * size} `), PART_LIMIT_MS);
  const cpuMs = (cpuMicroseconds(server.pid) - before) / 1_000 / size;
  const upMs = swarm.recent.map((line) => Number(line.split(' ')[2])).filter(Number.isFinite);
  return { clients: part * size, cpuMs, upMs: median(upMs) };
}

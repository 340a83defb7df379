/**
 * Sends packets at a steady rate, from many source addresses: what a stranger does to a server's port. Bounded in
 * rate and time.
 */
import { createSocket, type Socket } from 'node:dgram';

export interface FloodOptions {
  readonly host: string;
  readonly port: number;
  /** Packets to be sent in turn, in base64. */
  readonly packets: readonly string[];
  readonly perSecond: number;
  readonly seconds: number;
  /** Addresses to send from, which must be this machine's; by the kernel's choice when left out. */
  readonly sources?: readonly string[];
}

const MAX_PER_SECOND = 50_000;
const MAX_SECONDS = 60;
/** Packets on their way to the kernel at once. */
const MAX_WAITING = 512;

/** Resolves with the number of packets sent. `sockets` stay open; by default there is one for each source. */
export async function sendFlood(options: FloodOptions, sockets?: readonly Socket[]): Promise<number> {
  const own = sockets ?? (await openSockets(options));
  try {
    return await pace(options, own);
  } finally {
    if (!sockets) for (const socket of own) socket.close();
  }
}

/** What floodSources() takes its addresses of; ownPrefix() makes them a machine's own. */
export const FLOOD_PREFIXES = { 4: '10.77.0.0/16', 6: 'fd77::/64' } as const;

/** Addresses of FLOOD_PREFIXES. */
export function floodSources(family: 4 | 6, count: number): string[] {
  return Array.from({ length: count }, (_, i) =>
    family === 4
      ? `10.77.${(i >> 8) & 255}.${i & 255 || 1}`
      : `fd77::${(i + 1).toString(16)}:${(i * 7 + 1).toString(16)}`,
  );
}

async function openSockets({
  host,
  sources = [undefined],
}: {
  host: string;
  sources?: readonly (string | undefined)[];
}) {
  const type = host.includes(':') ? 'udp6' : 'udp4';
  return Promise.all(
    sources.map(async (address) => {
      const socket = createSocket(type);
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.bind({ ...(address !== undefined && { address }) }, resolve);
      });
      socket.on('error', () => undefined);
      return socket;
    }),
  );
}

async function pace(options: FloodOptions, sockets: readonly Socket[]): Promise<number> {
  const { host, port } = options;
  const perSecond = Math.min(options.perSecond, MAX_PER_SECOND);
  const endMs = Math.min(options.seconds, MAX_SECONDS) * 1_000;
  const packets = options.packets.map((packet) => Buffer.from(packet, 'base64'));
  const startedMs = performance.now();
  let sent = 0;
  let waiting = 0;
  const done = () => {
    waiting--;
  };
  for (let nowMs = 0; nowMs < endMs; nowMs = performance.now() - startedMs) {
    const owed = Math.floor((nowMs * perSecond) / 1_000);
    while (sent < owed && waiting < MAX_WAITING) {
      waiting++;
      sockets[sent % sockets.length]!.send(packets[sent % packets.length]!, port, host, done);
      sent++;
    }
    await new Promise<void>((resolve) => setTimeout(resolve, 1));
  }
  while (waiting > 0) await new Promise<void>((resolve) => setTimeout(resolve, 1));
  return sent;
}

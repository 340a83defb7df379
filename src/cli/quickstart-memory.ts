/**
 * Quickstart without root or without a TUN device: server and client in this process through the library,
 * joined by real UDP on 127.0.0.1, with in-memory devices in place of TUN. It proves TLS, keys and data
 * channel; nothing of this machine's network is touched, so other programs can't use the tunnel.
 */
import { readFileSync } from 'node:fs';
import { OpenVpnError } from '../base/base.ts';
import {
  createClient,
  createServer,
  createTunPair,
  parseConfig,
  type TunDevice,
  type Tunnel,
} from '../index.ts';
import { MemoryHost } from './memory-host.ts';
import { type QuickstartFiles, serverAddress, writeLocalProfile } from './quickstart-files.ts';

const START_MS = 30_000;
const TRANSFER_MS = 120_000;
const PINGS = 4;
const PING_MS = 2000;
/** Addresses and routes stay as they are. */
const HANDS_OFF = '\nifconfig-noexec\nroute-noexec\n';

/** A running pair; close() ends both. */
export interface MemoryPair {
  readonly server: Tunnel;
  prove(bytes: number): Promise<{ good: boolean; lines: string[] }>;
  close(): Promise<void>;
}

/** Starts both ends. Throws OpenVpnError when they don't come up. */
export async function startMemoryPair(files: QuickstartFiles, signal: AbortSignal): Promise<MemoryPair> {
  const serverTun = memoryTun();
  const clientTun = memoryTun();
  const profile = writeLocalProfile(files, '127.0.0.1');
  const server = createServer(configOf(files.serverConf), { tun: serverTun.factory });
  const client = createClient(configOf(profile), { tun: clientTun.factory });
  const close = async (): Promise<void> => {
    await client.stop();
    await server.stop();
  };
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(START_MS)]);
    await server.start({ signal: limit });
    await client.start({ signal: limit });
  } catch (error) {
    await close();
    throw error;
  }
  return { server, close, prove: (bytes) => prove(files, { server, serverTun, clientTun }, bytes) };
}

interface Ends {
  readonly server: Tunnel;
  readonly serverTun: MemoryTun;
  readonly clientTun: MemoryTun;
}

async function prove(
  files: QuickstartFiles,
  ends: Ends,
  bytes: number,
): Promise<{ good: boolean; lines: string[] }> {
  const clientAddress = ends.server.status()?.clients[0]?.virtualAddress;
  if (!clientAddress) throw new OpenVpnError('the client got no address');
  const near = new MemoryHost(ends.clientTun.system(), clientAddress);
  const far = new MemoryHost(ends.serverTun.system(), serverAddress(files));
  const times: number[] = [];
  for (let sequence = 1; sequence <= PINGS; sequence++) {
    const ms = await near.ping(far.address, sequence, PING_MS);
    if (ms !== undefined) times.push(ms);
  }
  const best = times.length > 0 ? `, fastest ${Math.min(...times).toFixed(2)} ms` : '';
  const up = await transfer(near, far, bytes);
  const down = await transfer(far, near, bytes);
  const intact = up.intact && down.intact;
  const rates = `up ${up.mbps.toFixed(0)} Mbit/s, down ${down.mbps.toFixed(0)} Mbit/s`;
  const verdict = intact ? 'SHA-256 equal at both ends' : 'SHA-256 DIFFERS';
  return {
    good: times.length > 0 && intact,
    lines: [
      `Ping ${far.address} through the tunnel: ${PINGS} packets transmitted, ${times.length} received${best}`,
      `Transfer through the tunnel: ${(bytes / 2 ** 20).toFixed(0)} MiB each way, ${rates}, ${verdict}`,
    ],
  };
}

async function transfer(
  from: MemoryHost,
  to: MemoryHost,
  bytes: number,
): Promise<{ mbps: number; intact: boolean }> {
  const receiver = to.listen();
  const startMs = performance.now();
  const sent = await from.stream(to.address, bytes, TRANSFER_MS);
  const mbps = (bytes * 8) / (performance.now() - startMs) / 1000;
  return { mbps, intact: sent?.equals(receiver.digest()) ?? false };
}

interface MemoryTun {
  readonly factory: { readonly name: string; open(): TunDevice };
  /** The operating system's end of the device that is open. */
  system(): TunDevice;
}

function memoryTun(): MemoryTun {
  let system: TunDevice | undefined;
  return {
    factory: {
      name: 'memory',
      open: () => {
        const pair = createTunPair();
        system = pair.system;
        return pair.device;
      },
    },
    system: () => {
      if (system === undefined) throw new OpenVpnError('no device is open');
      return system;
    },
  };
}

function configOf(file: string): ReturnType<typeof parseConfig> {
  return parseConfig(readFileSync(file, 'utf8') + HANDS_OFF, { fileName: file });
}

/**
 * A server and a client in one process, without root: their packets end in devices in memory, the tunnel
 * between them is real UDP on this machine. One packet is sent from the client's device and awaited on the
 * server's.
 *
 *   node scripts/tools.mjs examples/in-memory-pair.ts server.conf client.ovpn
 *
 * In a program of your own, import from 'openvpn-ts'.
 */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import {
  createClient,
  createServer,
  createTunPair,
  PacketBatch,
  parseConfig,
  type TunDevice,
  type TunFactory,
} from '../src/index.ts';

/** The machine's own addresses and routes stay as they are. */
const HANDS_OFF = '\nifconfig-noexec\nroute-noexec\n';

/** Resolves the text that arrived. `serverText` and `clientText` are configurations. */
export async function runPair(
  serverText: string,
  clientText: string,
  print: (line: string) => void,
): Promise<string> {
  const [serverTun, clientTun] = [memoryTun(), memoryTun()];
  const server = createServer(parseConfig(serverText + HANDS_OFF), { tun: serverTun.factory });
  const client = createClient(parseConfig(clientText + HANDS_OFF), { tun: clientTun.factory });
  client.on('state', (state) => print(`client: ${state}`));
  try {
    await server.start();
    await client.start();
    const address = server.status()?.clients[0]?.virtualAddress ?? '';
    print(`the client has ${address}`);
    const arrived = nextText(serverTun.system());
    send(clientTun.system(), packetFrom(address, 'hello through the tunnel'));
    const text = await arrived;
    print(`the server's device got: ${text}`);
    return text;
  } finally {
    await client.stop();
    await server.stop();
  }
}

/** A factory of in-memory devices, and the operating system's end of the one that is open. */
function memoryTun(): { factory: TunFactory; system: () => TunDevice } {
  let system: TunDevice | undefined;
  const open = (): TunDevice => {
    const pair = createTunPair();
    system = pair.system;
    return pair.device;
  };
  return { factory: { name: 'memory', open }, system: () => system! };
}

/** An IPv4 packet of an experimental protocol that carries a text; its destination doesn't matter here. */
function packetFrom(address: string, text: string): Buffer {
  const packet = Buffer.alloc(20 + Buffer.byteLength(text));
  packet[0] = 0x45;
  packet.writeUInt16BE(packet.length, 2);
  packet[9] = 253;
  packet.set(address.split('.').map(Number), 12);
  packet.set([192, 0, 2, 1], 16);
  packet.write(text, 20);
  return packet;
}

function send(device: TunDevice, packet: Buffer): void {
  const batch = new PacketBatch(1);
  batch.push(packet);
  device.writeBatch(batch, 0, 1);
}

function nextText(device: TunDevice): Promise<string> {
  const batch = new PacketBatch(64);
  return new Promise((resolve) => {
    device.onReadable = () => {
      while (device.readBatch(batch) > 0) resolve(batch.packet(0).toString('utf8', 20));
    };
  });
}

const [, program = '', serverFile = 'server.conf', clientFile = 'client.ovpn'] = process.argv;
if (import.meta.url === pathToFileURL(program).href) {
  const texts = [serverFile, clientFile].map((file) => readFileSync(file, 'utf8'));
  await runPair(texts[0]!, texts[1]!, (line) => process.stdout.write(`${line}\n`));
}

/**
 * Answers of a DHCP server as IPv4 packets, and a server and client of one question each, for tests of
 * `route-gateway dhcp`. Checksums are computed in the plainest way.
 */
import { createSocket, type Socket } from 'node:dgram';

export const DHCP_OFFER = 2;
export const DHCP_ACK = 5;
const SERVER_PORT = 67;
const CLIENT_PORT = 68;
const MESSAGE_BYTES = 240;
const ASK_AGAIN_MS = 250;

/** An IPv4 packet with a message of `type`, whose options are the type and then `options`. */
export function dhcpAnswer(
  type: number,
  options: readonly number[],
  { ipOptions = 0 }: { readonly ipOptions?: number } = {},
): Buffer {
  const message = dhcpMessage(2, [53, 1, type, ...options]);
  const head = 20 + ipOptions;
  const packet = Buffer.concat([Buffer.alloc(head + 8), message]);
  packet[0] = 0x40 | (head / 4);
  packet.writeUInt16BE(packet.length, 2);
  packet[8] = 64;
  packet[9] = 17;
  packet.set([10, 8, 0, 1, 10, 8, 0, 2], 12);
  packet.writeUInt16BE(SERVER_PORT, head);
  packet.writeUInt16BE(CLIENT_PORT, head + 2);
  packet.writeUInt16BE(8 + message.length, head + 4);
  return packet;
}

/** The options of a packet that dhcpAnswer() made. */
export function dhcpOptions(packet: Buffer): Buffer {
  return packet.subarray((packet[0]! & 0x0f) * 4 + 8 + MESSAGE_BYTES);
}

/** Sum of an IPv4 packet's UDP part with its checksum: 0xffff when that is right. */
export function udpSum(packet: Buffer): number {
  const udp = packet.subarray((packet[0]! & 0x0f) * 4);
  const bytes = Buffer.concat([packet.subarray(12, 20), Buffer.from([0, 17, 0, 0]), udp]);
  bytes.writeUInt16BE(udp.length, 10);
  let sum = 0;
  for (const [index, byte] of bytes.entries()) sum += index % 2 === 0 ? byte << 8 : byte;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

/** Answers every question at `host` with an acknowledgement that names `router` as router and name server. */
export async function serveDhcp(host: string, router: string): Promise<void> {
  const address = router.split('.').map(Number);
  const socket = await bound(SERVER_PORT, host);
  const answer = dhcpMessage(2, [53, 1, DHCP_ACK, 3, 4, ...address, 6, 4, ...address, 255]);
  socket.on('message', (_question, { address: client }) => socket.send(answer, CLIENT_PORT, client));
}

/** Asks `host` until it answers; the answer's options in hex. */
export async function askDhcp(host: string): Promise<string> {
  const socket = await bound(CLIENT_PORT, '0.0.0.0');
  const question = dhcpMessage(1, [53, 1, 3, 255]);
  return new Promise((resolve) => {
    const ask = (): void => socket.send(question, SERVER_PORT, host, () => undefined);
    const timer = setInterval(ask, ASK_AGAIN_MS);
    socket.on('error', () => undefined);
    socket.once('message', (message) => {
      clearInterval(timer);
      socket.close();
      resolve(message.subarray(MESSAGE_BYTES).toString('hex'));
    });
  });
}

function dhcpMessage(op: number, options: readonly number[]): Buffer {
  const head = Buffer.alloc(MESSAGE_BYTES);
  head[0] = op;
  head.set([0x63, 0x82, 0x53, 0x63], MESSAGE_BYTES - 4);
  return Buffer.concat([head, Buffer.from(options)]);
}

function bound(port: number, host: string): Promise<Socket> {
  const socket = createSocket('udp4');
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, host, () => resolve(socket));
  });
}

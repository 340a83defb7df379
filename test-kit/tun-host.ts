/**
 * A host behind an in-memory TUN device, for tests: it sends and collects small IP packets that carry a
 * text, and answers `ping X` with `pong X` as a real host answers echo requests.
 *
 *   IPv4 (20 bytes, protocol 253) or IPv6 (40 bytes, next header 253) | text
 */
import { formatIp, PacketBatch, parseIpBytes } from '../src/base/base.ts';
import type { TunDevice } from '../src/tun/tun.ts';

/** For experiments, RFC 3692. */
const PROTOCOL = 253;

export interface ReceivedText {
  readonly from: string;
  readonly to: string;
  readonly text: string;
}

export class TunHost {
  readonly device: TunDevice;
  readonly received: ReceivedText[] = [];
  /** Whether pings are answered. */
  answers = true;
  readonly #batch = new PacketBatch(64, 2000);

  constructor(device: TunDevice) {
    this.device = device;
    device.onReadable = () => this.#drain();
  }

  /** Texts that came from an address, in order. */
  from(address: string): string[] {
    return this.received.filter((packet) => packet.from === address).map((packet) => packet.text);
  }

  send(from: string, to: string, ...texts: readonly string[]): void {
    const batch = new PacketBatch(Math.max(1, texts.length), 2000);
    for (const text of texts) batch.push(ipPacket(from, to, text));
    this.device.writeBatch(batch, 0, batch.count);
  }

  #drain(): void {
    while (this.device.readBatch(this.#batch) > 0) {
      for (let slot = 0; slot < this.#batch.count; slot++) {
        const packet = readIpPacket(this.#batch.packet(slot));
        if (!packet) continue;
        this.received.push(packet);
        if (this.answers && packet.text.startsWith('ping ')) {
          this.send(packet.to, packet.from, packet.text.replace('ping', 'pong'));
        }
      }
    }
  }
}

/** Both addresses of one family. */
export function ipPacket(from: string, to: string, text: string): Buffer {
  const [source, destination] = [parseIpBytes(from)!, parseIpBytes(to)!];
  const payload = Buffer.from(text);
  const header = Buffer.alloc(source.length === 4 ? 20 : 40);
  if (source.length === 4) {
    header[0] = 0x45;
    header.writeUInt16BE(header.length + payload.length, 2);
    header[8] = 64;
    header[9] = PROTOCOL;
    header.set(source, 12);
    header.set(destination, 16);
  } else {
    header[0] = 0x60;
    header.writeUInt16BE(payload.length, 4);
    header[6] = PROTOCOL;
    header[7] = 64;
    header.set(source, 8);
    header.set(destination, 24);
  }
  return Buffer.concat([header, payload]);
}

/** Undefined for anything that ipPacket() doesn't make. */
export function readIpPacket(packet: Buffer): ReceivedText | undefined {
  if (packet.length >= 20 && packet[0] === 0x45 && packet[9] === PROTOCOL) {
    const [from, to] = [formatIp(packet.subarray(12, 16)), formatIp(packet.subarray(16, 20))];
    return { from, to, text: packet.toString('utf8', 20) };
  }
  if (packet.length >= 40 && packet[0] === 0x60 && packet[6] === PROTOCOL) {
    const [from, to] = [formatIp(packet.subarray(8, 24)), formatIp(packet.subarray(24, 40))];
    return { from, to, text: packet.toString('utf8', 40) };
  }
  return undefined;
}

/**
 * Hand-made TCP packets for tests of segmentation offload, and their checksums computed in the plainest
 * way, so that the addon is checked against something else than itself.
 */

export const FIN = 0x01;
export const PSH = 0x08;
export const ACK = 0x10;
export const URG = 0x20;
export const CWR = 0x80;

export interface TcpFields {
  readonly v6?: boolean;
  readonly ipOptions?: number;
  readonly tcpOptions?: Uint8Array;
  readonly payload: number;
  readonly seq?: number;
  readonly ack?: number;
  readonly flags?: number;
  readonly port?: number;
  readonly id?: number;
  readonly df?: boolean;
  readonly ttl?: number;
  readonly tos?: number;
  readonly window?: number;
  readonly extension?: boolean;
}

/** Option kind 8 of RFC 7323 behind two no-ops. */
export const TIMESTAMPS = Uint8Array.from([1, 1, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9]);

/** Packets of one flow that follow each other, ids counting up. */
export function tcpRun(first: TcpFields, payloads: readonly number[]): Buffer[] {
  let seq = first.seq ?? 1000;
  return payloads.map((payload, i) => {
    const packet = tcpPacket({ ...first, payload, seq, id: 7 + i });
    seq += payload;
    return packet;
  });
}

/** A whole TCP packet with right checksums. */
export function tcpPacket(segment: TcpFields): Buffer {
  const { v6 = false, ipOptions = 0, tcpOptions = new Uint8Array(0), payload, extension = false } = segment;
  const {
    seq = 1000,
    ack = 1,
    flags = ACK,
    port = 80,
    id = 7,
    df = true,
    ttl = 64,
    tos = 0,
    window = 500,
  } = segment;
  const ipHead = v6 ? (extension ? 48 : 40) : 20 + ipOptions;
  const packet = Buffer.alloc(ipHead + 20 + tcpOptions.length + payload);
  if (v6) {
    packet.writeUInt32BE(0x6000_0000 | (tos << 20), 0);
    packet.writeUInt16BE(packet.length - 40, 4);
    packet.set([extension ? 60 : 6, ttl], 6);
    packet.set([0xfd, 1], 8);
    packet.set([0xfd, 2], 24);
    if (extension) packet.set([6, 0, 1, 4, 0, 0, 0, 0], 40);
  } else {
    packet.set([0x45 + ipOptions / 4, tos]);
    packet.writeUInt16BE(packet.length, 2);
    packet.writeUInt16BE(id & 0xffff, 4);
    packet.writeUInt16BE(df ? 0x4000 : 0, 6);
    packet.set([ttl, 6], 8);
    packet.set([10, 1, 0, 1, 10, 1, 0, 2], 12);
    packet.fill(1, 20, ipHead);
    packet.writeUInt16BE(~foldSum(sumOf(packet.subarray(0, ipHead))) & 0xffff, 10);
  }
  packet.writeUInt16BE(port, ipHead);
  packet.writeUInt16BE(5001, ipHead + 2);
  packet.writeUInt32BE(seq >>> 0, ipHead + 4);
  packet.writeUInt32BE(ack, ipHead + 8);
  packet.set([((20 + tcpOptions.length) / 4) << 4, flags], ipHead + 12);
  packet.writeUInt16BE(window, ipHead + 14);
  packet.set(tcpOptions, ipHead + 20);
  for (let i = packet.length - payload; i < packet.length; i++) packet[i] = (i * 31 + (i >> 8) + seq) & 0xff;
  packet.writeUInt16BE(tcpChecksum(packet, ipHead), ipHead + 16);
  return packet;
}

/** A UDP packet of two ports and no payload, whose checksum comes out as `sum`. */
export function udpWithSum(sum: number): Buffer {
  const packet = Buffer.alloc(28);
  packet.set([0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17]);
  packet.writeUInt16BE(8, 24);
  const rest = foldSum(sumOf(packet.subarray(20)) + 0);
  packet.writeUInt16BE((~sum & 0xffff) - rest, 20);
  return packet;
}

export function ipHeadOf(packet: Buffer): number {
  if (packet[0]! >> 4 === 4) return (packet[0]! & 15) * 4;
  return packet[6] === 6 ? 40 : 48;
}

export function tcpChecksum(packet: Buffer, ipHead: number): number {
  const segment = Buffer.from(packet.subarray(ipHead));
  segment.writeUInt16BE(0, 16);
  return ~foldSum(pseudoSum(packet, ipHead) + sumOf(segment)) & 0xffff;
}

export function checksumsRight(packet: Buffer): boolean {
  const ipHead = ipHeadOf(packet);
  const ipRight = packet[0]! >> 4 === 6 || foldSum(sumOf(packet.subarray(0, ipHead))) === 0xffff;
  return ipRight && foldSum(pseudoSum(packet, ipHead) + sumOf(packet.subarray(ipHead))) === 0xffff;
}

export function pseudoSum(packet: Buffer, ipHead: number): number {
  const addresses = packet[0]! >> 4 === 6 ? packet.subarray(8, 40) : packet.subarray(12, 20);
  return sumOf(addresses) + 6 + packet.length - ipHead;
}

export function sumOf(data: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += i % 2 === 0 ? data[i]! << 8 : data[i]!;
  return sum;
}

export function foldSum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return folded;
}

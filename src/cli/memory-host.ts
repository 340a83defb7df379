/**
 * A tiny IPv4 host behind an in-memory TUN device, for quickstart without root: it answers and sends
 * pings and moves a hashed stream in UDP packets with go-back-N (the tunnel runs over UDP and may drop).
 *
 *   IPv4 (20 bytes) | ICMP echo, or UDP (8 bytes) | sequence number (4 bytes, big-endian) | data
 */
import { createHash, type Hash, randomBytes } from 'node:crypto';
import { PacketBatch } from '../base/base.ts';
import type { TunDevice } from '../tun/tun.ts';

const IP_HEADER = 20;
const UDP_HEADER = 8;
const SEQUENCE = 4;
const PROTO_ICMP = 1;
const PROTO_UDP = 17;
const ECHO_REPLY = 0;
const ECHO_REQUEST = 8;
const DATA_PORT = 5001;
const ACK_PORT = 5002;
/** Payload that fits a 1500-byte tunnel. */
const CHUNK_BYTES = 1400;
/** Packets under way at most: a burst that a UDP socket of default size takes without loss. */
const WINDOW = 32;
const RETRY_MS = 100;
const BATCH = 64;

export class MemoryHost {
  readonly address: string;
  readonly #device: TunDevice;
  readonly #input = new PacketBatch(BATCH, 1600);
  readonly #output = new PacketBatch(1, 1600);
  #onEcho: (sequence: number) => void = () => undefined;
  #onAck: (next: number) => void = () => undefined;
  #sink: { expected: number; hash: Hash } | undefined;

  constructor(device: TunDevice, address: string) {
    this.#device = device;
    this.address = address;
    device.onReadable = () => this.#drain();
  }

  /** Round-trip time of one echo, ms; undefined when no answer came in time. */
  ping(to: string, sequence: number, timeoutMs: number): Promise<number | undefined> {
    const packet = this.#packet(to, PROTO_ICMP, 8 + 56);
    packet[IP_HEADER] = ECHO_REQUEST;
    packet.writeUInt16BE(sequence, IP_HEADER + 6);
    packet.writeUInt16BE(checksum(packet, IP_HEADER, packet.length), IP_HEADER + 2);
    const startMs = performance.now();
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), timeoutMs);
      this.#onEcho = (seen) => {
        if (seen !== sequence) return;
        clearTimeout(timer);
        resolve(performance.now() - startMs);
      };
      this.#send(packet);
    });
  }

  /** Gets ready to receive a stream; its SHA-256 so far is told by digest(). */
  listen(): { digest: () => Buffer } {
    const sink = { expected: 0, hash: createHash('sha256') };
    this.#sink = sink;
    return { digest: () => sink.hash.digest() };
  }

  /** Sends a random stream to a listening host. Resolves its SHA-256, or undefined after the deadline. */
  stream(to: string, bytes: number, deadlineMs: number): Promise<Buffer | undefined> {
    const chunk = randomBytes(CHUNK_BYTES);
    const total = Math.ceil(bytes / CHUNK_BYTES);
    const hash = createHash('sha256');
    for (let i = 0; i < total; i++) hash.update(chunk);
    return new Promise((resolve) => {
      let base = 0;
      let next = 0;
      const send = (): void => {
        for (; next < Math.min(total, base + WINDOW); next++) this.#sendData(to, next, chunk);
      };
      const retry = setInterval(() => {
        next = base;
        send();
      }, RETRY_MS);
      const end = (digest: Buffer | undefined): void => {
        clearInterval(retry);
        clearTimeout(timer);
        this.#onAck = () => undefined;
        resolve(digest);
      };
      const timer = setTimeout(() => end(undefined), deadlineMs);
      this.#onAck = (acknowledged) => {
        if (acknowledged <= base || acknowledged > total) return;
        base = acknowledged;
        next = Math.max(next, base);
        retry.refresh();
        if (base === total) end(hash.digest());
        else send();
      };
      send();
    });
  }

  #drain(): void {
    const batch = this.#input;
    while (this.#device.readBatch(batch) > 0) {
      let from: string | undefined;
      for (let slot = 0; slot < batch.count; slot++) from = this.#handle(batch.packet(slot)) ?? from;
      if (from !== undefined) this.#sendAck(from);
    }
  }

  /** Gives the sender's address when stream data came, so that it is acknowledged once a batch. */
  #handle(packet: Buffer): string | undefined {
    if (packet.length < IP_HEADER + 8 || packet[0] !== 0x45) return undefined;
    const source = textOf(packet, 12);
    if (packet[9] === PROTO_ICMP) this.#handleEcho(packet, source);
    if (packet[9] !== PROTO_UDP || packet.length < IP_HEADER + UDP_HEADER + SEQUENCE) return undefined;
    const sequence = packet.readUInt32BE(IP_HEADER + UDP_HEADER);
    const port = packet.readUInt16BE(IP_HEADER + 2);
    if (port === ACK_PORT) this.#onAck(sequence);
    if (port !== DATA_PORT || this.#sink === undefined) return undefined;
    if (sequence === this.#sink.expected) {
      this.#sink.hash.update(packet.subarray(IP_HEADER + UDP_HEADER + SEQUENCE));
      this.#sink.expected++;
    }
    return source;
  }

  #handleEcho(packet: Buffer, source: string): void {
    if (packet[IP_HEADER] === ECHO_REPLY) this.#onEcho(packet.readUInt16BE(IP_HEADER + 6));
    if (packet[IP_HEADER] !== ECHO_REQUEST) return;
    const reply = this.#packet(source, PROTO_ICMP, packet.length - IP_HEADER);
    packet.copy(reply, IP_HEADER, IP_HEADER);
    reply[IP_HEADER] = ECHO_REPLY;
    reply.writeUInt16BE(0, IP_HEADER + 2);
    reply.writeUInt16BE(checksum(reply, IP_HEADER, reply.length), IP_HEADER + 2);
    this.#send(reply);
  }

  #sendData(to: string, sequence: number, chunk: Buffer): void {
    const packet = this.#udp(to, DATA_PORT, sequence, chunk.length);
    chunk.copy(packet, IP_HEADER + UDP_HEADER + SEQUENCE);
    this.#send(packet);
  }

  #sendAck(to: string): void {
    if (this.#sink !== undefined) this.#send(this.#udp(to, ACK_PORT, this.#sink.expected, 0));
  }

  /** A UDP packet without UDP checksum, which IPv4 allows. */
  #udp(to: string, port: number, sequence: number, dataBytes: number): Buffer {
    const bytes = UDP_HEADER + SEQUENCE + dataBytes;
    const packet = this.#packet(to, PROTO_UDP, bytes);
    packet.writeUInt16BE(port, IP_HEADER);
    packet.writeUInt16BE(port, IP_HEADER + 2);
    packet.writeUInt16BE(bytes, IP_HEADER + 4);
    packet.writeUInt32BE(sequence, IP_HEADER + UDP_HEADER);
    return packet;
  }

  #packet(to: string, protocol: number, payloadBytes: number): Buffer {
    const packet = Buffer.alloc(IP_HEADER + payloadBytes);
    packet[0] = 0x45;
    packet.writeUInt16BE(packet.length, 2);
    packet[8] = 64;
    packet[9] = protocol;
    writeAddress(packet, 12, this.address);
    writeAddress(packet, 16, to);
    packet.writeUInt16BE(checksum(packet, 0, IP_HEADER), 10);
    return packet;
  }

  #send(packet: Buffer): void {
    this.#output.clear();
    this.#output.push(packet);
    this.#device.writeBatch(this.#output, 0, 1);
  }
}

function textOf(packet: Buffer, at: number): string {
  return `${packet[at]}.${packet[at + 1]}.${packet[at + 2]}.${packet[at + 3]}`;
}

function writeAddress(packet: Buffer, at: number, address: string): void {
  for (const [index, part] of address.split('.').entries()) packet[at + index] = Number(part);
}

/** RFC 1071. */
function checksum(bytes: Buffer, first: number, end: number): number {
  let sum = 0;
  for (let at = first; at < end; at += 2) sum += (bytes[at]! << 8) | (at + 1 < end ? bytes[at + 1]! : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

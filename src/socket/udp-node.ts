/**
 * UDP links over node:dgram (2.x socket.c, UDP part), for machines without the addon; udp-native.ts
 * moves whole batches per system call, this one datagram at a time.
 *
 * Receiving: Node hands over each datagram in a buffer of its own; these wait in a bounded ring until
 * recvBatch() copies them into slots. A full ring drops like a full socket buffer. Sending: node:dgram
 * may keep a packet's memory until the kernel takes it, so packets are copied into a ring of send
 * buffers, one for each datagram that Node may hold; when all are held, the link is full.
 *
 * Linux tells an unconnected socket about ICMP errors only on request, which node:dgram can't make:
 * onError reports failed sends, not refused ports.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import {
  ADDRESS_WORDS,
  type AddressFamily,
  addressToWords,
  type LinkAddress,
  type PacketBatch,
} from '../base/base.ts';
import { AddressCache, splitScope } from './address-cache.ts';
import { bindError } from './bind-error.ts';
import type { Link, UdpBind } from './socket.ts';
import { type BufferSizes, buffersText, warnUntuned } from './tuner.ts';

/** Most datagrams and bytes that wait for recvBatch(). */
const MAX_WAITING = 1024;
const MAX_WAITING_BYTES = 4 << 20;
/** Datagrams that Node may hold unsent. */
const MAX_UNSENT = 128;
/** Bytes of a send buffer; longer datagrams get one of their own. */
const SEND_BUFFER_BYTES = 2048;
const BATCH_SIZE = 64;

/** Opens and binds a UDP socket. Rejects with LinkError. */
export function openUdpNode(bind: UdpBind): Promise<Link> {
  const { promise, resolve, reject } = withResolvers<Link>();
  const socket = createSocket({
    type: bind.family === 6 ? 'udp6' : 'udp4',
    ipv6Only: bind.ipv6Only ?? false,
    // Addresses are literals: answering here spares a trip through the resolver's thread pool.
    lookup: (host, _options, callback) => callback(null, host, bind.family),
  });
  const port = bind.localPort ?? 0;
  socket.once('error', (error: NodeJS.ErrnoException) => {
    socket.close();
    reject(bindError(bind.family, bind.localAddress, port, error));
  });
  socket.bind({ port, ...(bind.localAddress === undefined ? {} : { address: bind.localAddress }) }, () => {
    socket.removeAllListeners('error');
    const before = bind.onBuffers && sizesOf(socket);
    if (bind.rcvbuf) socket.setRecvBufferSize(bind.rcvbuf);
    if (bind.sndbuf) socket.setSendBufferSize(bind.sndbuf);
    if (before) bind.onBuffers?.(buffersText(before, sizesOf(socket)));
    warnUntuned(bind, ['sndbuf', 'rcvbuf']);
    resolve(new UdpNodeLink(socket, bind.family));
  });
  return promise;
}

function sizesOf(socket: Socket): BufferSizes {
  return { rcv: socket.getRecvBufferSize(), snd: socket.getSendBufferSize() };
}

class UdpNodeLink implements Link {
  readonly transport = 'udp';
  readonly remote = undefined;
  readonly batchSize = BATCH_SIZE;
  readonly local: LinkAddress;
  onReadable: () => void = nothing;
  onWritable: () => void = nothing;
  onError: (error: NodeJS.ErrnoException) => void = nothing;
  onClose: (error: NodeJS.ErrnoException | undefined) => void = nothing;

  readonly #socket: Socket;
  readonly #family: AddressFamily;
  readonly #cache = new AddressCache();
  /** Ring of received datagrams: `#waiting` of them from `#head` on. */
  readonly #packets: (Buffer | undefined)[] = new Array(MAX_WAITING).fill(undefined);
  readonly #hosts: string[] = new Array(MAX_WAITING).fill('');
  readonly #ports = new Int32Array(MAX_WAITING);
  #head = 0;
  #waiting = 0;
  #waitingBytes = 0;
  /** Whether a call of onReadable is on its way. */
  #announced = false;
  readonly #sendBuffers: Buffer[] = [];
  #nextSend = 0;
  readonly #sendWords = new Int32Array(ADDRESS_WORDS);
  #full = false;
  #dropped = 0;
  #closed = false;

  constructor(socket: Socket, family: AddressFamily) {
    this.#socket = socket;
    this.#family = family;
    const bound = socket.address();
    const { address, scopeId } = splitScope(bound.address);
    this.local = { family, address, port: bound.port, ...(scopeId ? { scopeId } : {}) };
    for (let i = 0; i < MAX_UNSENT; i++) this.#sendBuffers.push(Buffer.allocUnsafe(SEND_BUFFER_BYTES));
    socket.on('message', (packet, from) => this.#handleMessage(packet, from));
    socket.on('error', (error: NodeJS.ErrnoException) => this.#handleError(error));
  }

  get dropped(): number {
    return this.#dropped;
  }

  recvBatch(batch: PacketBatch): number {
    batch.count = 0;
    while (this.#waiting > 0 && batch.count < batch.capacity) {
      const index = this.#head;
      const packet = this.#packets[index]!;
      this.#packets[index] = undefined;
      this.#head = (index + 1) % MAX_WAITING;
      this.#waiting--;
      this.#waitingBytes -= packet.length;
      const slot = batch.push(packet);
      if (slot < 0) this.#dropped++;
      else this.#cache.toWords(this.#hosts[index]!, this.#family, this.#ports[index]!, batch.addresses, slot);
    }
    return batch.count;
  }

  sendBatch(batch: PacketBatch, first: number, end: number): number {
    if (this.#closed) return end - first;
    for (let slot = first; slot < end; slot++) {
      const length = batch.lengths[slot]!;
      if (length === 0) continue;
      if (!this.#hasRoom()) {
        this.#full = true;
        return slot - first;
      }
      const offset = batch.offsets[slot]!;
      this.#transmit(batch.slab, offset, length, batch.addresses, slot);
    }
    return end - first;
  }

  send(packet: Uint8Array, to: LinkAddress): boolean {
    if (this.#closed || packet.length === 0 || to.family !== this.#family || !this.#hasRoom()) return false;
    addressToWords(to, this.#sendWords, 0);
    this.#transmit(packet, 0, packet.length, this.#sendWords, 0);
    return true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#packets.fill(undefined);
    this.#waiting = 0;
    this.#waitingBytes = 0;
    this.#socket.close();
  }

  #hasRoom(): boolean {
    return this.#socket.getSendQueueCount() < MAX_UNSENT;
  }

  #transmit(from: Uint8Array, offset: number, length: number, addresses: Int32Array, slot: number): void {
    let buffer = this.#sendBuffers[this.#nextSend]!;
    this.#nextSend = (this.#nextSend + 1) % MAX_UNSENT;
    if (length > buffer.length) buffer = Buffer.allocUnsafe(length);
    buffer.set(from.subarray(offset, offset + length));
    const port = addresses[slot * ADDRESS_WORDS + 1]!;
    // Port 0 makes node:dgram throw; no peer has it.
    if (port === 0) return;
    this.#socket.send(buffer, 0, length, port, this.#cache.toHost(addresses, slot), this.#handleSent);
  }

  readonly #handleSent = (error: NodeJS.ErrnoException | null): void => {
    if (error) this.#handleError(error);
    if (!this.#full || this.#closed || this.#socket.getSendQueueCount() > MAX_UNSENT / 2) return;
    this.#full = false;
    this.onWritable();
  };

  #handleMessage(packet: Buffer, from: RemoteInfo): void {
    const full = this.#waiting === MAX_WAITING || this.#waitingBytes + packet.length > MAX_WAITING_BYTES;
    if (packet.length === 0 || full) {
      this.#dropped++;
      return;
    }
    const index = (this.#head + this.#waiting) % MAX_WAITING;
    this.#packets[index] = packet;
    this.#hosts[index] = from.address;
    this.#ports[index] = from.port;
    this.#waiting++;
    this.#waitingBytes += packet.length;
    if (this.#announced) return;
    this.#announced = true;
    setImmediate(this.#announce);
  }

  /** Runs behind the poll phase that read the datagrams: one call for the whole burst. */
  readonly #announce = (): void => {
    this.#announced = false;
    if (!this.#closed && this.#waiting > 0) this.onReadable();
  };

  #handleError(error: NodeJS.ErrnoException): void {
    if (!this.#closed) this.onError(error);
  }
}

function nothing(): void {}

/** Promise.withResolvers(), which Node 20 lacks. */
function withResolvers<T>() {
  let resolve!: (value: T) => void;
  let reject!: (reason: Error) => void;
  const promise = new Promise<T>((res, rej) => {
    resolve = res;
    reject = rej;
  });
  return { promise, resolve, reject };
}

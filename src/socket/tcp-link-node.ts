/**
 * A TCP connection of node:net as a link (2.x socket.c, TCP part): framing (tcp-frames.ts), back-pressure
 * both ways.
 *
 * Receiving: the socket is paused while more than READ_LIMIT bytes wait for recvBatch(). Sending: a
 * batch becomes one buffer and one write; what the kernel does not take waits in Node, and with
 * `queuePackets` of those (--tcp-queue-limit) the link is full until a write is done. ('drain' won't do: Node
 * says it only above its own mark in bytes, which a full queue of small packets stays below.) A bad frame
 * length ends the connection: onClose gets 2.x's warning as message and code EBADMSG.
 */
import type { Socket } from 'node:net';
import {
  ADDRESS_WORDS,
  type AddressFamily,
  addressToWords,
  type LinkAddress,
  type PacketBatch,
} from '../base/base.ts';
import { splitScope } from './address-cache.ts';
import type { Link, SocketOptions } from './socket.ts';
import { MAX_FRAME_BYTES, TcpFrameReader, writeFrame, writeFrames } from './tcp-frames.ts';
import { type SocketTuner, warnUntuned } from './tuner.ts';
import { UnsentPackets } from './unsent-packets.ts';

/** Unread bytes above which the socket is paused. */
const READ_LIMIT = 256 << 10;
/** 2.x's default of --tcp-queue-limit. */
const QUEUE_PACKETS = 64;
/** How long a closing socket waits for the peer to take what was written. */
const CLOSE_GRACE_MS = 2000;
const BATCH_SIZE = 64;
/**
 * Packets beyond the queue's limit up to which control packets still fit in: a renegotiation must not wait for data
 * to become less. The last batch may have gone beyond the limit itself.
 */
const CONTROL_ROOM = BATCH_SIZE + 32;

/** What a connection brings along. */
export interface TcpParts {
  readonly queuePackets?: number;
  readonly tuner?: SocketTuner;
}

/** The descriptor of a socket or listener of node:net; undefined once it is closed. */
export function descriptorOf(socket: object): number | undefined {
  const { _handle: handle } = socket as { readonly _handle?: { readonly fd?: number } | null };
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined;
}

export class TcpNodeLink implements Link {
  readonly transport = 'tcp';
  readonly batchSize = BATCH_SIZE;
  readonly dropped = 0;
  readonly local: LinkAddress;
  readonly remote: LinkAddress;
  onReadable: () => void = nothing;
  onWritable: () => void = nothing;
  onError: (error: NodeJS.ErrnoException) => void = nothing;
  onClose: (error: NodeJS.ErrnoException | undefined) => void = nothing;

  readonly #socket: Socket;
  readonly #frames = new TcpFrameReader();
  readonly #remoteWords = new Int32Array(ADDRESS_WORDS);
  /** Largest frame that the owner's batches take; 0 = unknown yet, so any length may be a bad one. */
  #maxFrameBytes = 0;
  readonly #queuePackets: number;
  readonly #tuner: SocketTuner | undefined;
  readonly #unsent = new UnsentPackets();
  #full = false;
  #paused = false;
  #error: NodeJS.ErrnoException | undefined;
  /** The stream is over; onClose waits until the owner has read what came before. */
  #ended = false;
  #closed = false;

  /** `head` was read from the socket before it became a link. */
  constructor(socket: Socket, parts: { readonly head?: readonly Uint8Array[] } & TcpParts = {}) {
    this.#socket = socket;
    this.#queuePackets = parts.queuePackets ?? QUEUE_PACKETS;
    this.#tuner = parts.tuner;
    for (const chunk of parts.head ?? []) this.#frames.push(chunk);
    this.local = linkAddress(socket.localAddress ?? '', socket.localPort ?? 0, 4);
    this.remote = linkAddress(socket.remoteAddress ?? '', socket.remotePort ?? 0, 4);
    addressToWords(this.remote, this.#remoteWords, 0);
    socket.on('data', (chunk) => this.#handleData(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#error = error;
    });
    socket.on('close', () => this.#handleEnd());
    if (socket.closed) setImmediate(() => this.#handleEnd());
  }

  recvBatch(batch: PacketBatch): number {
    if (this.#closed) {
      batch.count = 0;
      return 0;
    }
    this.#maxFrameBytes = batch.maxPacketBytes;
    const count = this.#frames.read(batch);
    batch.setAddress(this.#remoteWords, 0, count);
    if (this.#frames.error !== undefined && this.#error === undefined) this.#failFraming(this.#frames.error);
    if (this.#paused && this.#frames.bufferedBytes < READ_LIMIT / 2) {
      this.#paused = false;
      this.#socket.resume();
    }
    if (this.#ended && !this.#frames.ready(this.#maxFrameBytes)) setImmediate(this.#announceClose);
    return count;
  }

  sendBatch(batch: PacketBatch, first: number, end: number): number {
    if (this.#closed || !this.#socket.writable) return end - first;
    if (!this.#hasRoom()) {
      this.#full = true;
      return 0;
    }
    const frames = writeFrames(batch, first, end);
    if (frames !== undefined) this.#write(frames, end - first);
    return end - first;
  }

  send(packet: Uint8Array): boolean {
    if (this.#closed || !this.#socket.writable || !this.#hasRoom(CONTROL_ROOM)) return false;
    if (packet.length === 0 || packet.length > MAX_FRAME_BYTES) return false;
    this.#write(writeFrame(packet), 1);
    return true;
  }

  setTos(tos: number): void {
    const fd = descriptorOf(this.#socket);
    if (fd !== undefined) this.#tuner?.setTos(fd, tos);
  }

  setBuffers(options: SocketOptions): void {
    const fd = descriptorOf(this.#socket);
    if (fd !== undefined && this.#tuner) this.#tuner.tune(fd, this.remote.family, options);
    else warnUntuned(options, []);
  }

  setNoDelay(): void {
    this.#socket.setNoDelay(true);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#frames.clear();
    this.#socket.removeAllListeners('data');
    closeGently(this.#socket);
  }

  #hasRoom(more = 0): boolean {
    return this.#unsent.count(this.#socket.writableLength) < this.#queuePackets + more;
  }

  #write(frames: Buffer, packets: number): void {
    this.#socket.write(frames, this.#handleWritten);
    this.#unsent.add(frames.length, packets, this.#socket.writableLength);
  }

  #handleData(chunk: Buffer): void {
    if (this.#closed) return;
    this.#frames.push(chunk);
    if (this.#frames.bufferedBytes > READ_LIMIT && !this.#paused) {
      this.#paused = true;
      this.#socket.pause();
    }
    if (this.#frames.ready(this.#maxFrameBytes)) this.onReadable();
  }

  readonly #handleWritten = (): void => {
    if (!this.#full || this.#closed || !this.#hasRoom()) return;
    this.#full = false;
    this.onWritable();
  };

  #failFraming(text: string): void {
    this.#error = Object.assign(new Error(text), { code: 'EBADMSG' });
    this.#socket.destroy();
  }

  #handleEnd(): void {
    if (this.#closed) return;
    this.#ended = true;
    if (!this.#frames.ready(this.#maxFrameBytes)) this.#announceClose();
  }

  readonly #announceClose = (): void => {
    if (this.#closed) return;
    this.#closed = true;
    this.onClose(this.#error);
  };
}

/** What is written goes out before the FIN; a peer that doesn't take it is cut off. */
export function closeGently(socket: Socket, graceMs = CLOSE_GRACE_MS): void {
  socket.resume();
  if (socket.destroyed) return;
  socket.end();
  const timer = setTimeout(() => socket.destroy(), graceMs);
  timer.unref();
  socket.once('finish', () => socket.destroy());
  socket.once('close', () => clearTimeout(timer));
}

export function linkAddress(host: string, port: number, fallback: AddressFamily): LinkAddress {
  const { address, scopeId } = splitScope(host);
  const family = address === '' ? fallback : address.includes(':') ? 6 : 4;
  return { family, address, port, ...(scopeId ? { scopeId } : {}) };
}

function nothing(): void {}

/**
 * TCP links over node:net (2.x socket.c, TCP part): client, listener, framing (tcp-frames.ts).
 *
 * Receiving: the socket is paused while more than READ_LIMIT bytes wait for recvBatch(). Sending: a
 * batch becomes one buffer and one write; above WRITE_LIMIT unsent bytes the link is full until
 * Node says 'drain'. A bad frame length ends the connection: onClose gets 2.x's warning as message
 * and code EBADMSG. Node has no way to set buffer sizes of TCP sockets: sndbuf and rcvbuf are not used.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import {
  ADDRESS_WORDS,
  type AddressFamily,
  addressToWords,
  formatAddress,
  type LinkAddress,
  LinkError,
  type PacketBatch,
} from '../base/base.ts';
import { splitScope } from './address-cache.ts';
import { bindError, errnoText } from './errno-text.ts';
import type { Link, LinkListener, TcpConnect, TcpListen } from './socket.ts';
import { MAX_FRAME_BYTES, TcpFrameReader, writeFrame, writeFrames } from './tcp-frames.ts';

/** Unread bytes above which the socket is paused. */
const READ_LIMIT = 256 << 10;
/** Unsent bytes above which sendBatch() takes nothing more. */
const WRITE_LIMIT = 128 << 10;
/** How long close() waits for the peer to take what was written. */
const CLOSE_GRACE_MS = 2000;
const BATCH_SIZE = 64;

/** Connects to a TCP peer. Rejects with LinkError on failure, timeout or abort. */
export function connectTcpNode(options: TcpConnect, signal?: AbortSignal): Promise<Link> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(connectError(options.remote, abortCause()));
      return;
    }
    const { remote, localAddress, localPort } = options;
    const socket = connect({
      host: remote.scopeId ? `${remote.address}%${remote.scopeId}` : remote.address,
      port: remote.port,
      family: remote.family,
      noDelay: options.tcpNoDelay ?? false,
      ...(localAddress === undefined ? {} : { localAddress }),
      ...(localPort === undefined ? {} : { localPort }),
    });
    const fail = (cause: NodeJS.ErrnoException): void => {
      settle();
      socket.on('error', nothing);
      socket.destroy();
      reject(
        cause.syscall === 'bind'
          ? bindError(remote.family, localAddress, localPort ?? 0, cause)
          : connectError(remote, cause),
      );
    };
    const timer = setTimeout(() => fail(timeoutCause()), options.timeoutMs);
    const onAbort = (): void => fail(abortCause());
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.removeListener('error', fail);
    };
    signal?.addEventListener('abort', onAbort);
    socket.once('error', fail);
    socket.once('connect', () => {
      settle();
      resolve(new TcpNodeLink(socket));
    });
  });
}

/** Listens for TCP peers. Rejects with LinkError. Connections that come before onConnection is set are refused. */
export function listenTcpNode(options: TcpListen): Promise<LinkListener> {
  return new Promise((resolve, reject) => {
    const server = createServer({ noDelay: options.tcpNoDelay ?? false });
    const { family, localAddress, localPort } = options;
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(bindError(family, localAddress, localPort, error));
    });
    const host = localAddress ?? (family === 6 ? '::' : '0.0.0.0');
    server.listen({ host, port: localPort, ipv6Only: options.ipv6Only ?? false }, () => {
      server.removeAllListeners('error');
      resolve(new TcpNodeListener(server, family));
    });
  });
}

class TcpNodeListener implements LinkListener {
  readonly local: LinkAddress;
  onConnection: (link: Link) => void = (link) => link.close();
  onError: (error: NodeJS.ErrnoException) => void = nothing;
  readonly #server: Server;
  #closed = false;

  constructor(server: Server, family: AddressFamily) {
    this.#server = server;
    const bound = server.address();
    this.local =
      bound !== null && typeof bound === 'object'
        ? linkAddress(bound.address, bound.port, family)
        : { family, address: family === 6 ? '::' : '0.0.0.0', port: 0 };
    server.on('connection', (socket) => this.#handleConnection(socket));
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (!this.#closed) this.onError(error);
    });
  }

  close(): void {
    this.#closed = true;
    this.#server.close();
  }

  #handleConnection(socket: Socket): void {
    // A peer that is gone already has no address any more.
    if (this.#closed || socket.remoteAddress === undefined) {
      socket.on('error', nothing);
      socket.destroy();
      return;
    }
    this.onConnection(new TcpNodeLink(socket));
  }
}

class TcpNodeLink implements Link {
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
  #full = false;
  #paused = false;
  #error: NodeJS.ErrnoException | undefined;
  /** The stream is over; onClose waits until the owner has read what came before. */
  #ended = false;
  #closed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.local = linkAddress(socket.localAddress ?? '', socket.localPort ?? 0, 4);
    this.remote = linkAddress(socket.remoteAddress ?? '', socket.remotePort ?? 0, 4);
    addressToWords(this.remote, this.#remoteWords, 0);
    socket.on('data', (chunk) => this.#handleData(chunk));
    socket.on('drain', () => this.#handleDrain());
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#error = error;
    });
    socket.on('close', () => this.#handleEnd());
  }

  recvBatch(batch: PacketBatch): number {
    if (this.#closed) {
      batch.count = 0;
      return 0;
    }
    this.#maxFrameBytes = batch.maxPacketBytes;
    const count = this.#frames.read(batch);
    for (let slot = 0; slot < count; slot++) batch.addresses.set(this.#remoteWords, slot * ADDRESS_WORDS);
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
    if (this.#socket.writableLength >= WRITE_LIMIT) {
      this.#full = true;
      return 0;
    }
    const frames = writeFrames(batch, first, end);
    if (frames !== undefined) this.#socket.write(frames);
    return end - first;
  }

  send(packet: Uint8Array): boolean {
    if (this.#closed || !this.#socket.writable || this.#socket.writableLength >= WRITE_LIMIT) return false;
    if (packet.length === 0 || packet.length > MAX_FRAME_BYTES) return false;
    this.#socket.write(writeFrame(packet));
    return true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#frames.clear();
    // Packets that are written go out before the FIN; a peer that doesn't take them is cut off.
    this.#socket.removeAllListeners('data');
    this.#socket.resume();
    if (this.#socket.destroyed) return;
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), CLOSE_GRACE_MS);
    timer.unref();
    this.#socket.once('finish', () => this.#socket.destroy());
    this.#socket.once('close', () => clearTimeout(timer));
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

  #handleDrain(): void {
    if (!this.#full || this.#closed) return;
    this.#full = false;
    this.onWritable();
  }

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

function linkAddress(host: string, port: number, fallback: AddressFamily): LinkAddress {
  const { address, scopeId } = splitScope(host);
  const family = address === '' ? fallback : address.includes(':') ? 6 : 4;
  return { family, address, port, ...(scopeId ? { scopeId } : {}) };
}

/** 2.x's text, openvpn_connect(). */
function connectError(remote: LinkAddress, cause: NodeJS.ErrnoException): LinkError {
  return new LinkError(`TCP: connect to ${formatAddress(remote)} failed: ${errnoText(cause)}`, { cause });
}

function timeoutCause(): NodeJS.ErrnoException {
  return Object.assign(new Error('connect ETIMEDOUT'), { code: 'ETIMEDOUT', syscall: 'connect' });
}

function abortCause(): NodeJS.ErrnoException {
  return Object.assign(new Error('The connection attempt was aborted'), { code: 'ABORT_ERR' });
}

function nothing(): void {}

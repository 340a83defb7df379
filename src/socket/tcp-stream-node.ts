/**
 * A TCP connection of node:net as plain bytes, read on demand: one chunk is taken from the socket at a
 * time, and it is paused in between, so a peer can't fill our memory before anybody reads.
 */
import type { Socket } from 'node:net';
import type { LinkAddress } from '../base/base.ts';
import type { ByteStream, Link } from './socket.ts';
import { closeGently, linkAddress, TcpNodeLink, type TcpParts } from './tcp-link-node.ts';

export class TcpNodeStream implements ByteStream {
  readonly local: LinkAddress;
  readonly remote: LinkAddress;
  onClose: () => void = nothing;
  readonly #socket: Socket;
  readonly #parts: TcpParts;
  #chunks: Uint8Array[] = [];
  #reader: ((bytes: Uint8Array | undefined) => void) | undefined;
  #over = false;
  #given = false;

  constructor(socket: Socket, parts: TcpParts = {}) {
    this.#socket = socket;
    this.#parts = parts;
    this.local = linkAddress(socket.localAddress ?? '', socket.localPort ?? 0, 4);
    this.remote = linkAddress(socket.remoteAddress ?? '', socket.remotePort ?? 0, 4);
    socket.on('data', this.#handleData);
    socket.on('end', this.#handleEnd);
    socket.on('error', nothing);
    socket.on('close', this.#handleClose);
    socket.pause();
  }

  read(): Promise<Uint8Array | undefined> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined || this.#over || this.#given) return Promise.resolve(chunk);
    return new Promise((resolve) => {
      this.#reader = resolve;
      this.#socket.resume();
    });
  }

  unread(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#chunks.unshift(bytes);
  }

  async write(bytes: Uint8Array): Promise<boolean> {
    const socket = this.#socket;
    if (this.#given || !socket.writable) return false;
    if (socket.write(bytes)) return true;
    await new Promise<void>((resolve) => {
      const settle = (): void => {
        socket.removeListener('drain', settle);
        socket.removeListener('close', settle);
        resolve();
      };
      socket.on('drain', settle);
      socket.on('close', settle);
    });
    return socket.writable;
  }

  toLink(): Link {
    this.#release();
    const parts = { head: this.#chunks, ...this.#parts };
    this.#chunks = [];
    const link = new TcpNodeLink(this.#socket, parts);
    this.#socket.resume();
    return link;
  }

  close(graceMs?: number): void {
    if (this.#given) return;
    this.#release();
    this.#chunks = [];
    this.#socket.on('error', nothing);
    closeGently(this.#socket, graceMs);
  }

  #release(): void {
    this.#given = true;
    const socket = this.#socket;
    socket.removeListener('data', this.#handleData);
    socket.removeListener('end', this.#handleEnd);
    socket.removeListener('error', nothing);
    socket.removeListener('close', this.#handleClose);
    this.#answer(undefined);
  }

  readonly #handleData = (chunk: Uint8Array): void => {
    this.#socket.pause();
    if (this.#reader) this.#answer(chunk);
    else this.#chunks.push(chunk);
  };

  readonly #handleEnd = (): void => {
    this.#over = true;
    this.#answer(undefined);
  };

  readonly #handleClose = (): void => {
    this.#handleEnd();
    this.onClose();
  };

  #answer(bytes: Uint8Array | undefined): void {
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.(bytes);
  }
}

function nothing(): void {}

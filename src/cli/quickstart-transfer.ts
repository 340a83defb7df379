/**
 * A small TCP transfer that proves that bytes come through whole: the peer sends N bytes and ends its
 * side, the server answers with the SHA-256 of what came, then sends N bytes of its own and ends. Each end
 * hashes what it sent and what it got; both rates are told.
 *
 *   peer -> server: length (4 bytes, big-endian) | N random bytes | end
 *   server -> peer: SHA-256 of them (32 bytes) | SHA-256 of the following (32 bytes) | N bytes | end
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { OpenVpnError } from '../base/base.ts';

export interface TransferReport {
  readonly bytes: number;
  /** Megabits a second from the peer to the server. */
  readonly upMbps: number;
  readonly downMbps: number;
  /** Time until the TCP connection stood, ms. */
  readonly connectMs: number;
  /** SHA-256 of both directions are equal at both ends. */
  readonly intact: boolean;
}

const CHUNK_BYTES = 64 * 1024;
/** Most bytes that the server sends, whatever is asked. */
const MAX_BYTES = 1024 * 1024 * 1024;
const HASH_BYTES = 32;
const IDLE_MS = 20_000;

export interface TransferServer {
  readonly port: number;
  close(): void;
}

export async function startTransferServer(host: string): Promise<TransferServer> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serve(socket).catch(() => socket.destroy());
  });
  server.listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { port: typeof address === 'object' && address ? address.port : 0, close };
}

/** The peer's side. Throws OpenVpnError when the connection breaks or stands still for 20 s. */
export async function runTransfer(host: string, port: number, bytes: number): Promise<TransferReport> {
  const startMs = performance.now();
  const socket = connect({ host, port, allowHalfOpen: true });
  guard(socket);
  try {
    await once(socket, 'connect');
    const connectMs = performance.now() - startMs;
    const head = Buffer.alloc(4);
    head.writeUInt32BE(bytes);
    socket.write(head);
    const upStartMs = performance.now();
    const sent = await sendRandom(socket, bytes);
    const reader = new Reader(socket);
    const heard = await reader.take(HASH_BYTES);
    const upMs = performance.now() - upStartMs;
    const announced = await reader.take(HASH_BYTES);
    const downStartMs = performance.now();
    const received = await reader.hash(bytes);
    const downMs = performance.now() - downStartMs;
    const intact = heard.equals(sent) && received.equals(announced);
    return { bytes, upMbps: rate(bytes, upMs), downMbps: rate(bytes, downMs), connectMs, intact };
  } catch (cause) {
    throw new OpenVpnError(`the transfer broke: ${(cause as Error).message}`, undefined, { cause });
  } finally {
    socket.destroy();
  }
}

async function serve(socket: Socket): Promise<void> {
  guard(socket);
  const reader = new Reader(socket);
  const bytes = (await reader.take(4)).readUInt32BE(0);
  if (bytes > MAX_BYTES) {
    socket.destroy();
    return;
  }
  socket.write(await reader.hash(bytes));
  // One random chunk again and again, so that the hash is known before anything is sent.
  const chunk = randomBytes(CHUNK_BYTES);
  const hash = createHash('sha256');
  for (const part of parts(chunk, bytes)) hash.update(part);
  socket.write(hash.digest());
  for (const part of parts(chunk, bytes)) if (!socket.write(part)) await once(socket, 'drain');
  socket.end();
}

async function sendRandom(socket: Socket, bytes: number): Promise<Buffer> {
  const chunk = randomBytes(CHUNK_BYTES);
  const hash = createHash('sha256');
  for (const part of parts(chunk, bytes)) {
    hash.update(part);
    if (!socket.write(part)) await once(socket, 'drain');
  }
  return hash.digest();
}

function* parts(chunk: Buffer, bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= chunk.length)
    yield left < chunk.length ? chunk.subarray(0, left) : chunk;
}

/** Reads exact amounts from a socket. */
class Reader {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  async take(bytes: number): Promise<Buffer> {
    while (this.#rest.length < bytes) this.#rest = Buffer.concat([this.#rest, await this.#next()]);
    const taken = this.#rest.subarray(0, bytes);
    this.#rest = this.#rest.subarray(bytes);
    return taken;
  }

  async hash(bytes: number): Promise<Buffer> {
    const hash = createHash('sha256');
    for (let left = bytes; left > 0; ) {
      if (this.#rest.length === 0) this.#rest = await this.#next();
      const part = this.#rest.subarray(0, left);
      hash.update(part);
      left -= part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return hash.digest();
  }

  async #next(): Promise<Buffer> {
    const { value, done } = await this.#chunks.next();
    if (done) throw new OpenVpnError('the connection ended early');
    return value;
  }
}

/** A connection that stands still is given up. */
function guard(socket: Socket): void {
  socket.setTimeout(IDLE_MS, () => socket.destroy(new OpenVpnError('no progress for 20 s')));
  socket.on('error', () => undefined);
}

function rate(bytes: number, ms: number): number {
  return (bytes * 8) / Math.max(ms, 0.001) / 1000;
}

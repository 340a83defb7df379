/**
 * The two ends of a hashed transfer over one TCP connection, both directions at once.
 *
 *   client: u32 bytes | data ... | 32-byte SHA-256 of what it received
 *   server:             data ... | 32-byte SHA-256 of what it received
 *
 * Each end makes its data from the length and its own role, so that each can compute what the other must
 * have sent; a transfer passes only when both ends report the hash of the other's data.
 */
import { createCipheriv, createHash } from 'node:crypto';
import { connect, createServer, type Socket } from 'node:net';

const HASH_BYTES = 32;
const CHUNK_BYTES = 65_536;
const IDLE_LIMIT_MS = 20_000;
type Role = 'client' | 'server';

/** Listens for transfers until the process ends; resolves when listening. */
export function serveTransfers(host: string, port: number): Promise<void> {
  const server = createServer((socket) => {
    exchange(socket, 'server').catch(() => socket.destroy());
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
}

/** Sends and receives `bytes`. Resolves with the time taken in ms; rejects on a wrong hash or a stall. */
export async function transferTo(host: string, port: number, bytes: number): Promise<number> {
  const startedMs = Date.now();
  const socket = connect({ host, port });
  const head = Buffer.alloc(4);
  head.writeUInt32BE(bytes);
  socket.write(head);
  await exchange(socket, 'client', bytes);
  return Date.now() - startedMs;
}

async function exchange(socket: Socket, role: Role, knownBytes?: number): Promise<void> {
  socket.setTimeout(IDLE_LIMIT_MS, () => socket.destroy(new Error('transfer stalled')));
  const other = role === 'client' ? 'server' : 'client';
  const reader = new ByteReader(socket);
  const bytes = knownBytes ?? (await reader.take(4)).readUInt32BE();
  const sending = sendData(socket, role, bytes);
  const received = await reader.hash(bytes);
  await sending;
  socket.write(received);
  const theirs = await reader.take(HASH_BYTES);
  socket.end();
  const expected = dataHash(other, bytes);
  if (!received.equals(expected)) throw new Error(`data from the ${other} arrived damaged`);
  if (!theirs.equals(dataHash(role, bytes))) throw new Error(`data to the ${other} arrived damaged`);
}

async function sendData(socket: Socket, role: Role, bytes: number): Promise<void> {
  for (const chunk of dataOf(role, bytes)) {
    if (socket.write(chunk)) continue;
    await new Promise<void>((resolve, reject) => {
      socket.once('drain', resolve);
      socket.once('close', () => reject(new Error('connection closed')));
    });
  }
}

function dataHash(role: Role, bytes: number): Buffer {
  const hash = createHash('sha256');
  for (const chunk of dataOf(role, bytes)) hash.update(chunk);
  return hash.digest();
}

/** A key stream: does not compress and repeats nowhere, so a lost, doubled or shifted block shows. */
function* dataOf(role: Role, bytes: number): Generator<Buffer> {
  const stream = createCipheriv('aes-128-ctr', Buffer.alloc(16, role), Buffer.alloc(16, bytes & 0xff));
  const zeros = Buffer.alloc(CHUNK_BYTES);
  for (let sent = 0; sent < bytes; sent += CHUNK_BYTES) {
    yield stream.update(zeros.subarray(0, Math.min(CHUNK_BYTES, bytes - sent)));
  }
}

/** Reads exact amounts from a socket. */
class ByteReader {
  #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#chunks = socket.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
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
      const chunk = this.#rest.length > 0 ? this.#rest : await this.#next();
      const part = chunk.subarray(0, left);
      hash.update(part);
      left -= part.length;
      this.#rest = chunk.subarray(part.length);
    }
    return hash.digest();
  }

  async #next(): Promise<Buffer> {
    const next = await this.#chunks.next();
    if (next.done) throw new Error('connection ended early');
    return Buffer.from(next.value);
  }
}

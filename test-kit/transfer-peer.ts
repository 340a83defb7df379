/**
 * The two ends of a checked transfer over one TCP connection, both directions at once.
 *
 *   client: u32 bytes | data ... | u8: 1 when what it received was right, 0 when not
 *   server:             data ... | u8: the same
 *
 * Each end makes its data from the length and its own role, so that each knows what the other must send; a transfer
 * passes only when both ends got every byte of that.
 */
import { createCipheriv } from 'node:crypto';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

const CHUNK_BYTES = 65_536;
const IDLE_LIMIT_MS = 20_000;
type Role = 'client' | 'server';

/** Listens for transfers until the process ends; resolves with the port when listening, which is free where `port` is 0. */
export function serveTransfers(host: string, port: number): Promise<number> {
  const server = createServer((socket) => {
    exchange(socket, 'server').catch(() => socket.destroy());
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

/** Sends and receives `bytes`. Resolves with the time taken in ms; rejects on a wrong byte or a stall. */
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
  const arrived = await reader.matches(dataOf(other, bytes));
  await sending;
  socket.write(Buffer.of(arrived ? 1 : 0));
  const [theirs] = await reader.take(1);
  socket.end();
  if (!arrived) throw new Error(`data from the ${other} arrived damaged`);
  if (theirs !== 1) throw new Error(`data to the ${other} arrived damaged`);
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

  /** Reads as many bytes as `expected` has, and says whether they are the same. */
  async matches(expected: Iterable<Buffer>): Promise<boolean> {
    let same = true;
    for (const block of expected) {
      for (let at = 0; at < block.length; ) {
        if (this.#rest.length === 0) this.#rest = await this.#next();
        const part = this.#rest.subarray(0, block.length - at);
        same &&= part.equals(block.subarray(at, at + part.length));
        at += part.length;
        this.#rest = this.#rest.subarray(part.length);
      }
    }
    return same;
  }

  async #next(): Promise<Buffer> {
    const next = await this.#chunks.next();
    if (next.done) throw new Error('connection ended early');
    return next.value;
  }
}

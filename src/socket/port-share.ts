/**
 * --port-share (2.x ps.c): one TCP port for OpenVPN and another server. The first bytes of a connection
 * tell which of them it is for; what isn't OpenVPN is passed on, bytes read so far included.
 *
 * With a journal folder each passed connection has a file there while it lives: its name is our address
 * towards the other server, its content the client's, both as `[AF_INET]192.0.2.7:1194`.
 */
import { unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoLine, formatAddress, type LinkAddress, type Logger } from '../base/base.ts';
import { D_STREAM_ERRORS, M_INFO, M_WARN } from '../base/errlevel.ts';
import { GatheredBytes } from './gathered-bytes.ts';
import type { ByteStream, SocketFactory } from './socket.ts';

/** 2.x's limit for the connection to the other server. */
const CONNECT_MS = 5_000;
/** How long a closing connection may take to hand over what is left. Ours. */
const LINGER_MS = 60_000;
/** First byte behind the length: P_CONTROL_HARD_RESET_CLIENT_V2 and V3 with key id 0. */
const RESET_V2 = 0x38;
const RESET_V3 = 0x50;

export interface PortShareConfig {
  readonly sockets: SocketFactory;
  /** The other server. */
  readonly target: LinkAddress;
  readonly journalDir: string | undefined;
  /** How long a connection may keep us waiting for its first bytes. */
  readonly waitMs: number;
  readonly log: Logger;
  /** Log prefix of a client. */
  readonly describe: (remote: LinkAddress) => string;
}

/**
 * Whether a connection that begins with `bytes` is OpenVPN's; undefined while that can't be told. Source:
 * 2.x is_openvpn_protocol().
 */
export function isOpenVpnStart(bytes: Uint8Array): boolean | undefined {
  if (bytes.length < 2) return undefined;
  const length = (bytes[0]! << 8) | bytes[1]!;
  const short = length >= 14 && length <= 255;
  if (bytes.length === 2) return short;
  if (bytes[2] === RESET_V3) return length >= 336 && length < 1279;
  return short && bytes[2] === RESET_V2;
}

export class PortShare {
  readonly #config: PortShareConfig;
  readonly #streams = new Set<ByteStream>();
  #closed = false;

  constructor(config: PortShareConfig) {
    this.#config = config;
  }

  /** A screen for listenTcp(): takes the connections that are not for us. */
  readonly screen = async (stream: ByteStream): Promise<boolean> => {
    this.#streams.add(stream);
    const timer = setTimeout(() => stream.close(), this.#config.waitMs);
    const verdict = await decide(stream);
    clearTimeout(timer);
    this.#streams.delete(stream);
    if (verdict === false && !this.#closed) void this.#redirect(stream);
    else if (verdict !== true) stream.close();
    return verdict === true;
  };

  /** Cuts off everything that was passed on. */
  close(): void {
    this.#closed = true;
    for (const stream of this.#streams) stream.close();
  }

  async #redirect(client: ByteStream): Promise<void> {
    const { sockets, target, log, describe } = this.#config;
    const own = log.child(() => describe(client.remote));
    log.log(M_INFO, `TCP connection established with ${formatAddress(client.remote)}`);
    own.log(D_STREAM_ERRORS, 'Non-OpenVPN client protocol detected');
    own.log(M_INFO, 'SIGTERM[soft,port-share-redirect] received, client-instance exiting');
    let server: ByteStream;
    try {
      server = await sockets.connectStream({ remote: target, timeoutMs: CONNECT_MS });
    } catch {
      log.log(M_WARN, 'PORT SHARE PROXY: connect to port-share server failed');
      client.close();
      return;
    }
    await this.#pass(client, server);
  }

  async #pass(client: ByteStream, server: ByteStream): Promise<void> {
    const ends = [client, server];
    if (this.#closed) {
      for (const stream of ends) stream.close();
      return;
    }
    for (const stream of ends) this.#streams.add(stream);
    const journal = this.#writeJournal(client, server);
    await Promise.race([pump(client, server), pump(server, client)]);
    for (const stream of ends) {
      this.#streams.delete(stream);
      stream.close(LINGER_MS);
    }
    if (journal !== undefined) removeFile(journal);
  }

  #writeJournal(client: ByteStream, server: ByteStream): string | undefined {
    const { journalDir, log } = this.#config;
    if (journalDir === undefined) return undefined;
    const file = join(journalDir, formatAddress(server.local));
    try {
      writeFileSync(file, formatAddress(client.remote), { mode: 0o640 });
      return file;
    } catch (error) {
      const what = `PORT SHARE: unable to write journal file in ${file}`;
      log.log(M_WARN, errnoLine(what, error as NodeJS.ErrnoException));
      return undefined;
    }
  }
}

/** The verdict, with what was read put back; undefined when the connection ended first. */
async function decide(stream: ByteStream): Promise<boolean | undefined> {
  const gathered = new GatheredBytes();
  for (;;) {
    const chunk = await stream.read();
    if (chunk === undefined) return undefined;
    gathered.push(chunk);
    const verdict = isOpenVpnStart(gathered.bytes);
    if (verdict === undefined) continue;
    stream.unread(gathered.bytes);
    return verdict;
  }
}

/** Moves bytes one way until either end is over. */
async function pump(from: ByteStream, to: ByteStream): Promise<void> {
  for (let chunk = await from.read(); chunk !== undefined; chunk = await from.read()) {
    if (!(await to.write(chunk))) return;
  }
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Whoever reads the journal may have taken it away.
  }
}

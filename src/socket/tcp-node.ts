/**
 * TCP over node:net (2.x socket.c, TCP part): client and listener. The connection itself is in
 * tcp-stream-node.ts (bytes) and tcp-link-node.ts (frames). Options that Node has no function for are a
 * SocketTuner's to set, on a listener or on a socket that isn't connected yet.
 */
import { closeSync } from 'node:fs';
import {
  connect,
  createServer,
  type NetConnectOpts,
  type Server,
  Socket,
  type SocketConstructorOpts,
} from 'node:net';
import { type AddressFamily, errnoText, formatAddress, type LinkAddress, LinkError } from '../base/base.ts';
import { abortCause } from './abort.ts';
import { bindError } from './bind-error.ts';
import type { ByteStream, Link, LinkListener, TcpConnect, TcpListen } from './socket.ts';
import { descriptorOf, linkAddress, TcpNodeLink, type TcpParts } from './tcp-link-node.ts';
import { TcpNodeStream } from './tcp-stream-node.ts';
import { buffersText, needsTuning, type SocketTuner, warnUntuned } from './tuner.ts';

/** Connections that may wait for their screen's verdict. Ours: as many as --max-clients by default. */
const MAX_SCREENED = 1024;

/** Connects to a TCP peer. Rejects with LinkError on failure, timeout or abort. */
export async function connectTcpNode(
  options: TcpConnect,
  signal?: AbortSignal,
  tuner?: SocketTuner,
): Promise<Link> {
  return new TcpNodeLink(await connectSocket(options, signal, tuner), partsOf(options, tuner));
}

/** As connectTcpNode(), for the bytes. */
export async function connectStreamNode(
  options: TcpConnect,
  signal?: AbortSignal,
  tuner?: SocketTuner,
): Promise<ByteStream> {
  return new TcpNodeStream(await connectSocket(options, signal, tuner), partsOf(options, tuner));
}

function connectSocket(
  options: TcpConnect,
  signal: AbortSignal | undefined,
  tuner: SocketTuner | undefined,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(connectError(options.remote, abortCause(signal)));
      return;
    }
    const { remote, localAddress, localPort } = options;
    const how: NetConnectOpts = {
      host: remote.scopeId ? `${remote.address}%${remote.scopeId}` : remote.address,
      port: remote.port,
      family: remote.family,
      noDelay: options.tcpNoDelay ?? false,
      ...(localAddress === undefined ? {} : { localAddress }),
      ...(localPort === undefined ? {} : { localPort }),
    };
    const socket = connectTuned(options, how, tuner);
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
    const onAbort = (): void => fail(abortCause(signal!));
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.removeListener('error', fail);
    };
    signal?.addEventListener('abort', onAbort);
    socket.once('error', fail);
    socket.once('connect', () => {
      settle();
      resolve(socket);
    });
  });
}

/** Options that Node can't set are set before the first packet goes out. */
function connectTuned(options: TcpConnect, how: NetConnectOpts, tuner: SocketTuner | undefined): Socket {
  const { family } = options.remote;
  if (!needsTuning(options)) {
    if (tuner) tellDefaults(options, family, tuner);
    return connect(how);
  }
  const fd = tuner?.openTcp(family);
  if (!tuner || fd === undefined) {
    warnUntuned(options, []);
    return connect(how);
  }
  tuner.tune(fd, family, options);
  // manualStart, which Node's types leave out, keeps it from reading before there is a connection.
  const made: SocketConstructorOpts & { readonly manualStart: boolean } = { fd, manualStart: true };
  const socket = new Socket(made);
  if (options.tcpNoDelay) socket.once('connect', () => socket.setNoDelay(true));
  return socket.connect(how);
}

/** Node makes its socket where nobody sees it: one of the same kind tells what it has. */
function tellDefaults({ onBuffers }: TcpConnect, family: AddressFamily, tuner: SocketTuner): void {
  const fd = onBuffers && tuner.openTcp(family);
  if (fd === undefined) return;
  const sizes = tuner.buffers(fd);
  closeSync(fd);
  onBuffers?.(buffersText(sizes, sizes));
}

/** Listens for TCP peers. Rejects with LinkError. Connections that come before onConnection is set are refused. */
export function listenTcpNode(options: TcpListen, tuner?: SocketTuner): Promise<LinkListener> {
  return new Promise((resolve, reject) => {
    const { screen } = options;
    const server = createServer({
      noDelay: options.tcpNoDelay ?? false,
      pauseOnConnect: screen !== undefined,
    });
    const { family, localAddress, localPort } = options;
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(bindError(family, localAddress, localPort, error));
    });
    const host = localAddress ?? (family === 6 ? '::' : '0.0.0.0');
    server.listen({ host, port: localPort, ipv6Only: options.ipv6Only ?? false }, () => {
      server.removeAllListeners('error');
      // Connections take the listener's options over.
      const fd = descriptorOf(server);
      if (tuner && fd !== undefined) tuner.tune(fd, family, options);
      else warnUntuned(options, []);
      resolve(new TcpNodeListener(server, options, tuner));
    });
  });
}

class TcpNodeListener implements LinkListener {
  readonly local: LinkAddress;
  onConnection: (link: Link) => void = (link) => link.close();
  onError: (error: NodeJS.ErrnoException) => void = nothing;
  readonly #server: Server;
  readonly #options: TcpListen;
  readonly #parts: TcpParts;
  #screened = 0;
  #closed = false;

  constructor(server: Server, options: TcpListen, tuner: SocketTuner | undefined) {
    const { family } = options;
    this.#server = server;
    this.#options = options;
    this.#parts = partsOf(options, tuner);
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
    const { screen } = this.#options;
    const full = screen !== undefined && this.#screened >= MAX_SCREENED;
    if (this.#closed || full || socket.remoteAddress === undefined) {
      socket.on('error', nothing);
      socket.destroy();
    } else if (screen === undefined) {
      this.onConnection(new TcpNodeLink(socket, this.#parts));
    } else {
      void this.#screen(new TcpNodeStream(socket, this.#parts), screen);
    }
  }

  async #screen(stream: ByteStream, screen: NonNullable<TcpListen['screen']>): Promise<void> {
    this.#screened++;
    const passed = await screen(stream);
    this.#screened--;
    if (passed && this.#closed) stream.close();
    else if (passed) this.onConnection(stream.toLink());
  }
}

function partsOf({ queuePackets }: TcpConnect | TcpListen, tuner: SocketTuner | undefined): TcpParts {
  return { ...(queuePackets !== undefined && { queuePackets }), ...(tuner && { tuner }) };
}

/** 2.x's text, openvpn_connect(). */
function connectError(remote: LinkAddress, cause: NodeJS.ErrnoException): LinkError {
  return new LinkError(`TCP: connect to ${formatAddress(remote)} failed: ${errnoText(cause)}`, { cause });
}

function timeoutCause(): NodeJS.ErrnoException {
  return Object.assign(new Error('connect ETIMEDOUT'), { code: 'ETIMEDOUT', syscall: 'connect' });
}

function nothing(): void {}

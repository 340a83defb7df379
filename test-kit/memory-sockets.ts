/**
 * SocketFactory over in-memory links: hosts of a small internet, for tests of whole programs without
 * sockets. All UDP goes over one wire (src/socket/link-memory.ts) with its seed, losses and latency; a TCP
 * connection is a perfect wire of its own. Nothing moves but in run().
 *
 * Links can move to another address while their owner keeps them, as behind a NAT that forgot a mapping.
 */
import { type LinkAddress, LinkError, type PacketBatch, parseIp } from '../src/base/base.ts';
import { createMemoryNet, type MemoryNet, type MemoryNetOptions } from '../src/socket/link-memory.ts';
import type {
  ByteStream,
  Link,
  LinkListener,
  SocketFactory,
  TcpConnect,
  TcpListen,
  UdpBind,
} from '../src/socket/socket.ts';

const FIRST_EPHEMERAL_PORT = 40_000;

export class MemoryInternet {
  readonly udp: MemoryNet;
  /** Host names that resolve, with their addresses in order. */
  readonly names = new Map<string, readonly string[]>();
  readonly #options: MemoryNetOptions;
  readonly #connections: MemoryNet[] = [];
  readonly #listeners = new Map<string, Listener>();
  #nextPort = FIRST_EPHEMERAL_PORT;

  constructor(options: MemoryNetOptions = {}) {
    this.#options = options;
    this.udp = createMemoryNet(options);
  }

  /** A machine with one address a family. */
  host(address4: string, address6?: string): MemorySockets {
    return new MemorySockets(this, address4, address6);
  }

  /** Packets sent so far, on all wires. */
  get sent(): number {
    let sum = this.udp.stats.sent;
    for (const net of this.#connections) sum += net.stats.sent;
    return sum;
  }

  run(nowMs: number): void {
    this.udp.run(nowMs);
    for (const net of [...this.#connections]) net.run(nowMs);
  }

  nextTimeout(): number | undefined {
    const times = [this.udp, ...this.#connections].map((net) => net.nextTimeout());
    const known = times.filter((at) => at !== undefined);
    return known.length > 0 ? Math.min(...known) : undefined;
  }

  port(): number {
    return this.#nextPort++;
  }

  openUdp(local: LinkAddress): Link {
    try {
      return this.udp.open(local);
    } catch (cause) {
      throw linkError('EADDRINUSE', `bind ${local.address}:${local.port}`, cause);
    }
  }

  listen(local: LinkAddress): LinkListener {
    const key = keyOf(local);
    if (this.#listeners.has(key)) throw linkError('EADDRINUSE', `listen ${key}`);
    const listener = new Listener(local, () => this.#listeners.delete(key));
    this.#listeners.set(key, listener);
    return listener;
  }

  connect(local: LinkAddress, remote: LinkAddress): Link {
    const listener = this.#listeners.get(keyOf(remote));
    if (!listener) throw linkError('ECONNREFUSED', `connect ${keyOf(remote)}`);
    const { latencyMs = 0, queuePackets } = this.#options;
    const net = createMemoryNet({
      transport: 'tcp',
      latencyMs,
      ...(queuePackets !== undefined && { queuePackets }),
    });
    this.#connections.push(net);
    const near = net.open(local);
    listener.onConnection(net.open(remote));
    return near;
  }
}

/** The sockets of one machine. */
export class MemorySockets implements SocketFactory {
  readonly name = 'memory';
  /** UDP links in the order they were opened. */
  readonly links: MovableLink[] = [];
  /** Cable out: what is sent is lost, and nothing arrives. */
  unplugged = false;
  /** Look-ups so far. */
  readonly lookUps: string[] = [];
  readonly #internet: MemoryInternet;
  readonly #address4: string;
  readonly #address6: string | undefined;

  constructor(internet: MemoryInternet, address4: string, address6: string | undefined) {
    this.#internet = internet;
    this.#address4 = address4;
    this.#address6 = address6;
  }

  async openUdp(bind: UdpBind): Promise<Link> {
    const local = this.#local(bind.family, bind.localAddress, bind.localPort);
    const link = new MovableLink(this, this.#internet.openUdp(local), (to) => this.#internet.openUdp(to));
    this.links.push(link);
    return link;
  }

  async connectTcp(connect: TcpConnect): Promise<Link> {
    if (this.unplugged) throw linkError('ENETUNREACH', 'connect');
    const { remote, localAddress, localPort } = connect;
    return this.#internet.connect(this.#local(remote.family, localAddress, localPort), remote);
  }

  async connectStream(): Promise<ByteStream> {
    throw new LinkError('memory links carry packets, not bytes');
  }

  async listenTcp(listen: TcpListen): Promise<LinkListener> {
    return this.#internet.listen(this.#local(listen.family, listen.localAddress, listen.localPort));
  }

  async resolve(host: string, family: 4 | 6 | 0): Promise<{ family: 4 | 6; address: string }[]> {
    this.lookUps.push(host);
    const texts = parseIp(host) ? [host] : (this.#internet.names.get(host) ?? []);
    const found = texts.map((text) => parseIp(text)!).filter((one) => family === 0 || one.family === family);
    if (found.length === 0) throw new LinkError(`RESOLVE: Cannot resolve host address: ${host} (unknown)`);
    return found;
  }

  #local(family: 4 | 6, address: string | undefined, port: number | undefined): LinkAddress {
    const own = family === 4 ? this.#address4 : this.#address6;
    if (own === undefined) throw linkError('EAFNOSUPPORT', 'no IPv6 here');
    return { family, address: address ?? own, port: port || this.#internet.port() };
  }
}

/** A UDP link whose address can change under its owner. */
export class MovableLink implements Link {
  readonly transport = 'udp';
  readonly remote = undefined;
  onReadable: () => void = nothing;
  onWritable: () => void = nothing;
  onError: (error: NodeJS.ErrnoException) => void = nothing;
  onClose: (error: NodeJS.ErrnoException | undefined) => void = nothing;
  readonly #host: MemorySockets;
  readonly #open: (local: LinkAddress) => Link;
  #inner: Link;
  closed = false;

  constructor(host: MemorySockets, inner: Link, open: (local: LinkAddress) => Link) {
    this.#host = host;
    this.#open = open;
    this.#inner = inner;
    this.#attach(inner);
  }

  get local(): LinkAddress {
    return this.#inner.local;
  }

  get batchSize(): number {
    return this.#inner.batchSize;
  }

  get dropped(): number {
    return this.#inner.dropped;
  }

  /** What is under way to the old address is lost. */
  moveTo(local: LinkAddress): void {
    const before = this.#inner;
    this.#inner = this.#open(local);
    this.#attach(this.#inner);
    before.close();
  }

  recvBatch(batch: PacketBatch): number {
    const count = this.#inner.recvBatch(batch);
    return this.#host.unplugged ? 0 : count;
  }

  sendBatch(batch: PacketBatch, first: number, end: number): number {
    return this.#host.unplugged ? end - first : this.#inner.sendBatch(batch, first, end);
  }

  send(packet: Uint8Array, to: LinkAddress): boolean {
    return this.#host.unplugged || this.#inner.send(packet, to);
  }

  close(): void {
    this.closed = true;
    this.#inner.close();
  }

  #attach(link: Link): void {
    link.onReadable = () => this.onReadable();
    link.onWritable = () => this.onWritable();
    link.onError = (error) => this.onError(error);
    link.onClose = (error) => this.onClose(error);
  }
}

class Listener implements LinkListener {
  readonly local: LinkAddress;
  onConnection: (link: Link) => void = nothing;
  onError: (error: NodeJS.ErrnoException) => void = nothing;
  readonly close: () => void;

  constructor(local: LinkAddress, close: () => void) {
    this.local = local;
    this.close = close;
  }
}

function keyOf(address: LinkAddress): string {
  return `${address.address}:${address.port}`;
}

function linkError(code: string, what: string, cause?: unknown): LinkError {
  return new LinkError(`${what}: ${code}`, {
    cause: Object.assign(new Error(code, cause === undefined ? {} : { cause }), { code }),
  });
}

function nothing(): void {}

/**
 * How TCP connections become clients of the server (2.x mtcp.c): one connection is one client; its
 * packets need no look-up. The client ends with its connection.
 */
import { errnoText, formatAddress, PacketBatch } from '../base/base.ts';
import { D_STREAM_ERRORS, M_INFO } from '../base/errlevel.ts';
import type { LinkProfile, MultiInstance, MultiServer } from '../multi/multi.ts';
import { op } from '../reliable/reliable.ts';
import type { Link, LinkListener } from '../socket/socket.ts';

/** Batches taken from one connection before the others get their turn. */
const BATCHES_PER_TURN = 4;

export class TcpAcceptor {
  readonly #server: MultiServer;
  readonly #profile: LinkProfile;
  readonly #maxPacketBytes: number;
  /** Shared by all connections: a batch is empty again before the next connection has its turn. */
  #batch: PacketBatch | undefined;
  /** Connections whose next turn is on its way. */
  readonly #later = new Set<MultiInstance>();

  constructor(server: MultiServer, profile: LinkProfile, listener: LinkListener, maxPacketBytes: number) {
    this.#server = server;
    this.#profile = profile;
    this.#maxPacketBytes = maxPacketBytes;
    listener.onConnection = (link) => this.#takeConnection(link);
    listener.onError = (error) =>
      server.config.log.log(D_STREAM_ERRORS, `MULTI: TCP accept failed: ${errnoText(error)}`);
  }

  #takeConnection(link: Link): void {
    try {
      this.#handleConnection(link);
    } catch (error) {
      this.#server.handleFault('link', error);
      this.#server.removeLink(link);
      link.close();
    }
  }

  #handleConnection(link: Link): void {
    const { log, clock } = this.#server.config;
    const { remote } = link;
    if (!remote) {
      link.close();
      return;
    }
    const bound = { link, profile: this.#profile };
    this.#server.addLink(bound);
    const instance = this.#server.createInstance(bound, remote);
    if (!instance) {
      this.#server.removeLink(link);
      link.close();
      return;
    }
    log.log(M_INFO, `TCP connection established with ${formatAddress(remote)}`);
    link.onReadable = () => this.#handleReadable(instance);
    link.onError = (error) => instance.log.log(D_STREAM_ERRORS, error.message);
    link.onClose = (error) => this.#handleClose(instance, error);
    instance.peer.drive(clock.nowMs());
    this.#handleReadable(instance);
  }

  #handleReadable(instance: MultiInstance): void {
    try {
      this.#read(instance);
    } catch (error) {
      this.#server.handleFault('link', error, instance);
    }
  }

  #read(instance: MultiInstance): void {
    const { link } = instance.bound;
    this.#batch ??= new PacketBatch(link.batchSize, this.#maxPacketBytes);
    for (let turn = 0; turn < BATCHES_PER_TURN && instance.state !== 'closed'; turn++) {
      const count = link.recvBatch(this.#batch);
      if (count === 0) return;
      this.#handleBatch(instance, this.#batch, count);
    }
    if (instance.state !== 'closed') this.#continueLater(instance);
  }

  /** One turn at a time waits, however many chunks arrive meanwhile. */
  #continueLater(instance: MultiInstance): void {
    if (this.#later.has(instance)) return;
    this.#later.add(instance);
    setImmediate(() => {
      this.#later.delete(instance);
      this.#handleReadable(instance);
    });
  }

  #handleBatch(instance: MultiInstance, batch: PacketBatch, count: number): void {
    const { slab, offsets, lengths } = batch;
    for (let first = 0, end = 0; first < count; first = end) {
      end = first + 1;
      if (lengths[first] === 0) continue;
      if (!isData(slab, offsets[first]!)) {
        this.#server.handleControl(instance, batch.packet(first));
        lengths[first] = 0;
        if (instance.state === 'closed') return;
        continue;
      }
      while (end < count && lengths[end]! > 0 && isData(slab, offsets[end]!)) end++;
      this.#server.io.handleRun(instance, batch, first, end);
    }
    this.#server.config.tun.writeBatch(batch, 0, count);
    this.#server.io.flush();
    instance.peer.drive(this.#server.config.clock.nowMs());
  }

  #handleClose(instance: MultiInstance, error: NodeJS.ErrnoException | undefined): void {
    if (instance.state === 'closed') return;
    if (error) instance.log.log(D_STREAM_ERRORS, error.message);
    instance.log.log(M_INFO, 'Connection reset, restarting [0]');
    instance.log.log(M_INFO, 'SIGUSR1[soft,connection-reset] received, client-instance restarting');
    this.#server.closeInstance(instance);
  }
}

function isData(slab: Uint8Array, at: number): boolean {
  return op.isDataOpcode(op.readOpcode(slab, at));
}

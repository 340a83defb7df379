/**
 * The control side of a server (2.x multi.c): the table of clients by address, peer-id and name, their
 * timers and events. mudp/ and mtcp/ hand it control packets and new connections; MultiIo moves data.
 *
 * After every input an instance is "driven": control packets go out, events are handled, the next
 * deadline is noted. One timer serves all instances. Whatever comes in, an exception ends the instance that
 * it happened with and no other: handleFault().
 */
import {
  type FaultEntry,
  Faults,
  formatAddress,
  type LinkAddress,
  PacketBatch,
  parseIpBytes,
} from '../base/base.ts';
import {
  D_MULTI_ERRORS,
  D_MULTI_LOW,
  D_MULTI_MEDIUM,
  D_PUSH,
  D_PUSH_ERRORS,
  D_SCHED_EXIT,
  M_INFO,
  M_STRANGER,
  M_WARN,
} from '../base/errlevel.ts';
import {
  EXIT_DELAY_MS,
  type LinkCounters,
  MAX_FRAGS,
  newLinkCounters,
  restartMessage,
} from '../forward/forward.ts';
import { Driver, type PeerEvent } from '../peer/peer.ts';
import { addressChanges, authFailedMessage, buildPushUpdates, type ControlMessage } from '../push/push.ts';
import { ConnectRateLimit, InitialRateLimit } from '../reliable/reliable.ts';
import type { Link } from '../socket/socket.ts';
import { IV_PROTO_PUSH_UPDATE } from '../ssl/ssl.ts';
import { ClientTable } from './client-table.ts';
import { AddressLearner } from './learn.ts';
import { addressWords, type RouteKey, VirtualTable } from './mroute.ts';
import type { BoundLink, MultiConfig } from './multi.ts';
import { AddressPlan } from './multi-addresses.ts';
import { ClientSetup } from './multi-connect.ts';
import { type InstanceHost, MultiInstance, tokenRenewalMs } from './multi-instance.ts';
import { MultiIo } from './multi-io.ts';
import { realAddressText } from './real-address.ts';
import type { MultiIoDrops, PacketRouter } from './router.ts';
import { TapRouter } from './router-tap.ts';
import { TunRouter } from './router-tun.ts';
import { checkTableSizes, copyBuffers } from './table-sizes.ts';

/** From AUTH_FAILED to the end of the instance (2.x schedule_exit, 5 s). */
const AUTH_FAILED_DELAY_MS = 5_000;
/** How long an idle service batch is kept for pings and OCC answers. */
const SERVICE_BATCH = 8;
/** Distance of looks at what the learner may remove (2.x per-second timers). */
const TICK_MS = 1_000;

export class MultiServer implements InstanceHost {
  readonly config: MultiConfig;
  readonly totals: LinkCounters = newLinkCounters();
  readonly routes = new VirtualTable<MultiInstance>();
  readonly learner: AddressLearner<MultiInstance>;
  readonly drops: MultiIoDrops = { badSource: 0, unknownDestination: 0, saturation: 0, badFrame: 0 };
  readonly io: MultiIo;
  readonly plan: AddressPlan;
  /** Of all sockets together: --connect-freq-initial and --connect-freq. */
  readonly initialRate: InitialRateLimit;
  readonly connectRate: ConnectRateLimit;
  readonly faults: Faults;
  readonly driver: Driver;
  readonly #clients: ClientTable;
  readonly #setup: ClientSetup;
  readonly #service: PacketBatch;
  #nextClientId = 0;
  #shuttingDown = false;
  readonly #ticker: NodeJS.Timeout;
  #closed = false;

  constructor(config: MultiConfig, maxPacketBytes: number) {
    this.config = config;
    this.faults = new Faults(config.log);
    this.driver = new Driver(config.clock);
    checkTableSizes(config.options);
    this.plan = new AddressPlan(config);
    this.#clients = new ClientTable(config.crypto.randomBytes(4));
    const { connectFreqInitial, connectFreq } = config.options;
    this.initialRate = new InitialRateLimit(connectFreqInitial.max, connectFreqInitial.perSec, config.log);
    this.connectRate = new ConnectRateLimit(connectFreq.max, connectFreq.perSec);
    this.#setup = new ClientSetup(this);
    const fragment = config.options.connectionList[0]?.fragment ?? 0;
    this.#service = new PacketBatch(fragment > 0 ? MAX_FRAGS : SERVICE_BATCH, maxPacketBytes);
    this.learner = this.#createLearner();
    this.io = new MultiIo({
      tun: config.tun,
      router: this.#createRouter(),
      drops: this.drops,
      clients: () => this.instances(),
      passtos: config.options.passtos,
      blockIpv6: config.options.blockIpv6,
      copyBuffers: copyBuffers(config.options),
      maxPacketBytes,
      nowMs: () => config.clock.nowMs(),
      log: config.log,
      onFault: (entry, error, instance) => this.handleFault(entry, error, instance),
    });
    this.learner.onReleased = (instance, frame) => this.io.replay(instance, frame);
    config.tun.onReadable = () => this.io.handleTun();
    this.#ticker = setInterval(() => this.#handleTick(), TICK_MS);
    this.#ticker.unref();
  }

  /** An entry has thrown: the client that it happened with ends, and nobody else. */
  handleFault(entry: FaultEntry, error: unknown, instance?: MultiInstance): void {
    this.faults.note(entry, error, instance?.log);
    if (instance) this.closeInstance(instance);
  }

  instances(): Iterable<MultiInstance> {
    return this.#clients;
  }

  /** Clients were told to reconnect: no new one is taken, since it would come back too early. */
  get shuttingDown(): boolean {
    return this.#shuttingDown;
  }

  addLink(bound: BoundLink): void {
    this.#clients.addLink(bound.link);
    bound.link.onWritable = () => this.io.handleWritable(bound.link);
  }

  removeLink(link: Link): void {
    this.#clients.removeLink(link);
    this.io.handleLinkClosed(link);
  }

  byPeerId(peerId: number): MultiInstance | undefined {
    return this.#clients.byPeerId(peerId);
  }

  /** The instance that owns the source address in `words[slot]` on this link. */
  byWords(link: Link, words: Int32Array, slot: number): MultiInstance | undefined {
    return this.#clients.byWords(link, words, slot);
  }

  /** A new client whose address is proven (UDP) or connected (TCP); undefined when the server is full. */
  createInstance(bound: BoundLink, remote: LinkAddress): MultiInstance | undefined {
    const { log, options, clock } = this.config;
    if (this.#closed) return undefined;
    if (this.#clients.count >= options.maxClients) {
      log.log(
        D_MULTI_ERRORS | M_STRANGER,
        `MULTI: new incoming connection would exceed maximum number of clients (${options.maxClients})`,
      );
      return undefined;
    }
    const ids = { peerId: this.#clients.freePeerId(), clientId: this.#nextClientId++ };
    const instance = new MultiInstance(this, ids, bound, remote, clock.nowMs());
    this.#clients.add(instance);
    log.log(D_MULTI_MEDIUM, 'MULTI: multi_create_instance called');
    return instance;
  }

  /** A control packet from the instance's own address. Returns whether it was taken. */
  handleControl(instance: MultiInstance, packet: Uint8Array): boolean {
    const nowMs = this.config.clock.nowMs();
    let taken = false;
    try {
      taken = instance.peer.handlePacket(packet, instance.remote, nowMs) === 'taken';
    } catch (error) {
      this.handleFault('control packet', error, instance);
    }
    // What was dropped has changed nothing, but for TCP, where it may end the connection.
    if (taken || instance.bound.link.transport === 'tcp') instance.peer.drive(nowMs);
    return taken && instance.open;
  }

  /** The client's packets come from a new address and authenticated there (2.x multi_process_float). */
  float(instance: MultiInstance, bound: BoundLink, remote: LinkAddress): boolean {
    const taken = this.#clients.byAddress(bound.link, remote);
    if (taken && taken !== instance) {
      if (!sameIdentity(taken, instance)) {
        instance.log.log(
          D_MULTI_LOW | M_STRANGER,
          `Disallow float to an address taken by another client ${taken.prefix}`,
        );
        return false;
      }
      instance.log.log(D_MULTI_MEDIUM, `closing instance ${taken.prefix}`);
      this.closeInstance(taken);
    }
    const from = realAddressText(instance.remote);
    instance.log.log(
      D_MULTI_MEDIUM,
      `peer ${instance.peerId} (${instance.commonName}) floated from ${from} to ${formatAddress(remote)}`,
    );
    this.#clients.move(instance, bound, remote);
    return true;
  }

  /** Queues AUTH_FAILED and closes the instance after 2.x's five seconds. */
  failAuth(instance: MultiInstance, reason: string | undefined, nowMs: number): void {
    if (!instance.open) return;
    instance.state = 'closing';
    instance.peer.sendLoginMessage(authFailedMessage(reason), nowMs);
    this.scheduleClose(instance, nowMs + AUTH_FAILED_DELAY_MS, 'delayed-exit');
  }

  scheduleClose(instance: MultiInstance, atMs: number, reason: string): void {
    if (instance.closeAtMs <= atMs) return;
    instance.closeAtMs = atMs;
    instance.closeReason = reason;
    const seconds = Math.round((atMs - this.config.clock.nowMs()) / 1000);
    instance.log.log(D_SCHED_EXIT, `Delayed exit in ${seconds} seconds`);
    instance.peer.noteDeadline();
  }

  /** Ends an instance at once: routes forgotten, address and pool entry freed, keys zeroed. */
  closeInstance(instance: MultiInstance): void {
    if (instance.state === 'closed') return;
    instance.state = 'closed';
    instance.endSessions();
    this.#clients.remove(instance);
    this.#endStep(instance, () => this.#setup.handleClosed(instance));
    this.#endStep(instance, () => instance.peer.close());
    const { link } = instance.bound;
    if (link.transport !== 'tcp') return;
    this.#endStep(instance, () => this.removeLink(link));
    this.#endStep(instance, () => link.close());
  }

  /** Keys are zeroed and sockets closed even where something else of the end fails. */
  #endStep(instance: MultiInstance, step: () => void): void {
    try {
      step();
    } catch (error) {
      this.faults.note('end', error, instance.log);
    }
  }

  /**
   * Sends options (comma-separated, with 2.7's `-` and `?` flags) to one client or all that know
   * PUSH_UPDATE. Returns how many were told; undefined when the options can't be sent.
   */
  pushUpdate(options: string, clientId?: number): number | undefined {
    const messages = buildPushUpdates(options);
    if (!messages) return undefined;
    const nowMs = this.config.clock.nowMs();
    const changes = addressChanges(options);
    let told = 0;
    for (const instance of this.instances()) {
      if (clientId !== undefined && instance.clientId !== clientId) continue;
      if (!this.#takesUpdates(instance, clientId !== undefined)) continue;
      if (!messages.every((message) => instance.peer.sendMessage(message, nowMs))) continue;
      told++;
      if (changes.v4 || changes.v6) this.#setup.handleAddressChanges(instance, changes);
      instance.peer.drive(nowMs);
    }
    return told;
  }

  /** Tells UDP clients to reconnect (--explicit-exit-notify on a server). Returns how many were told. */
  notifyRestart(advance: boolean): number {
    const nowMs = this.config.clock.nowMs();
    this.#shuttingDown = true;
    let told = 0;
    for (const instance of this.instances()) {
      if (instance.bound.link.transport !== 'udp' || instance.state !== 'connected') continue;
      if (instance.peer.sendMessage(restartMessage(advance ? 2 : 1), nowMs)) told++;
      instance.peer.drive(nowMs);
    }
    return told;
  }

  /** Closes all instances; links and tun are the caller's. Resolves when the last script ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.driver.close();
    clearInterval(this.#ticker);
    for (const instance of [...this.instances()]) this.closeInstance(instance);
    await this.#setup.idle();
    await this.learner.close();
  }

  #createLearner(): AddressLearner<MultiInstance> {
    const { options, hooks, log, clock } = this.config;
    return new AddressLearner({
      routes: this.routes,
      hooks,
      log,
      staleRoutesCheck: options.staleRoutesCheck,
      local: localKey(options.ifconfig?.local),
      nowMs: () => clock.nowMs(),
      onFault: (error, instance) => this.handleFault('hook', error, instance),
    });
  }

  #createRouter(): PacketRouter<MultiInstance> {
    const { routes, learner, drops } = this;
    const { clientToClient, vlanTagging, vlanAccept, vlanPvid, ifconfig } = this.config.options;
    const common = { routes, learner, clientToClient, drops };
    if (this.config.tun.type === 'tap') {
      const vlan = vlanTagging ? { accept: vlanAccept, pvid: vlanPvid } : undefined;
      return new TapRouter({ ...common, vlan });
    }
    return new TunRouter({ ...common, local4: localKey(ifconfig?.local)?.words[0] ?? 0 });
  }

  #takesUpdates(instance: MultiInstance, asked: boolean): boolean {
    if (instance.state !== 'connected') return false;
    if ((instance.identity?.peerInfo.proto ?? 0) & IV_PROTO_PUSH_UPDATE) return true;
    const text = `PUSH_UPDATE: not sending message to unsupported peer with ID: ${instance.peerId}`;
    if (asked) this.config.log.log(M_WARN, text);
    return false;
  }

  handleEvent(instance: MultiInstance, event: PeerEvent, nowMs: number): void {
    switch (event.type) {
      case 'client-key':
        this.#setup.verifyClientKey(instance, event);
        break;
      case 'verify':
        this.#setup.verify(instance, event);
        break;
      case 'authenticate':
        this.#setup.authenticate(instance, event);
        break;
      case 'promoted':
        this.#setup.handlePromoted(instance, event, nowMs);
        break;
      case 'active':
        this.#setup.handleActive(instance, event);
        break;
      case 'keys':
        // The first token of a session goes out with the push reply.
        if (event.keyId > 0) this.#setup.login.renewToken(instance, nowMs, false);
        break;
      case 'auth-failed':
        this.failAuth(instance, event.reason, nowMs);
        break;
      case 'message':
        this.#handleMessage(instance, event.message, event.text, nowMs);
        break;
      case 'over':
        this.#endInstance(instance, event.end.type === 'restart' ? 'SIGUSR1' : 'SIGTERM', event.end.reason);
        break;
      case 'error':
        this.#endInstance(instance, 'SIGUSR1', event.reason);
        break;
    }
  }

  #handleMessage(instance: MultiInstance, message: ControlMessage, text: string, nowMs: number): void {
    switch (message.type) {
      case 'push-request':
        instance.log.log(D_PUSH, `PUSH: Received control message: '${text}'`);
        this.#setup.handlePushRequest(instance, nowMs);
        break;
      case 'cr-response':
        this.#setup.handleCrResponse(instance, message.response);
        break;
      case 'exit':
        instance.log.log(M_INFO, 'CC-EEN exit message received by peer');
        this.scheduleClose(instance, nowMs + EXIT_DELAY_MS, 'remote-exit');
        break;
      case 'unknown':
      case 'invalid':
      case 'bad-push':
        instance.log.log(D_PUSH_ERRORS, message.text);
        break;
    }
  }

  /** 2.x's line for the end of a client, then its end. */
  #endInstance(instance: MultiInstance, signal: 'SIGTERM' | 'SIGUSR1', reason: string): void {
    const action = signal === 'SIGTERM' ? 'exiting' : 'restarting';
    instance.log.log(M_INFO, `${signal}[soft,${reason}] received, client-instance ${action}`);
    this.closeInstance(instance);
  }

  sendService(instance: MultiInstance, nowMs: number): void {
    const { link } = instance.bound;
    const batch = this.#service;
    batch.clear();
    while (instance.data.pollTransmit(batch, nowMs) > 0) {
      batch.setAddress(instance.remoteWords, 0, batch.count);
      link.sendBatch(batch, 0, batch.count);
      batch.clear();
    }
  }

  handleDeadlines(instance: MultiInstance, nowMs: number): void {
    if (nowMs >= instance.closeAtMs) {
      this.#endInstance(instance, 'SIGTERM', instance.closeReason);
      return;
    }
    if (nowMs < instance.renewTokenAtMs) return;
    instance.renewTokenAtMs = nowMs + tokenRenewalMs(this.config);
    if (instance.state === 'connected' && instance.peer.authenticated) {
      this.#setup.login.renewToken(instance, nowMs, true);
    }
  }

  endHandshake(instance: MultiInstance): void {
    this.#endInstance(instance, 'SIGUSR1', 'tls-error');
  }

  #handleTick(): void {
    try {
      this.learner.handleTick(this.config.clock.nowMs());
    } catch (error) {
      this.handleFault('timer', error);
    }
  }
}

/** Certificates and username; clients without certificates differ by their names alone. */
function sameIdentity(a: MultiInstance, b: MultiInstance): boolean {
  if (a.identity?.username !== b.identity?.username) return false;
  const chainA = a.identity?.chain ?? [];
  const chainB = b.identity?.chain ?? [];
  return (
    chainA.length === chainB.length &&
    chainA.every((certificate, depth) => certificate.sha256 === chainB[depth]!.sha256)
  );
}

function localKey(address: string | undefined): RouteKey | undefined {
  const bytes = address === undefined ? undefined : parseIpBytes(address);
  return bytes?.length === 4 ? { family: 4, words: addressWords(bytes), prefix: 32 } : undefined;
}

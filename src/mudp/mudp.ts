/**
 * How UDP packets reach a client of the server (2.x mudp.c): by peer-id (P_DATA_V2), by source address
 * (all else), or through the stateless handshake when the address is unknown. Data of neighbouring
 * slots that belong to one client is handed on as one run.
 */
import { ADDRESS_WORDS, PacketBatch, receivedAddress, sameAddressWords } from '../base/base.ts';
import { D_LINK_ERRORS, D_MULTI_ERRORS, M_STRANGER } from '../base/errlevel.ts';
import { type BoundLink, type MultiInstance, type MultiServer, realAddressText } from '../multi/multi.ts';
import { CookieHandshake, op } from '../reliable/reliable.ts';
import { createNextTurn } from '../socket/socket.ts';
import { logFirstPacket } from './first-packet-text.ts';

/** Batches taken from the socket before other events get their turn, */
const BATCHES_PER_TURN = 16;
/** and how long that may take: a batch of first packets with a client's key (tls-crypt-v2) alone takes 4 ms. */
const TURN_MS = 8;
/** Place of LinkAddress.via in an address. */
const VIA_WORD = 7;
/** peer-id that means "look me up by address". */
const UNDEFINED_PEER_ID = 0xffffff;

export class UdpReceiver {
  readonly #server: MultiServer;
  readonly #bound: BoundLink;
  readonly #batch: PacketBatch;
  readonly #cookies: CookieHandshake;
  readonly #continueLater = createNextTurn(() => this.#handleReadable());
  /** Packets that belong to nobody, by what they were. */
  readonly drops = { data: 0, control: 0, short: 0, disallowedFloat: 0 };

  constructor(server: MultiServer, bound: BoundLink, maxPacketBytes: number) {
    const { options, crypto, log } = server.config;
    this.#server = server;
    this.#bound = bound;
    this.#batch = new PacketBatch(bound.link.batchSize, maxPacketBytes);
    this.#cookies = new CookieHandshake({
      wrap: bound.profile.wrap,
      crypto,
      handWindowSec: options.handWindow,
      rate: server.initialRate,
      admit: (slot) => this.#admit(slot),
    });
    server.addLink(bound);
    bound.link.onReadable = () => this.#handleReadable();
    bound.link.onError = (error) => log.log(D_LINK_ERRORS, error.message);
  }

  close(): void {
    this.#cookies.destroy();
    this.#server.removeLink(this.#bound.link);
    this.#bound.link.close();
  }

  #handleReadable(): void {
    const { clock } = this.#server.config;
    const endMs = clock.nowMs() + TURN_MS;
    try {
      for (let turn = 0; turn < BATCHES_PER_TURN && clock.nowMs() < endMs; turn++) {
        const count = this.#bound.link.recvBatch(this.#batch);
        if (count === 0) return;
        this.#handleBatch(count);
      }
      this.#continueLater();
    } catch (error) {
      this.#server.handleFault('link', error);
    }
  }

  #handleBatch(count: number): void {
    const { lengths } = this.#batch;
    for (let first = 0, end = 0; first < count; first = end) {
      end = first + 1;
      const instance = this.#dataOwner(first);
      if (!instance) {
        if (lengths[first]! > 0) this.#handleOther(first);
        lengths[first] = 0;
        continue;
      }
      const atHome = this.#isAtHome(instance, first);
      // A packet from a new address stands alone: whether it authenticates decides about floating.
      while (atHome && end < count && this.#dataOwner(end) === instance && this.#isAtHome(instance, end))
        end++;
      if (atHome) this.#server.io.handleRun(instance, this.#batch, first, end);
      else this.#handleFloat(instance, first);
      instance.peer.drive(this.#server.config.clock.nowMs());
    }
    this.#server.config.tun.writeBatch(this.#batch, 0, count);
    this.#server.io.flush();
  }

  /** The client whose data packet is in this slot; undefined for control packets and strangers. */
  #dataOwner(slot: number): MultiInstance | undefined {
    const { slab, offsets, lengths, addresses } = this.#batch;
    const length = lengths[slot]!;
    if (length === 0) return undefined;
    const at = offsets[slot]!;
    const opcode = op.readOpcode(slab, at);
    if (opcode === op.P_DATA_V2) {
      if (length < 4) return undefined;
      const peerId = (slab[at + 1]! << 16) | (slab[at + 2]! << 8) | slab[at + 3]!;
      if (peerId !== UNDEFINED_PEER_ID) {
        const instance = this.#server.byPeerId(peerId);
        return instance?.bound.link.transport === 'udp' ? instance : undefined;
      }
    } else if (opcode !== op.P_DATA_V1) {
      return undefined;
    }
    return this.#server.byWords(this.#bound.link, addresses, slot);
  }

  #isAtHome(instance: MultiInstance, slot: number): boolean {
    return (
      instance.bound.link === this.#bound.link &&
      sameAddressWords(this.#batch.addresses, slot, instance.remoteWords, 0)
    );
  }

  /** Nothing of a packet from a new address is delivered before the float is allowed. */
  #handleFloat(instance: MultiInstance, slot: number): void {
    const { io } = this.#server;
    try {
      if (
        io.openRun(instance, this.#batch, slot, slot + 1) > 0 &&
        this.#server.float(instance, this.#bound, receivedAddress(this.#batch.addresses, slot))
      ) {
        io.deliverRun(instance, this.#batch, slot, slot + 1);
        return;
      }
    } catch (error) {
      this.#server.handleFault('data', error, instance);
    }
    this.drops.disallowedFloat++;
    this.#batch.lengths[slot] = 0;
  }

  /** Control packets, and data of nobody. */
  #handleOther(slot: number): void {
    const { slab, offsets } = this.#batch;
    if (op.isDataOpcode(op.readOpcode(slab, offsets[slot]!))) {
      this.drops.data++;
      return;
    }
    const instance = this.#server.byWords(this.#bound.link, this.#batch.addresses, slot);
    if (!instance) this.#takeStranger(slot);
    else if (this.#server.handleControl(instance, this.#batch.packet(slot))) this.#followVia(instance, slot);
  }

  /** --multihome: the client talks to another of our addresses from here on. */
  #followVia(instance: MultiInstance, slot: number): void {
    const via = this.#batch.addresses[slot * ADDRESS_WORDS + VIA_WORD]!;
    if (via !== (instance.remote.via ?? 0)) {
      instance.moveTo(this.#bound, receivedAddress(this.#batch.addresses, slot));
    }
  }

  #takeStranger(slot: number): void {
    try {
      this.#handleStranger(slot);
    } catch (error) {
      this.drops.control++;
      this.#server.handleFault('stranger', error);
    }
  }

  /** Nothing is made of what a stranger sends, its address's text least of all, until it is answered or let in. */
  #handleStranger(slot: number): void {
    const { clock, log } = this.#server.config;
    if (this.#server.shuttingDown) {
      this.drops.control++;
      if (log.enabled(D_MULTI_ERRORS | M_STRANGER)) {
        const text = `MULTI: Connection attempt from ${this.#realAddress(slot)} ignored while server is shutting down`;
        log.log(D_MULTI_ERRORS | M_STRANGER, text);
      }
      return;
    }
    const nowMs = clock.nowMs();
    const verdict = this.#cookies.handle(this.#batch, slot, Math.floor(clock.wallMs() / 1000), nowMs);
    if (verdict.type === 'drop') {
      this.drops.control++;
      logFirstPacket(log, this.#batch, slot, verdict.reason, this.#bound.profile.wrap.name);
      return;
    }
    const from = receivedAddress(this.#batch.addresses, slot);
    if (verdict.type === 'reply') {
      this.#bound.link.send(verdict.packet, from);
      return;
    }
    const instance = this.#server.createInstance(this.#bound, from);
    if (!instance) return;
    this.#cookies.confirm();
    const packet = this.#batch.packet(slot);
    try {
      if (verdict.type === 'unproven') instance.peer.handlePacket(packet, from, nowMs);
      else {
        const ids = { own: verdict.ownSessionId, peer: verdict.peerSessionId };
        instance.peer.startFromCookie(ids, packet, from, nowMs);
      }
    } catch (error) {
      this.#server.handleFault('control packet', error, instance);
    }
    instance.peer.drive(nowMs);
  }

  #realAddress(slot: number): string {
    return realAddressText(receivedAddress(this.#batch.addresses, slot));
  }

  #admit(slot: number): boolean {
    const { clock, log } = this.#server.config;
    if (this.#server.connectRate.admit(clock.nowMs())) return true;
    if (!log.enabled(D_MULTI_ERRORS | M_STRANGER)) return false;
    const who = this.#realAddress(slot);
    log.log(
      D_MULTI_ERRORS | M_STRANGER,
      `MULTI: Connection from ${who} would exceed new connection frequency limit as controlled by --connect-freq`,
    );
    return false;
  }
}

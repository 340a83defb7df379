/**
 * The packet pipeline of one peer (2.x forward.c encrypt_sign(), process_incoming_link_part1/2(),
 * process_ip_header()), batch-wise and in place. Per packet it only reads and writes numbers; a line is
 * logged for packets that fail.
 *
 * Order of open(): key by key id, cipher, replay window, fragments, compression frame, ping, OCC, IP check
 * (tun), mssfix, inner rules. Fragments, frames and rules are PayloadFrame's and InnerRules' work.
 */
import { PACKET_HEADROOM, PACKET_TAILROOM, type PacketBatch } from '../base/base.ts';
import { D_CRYPT_ERRORS, D_MTU_INFO, D_PING, D_STREAM_ERRORS } from '../base/errlevel.ts';
import type { Compressor } from '../comp/comp.ts';
import {
  AEAD_LIMIT_BLOCK_BYTES,
  MAX_FAILURES,
  OPEN_AUTH_FAILED,
  OPEN_BAD_CIPHERTEXT,
  OPEN_OK,
} from '../crypto/crypto.ts';
import { op } from '../reliable/reliable.ts';
import type { DataChannelParams, DataKeys } from '../ssl/ssl.ts';
import { addCounters, clearCounters, newLinkCounters } from './counters.ts';
import { logNoKey, logReplay, logUnopened } from './drop-log.ts';
import type {
  DataChannel,
  DataChannelConfig,
  DataChannelEvent,
  FrameCrypto,
  FrameOptions,
  LinkCounters,
  TimerOptions,
} from './forward.ts';
import { type InnerOptions, InnerRules, innerRulesEmpty } from './inner-rules.ts';
import { mssfix } from './mss.ts';
import {
  adjustToPathMtu,
  fragmentSize,
  frameText,
  headerBytes,
  linkMtu,
  mssfixTarget,
  payloadHeaderBytes,
} from './mtu.ts';
import { isOcc, Occ } from './occ.ts';
import { PayloadFrame } from './payload-frame.ts';
import { isPing, PeerTimers, PING_PAYLOAD } from './ping.ts';
import { ipOffset, ipVersion } from './proto.ts';

export { newLinkCounters };

const { P_DATA_V1, P_DATA_V2, P_OPCODE_SHIFT, P_KEY_ID_MASK } = op;
/** Stands for the first byte of packets that have no opcode: key 0. */
const HEADERLESS = P_DATA_V1 << P_OPCODE_SHIFT;
const TUN_MTU_MAX_MIN = 1600;

/** Makes the pipeline of one peer; its timers start at `nowMs`. */
export function createDataChannel(config: DataChannelConfig, nowMs: number): DataChannel {
  return new PeerDataChannel(config, nowMs);
}

class PeerDataChannel implements DataChannel {
  readonly #config: DataChannelConfig;
  readonly #timers: PeerTimers;
  readonly #occ: Occ;
  /** Counts of the running call. */
  readonly #run = newLinkCounters();
  readonly #payload: PayloadFrame;
  #frame: FrameOptions;
  #innerOptions: InnerOptions | undefined;
  #inner: InnerRules | undefined;
  #params: DataChannelParams | undefined;
  #crypto: FrameCrypto = { cipher: undefined, digest: undefined, header: 'v2' };
  #mss = 0;
  /** What the kernel told last; 0 = nothing. */
  #pathMtu = 0;
  #authenticated = 0;
  #event: DataChannelEvent | undefined;
  #failed = false;

  constructor(config: DataChannelConfig, nowMs: number) {
    this.#config = config;
    this.#frame = config.frame;
    this.#timers = new PeerTimers(config.timers, config.log, config.commonName ?? (() => ''), nowMs);
    this.#occ = new Occ(config.occ, config.log, nowMs);
    this.#payload = new PayloadFrame(config.compressor, config.log, config.occ.randomBytes(1)[0] ?? 0);
    if (config.inner) this.setInner(config.inner);
  }

  get counters(): LinkCounters {
    return this.#config.counters;
  }

  get mss(): number {
    this.#followParams();
    return this.#mss;
  }

  get compressor(): Compressor | undefined {
    return this.#payload.compressor;
  }

  get splits(): boolean {
    this.#followParams();
    return this.#payload.splits;
  }

  get authenticated(): number {
    return this.#authenticated;
  }

  seal(batch: PacketBatch, first: number, end: number, nowMs: number): number {
    this.#followParams();
    const { offsets, lengths, slab } = batch;
    const mss = this.#mss;
    for (let i = first; i < end; i++) {
      const length = lengths[i]!;
      if (length === 0) continue;
      this.#run.tunReadBytes += length;
      if (mss > 0) this.#fixMss(slab, offsets[i]!, length, mss);
    }
    if (this.#inner) for (let i = first; i < end; i++) if (lengths[i] !== 0) this.#inner.outgoing(batch, i);
    this.#payload.compress(batch, first, end, nowMs);
    const packets = this.#sealRun(batch, first, end, nowMs);
    this.#timers.noteActivity(this.#run.linkWriteBytes, nowMs);
    this.#flush();
    return packets;
  }

  sealSplit(batch: PacketBatch, first: number, end: number, out: PacketBatch, nowMs: number): number {
    this.#followParams();
    const { offsets, lengths, slab } = batch;
    const start = out.count;
    let slot = first;
    for (; slot < end; slot++) {
      const length = lengths[slot]!;
      if (length === 0) continue;
      if (!this.#payload.hasRoom(length, out)) break;
      this.#run.tunReadBytes += length;
      if (this.#mss > 0) this.#fixMss(slab, offsets[slot]!, length, this.#mss);
      this.#inner?.outgoing(batch, slot);
      if (lengths[slot] === 0) continue;
      const piece = out.count;
      if (!this.#payload.split(batch, slot, out, nowMs)) this.#run.dropFrame++;
      out.tos.fill(batch.tos[slot]!, piece, out.count);
    }
    this.#sealRun(out, start, out.count, nowMs);
    this.#timers.noteActivity(this.#run.linkWriteBytes, nowMs);
    this.#flush();
    return slot;
  }

  open(batch: PacketBatch, first: number, end: number, nowMs: number): void {
    this.#followParams();
    this.#authenticated = 0;
    this.#failed = false;
    const { offsets, lengths, slab, status } = batch;
    const headerless = this.#params?.headerless === true;
    let start = first;
    while (start < end) {
      const header = lengths[start]! > 0 ? (headerless ? HEADERLESS : slab[offsets[start]!]!) : -1;
      let next = start;
      do {
        // openBatch() leaves passed-over slots alone: a left-over status must not look like its verdict.
        if (lengths[next] === 0) status[next] = OPEN_OK;
        this.#countRead(lengths[next]!);
        next++;
      } while (next < end && (lengths[next] === 0 || headerless || slab[offsets[next]!] === header));
      if (header >= 0) this.#openRun(batch, start, next, header, nowMs);
      start = next;
    }
    if (this.#authenticated > 0) this.#timers.noteReceived(nowMs);
    this.#timers.noteActivity(this.#run.tunWriteBytes, nowMs);
    this.#flush();
    if (this.#failed) this.#failTcp();
  }

  noteControlReceived(bytes: number, nowMs: number): void {
    this.#countRead(bytes);
    this.#timers.noteReceived(nowMs);
    this.#flush();
  }

  noteControlSent(bytes: number, nowMs: number): void {
    this.#run.linkWriteBytes += bytes;
    this.#run.linkWritePackets++;
    this.#timers.noteSent(nowMs);
    this.#flush();
  }

  setTimers(timers: TimerOptions, nowMs: number): void {
    this.#timers.restart(timers, nowMs);
  }

  setFrame(frame: FrameOptions): void {
    this.#frame = frame;
    this.#pathMtu = 0;
    this.#measure();
    if (this.#innerOptions) this.setInner(this.#innerOptions);
  }

  handlePathMtu(pathMtu: number): void {
    if (pathMtu <= 0 || pathMtu === this.#pathMtu) return;
    this.#pathMtu = pathMtu;
    const { frame, notes } = adjustToPathMtu(this.#frame, pathMtu);
    for (const note of notes) this.#config.log.log(D_MTU_INFO, note);
    this.#frame = frame;
    this.#measure();
  }

  handleKeys(): void {
    this.#followParams();
  }

  setCompressor(compressor: Compressor | undefined): void {
    this.#payload.compressor = compressor;
  }

  setInner(inner: InnerOptions): void {
    const { dev, tunMtu } = this.#frame;
    this.#innerOptions = inner;
    this.#inner = innerRulesEmpty(inner)
      ? undefined
      : new InnerRules(inner, dev === 'tap' ? 'tap' : 'tun', tunMtu, this.#config.log);
  }

  handleRemote(nowMs: number): void {
    this.#timers.handleRemote(nowMs);
  }

  sendOccExit(): void {
    this.#occ.sendExit();
  }

  handleTimeout(nowMs: number): void {
    this.#timers.handleTimeout(nowMs);
    const mtu = linkMtu(this.#frame, this.#crypto, false);
    const { keys, counters } = this.#config;
    this.#occ.handleTimeout(nowMs, mtu, keys.params !== undefined, counters);
  }

  nextTimeout(): number | undefined {
    const timers = this.#timers.nextTimeout();
    const occ = this.#occ.nextTimeout();
    if (timers === undefined) return occ;
    return occ === undefined || timers < occ ? timers : occ;
  }

  pollTransmit(batch: PacketBatch, nowMs: number): number {
    const answers = this.#inner?.toPeer;
    if (!this.#timers.pingDue && !this.#occ.waiting && !answers?.count) return 0;
    this.#followParams();
    const first = batch.count;
    if (this.#timers.pingDue && first < batch.capacity) {
      const sent = this.#payload.push(PING_PAYLOAD, batch, nowMs);
      this.#timers.clearPing(sent && this.#config.keys.params !== undefined);
    }
    while (this.#occ.waiting && batch.count < batch.capacity) {
      const sizes = this.#occSizes(batch);
      if (batch.count > first && !this.#payload.hasRoom(sizes.maxPayload, batch)) break;
      const message = this.#occ.next(sizes);
      if (message) this.#payload.push(message, batch, nowMs);
    }
    while (answers && answers.count > 0 && this.#payload.hasRoom(answers.maxPacketBytes, batch)) {
      if (batch.count === batch.capacity) break;
      this.#payload.push(answers.packet(--answers.count), batch, nowMs);
    }
    const packets = this.#sealRun(batch, first, batch.count, nowMs);
    this.#flush();
    if (packets === 0) batch.count = first;
    return packets;
  }

  pollTun(batch: PacketBatch): number {
    const answers = this.#inner?.toTun;
    if (!answers || answers.count === 0) return 0;
    const first = batch.count;
    for (let slot = 0; slot < answers.count && batch.count < batch.capacity; slot++)
      batch.pushFrom(answers, slot);
    answers.clear();
    return batch.count - first;
  }

  pollEvent(): DataChannelEvent | undefined {
    const event = this.#event ?? this.#timers.pollEvent();
    this.#event = undefined;
    return event;
  }

  /** Encrypts and counts; slots that can't be sent get length 0. Returns the packets left. */
  #sealRun(batch: PacketBatch, first: number, end: number, nowMs: number): number {
    const keys = this.#config.keys.sealKeys(nowMs);
    if (!keys) {
      this.#run.dropNoKey += dropSlots(batch, first, end);
      return 0;
    }
    const handled = first + keys.seal.sealBatch(batch, first, end);
    if (handled < end) {
      this.#run.dropIdsUsedUp += dropSlots(batch, handled, end);
      this.#config.log.log(D_CRYPT_ERRORS, 'ENCRYPT ERROR: packet ID roll over');
    }
    const { lengths } = batch;
    let packets = 0;
    let bytes = 0;
    let blocks = 0;
    for (let i = first; i < handled; i++) {
      const length = lengths[i]!;
      if (length === 0) continue;
      packets++;
      bytes += length;
      blocks += blocksOf(length);
      if (length > this.#occ.maxSent) this.#occ.maxSent = length;
    }
    this.#countKey(keys, packets, bytes);
    keys.sealedBlocks += blocks;
    this.#run.linkWriteBytes += bytes;
    this.#run.linkWritePackets += packets;
    if (packets > 0) this.#timers.noteSent(nowMs);
    return packets;
  }

  /** Slots first..end-1 have `header` as their first byte, or length 0. */
  #openRun(batch: PacketBatch, first: number, end: number, header: number, nowMs: number): void {
    const opcode = header >>> P_OPCODE_SHIFT;
    if (opcode !== P_DATA_V1 && opcode !== P_DATA_V2) {
      this.#run.dropShort += dropSlots(batch, first, end);
      return;
    }
    const keyId = header & P_KEY_ID_MASK;
    const keys = this.#config.keys.openKeys(keyId);
    if (!keys) {
      logNoKey(this.#config.log, this.#config.keys, batch, first, keyId);
      this.#run.dropNoKey += dropSlots(batch, first, end);
      return;
    }
    this.#countKeySlots(keys, batch, first, end);
    if (keys.open.failures > MAX_FAILURES) {
      // So many forgeries: the next one might be good.
      this.#run.dropAuth += dropSlots(batch, first, end);
      return;
    }
    keys.open.openBatch(batch, first, end);
    const { lengths, status } = batch;
    for (let i = first; i < end; i++) {
      if (status[i] !== OPEN_OK) this.#dropUnopened(batch, i);
      else if (lengths[i]! > 0) this.#acceptOpened(batch, i, keys, nowMs);
    }
  }

  /** One authenticated packet; its length becomes 0 unless it goes to tun. */
  #acceptOpened(batch: PacketBatch, slot: number, keys: DataKeys, nowMs: number): void {
    const { slab } = batch;
    const sealedLength = batch.lengths[slot]!;
    const time = keys.open.wideIds ? batch.packetTimes[slot]! : 0;
    if (keys.replay.check(batch.packetIds[slot]!, nowMs, time) !== 0) {
      this.#dropReplay(batch, slot, time);
      return;
    }
    keys.openedBlocks += blocksOf(sealedLength);
    this.#authenticated++;
    this.#run.authReadBytes += sealedLength;
    const linkBytes = sealedLength + keys.seal.headBytes;
    if (linkBytes > this.#occ.maxReceived) this.#occ.maxReceived = linkBytes;
    if (!this.#payload.bare && !this.#readFrame(batch, slot, nowMs)) return;
    const offset = batch.offsets[slot]!;
    const length = batch.lengths[slot]!;
    if (this.#consume(slab, offset, length)) {
      batch.lengths[slot] = 0;
      return;
    }
    if (this.#frame.dev === 'tun' && ipVersion(slab, offset, length) === 0) {
      this.#run.dropNotIp++;
      batch.lengths[slot] = 0;
      return;
    }
    if (this.#mss > 0) this.#fixMss(slab, offset, length, this.#mss);
    this.#inner?.incoming(batch, slot);
    this.#run.tunWriteBytes += batch.lengths[slot]!;
  }

  /** False when a packet is not complete yet or malformed. */
  #readFrame(batch: PacketBatch, slot: number, nowMs: number): boolean {
    const verdict = this.#payload.read(batch, slot, nowMs);
    if (verdict === 'malformed') this.#run.dropFrame++;
    return verdict === 'packet';
  }

  /** Takes pings and OCC messages; false = a packet for tun. */
  #consume(slab: Uint8Array, offset: number, length: number): boolean {
    if (isPing(slab, offset, length)) {
      if (this.#config.log.enabled(D_PING)) this.#config.log.log(D_PING, 'RECEIVED PING PACKET');
      return true;
    }
    if (!isOcc(slab, offset, length)) return false;
    if (this.#occ.handle(slab, offset, length)) {
      this.#event ??= { type: 'remote-exit', reason: 'remote-exit' };
    }
    return true;
  }

  #fixMss(slab: Uint8Array, offset: number, length: number, mss: number): void {
    if (this.#frame.dev !== 'tap') {
      mssfix(slab, offset, length, mss);
      return;
    }
    const ip = ipOffset(slab, offset, length, 'tap');
    if (ip >= 0) mssfix(slab, ip, length - (ip - offset), mss);
  }

  #dropUnopened(batch: PacketBatch, slot: number): void {
    const status = batch.status[slot]!;
    if (status === OPEN_AUTH_FAILED || status === OPEN_BAD_CIPHERTEXT) this.#run.dropAuth++;
    else this.#run.dropShort++;
    this.#failed = true;
    batch.lengths[slot] = 0;
    logUnopened(this.#config.log, this.#crypto.cipher, status);
  }

  #dropReplay(batch: PacketBatch, slot: number, time: number): void {
    this.#run.dropReplay++;
    this.#failed = true;
    batch.lengths[slot] = 0;
    if (this.#config.muteReplayWarnings) return;
    logReplay(this.#config.log, this.#crypto.cipher, batch.packetIds[slot]!, this.#params?.epoch ? 0 : time);
  }

  /** A stream whose bytes don't decrypt can't be trusted any more. */
  #failTcp(): void {
    if (this.#frame.transport !== 'tcp' || this.#event) return;
    this.#config.log.log(D_STREAM_ERRORS, 'Fatal decryption error (process_incoming_link), restarting');
    this.#event = { type: 'restart', reason: 'decryption-error' };
  }

  #countRead(bytes: number): void {
    if (bytes === 0) return;
    this.#run.linkReadBytes += bytes;
    this.#run.linkReadPackets++;
  }

  #countKeySlots(keys: DataKeys, batch: PacketBatch, first: number, end: number): void {
    let packets = 0;
    let bytes = 0;
    for (let i = first; i < end; i++) {
      const length = batch.lengths[i]!;
      if (length > 0) packets++;
      bytes += length;
    }
    this.#countKey(keys, packets, bytes);
  }

  #countKey(keys: DataKeys, packets: number, bytes: number): void {
    keys.packets += packets;
    keys.bytes += bytes;
  }

  /** Adds what this call counted to the peer's counters and the sums. */
  #flush(): void {
    const { counters, totals } = this.#config;
    addCounters(counters, this.#run);
    if (totals) addCounters(totals, this.#run);
    clearCounters(this.#run);
  }

  /** Negotiated parameters are replaced as a whole, so identity tells whether they changed. */
  #followParams(): void {
    const { params } = this.#config.keys;
    if (params === this.#params) return;
    this.#params = params;
    if (!params) {
      this.#measure();
      return;
    }
    const header = params.headerless ? undefined : params.peerId >= 0 ? 'v2' : 'v1';
    const { cipher, digest, epoch = false } = params;
    this.#crypto = { cipher, digest, header, epoch };
    this.#measure();
    this.#logFrame();
  }

  /** What depends on frame and cipher. */
  #measure(): void {
    this.#mss = this.#params ? mssfixTarget(this.#frame, this.#crypto) : 0;
    this.#payload.maxPiece =
      this.#params && this.#frame.fragment ? fragmentSize(this.#frame, this.#crypto) : -1;
  }

  #logFrame(): void {
    const { log } = this.#config;
    if (!log.enabled(D_MTU_INFO)) return;
    const tunMtuMax = Math.max(this.#frame.tunMtu, this.#frame.tunMtuMax ?? 0, TUN_MTU_MAX_MIN);
    const payload = linkMtu({ ...this.#frame, tunMtu: tunMtuMax }, this.#crypto, false);
    const buffer = { tunMtuMax, headroom: PACKET_HEADROOM, payload, tailroom: PACKET_TAILROOM };
    const text = frameText(this.#frame, this.#crypto, buffer);
    log.log(D_MTU_INFO, `Data Channel MTU parms ${text}`);
    if (this.#frame.fragment) log.log(D_MTU_INFO, `Fragmentation MTU parms ${text}`);
  }

  #occSizes(batch: PacketBatch): { linkMtu: number; overhead: number; maxPayload: number } {
    const frame = this.#frame;
    const payload = payloadHeaderBytes({ ...frame, tunMtuExtra: 0 }, this.#crypto);
    return {
      linkMtu: linkMtu(frame, this.#crypto, false),
      overhead: payload + headerBytes(frame, this.#crypto, false),
      maxPayload: batch.maxPacketBytes,
    };
  }
}

/** Blocks that a packet counts towards an AEAD cipher's limit. */
function blocksOf(bytes: number): number {
  return Math.ceil(bytes / AEAD_LIMIT_BLOCK_BYTES);
}

/** Sets all lengths to 0; returns how many packets that dropped. */
function dropSlots(batch: PacketBatch, first: number, end: number): number {
  let dropped = 0;
  for (let i = first; i < end; i++) {
    if (batch.lengths[i] === 0) continue;
    batch.lengths[i] = 0;
    dropped++;
  }
  return dropped;
}

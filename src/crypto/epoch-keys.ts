/**
 * Both directions of one data key in epoch format (2.7 crypto_epoch.c). The sender moves to the next epoch
 * when its key has done enough; the receiver follows as soon as a packet of a later epoch authenticates:
 *
 *   retiring <- current <- future 1 .. FUTURE_EPOCHS      a jump drops the epochs in between
 *
 * A receiver that moves past its own send epoch takes the sender along. Future keys are made together, when the
 * first packet of a later epoch comes, since few peers ever send one; from then on a packet of a wrong epoch costs
 * one failed decryption and nothing more. These are the only moments at which something is allocated.
 */
import { ApiMisuseError, type PacketBatch } from '../base/base.ts';
import type {
  CipherInfo,
  CryptoBackend,
  DataKeySpec,
  KeyHalf,
  OpeningKey,
  ReplayCheck,
  SealingKey,
} from './crypto.ts';
import { EpochSchedule, MAX_EPOCH } from './epoch-schedule.ts';
import { OPEN_BAD_EPOCH, OPEN_OK, OPEN_TOO_SHORT } from './open-status.ts';
import { PacketIdRec, REPLAY_TOO_OLD, type ReplayResult } from './packet-id.ts';
import { AEAD_LIMIT_BLOCK_BYTES, aeadUsageLimit, MAX_FAILURES, MAX_FAILURES_WARN } from './usage-limit.ts';

/** Epochs ahead of the current one from which packets are taken; 2.x's number. */
export const FUTURE_EPOCHS = 4;

/** Bytes of header and id before the ciphertext, and where the epoch lies. */
const HEAD_BYTES = 12;
const EPOCH_AT = 4;
const TAG_BYTES = 16;
const WORD = 2 ** 32;

export interface EpochKeysSpec {
  readonly cipher: CipherInfo;
  /** Halves of the key2; the first 32 bytes of their cipher parts are used. */
  readonly sealHalf: KeyHalf;
  readonly openHalf: KeyHalf;
  readonly keyId: number;
  readonly peerId: number;
  /** --replay-window */
  readonly replayWindow: number;
  readonly replaySec: number;
  /** Called when the peer has moved on to `epoch`. */
  onPeerEpoch?(epoch: number): void;
}

export interface EpochKeys {
  readonly seal: SealingKey;
  readonly open: OpeningKey;
  readonly replay: ReplayCheck;
}

/** Throws ApiMisuseError when the cipher is not AEAD or there is no peer id. */
export function createEpochKeys(crypto: CryptoBackend, spec: EpochKeysSpec): EpochKeys {
  if (spec.cipher.mode !== 'aead') throw new ApiMisuseError(`${spec.cipher.name} is not an AEAD cipher`);
  const replay = new EpochReplay(spec.replayWindow, spec.replaySec);
  const limit = (crypto.usageLimit ?? aeadUsageLimit)(spec.cipher);
  const seal = new EpochSealer(crypto, spec, limit);
  const open = new EpochOpener(crypto, spec, (epoch) => {
    spec.onPeerEpoch?.(epoch);
    seal.follow(epoch);
  });
  seal.isPeerOver = (epoch) => open.isOver(epoch, limit, replay.highest);
  return { seal, open, replay };
}

class EpochSealer implements SealingKey {
  readonly headBytes: number;
  readonly tailBytes: number;
  /** Whether the peer should leave this epoch, since what it sent reached a limit. */
  isPeerOver: (epoch: number) => boolean = () => false;
  readonly #crypto: CryptoBackend;
  readonly #spec: EpochKeysSpec;
  readonly #limit: number;
  readonly #schedule: EpochSchedule;
  #key: SealingKey;
  #blocks = 0;

  constructor(crypto: CryptoBackend, spec: EpochKeysSpec, limit: number) {
    this.#crypto = crypto;
    this.#spec = spec;
    this.#limit = limit;
    this.#schedule = new EpochSchedule(crypto, spec.cipher, spec.sealHalf);
    this.#key = this.#createKey();
    this.headBytes = this.#key.headBytes;
    this.tailBytes = this.#key.tailBytes;
  }

  get epoch(): number {
    return this.#schedule.epoch;
  }

  get nextPacketId(): number {
    return this.#key.nextPacketId;
  }

  sealBatch(batch: PacketBatch, first: number, end: number): number {
    if (this.#isOver()) this.#moveTo(this.epoch + 1);
    let next = first;
    while (next < end) {
      const handled = this.#key.sealBatch(batch, next, end);
      this.#count(batch, next, next + handled);
      next += handled;
      if (next < end && !this.#moveTo(this.epoch + 1)) break;
    }
    return next - first;
  }

  /** The peer is ahead: joins it. */
  follow(epoch: number): void {
    if (epoch > this.epoch) this.#moveTo(epoch);
  }

  destroy(): void {
    this.#schedule.destroy();
    this.#key.destroy();
  }

  #isOver(): boolean {
    const used = this.#blocks + this.#key.nextPacketId - 1;
    return (this.#limit > 0 && used > this.#limit) || this.isPeerOver(this.epoch);
  }

  /** False after the last epoch. */
  #moveTo(epoch: number): boolean {
    if (epoch > MAX_EPOCH) return false;
    this.#schedule.advanceTo(epoch);
    this.#key.destroy();
    this.#key = this.#createKey();
    this.#blocks = 0;
    return true;
  }

  #createKey(): SealingKey {
    return makeKey(this.#schedule, this.#spec, (spec) => this.#crypto.createSealingKey(spec));
  }

  #count(batch: PacketBatch, first: number, end: number): void {
    for (let i = first; i < end; i++) {
      const length = batch.lengths[i]!;
      if (length > 0) this.#blocks += blocksOf(length - TAG_BYTES);
    }
  }
}

/** One epoch's key to open with. */
interface Epoch {
  readonly epoch: number;
  readonly key: OpeningKey;
  blocks: number;
}

class EpochOpener implements OpeningKey {
  readonly wideIds = true;
  readonly #crypto: CryptoBackend;
  readonly #spec: EpochKeysSpec;
  readonly #onAdvance: (epoch: number) => void;
  /** Of the last epoch that has a key. */
  readonly #schedule: EpochSchedule;
  #retiring: Epoch | undefined;
  #current: Epoch;
  /** Of current + 1, current + 2, ...; fewer than FUTURE_EPOCHS until one is asked for. */
  #future: Epoch[] = [];
  /** Of keys that are gone. */
  #pastFailures = 0;

  constructor(crypto: CryptoBackend, spec: EpochKeysSpec, onAdvance: (epoch: number) => void) {
    this.#crypto = crypto;
    this.#spec = spec;
    this.#onAdvance = onAdvance;
    this.#schedule = new EpochSchedule(crypto, spec.cipher, spec.openHalf);
    this.#current = this.#createEpoch();
  }

  get failures(): number {
    let sum = this.#pastFailures + this.#current.key.failures + (this.#retiring?.key.failures ?? 0);
    for (const { key } of this.#future) sum += key.failures;
    return sum;
  }

  openBatch(batch: PacketBatch, first: number, end: number): void {
    for (let next = first, start = first; start < end; start = next) {
      const epoch = readEpoch(batch, start);
      do next++;
      while (next < end && readEpoch(batch, next) === epoch);
      if (epoch >= 0) this.#openRun(batch, start, next, epoch);
    }
  }

  /** Whether the peer's use of `epoch`, if it is the current one, has reached a limit. */
  isOver(epoch: number, limit: number, highestId: number): boolean {
    const { epoch: own, key, blocks } = this.#current;
    if (epoch !== own) return false;
    return (limit > 0 && blocks + highestId > limit) || key.failures > MAX_FAILURES_WARN;
  }

  destroy(): void {
    this.#schedule.destroy();
    this.#retiring?.key.destroy();
    this.#current.key.destroy();
    for (const { key } of this.#future) key.destroy();
  }

  /** All slots of first..end-1 carry `epoch`. */
  #openRun(batch: PacketBatch, first: number, end: number, epoch: number): void {
    const known = this.#find(epoch);
    if (!known || known.key.failures > MAX_FAILURES) {
      for (let i = first; i < end; i++) {
        if (batch.lengths[i] === 0) continue;
        batch.status[i] = batch.lengths[i]! < HEAD_BYTES ? OPEN_TOO_SHORT : OPEN_BAD_EPOCH;
        batch.lengths[i] = 0;
      }
      return;
    }
    known.key.openBatch(batch, first, end);
    let good = false;
    for (let i = first; i < end; i++) {
      const length = batch.lengths[i]!;
      if (length === 0 || batch.status[i] !== OPEN_OK) continue;
      good = true;
      known.blocks += blocksOf(length);
    }
    if (good && epoch > this.#current.epoch) this.#advance(epoch);
  }

  #find(epoch: number): Epoch | undefined {
    if (epoch === this.#current.epoch) return this.#current;
    if (epoch === this.#retiring?.epoch) return this.#retiring;
    // Near the end of the numbers a session must have been renegotiated.
    const ahead = epoch - this.#current.epoch;
    if (epoch > MAX_EPOCH - FUTURE_EPOCHS - 1 || ahead < 1 || ahead > FUTURE_EPOCHS) return undefined;
    this.#fillFuture();
    return this.#future[ahead - 1];
  }

  #advance(epoch: number): void {
    const index = epoch - this.#current.epoch - 1;
    if (this.#retiring) this.#drop(this.#retiring);
    for (let i = 0; i < index; i++) this.#drop(this.#future[i]!);
    this.#retiring = this.#current;
    this.#current = this.#future[index]!;
    this.#future = this.#future.slice(index + 1);
    this.#onAdvance(epoch);
  }

  #fillFuture(): void {
    while (this.#future.length < FUTURE_EPOCHS) {
      this.#schedule.advanceTo(this.#schedule.epoch + 1);
      this.#future.push(this.#createEpoch());
    }
  }

  #createEpoch(): Epoch {
    const key = makeKey(this.#schedule, this.#spec, (spec) => this.#crypto.createOpeningKey(spec));
    return { epoch: this.#schedule.epoch, key, blocks: 0 };
  }

  #drop({ key }: Epoch): void {
    this.#pastFailures += key.failures;
    key.destroy();
  }
}

/** A window per epoch: of the newest epoch seen and of the one before. */
class EpochReplay implements ReplayCheck {
  readonly #packets: number;
  readonly #seconds: number;
  #epoch = 1;
  #window: PacketIdRec;
  #oldEpoch = 0;
  #oldWindow: PacketIdRec | undefined;

  constructor(packets: number, seconds: number) {
    this.#packets = packets;
    this.#seconds = seconds;
    this.#window = new PacketIdRec(packets, seconds);
  }

  get highest(): number {
    return this.#window.highest;
  }

  check(packetId: number, nowMs: number, time = 0): ReplayResult {
    const epoch = time >>> 16;
    const counter = (time & 0xffff) * WORD + packetId;
    if (epoch === this.#epoch) return this.#window.check(counter, nowMs);
    if (epoch === this.#oldEpoch) return this.#oldWindow!.check(counter, nowMs);
    if (epoch < this.#epoch) return REPLAY_TOO_OLD;
    this.#oldEpoch = this.#epoch;
    this.#oldWindow = this.#window;
    this.#epoch = epoch;
    this.#window = new PacketIdRec(this.#packets, this.#seconds);
    return this.#window.check(counter, nowMs);
  }
}

function makeKey<T>(schedule: EpochSchedule, spec: EpochKeysSpec, create: (spec: DataKeySpec) => T): T {
  const key = schedule.dataKey();
  const { cipher, keyId, peerId } = spec;
  try {
    return create({ cipher, keyId, peerId, key, epoch: schedule.epoch });
  } finally {
    key.cipher.fill(0);
    key.hmac.fill(0);
  }
}

/** The epoch of a packet, 0 when it is too short for one, -1 for an empty slot. */
function readEpoch(batch: PacketBatch, slot: number): number {
  const length = batch.lengths[slot]!;
  if (length === 0) return -1;
  return length < HEAD_BYTES ? 0 : batch.slab.readUInt16BE(batch.offsets[slot]! + EPOCH_AT);
}

function blocksOf(bytes: number): number {
  return Math.ceil(bytes / AEAD_LIMIT_BLOCK_BYTES);
}

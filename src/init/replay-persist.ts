/**
 * --replay-persist: the newest packet id of the peer in a file, so that packets recorded before a restart are not
 * taken after it (2.x packet_id_persist_*() of packet_id.c). One record, as 2.x writes it on 64-bit systems:
 *
 *   i64 Unix time || u32 packet id || 4 bytes unused           in the machine's byte order
 *
 * Opened with the first attempt and kept open, locked, over soft restarts; written once a minute and when a
 * session ends. Of use for long ids only: control packets with a wrap, and static keys.
 */
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { endianness } from 'node:os';
import { errnoLine, type Logger, OpenVpnError, timeText } from '../base/base.ts';
import { D_PID_PERSIST, D_PID_PERSIST_DEBUG } from '../base/errlevel.ts';
import type { ReplayMemory } from '../crypto/crypto.ts';
import { loadNative } from '../native/native.ts';

export const REPLAY_RECORD_BYTES = 16;
const ID_OFFSET = 8;
const SAVE_MS = 60_000;
const LITTLE = endianness() === 'LE';

type Newest = NonNullable<ReplayMemory['newest']>;

/** The record's time and id; undefined for time 0, which says nothing, and for other lengths. */
export function readReplayRecord(bytes: Uint8Array): Newest | undefined {
  if (bytes.length !== REPLAY_RECORD_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const time = Number(view.getBigInt64(0, LITTLE));
  return time === 0 ? undefined : { time, packetId: view.getUint32(ID_OFFSET, LITTLE) };
}

export function writeReplayRecord({ time, packetId }: Newest): Uint8Array {
  const bytes = new Uint8Array(REPLAY_RECORD_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, BigInt(time), LITTLE);
  view.setUint32(ID_OFFSET, packetId, LITTLE);
  return bytes;
}

export class ReplayPersistFile implements ReplayMemory {
  readonly #path: string;
  readonly #log: Logger;
  #fd: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #time = 0;
  #packetId = 0;
  #saved = { time: 0, packetId: 0 };

  constructor(path: string, log: Logger) {
    this.#path = path;
    this.#log = log;
  }

  /**
   * Opens, locks and reads the file unless it is open. One that can't be opened is logged and does nothing; throws
   * OpenVpnError when another process has it locked.
   */
  open(): void {
    if (this.#fd !== undefined) return;
    try {
      this.#fd = openSync(this.#path, constants.O_RDWR | constants.O_CREAT, 0o600);
    } catch (error) {
      this.#complain(`Cannot open --replay-persist file ${this.#path} for read/write`, error);
      return;
    }
    this.#lock(this.#fd);
    this.#load(this.#fd);
    this.#timer = setInterval(() => this.save(), SAVE_MS);
  }

  get newest(): Newest | undefined {
    return this.#time === 0 ? undefined : { time: this.#time, packetId: this.#packetId };
  }

  note(packetId: number, time: number): void {
    this.#packetId = packetId;
    this.#time = time;
  }

  /** Writes what is new since the last time. */
  save(): void {
    const [time, packetId] = [this.#time, this.#packetId];
    const unchanged = time === this.#saved.time && packetId === this.#saved.packetId;
    if (this.#fd === undefined || time === 0 || unchanged) return;
    try {
      writeSync(this.#fd, writeReplayRecord({ time, packetId }), 0, REPLAY_RECORD_BYTES, 0);
    } catch (error) {
      this.#complain(`Cannot write to --replay-persist file ${this.#path}`, error);
      return;
    }
    this.#saved = { time, packetId };
    this.#tell('Write to');
  }

  /** Saves and lets go of the file; what it says is forgotten. */
  close(): void {
    clearInterval(this.#timer);
    this.save();
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.note(0, 0);
    this.#saved = { time: 0, packetId: 0 };
  }

  /** Without the addon there is no lock. */
  #lock(fd: number): void {
    const addon = loadNative();
    const errno = addon?.lockFile(fd) ?? 0;
    if (errno === 0) return;
    this.close();
    throw new OpenVpnError(
      `Cannot obtain exclusive lock on --replay-persist file ${this.#path}: ${addon?.errorText(errno)} (errno=${errno})`,
      'ERR_OVPN_REPLAY_PERSIST',
    );
  }

  #load(fd: number): void {
    const bytes = new Uint8Array(REPLAY_RECORD_BYTES);
    try {
      const count = readSync(fd, bytes, 0, bytes.length, 0);
      const record = readReplayRecord(bytes.subarray(0, count));
      if (!record) return;
      this.note(record.packetId, record.time);
      this.#saved = record;
      this.#tell('Read from');
    } catch (error) {
      this.#complain(`Read error on --replay-persist file ${this.#path}`, error);
    }
  }

  #tell(what: string): void {
    if (!this.#log.enabled(D_PID_PERSIST_DEBUG)) return;
    const when = `time = (${this.#time}) ${timeText(this.#time * 1000)}`;
    this.#log.log(D_PID_PERSIST_DEBUG, `PID Persist ${what} ${this.#path}: [ #${this.#packetId} / ${when} ]`);
  }

  #complain(what: string, error: unknown): void {
    this.#log.log(D_PID_PERSIST, errnoLine(what, error as NodeJS.ErrnoException));
  }
}

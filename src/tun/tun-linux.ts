/**
 * Linux TUN/TAP devices over the C++ addon (2.x tun.c, open_tun_generic() and the Linux parts of
 * read_tun() and write_tun()). Node can't open one by itself: reading the device through node:fs takes
 * a thread-pool trip per packet, and attaching needs an ioctl.
 *
 * Where the kernel allows it the addon moves TCP super-packets through the device and cuts or joins them
 * at the slots (native/split.cc, native/coalesce.cc). Packets of a super-packet that had no slot left wait
 * in the addon, where poll() doesn't see them: a turn of the event loop later onReadable is called for them.
 *
 * Log lines are 2.x's. A device that is deleted under us reads EBADFD: onError is called once and the
 * device stays silent from then on.
 */
import { performance } from 'node:perf_hooks';
import { getSystemErrorName } from 'node:util';
import {
  type Logger,
  nullLogger,
  PACKET_HEADROOM,
  PACKET_TAILROOM,
  type PacketBatch,
  TunError,
} from '../base/base.ts';
import { D_LINK_ERRORS, D_OSBUF, M_INFO, M_WARN } from '../base/errlevel.ts';
import {
  loadNative,
  NATIVE_ERROR_WORDS,
  NATIVE_OP_READ,
  NATIVE_READABLE,
  type NativeAddon,
  type NativeTun,
  nativeMissingReason,
  offloadAllowed,
} from '../native/native.ts';
import type { TunDevice, TunFactory, TunOpen } from './tun.ts';

/** Device node of Linux, as in 2.x. */
const DEFAULT_NODE = '/dev/net/tun';
/** Packets per readBatch(); ours. */
const BATCH_SIZE = 128;
/** Between two log lines about one error code; ours. */
const REPORT_INTERVAL_MS = 1000;
/** The descriptor is no longer attached to a device: asm-generic/errno.h, which libuv has no name for. */
const EBADFD = 77;

export interface TunLinuxOptions {
  readonly log?: Logger;
  readonly addon?: NativeAddon;
  /** Segmentation offload where the kernel has it; default true, unless OPENVPN_TS_OFFLOAD=0. */
  readonly offload?: boolean;
}

/** Opens TUN/TAP devices by the addon; without it, open() throws a TunError that says why. */
export function createTunLinux(options: TunLinuxOptions = {}): TunFactory {
  const { log = nullLogger, offload = offloadAllowed() } = options;
  return {
    name: 'linux',
    open: (open) => {
      const addon = options.addon ?? loadNative();
      if (addon !== undefined) return new LinuxTun(addon, open, log, offload);
      throw new TunError(`ERROR: Cannot open TUN/TAP dev: ${nativeMissingReason()}`);
    },
  };
}

class LinuxTun implements TunDevice {
  readonly type: 'tun' | 'tap';
  readonly batchSize = BATCH_SIZE;
  onError: (error: NodeJS.ErrnoException) => void = nothing;

  readonly #addon: NativeAddon;
  readonly #native: NativeTun;
  readonly #log: Logger;
  readonly #errors = new Int32Array(NATIVE_ERROR_WORDS);
  readonly #reportedAt = new Map<number, number>();
  #onReadable: () => void = nothing;
  #closed = false;
  #gone = false;
  #paused = false;
  /** Whether a call of onReadable for what waits in the addon is on its way. */
  #announced = false;

  constructor(addon: NativeAddon, open: TunOpen, log: Logger, offload: boolean) {
    this.#addon = addon;
    this.#log = log;
    this.type = open.type;
    this.#native = this.#open(open, offload);
    log.log(M_INFO, `TUN/TAP device ${this.name} opened`);
    if (open.txqueuelen !== undefined && open.txqueuelen > 0) this.#setTxQueueLength(open.txqueuelen);
  }

  get onReadable(): () => void {
    return this.#onReadable;
  }

  /** Readiness is level-triggered: as long as nobody reads, the descriptor isn't watched. */
  set onReadable(listener: () => void) {
    this.#onReadable = listener;
    if (!this.#paused) this.resume();
  }

  get name(): string {
    return this.#native.name;
  }

  pause(): void {
    this.#paused = true;
    if (!this.#closed) this.#native.poll(0);
  }

  resume(): void {
    this.#paused = false;
    if (this.#closed || this.#gone || this.#onReadable === nothing) return;
    this.#native.poll(NATIVE_READABLE);
    this.#announcePending();
  }

  readBatch(batch: PacketBatch): number {
    batch.count = 0;
    if (this.#closed || this.#gone) return 0;
    const { slab, slotSize, offsets, lengths } = batch;
    const limit = Math.min(batch.capacity, BATCH_SIZE);
    const count = this.#native.readBatch(
      slab,
      slotSize,
      PACKET_HEADROOM,
      PACKET_TAILROOM,
      offsets,
      lengths,
      limit,
    );
    batch.status.fill(0, 0, count);
    batch.count = count;
    if (this.#errors[0] !== 0) this.#report();
    if (this.#closed) return 0;
    if (count === limit) this.#announcePending();
    return count;
  }

  writeBatch(batch: PacketBatch, first: number, end: number): number {
    if (this.#closed || this.#gone) return 0;
    const written = this.#native.writeBatch(
      batch.slab,
      batch.slotSize,
      batch.offsets,
      batch.lengths,
      first,
      end,
    );
    if (this.#errors[0] !== 0) this.#report();
    return written;
  }

  close(): void {
    this.#closed = true;
    this.#native.close();
  }

  #open({ dev, type, node = DEFAULT_NODE }: TunOpen, offload: boolean): NativeTun {
    try {
      return new this.#addon.Tun(node, dev, type === 'tap', this.#errors, this.#handleReady, offload);
    } catch (error) {
      const cause = error as NodeJS.ErrnoException;
      const what = cause.syscall === 'ioctl' ? `ioctl TUNSETIFF ${dev}` : `open TUN/TAP dev ${node}`;
      const why = cause.errno === undefined ? cause.message : this.#errnoText(cause.errno);
      throw new TunError(`ERROR: Cannot ${what}: ${why}`, { cause });
    }
  }

  #setTxQueueLength(packets: number): void {
    const errno = this.#native.setTxQueueLength(packets);
    if (errno === 0) this.#log.log(D_OSBUF, `TUN/TAP TX queue length set to ${packets}`);
    else this.#log.log(M_WARN, `Note: Cannot set tx queue length on ${this.name}: ${this.#errnoText(errno)}`);
  }

  readonly #handleReady = (): void => {
    if (!this.#closed && !this.#gone) this.#onReadable();
  };

  #announcePending(): void {
    if (this.#announced || this.#gone || !this.#native.pending) return;
    this.#announced = true;
    setImmediate(() => {
      this.#announced = false;
      if (!this.#closed && !this.#paused && this.#native.pending) this.#handleReady();
    });
  }

  #report(): void {
    const found = this.#errors.slice(1, 1 + 3 * this.#errors[0]!);
    this.#errors[0] = 0;
    for (let at = 0; at < found.length && !this.#closed && !this.#gone; at += 3) {
      const [operation, errno] = found.subarray(at, at + 2) as unknown as [number, number];
      this.#logError(operation, errno);
      if (errno === EBADFD) this.#handleGone(operation, errno);
    }
  }

  #logError(operation: number, errno: number): void {
    const nowMs = performance.now();
    const key = operation * 0x10000 + errno;
    const lastMs = this.#reportedAt.get(key);
    if (lastMs !== undefined && nowMs - lastMs < REPORT_INTERVAL_MS) return;
    this.#reportedAt.set(key, nowMs);
    if (this.#log.enabled(D_LINK_ERRORS)) this.#log.log(D_LINK_ERRORS, this.#errorLine(operation, errno));
  }

  #handleGone(operation: number, errno: number): void {
    this.#gone = true;
    this.#native.poll(0);
    const syscall = operation === NATIVE_OP_READ ? 'read' : 'write';
    const code = errno === EBADFD ? 'EBADFD' : getSystemErrorName(-errno);
    this.onError(Object.assign(new Error(this.#errorLine(operation, errno)), { code, errno, syscall }));
  }

  #errorLine(operation: number, errno: number): string {
    const what = operation === NATIVE_OP_READ ? 'read from' : 'write to';
    return `${what} TUN/TAP : ${this.#addon.errorText(errno)} (fd=-1,code=${errno})`;
  }

  #errnoText(errno: number): string {
    return `${this.#addon.errorText(errno)} (errno=${errno})`;
  }
}

function nothing(): void {}

/**
 * Header of tun/ (2.x tun.h): virtual network devices that give and take IP packets (tun) or Ethernet
 * frames (tap) in batches. Backends: tun-linux.ts (native addon), tun-null.ts (--dev null),
 * tun-memory.ts (tests, no root).
 */
import type { PacketBatch } from '../base/base.ts';

export interface TunOpen {
  /** `tun`, `tap` (kernel picks the unit), a full name such as `tun0` or `vpn-office`, or `null` for no device. */
  readonly dev: string;
  readonly type: 'tun' | 'tap';
  /** Device node, default /dev/net/tun. */
  readonly node?: string;
  readonly txqueuelen?: number;
}

export interface TunDevice {
  /** The kernel's name, e.g. `tun0`. */
  readonly name: string;
  readonly type: 'tun' | 'tap' | 'null';
  /** Most packets one readBatch() gives; constant for the device's life. */
  readonly batchSize: number;
  /** Called when packets wait; the owner then calls readBatch() until it returns 0. */
  onReadable: () => void;
  /** The device went away. */
  onError: (error: NodeJS.ErrnoException) => void;
  /** Stops and restarts onReadable, for back-pressure from a full link. */
  pause(): void;
  resume(): void;
  /** Fills the batch from slot 0 behind PACKET_HEADROOM; sets offsets, lengths, status, count. 0 = would block. */
  readBatch(batch: PacketBatch): number;
  /** Writes slots first..end-1, passing over length 0. Returns packets written; the others are dropped (kernel queue full or device down). */
  writeBatch(batch: PacketBatch, first: number, end: number): number;
  close(): void;
}

export interface TunFactory {
  readonly name: string;
  /** Throws TunError in 2.x's words, e.g. `Cannot ioctl TUNSETIFF tun0: Device or resource busy (errno=16)`. */
  open(options: TunOpen): TunDevice;
}

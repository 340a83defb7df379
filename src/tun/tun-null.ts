/**
 * The device of `--dev null` (2.x tun.c, DEV_TYPE_NULL): gives no packet and swallows every packet,
 * for tests of the control channel that need neither root nor an interface.
 */
import type { Logger, PacketBatch } from '../base/base.ts';
import { M_INFO } from '../base/errlevel.ts';
import type { TunDevice, TunFactory } from './tun.ts';

const BATCH_SIZE = 64;

export function createTunNull(log: Logger): TunFactory {
  return {
    name: 'null',
    open: () => {
      log.log(M_INFO, 'null device [null] opened');
      return new NullTun();
    },
  };
}

class NullTun implements TunDevice {
  readonly name = 'null';
  readonly type = 'null';
  readonly batchSize = BATCH_SIZE;
  onReadable: () => void = () => undefined;
  onError: (error: NodeJS.ErrnoException) => void = () => undefined;
  #closed = false;

  pause(): void {}

  resume(): void {}

  readBatch(batch: PacketBatch): number {
    batch.count = 0;
    return 0;
  }

  writeBatch(batch: PacketBatch, first: number, end: number): number {
    if (this.#closed) return 0;
    let written = 0;
    for (let slot = first; slot < end; slot++) if (batch.lengths[slot]! > 0) written++;
    return written;
  }

  close(): void {
    this.#closed = true;
  }
}

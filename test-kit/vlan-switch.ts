/**
 * VLAN devices for machines whose kernel has none: a trunk tap carries tagged frames, an access tap per
 * VLAN the same frames without tag. Runs inside a namespace. The devices are opened by the product's own
 * code, since Node can't; tag handling is apart from the product's.
 *
 *   bridge -- trunk (8100 vid) == switch == v7, v9, ... (untagged)
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { PacketBatch } from '../src/base/base.ts';
import type { TunDevice } from '../src/tun/tun.ts';

export interface VlanSwitchOptions {
  /** Folder of the built product. */
  readonly dist: string;
  /** Name of the trunk device. */
  readonly trunk: string;
  /** One access device each, named `v<id>`. */
  readonly ids: readonly number[];
}

type BatchConstructor = typeof PacketBatch;

const ADDRESSES = 12;
const MAX_FRAME = 1600;

/** Opens the devices; they live until the process ends. */
export async function createVlanSwitch({ dist, trunk, ids }: VlanSwitchOptions): Promise<void> {
  const load = (file: string) => import(pathToFileURL(join(dist, file)).href);
  const { createTunLinux }: typeof import('../src/tun/tun-linux.ts') = await load('tun/tun-linux.js');
  const { PacketBatch: Batch }: { PacketBatch: BatchConstructor } = await load('base/base.js');
  const factory = createTunLinux();
  const open = (dev: string): TunDevice => factory.open({ dev, type: 'tap' });
  const trunkDevice = open(trunk);
  const ports = new Map(ids.map((id) => [id, open(`v${id}`)]));
  trunkDevice.onReadable = () => {
    for (const frame of readAll(trunkDevice, Batch)) {
      if (frame.readUInt16BE(ADDRESSES) !== 0x8100) continue;
      const port = ports.get(frame.readUInt16BE(ADDRESSES + 2) & 0xfff);
      const bare = Buffer.concat([frame.subarray(0, ADDRESSES), frame.subarray(ADDRESSES + 4)]);
      if (port) write(port, bare, Batch);
    }
  };
  for (const [id, port] of ports) {
    port.onReadable = () => {
      for (const frame of readAll(port, Batch)) {
        const tag = Buffer.from([0x81, 0x00, id >>> 8, id & 0xff]);
        const tagged = Buffer.concat([frame.subarray(0, ADDRESSES), tag, frame.subarray(ADDRESSES)]);
        write(trunkDevice, tagged, Batch);
      }
    };
  }
}

function readAll(device: TunDevice, Batch: BatchConstructor): Buffer[] {
  const frames: Buffer[] = [];
  const batch = new Batch(device.batchSize, MAX_FRAME);
  for (let count = device.readBatch(batch); count > 0; count = device.readBatch(batch)) {
    for (let slot = 0; slot < count; slot++) frames.push(Buffer.from(batch.packet(slot)));
  }
  return frames.filter((frame) => frame.length >= ADDRESSES + 4);
}

function write(device: TunDevice, frame: Buffer, Batch: BatchConstructor): void {
  const batch = new Batch(1, MAX_FRAME);
  if (batch.push(frame) >= 0) device.writeBatch(batch, 0, 1);
}

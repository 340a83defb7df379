/**
 * What every TunDevice must do; a backend is done when this suite passes. The harness stands for the
 * operating system behind the device: it puts packets in front of readBatch() and collects what
 * writeBatch() gave away. Packets are IPv4 headers with a payload, so a real kernel carries them too.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { PACKET_HEADROOM, PacketBatch } from '../base/base.ts';
import type { TunDevice } from './tun.ts';

export interface TunHarness {
  readonly device: TunDevice;
  /** Makes the packet readable on the device; absent where a device never gives any. */
  readonly inject?: (packet: Uint8Array) => void;
  /** Packets that the device's writes brought to the other side so far; absent where they vanish. */
  readonly delivered?: () => Uint8Array[];
  /** Frees what the harness made besides the device. */
  readonly close?: () => void;
}

/** Runs all checks; `open` makes a fresh device that is up. */
export function tunConformance(name: string, open: () => TunHarness): void {
  describe(`${name}: TunDevice`, () => {
    const harnesses: TunHarness[] = [];
    const create = (): TunHarness => {
      const harness = open();
      harnesses.push(harness);
      return harness;
    };
    afterEach(() => {
      for (const harness of harnesses.splice(0)) {
        harness.device.close();
        harness.close?.();
      }
    });
    basics(create);
    writing(create);
    reading(create);
  });
}

function basics(create: () => TunHarness): void {
  it('has a name and a batch size, and nothing to read at first', () => {
    const { device } = create();
    expect(device.name).not.toBe('');
    expect(device.batchSize).toBeGreaterThan(0);
    const batch = new PacketBatch(4);
    batch.count = 3;
    expect(device.readBatch(batch)).toBe(0);
    expect(batch.count).toBe(0);
  });

  it('reads and writes nothing after close(), which may be called twice', () => {
    const { device } = create();
    device.close();
    device.close();
    device.pause();
    device.resume();
    const batch = batchOf([ipv4(1)]);
    expect(device.writeBatch(batch, 0, 1)).toBe(0);
    expect(device.readBatch(batch)).toBe(0);
  });
}

function writing(create: () => TunHarness): void {
  it('counts the packets written and passes over slots of length 0', () => {
    const { device } = create();
    const batch = batchOf([ipv4(1), ipv4(2), ipv4(3)]);
    batch.lengths[1] = 0;
    expect(device.writeBatch(batch, 0, 3)).toBe(2);
    expect(device.writeBatch(batch, 1, 2)).toBe(0);
    expect(device.writeBatch(batch, 0, 0)).toBe(0);
  });

  it('gives exactly the bytes of the slots asked, wherever they start', async () => {
    const { device, delivered } = create();
    if (delivered === undefined) return;
    const packets = [20, 21, 500, 1400].map((size, i) => ipv4(i, size));
    const batch = batchOf(packets);
    batch.slab.copyWithin(batch.offsets[2]! - 17, batch.offsets[2]!, batch.offsets[2]! + 500);
    batch.offsets[2]! -= 17;
    expect(device.writeBatch(batch, 1, 4)).toBe(3);
    await until(() => delivered().length >= 3);
    expect(delivered().map(hex)).toEqual(packets.slice(1).map(hex));
  });
}

function reading(create: () => TunHarness): void {
  it('announces packets and reads them in order into slots behind the headroom', async () => {
    const { device, inject } = create();
    if (inject === undefined) return;
    const packets = Array.from({ length: 150 }, (_, i) => ipv4(i, 28 + i));
    const batch = new PacketBatch(200);
    const got: string[] = [];
    device.onReadable = () => {
      while (device.readBatch(batch) > 0) {
        expect(batch.count).toBeLessThanOrEqual(device.batchSize);
        for (let slot = 0; slot < batch.count; slot++) {
          expect(batch.offsets[slot]).toBe(slot * batch.slotSize + PACKET_HEADROOM);
          expect(batch.status[slot]).toBe(0);
          got.push(hex(batch.packet(slot)));
        }
      }
    };
    for (const packet of packets) inject(packet);
    await until(() => got.length >= packets.length);
    expect(got).toEqual(packets.map(hex));
  });

  it('fills no more slots than the batch has and announces the rest again', async () => {
    const { device, inject } = create();
    if (inject === undefined) return;
    const batch = new PacketBatch(2);
    const counts: number[] = [];
    device.onReadable = () => counts.push(device.readBatch(batch));
    for (let i = 0; i < 5; i++) inject(ipv4(i));
    await until(() => counts.reduce((sum, n) => sum + n, 0) >= 5);
    expect(Math.max(...counts)).toBeLessThanOrEqual(2);
  });

  it('drops a packet that does not fit a slot and goes on with the next', async () => {
    const { device, inject } = create();
    if (inject === undefined) return;
    const batch = new PacketBatch(8, 100);
    const got: string[] = [];
    device.onReadable = () => {
      while (device.readBatch(batch) > 0) {
        for (let slot = 0; slot < batch.count; slot++) got.push(hex(batch.packet(slot)));
      }
    };
    const room = batch.maxPacketBytes;
    inject(ipv4(1, room + 1));
    inject(ipv4(2, room));
    await until(() => got.length > 0);
    expect(got).toEqual([hex(ipv4(2, room))]);
  });

  it('is silent while paused and announces what waited on resume()', async () => {
    const { device, inject } = create();
    if (inject === undefined) return;
    const batch = new PacketBatch(4);
    let calls = 0;
    device.onReadable = () => {
      calls++;
      device.readBatch(batch);
    };
    device.pause();
    inject(ipv4(1));
    await turns(20);
    expect(calls).toBe(0);
    device.resume();
    await until(() => calls > 0);
    expect(batch.count).toBe(1);
  });

  it('may be closed from within onReadable', async () => {
    const { device, inject } = create();
    if (inject === undefined) return;
    let calls = 0;
    device.onReadable = () => {
      calls++;
      device.close();
    };
    inject(ipv4(1));
    inject(ipv4(2));
    await until(() => calls > 0);
    await turns(20);
    expect(calls).toBe(1);
  });
}

/** An IPv4 packet of `size` bytes from 10.200.0.2 to 10.200.0.9, protocol 253 (RFC 3692), told apart by `id`. */
export function ipv4(id: number, size = 40): Buffer {
  const packet = Buffer.alloc(size);
  for (let i = 20; i < size; i++) packet[i] = (i * 7 + id) & 0xff;
  packet.set([0x45, 0, size >> 8, size & 0xff, id >> 8, id & 0xff, 0, 0, 64, 253]);
  packet.set([10, 200, 0, 2, 10, 200, 0, 9], 12);
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += packet.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  packet.writeUInt16BE(~sum & 0xffff, 10);
  return packet;
}

function batchOf(packets: readonly Uint8Array[]): PacketBatch {
  const batch = new PacketBatch(packets.length);
  for (const packet of packets) batch.push(packet);
  return batch;
}

function hex(data: Uint8Array): string {
  return Buffer.from(data).toString('hex');
}

/** Lets the event loop turn until `done()`, at most 5 seconds. */
async function until(done: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!done() && performance.now() < deadline) await turns(1);
  expect(done()).toBe(true);
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

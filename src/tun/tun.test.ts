/** The conformance suite over the devices that need no root, and the texts of a failed open. */
import { describe, expect, it } from 'vitest';
import { addonForTests } from '../../test-kit/native-addon.ts';
import { nullLogger, PacketBatch } from '../base/base.ts';
import { ipv4, tunConformance } from './tun.conformance.ts';
import type { TunDevice } from './tun.ts';
import { createTunLinux } from './tun-linux.ts';
import { createTunMemory, createTunPair } from './tun-memory.ts';
import { createTunNull } from './tun-null.ts';

tunConformance('tun-null', () => ({ device: createTunNull(nullLogger).open({ dev: 'null', type: 'tun' }) }));

tunConformance('tun-memory', () => {
  const { device, system } = createTunPair();
  const out: Buffer[] = [];
  const batch = new PacketBatch(16);
  system.onReadable = () => {
    while (system.readBatch(batch) > 0) {
      for (let slot = 0; slot < batch.count; slot++) out.push(Buffer.from(batch.packet(slot)));
    }
  };
  const inject = (packet: Uint8Array): void => {
    const one = new PacketBatch(1, 65_535);
    one.push(packet);
    system.writeBatch(one, 0, 1);
  };
  return { device, inject, delivered: () => out, close: () => system.close() };
});

describe('tun-memory', () => {
  it('numbers devices as the kernel does and hands out their far ends', () => {
    const names: string[] = [];
    const factory = createTunMemory((system) => names.push(system.name));
    for (const dev of ['tun', 'tun', 'tap', 'office']) factory.open({ dev, type: 'tun' });
    expect(names).toEqual(['tun0', 'tun1', 'tap0', 'office']);
  });

  it('drops when 500 packets wait', () => {
    const { device } = createTunPair();
    const batch = new PacketBatch(501);
    for (let i = 0; i < 501; i++) batch.push(ipv4(i));
    expect(device.writeBatch(batch, 0, 501)).toBe(500);
  });

  it('runs on a schedule of the caller', () => {
    const due: (() => void)[] = [];
    const { device, system } = createTunPair({ schedule: (run) => due.push(run) });
    let calls = 0;
    device.onReadable = () => calls++;
    const batch = new PacketBatch(1);
    batch.push(ipv4(1));
    system.writeBatch(batch, 0, 1);
    expect([calls, due.length]).toEqual([0, 1]);
    due[0]!();
    expect(calls).toBe(1);
  });

  it('wakes nobody where nobody reads, and once where the reader takes nothing', () => {
    const { device, system, wakes, put } = scheduledPair();
    put(device, 3);
    expect(wakes()).toBe(0);
    let calls = 0;
    system.onReadable = () => calls++;
    expect([wakes(), calls]).toEqual([1, 1]);
    put(device, 1);
    expect([wakes(), calls]).toEqual([1, 2]);
    system.resume();
    expect([wakes(), calls]).toEqual([1, 3]);
  });

  it('goes on telling a reader that takes a part at a time', () => {
    const { device, system, wakes, put } = scheduledPair();
    const one = new PacketBatch(1);
    let read = 0;
    system.onReadable = () => {
      read += system.readBatch(one);
    };
    put(device, 5);
    expect([wakes(), read]).toEqual([5, 5]);
  });

  it('keeps no process alive by what is on its way', () => {
    const { device, system } = createTunPair();
    system.onReadable = () => undefined;
    const before = process.getActiveResourcesInfo().filter((name) => name === 'Immediate').length;
    const batch = new PacketBatch(1);
    batch.push(ipv4(1));
    device.writeBatch(batch, 0, 1);
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Immediate')).toHaveLength(before);
  });

  it('closes the other end along, and tells its owner', () => {
    for (const [first, second] of [
      ['device', 'system'],
      ['system', 'device'],
    ] as const) {
      const pair = createTunPair();
      const told: (string | undefined)[] = [];
      pair[first].onError = (error) => told.push(`own ${error.code}`);
      pair[second].onError = (error) => told.push(error.code);
      pair[first].close();
      pair[second].close();
      expect(told).toEqual(['EBADFD']);
      const batch = new PacketBatch(1);
      batch.push(ipv4(1));
      expect(pair[second].writeBatch(batch, 0, 1)).toBe(0);
    }
  });
});

/** A pair whose calls wait in a list: wakes() makes them, and those that follow, and says how many there were. */
function scheduledPair() {
  const due: (() => void)[] = [];
  const pair = createTunPair({ schedule: (run) => due.push(run) });
  const wakes = (): number => {
    let count = 0;
    for (; due.length > 0 && count < 100; count++) due.shift()!();
    return count;
  };
  const put = (end: TunDevice, packets: number): void => {
    const batch = new PacketBatch(packets);
    for (let i = 0; i < packets; i++) batch.push(ipv4(i));
    end.writeBatch(batch, 0, packets);
  };
  return { ...pair, wakes, put };
}

describe('tun-linux', () => {
  it('says in the words of 2.x that the device node is missing', () => {
    const open = () =>
      createTunLinux({ addon: addonForTests() }).open({ dev: 'tun', type: 'tun', node: '/nonexistent/tun' });
    expect(open).toThrow(
      expect.objectContaining({
        name: 'TunError',
        message: 'ERROR: Cannot open TUN/TAP dev /nonexistent/tun: No such file or directory (errno=2)',
      }),
    );
  });

  it('says in the words of 2.x that the node is no TUN device', () => {
    const open = () =>
      createTunLinux({ addon: addonForTests() }).open({ dev: 'tun7', type: 'tun', node: '/dev/null' });
    expect(open).toThrow('ERROR: Cannot ioctl TUNSETIFF tun7: Inappropriate ioctl for device (errno=25)');
  });
});

/** The conformance suite over the devices that need no root, and the texts of a failed open. */
import { describe, expect, it } from 'vitest';
import { addonForTests } from '../../test-kit/native-addon.ts';
import { nullLogger, PacketBatch } from '../base/base.ts';
import { ipv4, tunConformance } from './tun.conformance.ts';
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
});

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

/**
 * Real TUN devices and real back-pressure, in a namespace made for it by scripts/native-tests.mjs.
 *
 * The conformance suite needs both sides of a device: a second device stands for the system, and the
 * kernel forwards between the two by rules on the incoming interface. Forwarding takes one off the TTL, so
 * the harness adds one before it.
 *
 *   device (under test)  <--  rule iif system / rule iif device  -->  system
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { addressToWords, MemoryLogger, PacketBatch } from '../../src/base/base.ts';
import { openUdpNative } from '../../src/socket/udp-native.ts';
import { ipv4, type TunHarness, tunConformance } from '../../src/tun/tun.conformance.ts';
import type { TunDevice } from '../../src/tun/tun.ts';
import { createTunLinux } from '../../src/tun/tun-linux.ts';
import { openDescriptors } from '../../test-kit/descriptors.ts';
import { addonForTests, countWakes } from '../../test-kit/native-addon.ts';

const factory = createTunLinux({ addon: addonForTests() });

beforeAll(() => {
  if (!process.env.OPENVPN_TS_NAMESPACE)
    throw new Error('run these tests with: node scripts/native-tests.mjs');
  for (const scope of ['all', 'default']) {
    writeFileSync(`/proc/sys/net/ipv6/conf/${scope}/disable_ipv6`, '1');
    writeFileSync(`/proc/sys/net/ipv4/conf/${scope}/rp_filter`, '0');
  }
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
  ip('link set lo up');
});

tunConformance('tun-linux', () => openForwarded());
tunConformance('tun-linux without offload', () =>
  openForwarded(createTunLinux({ addon: addonForTests(), offload: false })),
);

describe('tun-linux', () => {
  it('takes the lowest free unit for tun and tap, and a full name as it is', () => {
    const opened = ['tun', 'tun', 'tap', 'vpn-office'].map((dev) =>
      factory.open({ dev, type: dev === 'tap' ? 'tap' : 'tun' }),
    );
    expect(opened.map((device) => device.name)).toEqual(['tun0', 'tun1', 'tap0', 'vpn-office']);
    opened[0]!.close();
    const again = factory.open({ dev: 'tun', type: 'tun' });
    expect(again.name).toBe('tun0');
    for (const device of [...opened, again]) device.close();
    expect(() => ip('link show tun1')).toThrow();
  });

  it('says in the words of 2.x that a device is taken', () => {
    const device = factory.open({ dev: 'tun3', type: 'tun' });
    expect(() => factory.open({ dev: 'tun3', type: 'tun' })).toThrow(
      'ERROR: Cannot ioctl TUNSETIFF tun3: Device or resource busy (errno=16)',
    );
    device.close();
  });

  it('sets the queue length and logs as 2.x does', () => {
    const log = new MemoryLogger();
    const device = createTunLinux({ addon: addonForTests(), log }).open({
      dev: 'tun',
      type: 'tun',
      txqueuelen: 321,
    });
    expect(ip(`link show ${device.name}`)).toContain('qlen 321');
    expect(log.lines).toEqual([`TUN/TAP device ${device.name} opened`, 'TUN/TAP TX queue length set to 321']);
    device.close();
  });

  it('drops writes while the interface is down', () => {
    const log = new MemoryLogger();
    const device = createTunLinux({ addon: addonForTests(), log }).open({ dev: 'tun', type: 'tun' });
    expect(device.writeBatch(batchOf([ipv4(1), ipv4(2)]), 0, 2)).toBe(0);
    expect(log.lines[1]).toBe('write to TUN/TAP : Input/output error (fd=-1,code=5)');
    expect(log.lines).toHaveLength(2);
    device.close();
  });

  it('refuses junk packets one by one and writes the rest', () => {
    const device = factory.open({ dev: 'tun', type: 'tun' });
    ip(`link set ${device.name} up`);
    const batch = batchOf([ipv4(1), Buffer.from('no IP packet').fill(0, 0, 1), ipv4(2)]);
    expect(device.writeBatch(batch, 0, 3)).toBe(2);
    device.close();
  });

  it('wakes nobody before somebody reads, and tells of what waits then', async () => {
    const addon = addonForTests();
    const counting = countWakes(addon, 'Tun');
    const device = createTunLinux({ addon: counting.addon }).open({ dev: 'tun', type: 'tun' });
    ip(`link set ${device.name} up`);
    ip(`addr add 10.199.7.1/24 dev ${device.name}`);
    const link = openUdpNative(addon, { family: 4 });
    link.send(Buffer.from('hello'), { family: 4, address: '10.199.7.2', port: 9 });
    link.close();
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(counting.wakes).toBe(0);
    const batch = new PacketBatch(16);
    let read = 0;
    device.onReadable = () => {
      read += device.readBatch(batch);
    };
    await until(() => read > 0);
    expect(counting.wakes).toBeGreaterThan(0);
    device.close();
  });

  it('reports once that the device was deleted, and falls silent', async () => {
    const device = factory.open({ dev: 'tun', type: 'tun' });
    ip(`link set ${device.name} up`);
    const errors: (string | undefined)[] = [];
    let calls = 0;
    const batch = new PacketBatch(4);
    device.onError = (error) => errors.push(error.code);
    device.onReadable = () => {
      calls++;
      device.readBatch(batch);
    };
    ip(`link del ${device.name}`);
    await until(() => errors.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(errors).toEqual(['EBADFD']);
    expect(calls).toBeLessThan(10);
    expect([device.readBatch(batch), device.writeBatch(batchOf([ipv4(1)]), 0, 1)]).toEqual([0, 0]);
    device.resume();
    device.close();
  });

  it('leaks no descriptor over many opens and closes', async () => {
    const count = () => openDescriptors(/^(\/dev\/net\/tun|socket:.*)$/);
    const before = count();
    for (let i = 0; i < 50; i++) {
      const device = factory.open({ dev: 'tun', type: 'tun' });
      if (i % 2) await new Promise((resolve) => setImmediate(resolve));
      device.close();
    }
    expect(count()).toBeLessThanOrEqual(before);
  });
});

describe('udp-native', () => {
  it('waits for room when the line is slower than we are, and loses nothing', async () => {
    execFileSync('tc', 'qdisc add dev lo root tbf rate 40mbit burst 16k limit 4m'.split(' '));
    const addon = addonForTests();
    const a = openUdpNative(addon, { family: 4, localAddress: '127.0.0.1', sndbuf: 20_000 });
    const b = openUdpNative(addon, { family: 4, localAddress: '127.0.0.1', rcvbuf: 1 << 20 });
    const batch = new PacketBatch(300, 1400);
    for (let i = 0; i < 300; i++) {
      addressToWords(b.local, batch.addresses, batch.push(Buffer.alloc(1000, i & 0xff)));
    }
    let received = 0;
    const into = new PacketBatch(64);
    b.onReadable = () => {
      for (let n = b.recvBatch(into); n > 0; n = b.recvBatch(into)) received += n;
    };
    let handled = 0;
    let waits = 0;
    a.onWritable = () => {
      waits++;
      handled += a.sendBatch(batch, handled, 300);
    };
    handled = a.sendBatch(batch, 0, 300);
    expect(handled).toBeLessThan(300);
    await until(() => received === 300);
    expect([handled, waits > 0]).toEqual([300, true]);
    const settled = waits;
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(waits).toBe(settled);
    a.close();
    b.close();
    execFileSync('tc', 'qdisc del dev lo root'.split(' '));
  });

  it('sends one by one, without a report, what the kernel refuses as a run', async () => {
    ip('link set lo mtu 1300');
    const addon = addonForTests();
    const a = openUdpNative(addon, { family: 4, localAddress: '127.0.0.1' });
    const b = openUdpNative(addon, { family: 4, localAddress: '127.0.0.1', rcvbuf: 1 << 20 });
    const errors: string[] = [];
    a.onError = (error) => errors.push(error.message);
    const sizes = [...new Array(20).fill(1400), ...new Array(20).fill(900), ...new Array(20).fill(1400)];
    const batch = new PacketBatch(sizes.length);
    for (const [i, size] of sizes.entries()) {
      addressToWords(b.local, batch.addresses, batch.push(Buffer.alloc(size, i)));
    }
    const got: [number, number][] = [];
    const into = new PacketBatch(64);
    b.onReadable = () => {
      for (let n = b.recvBatch(into); n > 0; n = b.recvBatch(into)) {
        for (let slot = 0; slot < n; slot++) got.push([into.packet(slot).length, into.packet(slot)[0]!]);
      }
    };
    for (let round = 1; round <= 2; round++) {
      expect(a.sendBatch(batch, 0, sizes.length)).toBe(sizes.length);
      await until(() => got.length === sizes.length);
      expect(got.splice(0)).toEqual(sizes.map((size, i) => [size, i]));
    }
    expect(errors).toEqual([]);
    a.close();
    b.close();
    ip('link set lo mtu 65536');
  });

  it('reports an unreachable network and goes on with the rest of the batch', () => {
    const a = openUdpNative(addonForTests(), { family: 4 });
    const errors: string[] = [];
    a.onError = (error) => errors.push(error.message);
    const batch = batchOf([ipv4(1), ipv4(2)]);
    addressToWords({ family: 4, address: '203.0.113.1', port: 1194 }, batch.addresses, 0);
    addressToWords({ family: 4, address: '127.0.0.1', port: a.local.port }, batch.addresses, 1);
    expect(a.sendBatch(batch, 0, 2)).toBe(2);
    expect(a.recvBatch(new PacketBatch(4))).toBe(1);
    expect(errors).toEqual([
      expect.stringMatching(/^write UDPv4 \[\]: Network is unreachable \(fd=\d+,code=101\)$/),
    ]);
    a.close();
  });
});

function openForwarded(under = factory): TunHarness {
  const device = under.open({ dev: 'tun', type: 'tun' });
  const system = factory.open({ dev: 'tun', type: 'tun' });
  for (const [table, from, to] of [
    [100, device, system],
    [101, system, device],
  ] as const) {
    ip(`link set ${from.name} up`);
    ip(`link set ${to.name} up`);
    ip(`rule add iif ${from.name} lookup ${table} pref ${table}`);
    ip(`route replace default dev ${to.name} table ${table}`);
  }
  const out: Buffer[] = [];
  collect(system, out);
  return {
    device,
    inject: (packet) => void system.writeBatch(batchOf([withTtl(packet, 65)]), 0, 1),
    delivered: () => out.map((packet) => withTtl(packet, 64)),
    close: () => {
      system.close();
      ip('rule del pref 100');
      ip('rule del pref 101');
    },
  };
}

function collect(device: TunDevice, out: Buffer[]): void {
  const batch = new PacketBatch(64);
  device.onReadable = () => {
    while (device.readBatch(batch) > 0) {
      for (let slot = 0; slot < batch.count; slot++) out.push(Buffer.from(batch.packet(slot)));
    }
  };
}

/** A copy with another TTL and the header checksum that belongs to it. */
function withTtl(packet: Uint8Array, ttl: number): Buffer {
  const copy = Buffer.from(packet);
  copy[8] = ttl;
  copy.writeUInt16BE(0, 10);
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += copy.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  copy.writeUInt16BE(~sum & 0xffff, 10);
  return copy;
}

function batchOf(packets: readonly Uint8Array[]): PacketBatch {
  const batch = new PacketBatch(packets.length);
  for (const packet of packets) batch.push(packet);
  return batch;
}

function ip(command: string): string {
  return execFileSync('ip', command.split(' '), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

async function until(done: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!done() && performance.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
  expect(done()).toBe(true);
}

/**
 * Segmentation offload with the kernel in the middle: what one device writes as a super-packet the kernel
 * forwards to another one, which cuts it again. A device without offload makes the kernel itself cut it,
 * so both ways are held against each other and against the packets that went in.
 *
 *   from  --write joins-->  kernel forwards (TTL - 1)  --read cuts-->  to
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { MemoryLogger, PacketBatch } from '../../src/base/base.ts';
import type { TunDevice } from '../../src/tun/tun.ts';
import { createTunLinux } from '../../src/tun/tun-linux.ts';
import { addonForTests } from '../../test-kit/native-addon.ts';
import {
  ACK,
  checksumsRight,
  foldSum,
  ipHeadOf,
  PSH,
  sumOf,
  TIMESTAMPS,
  tcpPacket,
  tcpRun,
} from '../../test-kit/tcp-packets.ts';

const addon = addonForTests();
const devices: TunDevice[] = [];

beforeAll(() => {
  if (!process.env.OPENVPN_TS_NAMESPACE)
    throw new Error('run these tests with: node scripts/native-tests.mjs');
  for (const scope of ['all', 'default']) {
    writeFileSync(`/proc/sys/net/ipv4/conf/${scope}/rp_filter`, '0');
    writeFileSync(`/proc/sys/net/ipv6/conf/${scope}/disable_ipv6`, '0');
    writeFileSync(`/proc/sys/net/ipv6/conf/${scope}/forwarding`, '1');
  }
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
  ip('link set lo up');
});

afterEach(() => {
  for (const device of devices.splice(0)) device.close();
});

describe('tun-linux offload', () => {
  for (const v6 of [false, true]) {
    const family = `IPv${v6 ? 6 : 4}`;
    for (const [joins, cuts] of [
      [true, true],
      [true, false],
      [false, true],
    ] as const) {
      it(`carries ${family} segments through the kernel unchanged, offload ${joins} to ${cuts}`, async () => {
        const [from, to] = pair(joins, cuts);
        const got = collect(to, new PacketBatch(256));
        const packets = [
          ...tcpRun({ v6, payload: 0, tcpOptions: TIMESTAMPS }, [...new Array(40).fill(1391), 55]),
          ...tcpRun({ v6, payload: 0, port: 81 }, new Array(30).fill(1)),
          tcpPacket({ v6, payload: 700, port: 82, flags: ACK | PSH }),
          tcpPacket({ v6, payload: 0, port: 82, seq: 1700 }),
        ];
        expect(from.writeBatch(batchOf(packets), 0, packets.length)).toBe(packets.length);
        await until(() => got.length >= packets.length);
        expect(flows(got)).toEqual(flows(packets.map(forwarded)));
      });
    }

    it(`brings 64 KiB of ${family} whole`, async () => {
      const [from, to] = pair(true, true);
      const got = collect(to, new PacketBatch(256));
      const packets = tcpRun({ v6, payload: 0 }, new Array(100).fill(1440));
      from.writeBatch(batchOf(packets), 0, 100);
      await until(() => got.length >= 100);
      expect(flows(got)).toEqual(flows(packets.map(forwarded)));
    });
  }

  it('keeps what a small batch left, and announces it until all is read', async () => {
    const [from, to] = pair(true, true);
    const batch = new PacketBatch(3);
    const counts: number[] = [];
    to.onReadable = () => counts.push(readTcp(to, batch));
    from.writeBatch(batchOf(tcpRun({ payload: 0 }, new Array(40).fill(1000))), 0, 40);
    await until(() => sum(counts) === 40);
    expect(Math.max(...counts)).toBe(3);
    await turns(20);
    expect(sum(counts)).toBe(40);
  });

  it('announces nothing while paused, and what waits after resume()', async () => {
    const [from, to] = pair(true, true);
    const batch = new PacketBatch(3);
    let seen = 0;
    let calls = 0;
    to.onReadable = () => {
      calls++;
      seen += readTcp(to, batch);
      if (calls === 1) to.pause();
    };
    from.writeBatch(batchOf(tcpRun({ payload: 0 }, new Array(40).fill(1000))), 0, 40);
    await until(() => calls > 0);
    await turns(20);
    expect(calls).toBe(1);
    to.resume();
    await until(() => seen === 40);
  });

  it('forgets what waits when it is closed or deleted', async () => {
    for (const end of ['close', 'delete'] as const) {
      const [from, to] = pair(true, true);
      const batch = new PacketBatch(3);
      const errors: (string | undefined)[] = [];
      let calls = 0;
      to.onError = (error) => errors.push(error.code);
      to.onReadable = () => {
        calls++;
        to.readBatch(batch);
        if (end === 'close') to.close();
        else if (calls === 1) ip(`link del ${to.name}`);
      };
      from.writeBatch(batchOf(tcpRun({ payload: 0 }, new Array(40).fill(1000))), 0, 40);
      await until(() => (end === 'close' ? calls > 0 : errors.length > 0));
      const before = calls;
      await turns(30);
      expect([calls, errors]).toEqual([before, end === 'close' ? [] : ['EBADFD']]);
      expect(to.readBatch(batch)).toBe(0);
      closePair(from, to);
    }
  });

  it('counts all segments of a super-packet as dropped while the interface is down', () => {
    const log = new MemoryLogger();
    const device = createTunLinux({ addon, log, offload: true }).open({ dev: 'tun', type: 'tun' });
    devices.push(device);
    expect(device.writeBatch(batchOf(tcpRun({ payload: 0 }, new Array(10).fill(500))), 0, 10)).toBe(0);
    expect(log.lines[1]).toBe('write to TUN/TAP : Input/output error (fd=-1,code=5)');
  });

  it('finishes the checksums that the kernel left to the device', async () => {
    const device = open(true);
    ip(`addr add 10.201.0.1/24 dev ${device.name}`);
    const got = collect(device, new PacketBatch(64));
    const udp = createSocket('udp4');
    for (const size of [1, 2, 700, 1401]) udp.send(Buffer.alloc(size, size), 9, '10.201.0.2');
    const tcp = connect(9, '10.201.0.2').on('error', () => undefined);
    const ours = () => got.filter((packet) => packet[0] === 0x45 && packet.readUInt32BE(16) === 0x0ac90002);
    await until(() => ours().some((packet) => packet[9] === 6) && ours().length >= 5);
    tcp.destroy();
    udp.close();
    for (const packet of ours()) expect([packet[9], transportRight(packet)]).toEqual([packet[9], true]);
  });

  it('leaves a persistent device fit for a program without offload', async () => {
    ip('tuntap add dev tun-keep mode tun');
    const first = createTunLinux({ addon, offload: true }).open({ dev: 'tun-keep', type: 'tun' });
    ip('link set tun-keep up');
    first.close();
    const [from, to] = pair(true, false, 'tun-keep');
    const got = collect(to, new PacketBatch(64));
    const packets = tcpRun({ payload: 0 }, new Array(20).fill(1200));
    from.writeBatch(batchOf(packets), 0, 20);
    await until(() => got.length >= 20);
    expect(flows(got)).toEqual(flows(packets.map(forwarded)));
    closePair(from, to);
    ip('tuntap del dev tun-keep mode tun');
  });

  it('is off for TAP, and where it is not asked for', () => {
    const make = (tap: boolean, offload: boolean) => {
      const native = new addon.Tun(
        '/dev/net/tun',
        tap ? 'tap' : 'tun',
        tap,
        new Int32Array(49),
        () => undefined,
        offload,
      );
      const { offload: on } = native;
      native.close();
      return on;
    };
    expect([make(true, true), make(false, false), make(false, true)]).toEqual([false, false, true]);
  });
});

/** Two devices between which the kernel forwards one way. */
function pair(joins: boolean, cuts: boolean, name = 'tun'): [TunDevice, TunDevice] {
  const [from, to] = [open(joins), open(cuts, name)];
  for (const family of ['-4', '-6']) {
    ip(`${family} rule add iif ${from.name} lookup 110 pref 110`);
    ip(`${family} route replace default dev ${to.name} table 110`);
  }
  to.onError = () => undefined;
  const close = from.close.bind(from);
  from.close = () => {
    close();
    for (const family of ['-4', '-6']) ip(`${family} rule del pref 110`);
    from.close = close;
  };
  return [from, to];
}

function closePair(from: TunDevice, to: TunDevice): void {
  from.close();
  to.close();
}

function open(offload: boolean, dev = 'tun'): TunDevice {
  const device = createTunLinux({ addon, offload }).open({ dev, type: 'tun' });
  devices.push(device);
  ip(`link set ${device.name} up`);
  return device;
}

/** The TCP and UDP packets that a device gives; the kernel's own IPv6 chatter is left out. */
function collect(device: TunDevice, batch: PacketBatch): Buffer[] {
  const out: Buffer[] = [];
  device.onReadable = () => {
    while (device.readBatch(batch) > 0) {
      for (let slot = 0; slot < batch.count; slot++) {
        if (isTransport(batch.packet(slot))) out.push(Buffer.from(batch.packet(slot)));
      }
    }
  };
  return out;
}

/** One call of readBatch(): its TCP packets. */
function readTcp(device: TunDevice, batch: PacketBatch): number {
  const count = device.readBatch(batch);
  return Array.from({ length: count }, (_, slot) => batch.packet(slot)).filter(isTransport).length;
}

function isTransport(packet: Buffer): boolean {
  const protocol = packet[0]! >> 4 === 6 ? packet[6]! : packet[9]!;
  return protocol === 6 || protocol === 17;
}

/** Short names of the packets of each port, in order: the kernel and we keep order within a flow only. */
function flows(packets: readonly Buffer[]): Record<number, string[]> {
  const found: Record<number, string[]> = {};
  for (const packet of packets) {
    const name = `${packet.length} ${createHash('sha256').update(packet).digest('hex').slice(0, 12)}`;
    const port = packet.readUInt16BE(ipHeadOf(packet));
    found[port] = [...(found[port] ?? []), name];
  }
  return found;
}

/** The packet behind a router: one hop less. */
function forwarded(packet: Buffer): Buffer {
  const copy = Buffer.from(packet);
  if (copy[0]! >> 4 === 6) {
    copy[7]!--;
  } else {
    copy[8]!--;
    copy.writeUInt16BE(0, 10);
    copy.writeUInt16BE(~foldSum(sumOf(copy.subarray(0, 20))) & 0xffff, 10);
  }
  expect(checksumsRight(copy)).toBe(true);
  return copy;
}

function transportRight(packet: Buffer): boolean {
  const segment = packet.subarray(ipHeadOf(packet));
  return foldSum(sumOf(packet.subarray(12, 20)) + packet[9]! + segment.length + sumOf(segment)) === 0xffff;
}

function batchOf(packets: readonly Uint8Array[]): PacketBatch {
  const batch = new PacketBatch(packets.length);
  for (const packet of packets) batch.push(packet);
  return batch;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}

function ip(command: string): string {
  return execFileSync('ip', command.split(' '), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

async function until(done: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!done() && performance.now() < deadline) await turns(1);
  expect(done()).toBe(true);
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

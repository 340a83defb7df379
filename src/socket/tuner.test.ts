/** Socket options that only the addon can set, on real sockets of the loopback address. */
import { describe, expect, it } from 'vitest';
import { addonForTests } from '../../test-kit/native-addon.ts';
import { addressFromWords, type LinkAddress, PacketBatch } from '../base/base.ts';
import type { Link, SocketOptions } from './socket.ts';
import { createNodeSockets } from './socket-factory-node.ts';
import { needsTuning, warnUntuned } from './tuner.ts';
import { createNativeTuner } from './tuner-native.ts';
import { openUdpNative } from './udp-native.ts';

const addon = addonForTests();
const tuner = createNativeTuner(addon);

describe('socket options', () => {
  it('are set on a TCP socket before it connects, and on those that a listener accepts', async () => {
    const seen: number[] = [];
    const recording = {
      ...tuner,
      tune: (...args: Parameters<typeof tuner.tune>) => {
        tuner.tune(...args);
        seen.push(addon.socketOption(args[0], 'mtu-disc'));
      },
    };
    const sockets = createNodeSockets(recording);
    const options: SocketOptions = { mtuDisc: 'no', sndbuf: 50_000, tcpNoDelay: true };
    const listener = await sockets.listenTcp({
      family: 4,
      localAddress: '127.0.0.1',
      localPort: 0,
      ...options,
    });
    const accepted = new Promise<Link>((resolve) => {
      listener.onConnection = resolve;
    });
    const client = await sockets.connectTcp({ remote: listener.local, timeoutMs: 5_000, ...options });
    const server = await accepted;
    const received = new Promise<Buffer>((resolve) => {
      const batch = new PacketBatch(4);
      server.onReadable = () => {
        if (server.recvBatch(batch) > 0) resolve(Buffer.from(batch.packet(0)));
      };
    });
    client.send(Buffer.from('through'), client.remote!);
    expect((await received).toString()).toBe('through');
    expect(seen).toEqual([0, 0]);
    client.close();
    server.close();
    listener.close();
  });

  it('that fail are told in the words of 2.x', () => {
    const warnings: string[] = [];
    const fd = tuner.openTcp(4)!;
    tuner.tune(fd, 4, { bindDev: 'no-such-device', warn: (text) => warnings.push(text) });
    expect(warnings).toEqual([
      expect.stringMatching(/^WARN: setsockopt SO_BINDTODEVICE=no-such-device failed: .+ \(errno=\d+\)$/),
    ]);
    tuner.tune(-1, 6, { sndbuf: 9, rcvbuf: 8, mark: 7, mtuDisc: 'yes', warn: (text) => warnings.push(text) });
    expect(warnings.slice(1)).toEqual([
      'NOTE: setsockopt SO_SNDBUF=9 failed',
      'NOTE: setsockopt SO_RCVBUF=8 failed',
      'NOTE: setsockopt SO_MARK=7 failed',
      'Error setting IPV6_MTU_DISCOVER type=2 on TCP6/UDP6 socket: Bad file descriptor (errno=9)',
    ]);
  });

  it('tell the buffers they end up with, for each kind of socket', async () => {
    const texts: string[] = [];
    const told: SocketOptions = { sndbuf: 20_000, rcvbuf: 30_000, onBuffers: (text) => texts.push(text) };
    const line = /^Socket Buffers: R=\[(\d+)->60000\] S=\[(\d+)->40000\]$/;
    openUdpNative(addon, { family: 4, localAddress: '127.0.0.1', ...told }).close();
    (await createNodeSockets().openUdp({ family: 4, localAddress: '127.0.0.1', ...told })).close();
    const sockets = createNodeSockets(tuner);
    const here = { family: 4, localAddress: '127.0.0.1', localPort: 0 } as const;
    const listener = await sockets.listenTcp({ ...here, ...told });
    const client = await sockets.connectTcp({ remote: listener.local, timeoutMs: 5_000, ...told });
    client.setBuffers!({ ...told, sndbuf: 25_000 });
    expect(texts.slice(0, 4).every((text) => line.test(text))).toBe(true);
    expect(texts.slice(4)).toEqual(['Socket Buffers: R=[60000->60000] S=[40000->50000]']);
    client.close();
    const { onBuffers } = told;
    (await sockets.connectTcp({ remote: listener.local, timeoutMs: 5_000, onBuffers: onBuffers! })).close();
    expect(texts.at(-1)).toMatch(/^Socket Buffers: R=\[(\d+)->\1\] S=\[(\d+)->\2\]$/);
    listener.close();
  });

  it('are refused aloud without the addon', async () => {
    const warnings: string[] = [];
    const options: SocketOptions = { mark: 7, sndbuf: 50_000, warn: (text) => warnings.push(text) };
    expect([needsTuning(options), needsTuning({ tcpNoDelay: true })]).toEqual([true, false]);
    const sockets = createNodeSockets();
    const listener = await sockets.listenTcp({
      family: 4,
      localAddress: '127.0.0.1',
      localPort: 0,
      ...options,
    });
    listener.close();
    warnUntuned(options, ['sndbuf']);
    expect(warnings.map((text) => text.split(' ')[1])).toEqual(['--mark', '--sndbuf', '--mark']);
  });
});

describe('multihome', () => {
  it('answers from the address that was asked, batches and single packets alike', async () => {
    const server = openUdpNative(addon, { family: 4, multihome: true });
    const client = openUdpNative(addon, { family: 4, localAddress: '127.0.0.9' });
    for (const host of ['127.0.0.2', '127.0.0.3', '127.0.0.2']) {
      client.send(Buffer.from('hello'), { family: 4, address: host, port: server.local.port });
      const asked = await receive(server);
      expect(asked.from).toMatchObject({ address: '127.0.0.9', port: client.local.port });
      server.send(Buffer.from('one'), asked.from);
      expect((await receive(client)).from.address).toBe(host);
      server.sendBatch(asked.batch, 0, 1);
      expect((await receive(client)).from.address).toBe(host);
    }
    server.close();
    client.close();
  });

  it('counts an address once, however many packets come to it', async () => {
    const server = openUdpNative(addon, { family: 4, multihome: true });
    const client = openUdpNative(addon, { family: 4, localAddress: '127.0.0.9' });
    const numbers: (number | undefined)[] = [];
    for (const host of ['127.0.0.2', '127.0.0.3', '127.0.0.2', '127.0.0.3']) {
      client.send(Buffer.from('hello'), { family: 4, address: host, port: server.local.port });
      numbers.push((await receive(server)).from.via);
    }
    expect(numbers).toEqual([1, 2, 1, 2]);
    server.close();
    client.close();
  });
});

function receive(link: Link): Promise<{ batch: PacketBatch; from: LinkAddress }> {
  return new Promise((resolve) => {
    const take = (): void => {
      const batch = new PacketBatch(1);
      if (link.recvBatch(batch) > 0) resolve({ batch, from: addressFromWords(batch.addresses, 0) });
    };
    link.onReadable = take;
    take();
  });
}

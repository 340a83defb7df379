/** From a profile to an open link: look-ups, binding, connecting, and 2.x's lines about it. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MemoryInternet } from '../../test-kit/memory-sockets.ts';
import { LinkError, MemoryLogger } from '../base/base.ts';
import { parseConfig } from '../options/options.ts';
import type { SocketFactory, UdpBind } from '../socket/socket.ts';
import { type LinkParts, openClientLink, resolveRemote } from './client-link.ts';
import { ProxyLogins } from './proxy-setup.ts';
import { SignalState } from './sig.ts';

const REMOTE = { family: 4, address: '192.0.2.1' } as const;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('resolveRemote', () => {
  it('gives all addresses of the family that the protocol asks for', async () => {
    const { parts, internet } = createParts('remote vpn.example 1194 udp4');
    internet.names.set('vpn.example', ['192.0.2.1', '2001:db8::1', '192.0.2.2']);
    expect(await resolveRemote(parts)).toEqual([REMOTE, { family: 4, address: '192.0.2.2' }]);
  });

  it('tries twice by default, then asks for the next attempt', async () => {
    const { parts, log } = createParts('remote nowhere.example 1194');
    expect(await resolveRemote(parts)).toEqual([]);
    const line = 'RESOLVE: Cannot resolve host address: nowhere.example:1194 (unknown)';
    expect(log.lines).toEqual([line, line, 'Could not determine IPv4/IPv6 protocol']);
    expect(parts.signals.pending?.reason).toBe('Could not determine IPv4/IPv6 protocol');
  });

  it('tries again every five seconds for resolv-retry seconds', async () => {
    const { parts, log, internet } = createParts('remote late.example\nresolv-retry 60');
    const looking = resolveRemote(parts);
    await vi.advanceTimersByTimeAsync(7_000);
    internet.names.set('late.example', ['192.0.2.1']);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await looking).toEqual([REMOTE]);
    expect(log.lines).toHaveLength(3);
    const never = createParts('remote never.example\nresolv-retry 10');
    const trying = resolveRemote(never.parts);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await trying).toEqual([]);
  });

  it('gives up for good with resolv-retry 0', async () => {
    const { parts } = createParts('remote nowhere.example 1194\nresolv-retry 0');
    await expect(resolveRemote(parts)).rejects.toThrow(
      'nowhere.example:1194 (unknown) (I would have retried this name query if you had specified the --resolv-retry option.)',
    );
  });

  it('ends at a signal', async () => {
    const { parts } = createParts('remote nowhere.example\nresolv-retry 60');
    const looking = resolveRemote(parts);
    await vi.advanceTimersByTimeAsync(7_000);
    parts.signals.raise('SIGTERM', 'hard');
    expect(await looking).toEqual([]);
  });
});

describe('openClientLink', () => {
  it('opens UDP unbound with nobind, and says so', async () => {
    const { parts, log } = createParts('remote 192.0.2.1 1194\nnobind');
    const opened = await openClientLink(parts, REMOTE);
    expect(opened?.remote).toEqual({ ...REMOTE, port: 1194 });
    expect(opened?.link.transport).toBe('udp');
    expect(log.lines).toEqual([
      'TCP/UDP: Preserving recently used remote address: [AF_INET]192.0.2.1:1194',
      'UDPv4 link local: (not bound)',
      'UDPv4 link remote: [AF_INET]192.0.2.1:1194',
    ]);
  });

  it('binds address, port and buffers as configured', async () => {
    const binds: UdpBind[] = [];
    const { parts, log } = createParts(
      'remote 192.0.2.1 1194\nlocal 198.51.100.9\nlport 7000\nsndbuf 1000\nrcvbuf 2000',
      binds,
    );
    await openClientLink(parts, REMOTE);
    const bind = { family: 4, localAddress: '198.51.100.9', localPort: 7000, sndbuf: 1000, rcvbuf: 2000 };
    expect(binds).toEqual([{ ...bind, warn: expect.any(Function), onBuffers: expect.any(Function) }]);
    expect(log.lines).toContain('UDPv4 link local (bound): [AF_INET]198.51.100.9:7000');
  });

  it('connects TCP', async () => {
    const { parts, log, internet } = createParts('remote 192.0.2.1 443 tcp-client\nnobind');
    internet.listen({ ...REMOTE, port: 443 });
    const opened = await openClientLink(parts, REMOTE);
    expect(opened?.link.transport).toBe('tcp');
    expect(log.lines).toEqual([
      'TCP/UDP: Preserving recently used remote address: [AF_INET]192.0.2.1:443',
      'Attempting to establish TCP connection with [AF_INET]192.0.2.1:443',
      'TCP connection established with [AF_INET]192.0.2.1:443',
      'TCPv4_CLIENT link local: (not bound)',
      'TCPv4_CLIENT link remote: [AF_INET]192.0.2.1:443',
    ]);
  });

  it('rejects when nobody listens', async () => {
    const { parts } = createParts('remote 192.0.2.1 443 tcp-client\nnobind');
    await expect(openClientLink(parts, REMOTE)).rejects.toBeInstanceOf(LinkError);
  });

  it('gives up a TCP connection at a signal', async () => {
    const { parts } = createParts('remote 192.0.2.1 443 tcp-client\nnobind');
    const socket: SocketFactory = {
      ...parts.socket,
      connectTcp: (_connect, signal) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(new LinkError('aborted')));
        }),
    };
    const opening = openClientLink({ ...parts, socket }, REMOTE);
    parts.signals.raise('SIGTERM', 'hard');
    expect(await opening).toBeUndefined();
  });

  it('gives up a look-up that nobody answers at a signal', async () => {
    const { parts, log } = createParts('remote vpn.example 1194');
    const asked: AbortSignal[] = [];
    const resolve: SocketFactory['resolve'] = (_host, _family, signal) => {
      asked.push(signal!);
      return new Promise(() => undefined);
    };
    const looking = resolveRemote({ ...parts, socket: { ...parts.socket, resolve } });
    parts.signals.raise('SIGTERM', 'hard');
    expect(await looking).toEqual([]);
    expect(asked.map(({ aborted }) => aborted)).toEqual([true]);
    expect(log.lines).toEqual([]);
  });
});

function createParts(config: string, binds: UdpBind[] = []) {
  const { options } = parseConfig(`client\ndev tun\nca f\ncert f\nkey f\n${config}`);
  const internet = new MemoryInternet();
  const host = internet.host('198.51.100.9', '2001:db8:1::9');
  const socket: SocketFactory = {
    name: 'memory',
    openUdp: (bind) => {
      binds.push(bind);
      return host.openUdp(bind);
    },
    connectTcp: (connect) => host.connectTcp(connect),
    connectStream: () => host.connectStream(),
    listenTcp: (listen) => host.listenTcp(listen),
    resolve: (name, family) => host.resolve(name, family),
  };
  const log = new MemoryLogger();
  const ce = options.connectionList[0]!;
  const parts: LinkParts = {
    options,
    ce,
    socket,
    logins: new ProxyLogins(options, () => Promise.reject(new Error('nobody is asked'))),
    signals: new SignalState(),
    log,
    names: new Map(),
    randomBytes: (length) => new Uint8Array(length),
  };
  return { parts, internet, log };
}

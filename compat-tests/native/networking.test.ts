/**
 * Backends of NetworkConfig on a real device, in a namespace of their own: both against the conformance
 * suite, and what the kernel has after the same calls of both.
 */
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryLogger } from '../../src/base/base.ts';
import { networkingConformance } from '../../src/route/networking.conformance.ts';
import { createIproute2 } from '../../src/route/networking-iproute2.ts';
import { createNetlink } from '../../src/route/networking-netlink-linux.ts';
import type { NetworkConfig } from '../../src/route/route.ts';
import { addonForTests } from '../../test-kit/native-addon.ts';

const DEV = 'tun-net';
const addon = addonForTests();
const BACKENDS: readonly (readonly [name: string, create: (log: MemoryLogger) => NetworkConfig])[] = [
  ['netlink', (log) => createNetlink({ log, addon })],
  ['iproute2', (log) => createIproute2({ log })],
];

beforeAll(() => {
  ip('link set lo up');
  ip(`tuntap add dev ${DEV} mode tun`);
  ip(`link set ${DEV} addrgenmode none`);
});
afterAll(() => ip(`tuntap del dev ${DEV} mode tun`));

for (const [name, create] of BACKENDS) networkingConformance(name, DEV, () => create(new MemoryLogger()));

describe('what the kernel has afterwards', () => {
  it('is the same whichever backend was asked', async () => {
    const found: string[][] = [];
    for (const [, create] of BACKENDS) {
      const net = create(new MemoryLogger());
      await configure(net);
      found.push([
        ...show('addr show dev', DEV),
        ...show('route show table', 'all'),
        ...show('-6 route show dev', DEV),
      ]);
      await unconfigure(net);
    }
    expect(found[0]).toEqual(found[1]);
    const text = found[0]!.join('\n');
    expect(text).toContain('mtu 1400');
    expect(text).toContain('inet 10.98.0.1/24 brd 10.98.0.255 scope global tun-net');
    expect(text).toContain('inet 10.95.0.1 peer 10.95.0.2/32 scope global tun-net');
    expect(text).toContain('10.99.0.0/24 via 10.98.0.2 dev tun-net table 7777 metric 8');
    expect(text).toContain('fd9a::/64 via fd98::2 dev tun-net metric 3');
  });

  it('tells the best way of both families', async () => {
    for (const [, create] of BACKENDS) {
      const log = new MemoryLogger();
      const net = create(log);
      expect(await net.bestRoute(4)).toEqual({ gateway: undefined, dev: '' });
      expect(await net.bestRoute(6)).toBeUndefined();
      await configure(net);
      for (const metric of ['9', '4']) ip(`route add default via 10.98.0.${metric} metric ${metric}`);
      ip('-6 route add default via fd98::2');
      expect(await net.bestRoute(4)).toEqual({ gateway: '10.98.0.4', dev: DEV });
      expect(await net.bestRoute(6)).toEqual({ gateway: 'fd98::2', dev: DEV });
      expect(await net.bestRoute(6, 'fd98::7')).toEqual({ gateway: undefined, dev: DEV });
      expect(log.lines).toContain('net_route_v4_best_gw query: dst 0.0.0.0');
      expect(log.lines).toContain('net_route_v4_best_gw result: via 0.0.0.0 dev ');
      expect(log.lines).toContain('net_route_v6_best_gw query: dst fd98::7');
      expect(log.lines).toContain(`net_route_v6_best_gw result: via :: dev ${DEV}`);
      await unconfigure(net);
    }
  });
});

describe('netlink', () => {
  it("tells the kernel's refusals in 2.x's words", async () => {
    const log = new MemoryLogger();
    const net = createNetlink({ log, addon });
    await expect(net.setUp('ovpn-none0', true)).rejects.toThrow('No such device');
    const route = { family: 4, network: '10.99.0.0', prefix: 24, gateway: '10.98.0.2' } as const;
    await expect(net.addRoute(route)).rejects.toThrow('Network is unreachable');
    await expect(net.deleteRoute(route)).rejects.toThrow('No such process');
    expect(await net.bestRoute(6)).toBeUndefined();
    expect(log.lines).toEqual([
      'net_iface_up: rtnl: cannot get ifindex for ovpn-none0: No such device',
      'net_route_v4_add: 10.99.0.0/24 via 10.98.0.2 dev [NULL] table 0 metric -1',
      'sitnl_send: rtnl: generic error (-101): Network is unreachable',
      'net_route_v4_del: 10.99.0.0/24 via 10.98.0.2 dev [NULL] table 0 metric -1',
      'sitnl_send: rtnl: generic error (-3): No such process',
      'net_route_v6_best_gw query: dst ::',
      'sitnl_send: rtnl: generic error (-101): Network is unreachable',
    ]);
  });

  it('lets others have their turn while thousands of routes are added', async () => {
    const net = createNetlink({ log: new MemoryLogger(), addon });
    await net.setUp(DEV, true);
    await net.addAddress(DEV, '10.98.0.1', 24);
    const routes = Array.from({ length: 2000 }, (_, at) => {
      return {
        family: 4,
        network: `10.${100 + (at >> 8)}.${at & 255}.0`,
        prefix: 24,
        gateway: '10.98.0.2',
      } as const;
    });
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    for (const route of routes) await net.addRoute(route);
    for (const route of routes) await net.deleteRoute(route);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(3);
    await net.deleteAddress(DEV, '10.98.0.1', 24);
    await net.setUp(DEV, false);
  });

  it('takes no message that is none, and nothing after close()', () => {
    const socket = new addon.Netlink();
    expect(() => socket.send(new Uint8Array(15))).toThrow('not a netlink message');
    expect(() => socket.send(new Uint8Array(70_000))).toThrow('not a netlink message');
    expect(() => socket.receive(new Uint8Array(0))).toThrow('no room for an answer');
    socket.close();
    socket.close();
    expect(socket.send(new Uint8Array(16))).toBe(9);
    expect(socket.receive(new Uint8Array(16))).toBe(-9);
    expect(addon.interfaceIndex('x'.repeat(300))).toBeLessThan(0);
    expect(addon.interfaceName(addon.interfaceIndex('lo'))).toBe('lo');
    expect(addon.interfaceName(-1)).toBe('');
  });
});

/** Addresses and routes of all kinds. */
async function configure(net: NetworkConfig): Promise<void> {
  await net.setMtu(DEV, 1400);
  await net.setUp(DEV, true);
  await net.addAddress(DEV, '10.98.0.1', 24);
  await net.addAddress(DEV, 'fd98::1', 64, true);
  await net.addPeerAddress(DEV, '10.95.0.1', '10.95.0.2');
  const way = { family: 4, gateway: '10.98.0.2' } as const;
  await net.addRoute({ ...way, network: '0.0.0.0', prefix: 1 });
  await net.addRoute({ ...way, network: '10.99.0.7', prefix: 32, metric: 5 });
  await net.addRoute({ ...way, network: '10.99.0.0', prefix: 24, table: 7777, metric: 8 });
  await net.addRoute({ ...way, network: '10.94.0.1', prefix: 32, dev: DEV });
  await net.addRoute({ family: 4, network: '10.97.0.0', prefix: 16, gateway: '0.0.0.0', dev: DEV });
  await net.addRoute({ family: 6, network: 'fd99::', prefix: 64, dev: DEV });
  await net.addRoute({ family: 6, network: 'fd9a::', prefix: 64, dev: DEV, gateway: 'fd98::2', metric: 3 });
}

/** Takes configure() back; routes and IPv6 addresses went when the device went down. */
async function unconfigure(net: NetworkConfig): Promise<void> {
  await net.setUp(DEV, false);
  await net.deletePeerAddress(DEV, '10.95.0.1', '10.95.0.2');
  await net.deleteAddress(DEV, '10.98.0.1', 24);
  await net.setMtu(DEV, 1500);
}

function show(what: string, dev: string): string[] {
  return ip(`${what} ${dev}`)
    .split('\n')
    .map((line) => line.trim());
}

function ip(line: string): string {
  const result = spawnSync('ip', line.split(' '), { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`ip ${line}: ${result.stderr}`);
  return result.stdout;
}

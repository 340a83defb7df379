/** Route lists and device addresses over the dry-run backend. */
import { describe, expect, it } from 'vitest';
import { MemoryLogger } from '../base/base.ts';
import { EnvSet } from '../script/script.ts';
import { DryRunNetwork, type DryRunOptions } from './networking-dry-run.ts';
import { configureTun, RouteList, type RouteListInput, type TunSetup, warnOfCommonSubnets } from './route.ts';

const GATEWAY: DryRunOptions = {
  gateway4: { gateway: '192.0.2.1', dev: 'eth0' },
  gateway6: { gateway: 'fe80::1', dev: 'eth0' },
  interfaces: [{ name: 'eth0', family: 4, address: '192.0.2.2', prefix: 24, mac: '02:00:00:00:00:01' }],
  routes: [{ family: 4, network: '0.0.0.0', prefix: 0, gateway: '192.0.2.1' }],
};

const NO_REDIRECT = {
  enabled: false,
  reroute: false,
  local: false,
  autolocal: false,
  def1: false,
  bypassDhcp: false,
  bypassDns: false,
  blockLocal: false,
  ipv4: true,
  ipv6: false,
};
const REDIRECT = { ...NO_REDIRECT, enabled: true, reroute: true };

const INPUT: RouteListInput = {
  devType: 'tun',
  routes: [],
  routesIpv6: [],
  redirectGateway: NO_REDIRECT,
  vpnGateway: '10.8.0.1',
  remoteHost: '198.51.100.1',
  didIpv4: true,
  didIpv6: true,
  resolve: async (host) => (host === 'two.example' ? ['203.0.113.1', '203.0.113.2'] : []),
};

function route(network: string, netmask?: string, gateway?: string, metric?: number) {
  return { network, netmask, gateway, metric, table: 0 };
}

function route6(prefix: string, gateway?: string, metric?: number) {
  return { prefix, gateway, metric, table: 0 };
}

async function make(input: Partial<RouteListInput>, options: DryRunOptions = GATEWAY) {
  const net = new DryRunNetwork(options);
  const log = new MemoryLogger();
  const list = await RouteList.create(net, { ...INPUT, ...input }, log);
  return { net, log, list };
}

function collect(source: { exportTo(env: EnvSet): void }): Record<string, string> {
  const env = new EnvSet();
  source.exportTo(env);
  return Object.fromEntries(env.entries());
}

describe('plain routes', () => {
  it('are added in order and all of them removed', async () => {
    const routes = [
      route('10.1.0.0', '255.255.0.0'),
      route('10.2.0.1'),
      route('10.3.0.0', '255.255.255.0', 'net_gateway', 9),
      route('remote_host', 'default', '10.8.0.9'),
    ];
    const { net, list, log } = await make({ routes });
    expect(await list.add('tun0')).toBe(true);
    expect(net.lines).toEqual([
      'route add 10.1.0.0/16 via 10.8.0.1',
      'route add 10.2.0.1/32 via 10.8.0.1',
      'route add 10.3.0.0/24 via 192.0.2.1 metric 9',
      'route add 198.51.100.1/32 via 10.8.0.9',
    ]);
    expect(log.lines[0]).toBe('ROUTE_GATEWAY 192.0.2.1/255.255.255.0 IFACE=eth0 HWADDR=02:00:00:00:00:01');
    await list.remove();
    expect(net.routes).toEqual(GATEWAY.routes);
    await list.remove();
    expect(net.lines.filter((line) => line.includes('del'))).toHaveLength(4);
  });

  it('resolve names to one route per address', async () => {
    const { net, list } = await make({ routes: [route('two.example')] });
    await list.add('tun0');
    expect(net.lines).toEqual([
      'route add 203.0.113.2/32 via 10.8.0.1',
      'route add 203.0.113.1/32 via 10.8.0.1',
    ]);
  });

  it('take --route-metric and need a gateway', async () => {
    const metric = await make({ routes: [route('10.1.0.0', '255.255.0.0')], routeMetric: 50 });
    await metric.list.add('tun0');
    expect(metric.net.lines).toEqual(['route add 10.1.0.0/16 via 10.8.0.1 metric 50']);
    const { list, log, net } = await make({ routes: [route('10.1.0.0')], vpnGateway: undefined });
    expect(await list.add('tun0')).toBe(false);
    expect(net.lines).toEqual([]);
    expect(log.lines).toContain('OpenVPN ROUTE: failed to parse/resolve route for host/network: 10.1.0.0');
  });

  it('leave out what cannot be used and keep the rest', async () => {
    const routes = [
      route('nowhere.example'),
      route('10.1.0.0', '255.0.255.0'),
      route('10.2.0.0', '255.255.255.0'),
    ];
    const { list, net } = await make({ routes });
    expect(await list.add('tun0')).toBe(false);
    expect(net.lines).toEqual(['route add 10.2.0.0/24 via 10.8.0.1']);
    expect(collect(list).route_network_1).toBeUndefined();
  });

  it('keep a route that was there before', async () => {
    const existing = { family: 4, network: '10.1.0.0', prefix: 16, gateway: '10.8.0.1' } as const;
    const options = { ...GATEWAY, routes: [existing] };
    const { list, net, log } = await make({ routes: [route('10.1.0.0', '255.255.0.0')] }, options);
    expect(await list.add('tun0')).toBe(true);
    expect(log.lines).toContain('NOTE: Linux route add command failed because route exists');
    await list.remove();
    expect(net.routes).toEqual([existing]);
  });

  it('are told of from the last to the first, as 2.x reads them, and added in their order', async () => {
    const routes = [route('nowhere.example'), route('10.1.0.0', '255.255.0.0'), route('no.example')];
    const { list, log } = await make({ routes });
    const failed = 'OpenVPN ROUTE: failed to parse/resolve route for host/network:';
    expect(log.lines.slice(1)).toEqual([`${failed} no.example`, `${failed} nowhere.example`]);
    expect(await list.add('tun0')).toBe(false);
  });

  it('go away when removal comes in the middle of adding', async () => {
    const routes = Array.from({ length: 20 }, (_, i) => route(`10.${i}.0.0`, '255.255.0.0'));
    const { list, net } = await make({ routes });
    const adding = list.add('tun0');
    await Promise.resolve();
    await list.remove();
    await adding;
    expect(net.routes).toEqual(GATEWAY.routes);
  });

  it('report failures and remove only what was added', async () => {
    const refuse = (line: string) => line.startsWith('route add 10.2.');
    const routes = [route('10.1.0.0', '255.255.0.0'), route('10.2.0.0', '255.255.0.0')];
    const { list, net, log } = await make({ routes }, { ...GATEWAY, refuse });
    expect(await list.add('tun0')).toBe(false);
    expect(log.lines).toContain('ERROR: Linux route add command failed');
    await list.remove();
    expect(net.lines).toEqual(['route add 10.1.0.0/16 via 10.8.0.1', 'route del 10.1.0.0/16 via 10.8.0.1']);
  });

  it('warn when the device has no address', async () => {
    const { list, log } = await make({ routes: [route('10.1.0.0')], didIpv4: false });
    await list.add('tun0');
    expect(log.lines.some((line) => /^WARNING: .* no IPv4 has been configured for tun0/.test(line))).toBe(
      true,
    );
  });
});

describe('redirect-gateway', () => {
  it('def1 adds the bypass and two halves and restores nothing but them', async () => {
    const { list, net } = await make({ redirectGateway: { ...REDIRECT, def1: true } });
    expect(await list.add('tun0')).toBe(true);
    expect(list.redirected).toBe(true);
    expect(net.lines).toEqual([
      'route add 198.51.100.1/32 via 192.0.2.1',
      'route add 0.0.0.0/1 via 10.8.0.1',
      'route add 128.0.0.0/1 via 10.8.0.1',
    ]);
    await list.remove();
    expect(net.routes).toEqual(GATEWAY.routes);
  });

  it('without def1 replaces the default route and puts it back', async () => {
    const { list, net } = await make({ redirectGateway: REDIRECT });
    await list.add('tun0');
    expect(net.lines).toEqual([
      'route add 198.51.100.1/32 via 192.0.2.1',
      'route del 0.0.0.0/0 via 192.0.2.1',
      'route add 0.0.0.0/0 via 10.8.0.1',
    ]);
    await list.remove();
    expect(net.routes).toEqual(GATEWAY.routes);
  });

  it('takes away what a killed run left of a redirection, as 2.x does', async () => {
    const left = [
      { family: 4, network: '192.0.2.77', prefix: 32, gateway: '192.0.2.1', dev: 'eth0' },
      { family: 4, network: '0.0.0.0', prefix: 1, gateway: '10.8.0.1' },
      { family: 4, network: '10.40.0.0', prefix: 16, gateway: '192.0.2.1' },
    ] as const;
    const options = { ...GATEWAY, routes: [...(GATEWAY.routes ?? []), ...left] };
    const { list, net, log } = await make(
      {
        redirectGateway: { ...REDIRECT, def1: true },
        remoteHost: '192.0.2.77',
        routes: [route('10.40.0.0', '255.255.0.0', 'net_gateway')],
      },
      options,
    );
    expect(await list.add('tun0')).toBe(true);
    expect(
      log.lines.filter((line) => line === 'NOTE: Linux route add command failed because route exists'),
    ).toHaveLength(3);
    await list.remove();
    // The plain route was there before: it isn't ours, in 2.x neither.
    expect(net.routes).toEqual([...(GATEWAY.routes ?? []), left[2]]);
  });

  it('deletes the new default route before it puts the old one back', async () => {
    const { list, net } = await make({ redirectGateway: REDIRECT });
    await list.add('tun0');
    await list.remove();
    expect(net.lines.slice(-3)).toEqual([
      'route del 198.51.100.1/32 via 192.0.2.1',
      'route del 0.0.0.0/0 via 10.8.0.1',
      'route add 0.0.0.0/0 via 192.0.2.1',
    ]);
  });

  it('puts the default route back that was taken away when removal comes in between', async () => {
    const { list, net } = await make({ redirectGateway: { ...REDIRECT, local: true } });
    const adding = list.add('tun0');
    while (!net.lines.includes('route del 0.0.0.0/0 via 192.0.2.1')) await Promise.resolve();
    await Promise.all([list.remove(), adding]);
    expect(net.routes).toEqual(GATEWAY.routes);
  });

  it('goes over the interface of a default route that has no gateway', async () => {
    const onLink: DryRunOptions = { ...GATEWAY, gateway4: { gateway: undefined, dev: 'eth0' }, routes: [] };
    const { list, net, log } = await make({ redirectGateway: { ...REDIRECT, def1: true } }, onLink);
    await list.add('tun0');
    expect(log.lines[0]).toBe('ROUTE_GATEWAY ON_LINK IFACE=eth0 HWADDR=02:00:00:00:00:01');
    expect(net.lines[0]).toBe('route add 198.51.100.1/32 via 0.0.0.0 dev eth0');
    expect(collect(list).route_net_gateway).toBe('0.0.0.0');
  });

  it('takes a machine without default route for one with a gateway of zeros, as 2.x does', async () => {
    const none: DryRunOptions = { ...GATEWAY, gateway4: { gateway: undefined, dev: '' }, routes: [] };
    const { list, net, log } = await make({ redirectGateway: { ...REDIRECT, def1: true } }, none);
    await list.add('tun0');
    expect(log.lines[0]).toBe('ROUTE_GATEWAY 0.0.0.0');
    expect(net.lines[0]).toBe('route add 198.51.100.1/32 via 0.0.0.0');
  });

  it('names the interface for a server on the own network', async () => {
    const { list, net } = await make({
      redirectGateway: { ...REDIRECT, def1: true },
      remoteHost: '192.0.2.77',
    });
    await list.add('tun0');
    expect(net.lines[0]).toBe('route add 192.0.2.77/32 via 192.0.2.1 dev eth0');
  });

  it('local and autolocal leave the bypass out', async () => {
    for (const flags of [{ local: true }, { autolocal: true }]) {
      const redirectGateway = { ...REDIRECT, def1: true, ...flags };
      const { list, net } = await make({ redirectGateway, remoteHost: '192.0.2.77' });
      await list.add('tun0');
      expect(net.lines).toEqual(['route add 0.0.0.0/1 via 10.8.0.1', 'route add 128.0.0.0/1 via 10.8.0.1']);
    }
  });

  it('redirect-private adds only the bypass', async () => {
    const { list, net } = await make({ redirectGateway: { ...NO_REDIRECT, enabled: true } });
    await list.add('tun0');
    expect(net.lines).toEqual(['route add 198.51.100.1/32 via 192.0.2.1']);
  });

  it('block-local sends the own network into the tunnel but not its gateway', async () => {
    const redirectGateway = { ...REDIRECT, def1: true, blockLocal: true };
    const { list, net, log } = await make({ redirectGateway });
    expect(log.lines).toContain('ROUTE: bypass_host_route[0]=192.0.2.1');
    await list.add('tun0');
    expect(net.lines).toEqual([
      'route add 198.51.100.1/32 via 192.0.2.1',
      'route add 192.0.2.1/32 via 192.0.2.1 dev eth0',
      'route add 0.0.0.0/1 via 10.8.0.1',
      'route add 128.0.0.0/1 via 10.8.0.1',
      'route add 192.0.2.128/25 via 10.8.0.1',
      'route add 192.0.2.0/25 via 10.8.0.1',
    ]);
  });

  it('explains why it can’t be done', async () => {
    const noVpn = await make({ redirectGateway: REDIRECT, vpnGateway: undefined });
    expect(await noVpn.list.add('tun0')).toBe(false);
    expect(noVpn.log.lines).toContain(
      'NOTE: unable to redirect IPv4 default gateway -- VPN gateway parameter (--route-gateway or --ifconfig) is missing',
    );
    const noDefault = await make({ redirectGateway: REDIRECT }, {});
    expect(await noDefault.list.add('tun0')).toBe(false);
    expect(noDefault.log.lines).toContain(
      'NOTE: unable to redirect IPv4 default gateway -- Cannot read current default gateway from system',
    );
    expect(noDefault.net.lines).toEqual([]);
  });

  it('!ipv4 with ipv6 redirects IPv6 alone', async () => {
    const redirectGateway = { ...NO_REDIRECT, ipv4: false, ipv6: true };
    const { list, net } = await make({ redirectGateway, remoteHost: undefined });
    await list.add('tun0');
    expect(net.lines).toEqual([
      'route add ::/3 dev tun0',
      'route add 2000::/4 dev tun0',
      'route add 3000::/4 dev tun0',
      'route add fc00::/7 dev tun0',
    ]);
  });
});

describe('IPv6 routes', () => {
  it('go by device on tun, by gateway on tap', async () => {
    // Without a length it is 64.
    const routesIpv6 = [route6('fd01::5'), route6('fd02::/48', 'fd00::9', 3)];
    const tun = await make({ routesIpv6 });
    expect(await tun.list.add('tun0')).toBe(true);
    expect(tun.net.lines).toEqual(['route add fd01::/64 dev tun0', 'route add fd02::/48 dev tun0 metric 3']);
    const tap = await make({ routesIpv6, devType: 'tap' });
    expect(await tap.list.add('tap0')).toBe(false);
    expect(tap.net.lines).toEqual(['route add fd02::/48 via fd00::9 dev tap0 metric 3']);
    expect(tap.log.lines.some((line) => line.startsWith('ROUTE6 WARNING: OpenVPN needs a gateway'))).toBe(
      true,
    );
  });

  it('keep the server reachable when they cover it', async () => {
    const { list, net, log } = await make({
      routesIpv6: [route6('2001:db8::/32')],
      remoteHostIpv6: '2001:db8::1',
    });
    await list.add('tun0');
    expect(net.lines).toEqual([
      'route add 2001:db8::1/128 via fe80::1 dev eth0 metric 1',
      'route add 2001:db8::/32 dev tun0',
    ]);
    expect(log.lines).toContain(
      'ROUTE6: 2001:db8::/32 overlaps IPv6 remote 2001:db8::1, adding host route to VPN endpoint',
    );
    await list.remove();
    expect(net.routes).toEqual(GATEWAY.routes);
  });

  it('refuse bad prefixes', async () => {
    const { list, net } = await make({
      routesIpv6: [route6('fd01::/129'), route6('10.0.0.0/8'), route6('x')],
    });
    expect(await list.add('tun0')).toBe(false);
    expect(net.lines).toEqual([]);
  });
});

describe('variables for scripts', () => {
  it('describe gateways and routes', async () => {
    const { list } = await make({
      routes: [route('10.1.0.0', '255.255.0.0'), route('10.2.0.0', '255.255.255.0', undefined, 7)],
      routesIpv6: [route6('fd01::/64', 'fd00::1')],
    });
    expect(collect(list)).toEqual({
      route_net_gateway: '192.0.2.1',
      net_gateway_ipv6: 'fe80::1',
      route_vpn_gateway: '10.8.0.1',
      route_network_1: '10.1.0.0',
      route_netmask_1: '255.255.0.0',
      route_gateway_1: '10.8.0.1',
      route_network_2: '10.2.0.0',
      route_netmask_2: '255.255.255.0',
      route_gateway_2: '10.8.0.1',
      route_metric_2: '7',
      route_ipv6_network_1: 'fd01::/64',
      route_ipv6_gateway_1: 'fd00::1',
    });
  });
});

describe('warnOfCommonSubnets()', () => {
  it('knows the networks of most home routers', async () => {
    for (const [address, told] of [
      ['192.168.1.7', 1],
      ['192.168.0.7', 1],
      ['192.168.2.7', 0],
    ] as const) {
      const log = new MemoryLogger();
      const gateway4 = { gateway: address.replace(/7$/, '1'), dev: 'eth0' };
      const interfaces = [
        { name: 'eth0', family: 4, address, prefix: 24, mac: '02:00:00:00:00:01' },
      ] as const;
      await warnOfCommonSubnets(new DryRunNetwork({ gateway4, interfaces }), log);
      expect(log.lines.filter((line) => line.startsWith('NOTE: your local LAN uses'))).toHaveLength(told);
    }
  });
});

describe('configureTun', () => {
  const SETUP: TunSetup = {
    dev: 'tun0',
    type: 'tun',
    topology: 'subnet',
    mtu: 1500,
    ifconfig: { local: '10.8.0.2', remoteNetmask: '255.255.255.0' },
    ifconfigIpv6: { local: 'fd00::2', netbits: 64, remote: 'fd00::1' },
  };

  it('sets netmask or peer by topology, IPv6 after IPv4, and undoes both', async () => {
    const net = new DryRunNetwork();
    const tun = await configureTun(net, SETUP, new MemoryLogger());
    expect(net.lines).toEqual([
      'link set tun0 mtu 1500',
      'link set tun0 up',
      'addr add tun0 10.8.0.2/24',
      'link set tun0 mtu 1500',
      'link set tun0 up',
      'addr add tun0 fd00::2/64',
    ]);
    await tun.undo();
    await tun.undo();
    expect(net.addresses).toEqual([]);
    const p2p = new DryRunNetwork();
    const ifconfig = { local: '10.8.0.6', remoteNetmask: '10.8.0.5' };
    await configureTun(
      p2p,
      { ...SETUP, topology: 'net30', ifconfig, ifconfigIpv6: undefined },
      new MemoryLogger(),
    );
    expect(p2p.addresses).toEqual(['tun0 10.8.0.6 peer 10.8.0.5']);
  });

  it('exports the variables of the topology, also with noexec', async () => {
    const net = new DryRunNetwork();
    const tun = await configureTun(net, { ...SETUP, noexec: true }, new MemoryLogger());
    expect(collect(tun)).toEqual({
      ifconfig_local: '10.8.0.2',
      ifconfig_netmask: '255.255.255.0',
      ifconfig_ipv6_local: 'fd00::2',
      ifconfig_ipv6_netbits: '64',
      ifconfig_ipv6_remote: 'fd00::1',
    });
    expect(net.lines).toEqual([]);
  });

  it('sets the hardware address also with noexec, and goes on when it is refused', async () => {
    const net = new DryRunNetwork();
    await configureTun(
      net,
      { ...SETUP, type: 'tap', noexec: true, lladdr: '02:00:00:00:00:07' },
      new MemoryLogger(),
    );
    expect(net.lines).toEqual(['link set tun0 addr 02:00:00:00:00:07']);
    const refusing = new DryRunNetwork({ refuse: (line) => line.includes(' addr 02') });
    const log = new MemoryLogger();
    await configureTun(refusing, { ...SETUP, type: 'tap', lladdr: '02:00:00:00:00:07' }, log);
    expect(refusing.addresses).toHaveLength(2);
    expect(log.lines).toEqual([]);
  });

  it('takes back what it did when a step fails', async () => {
    const net = new DryRunNetwork({ refuse: (line) => line.includes('fd00::2') });
    await expect(configureTun(net, SETUP, new MemoryLogger())).rejects.toThrow(
      /^Linux can't add IPv6 to interface tun0/,
    );
    expect(net.addresses).toEqual([]);
  });
});

/** Which addresses and routes a server's client gets. */
import { describe, expect, it } from 'vitest';
import { MemoryLogger } from '../base/base.ts';
import { parsePoolPersist } from '../manage/manage.ts';
import { cloneOptions, type Options, parseClientConfig, parseConfig } from '../options/options.ts';
import type { MultiConfig } from './multi.ts';
import { AddressPlan } from './multi-addresses.ts';
import type { ClientAddresses, MultiInstance } from './multi-instance.ts';
import { openPool } from './open-pool.ts';
import type { PoolLease } from './pool.ts';

const SUBNET = 'topology subnet\nserver 10.8.0.0 255.255.255.0\nserver-ipv6 fd00:8::/64';

describe('AddressPlan', () => {
  it('takes addresses of both families from the pool', () => {
    const { plan, client } = setUp(SUBNET);
    const alice = client('alice');
    plan.assign(alice);
    expect(alice.addresses).toEqual({
      local4: '10.8.0.2',
      remoteNetmask4: '255.255.255.0',
      local6: 'fd00:8::1000',
      netbits6: 64,
      remote6: 'fd00:8::1',
    });
    expect(texts(plan, alice)).toEqual(['10.8.0.2', 'fd00:8::1000']);
  });

  it("gives the server's end in net30 and the server's address in p2p", () => {
    const net30 = setUp('topology net30\nserver 10.8.0.0 255.255.255.0');
    const p2p = setUp('topology p2p\nserver 10.8.0.0 255.255.255.0');
    const [a, b] = [net30.client('a'), p2p.client('b')];
    net30.plan.assign(a);
    p2p.plan.assign(b);
    expect(a.addresses).toMatchObject({ local4: '10.8.0.6', remoteNetmask4: '10.8.0.5' });
    expect(b.addresses.remoteNetmask4).toBe('10.8.0.1');
  });

  it('lets ifconfig-push take the place of the IPv4 address, while the IPv6 address stays', () => {
    const { plan, client, log } = setUp(SUBNET);
    const alice = client('alice');
    plan.assign(alice);
    configure(alice, 'ifconfig-push 10.8.0.99 255.255.255.0');
    plan.assign(alice);
    expect(alice.addresses).toMatchObject({ local4: '10.8.0.99', local6: 'fd00:8::1000' });
    expect(log.lines.at(-1)).toMatch(/^MULTI_sva: WARNING: if --ifconfig-push is used for IPv4/);
    expect(alice.lease).toBeDefined();
    const bob = client('bob');
    plan.assign(bob);
    expect(bob.addresses.local4).toBe('10.8.0.3');
  });

  it('takes nothing from the pool for a client whose address is known from the start', () => {
    const { plan, client } = setUp(SUBNET);
    const alice = client('alice');
    configure(alice, 'ifconfig-push 10.8.0.99 255.255.255.0\nifconfig-ipv6-push fd00:8::99/64');
    plan.assign(alice);
    expect(alice.lease).toBeUndefined();
    expect(alice.addresses).toEqual({
      local4: '10.8.0.99',
      remoteNetmask4: '255.255.255.0',
      local6: 'fd00:8::99',
      netbits6: 64,
      remote6: 'fd00:8::1',
    });
  });

  it('asks the pool once, however often options change, and gives back what it took', () => {
    const { plan, client } = setUp(SUBNET);
    const alice = client('alice');
    for (let n = 0; n < 3; n++) plan.assign(alice);
    const bob = client('bob');
    plan.assign(bob);
    expect(bob.addresses.local4).toBe('10.8.0.3');
    plan.release(alice);
    plan.release(alice);
    expect(alice.lease).toBeUndefined();
    const again = client('alice');
    plan.assign(again);
    expect(again.addresses.local4).toBe('10.8.0.2');
  });

  it('says when the pool has nothing left', () => {
    const { plan, client, log } = setUp('topology subnet\nserver 10.8.0.0 255.255.255.248');
    const clients = Array.from({ length: 6 }, (_, n) => client(`c${n}`));
    for (const one of clients) plan.assign(one);
    expect(clients.map(({ addresses }) => addresses.local4)).toEqual([
      '10.8.0.2',
      '10.8.0.3',
      '10.8.0.4',
      '10.8.0.5',
      '10.8.0.6',
      undefined,
    ]);
    expect(log.lines.at(-1)).toBe('MULTI: no free --ifconfig-pool addresses are available');
    expect(texts(plan, clients[5]!)).toEqual([]);
  });

  it('remembers names over restarts', () => {
    const persisted = 'bob,10.8.0.42,fd00:8::1000\nfar,192.168.0.1\nsix,,fd00:8::1005\nodd\n';
    const { plan, client, log } = setUp(`${SUBNET}\nifconfig-pool-persist ipp.txt`, persisted);
    expect(log.lines).toEqual([
      'MULTI: multi_init called, r=256 v=256',
      'IFCONFIG POOL IPv4: base=10.8.0.2 size=253',
      'IFCONFIG POOL IPv6: base=fd00:8::1000 size=65536 netbits=64',
      'NOTE: IPv4 pool size is 253, IPv6 pool size is 65536. IPv4 pool size limits the number of clients that can be served from the pool',
      "ifconfig_pool_read(), in='bob,10.8.0.42,fd00:8::1000'",
      'pool: IPv4 (10.8.0.42) and IPv6 (fd00:8::1000) have different offsets! Relying on IPv4',
      'succeeded -> ifconfig_pool_set(hand=40)',
      "ifconfig_pool_read(), in='far,192.168.0.1'",
      'pool: IPv4 (192.168.0.1) out of pool range for CN=far',
      "ifconfig_pool_read(), in='six,,fd00:8::1005'",
      'succeeded -> ifconfig_pool_set(hand=5)',
      "ifconfig_pool_read(), in='odd'",
      'IFCONFIG POOL LIST',
      'six,10.8.0.7,fd00:8::1005',
      'bob,10.8.0.42,fd00:8::1028',
    ]);
    const bob = client('bob');
    plan.assign(bob);
    expect(bob.addresses).toMatchObject({ local4: '10.8.0.42', local6: 'fd00:8::1028' });
    const alice = client('alice');
    plan.assign(alice);
    expect([...plan.remembered()]).toEqual([
      { commonName: 'alice', ipv4: '10.8.0.2', ipv6: 'fd00:8::1000' },
      { commonName: 'six', ipv4: '10.8.0.7', ipv6: 'fd00:8::1005' },
      { commonName: 'bob', ipv4: '10.8.0.42', ipv6: 'fd00:8::1028' },
    ]);
  });

  it('remembers the first address of a /30', () => {
    const persisted = 'bob,10.8.0.40\n';
    const { plan, client } = setUp('server 10.8.0.0 255.255.255.0\nifconfig-pool-persist f', persisted);
    const bob = client('bob');
    plan.assign(bob);
    expect(bob.addresses.local4).toBe('10.8.0.42');
    expect([...plan.remembered()].map(({ ipv4 }) => ipv4)).toEqual(['10.8.0.40']);
  });

  it('never gives a fixed address of a read-only file to another name', () => {
    const persisted = 'bob,10.8.0.2\n';
    const { plan, client } = setUp(`${SUBNET}\nifconfig-pool-persist ipp.txt 0`, persisted);
    const alice = client('alice');
    plan.assign(alice);
    expect(alice.addresses.local4).toBe('10.8.0.3');
  });

  it('lists own addresses, then networks behind the client, the last given first', () => {
    const { plan, client } = setUp(SUBNET);
    const alice = client('alice');
    configure(alice, 'iroute 192.168.7.0 255.255.255.0\niroute 172.16.0.1\niroute-ipv6 fd77::/48');
    plan.assign(alice);
    const routes = plan.routesOf(alice);
    expect(routes.map(({ text, family, prefix, primary }) => [text, family, prefix, primary])).toEqual([
      ['10.8.0.2', 4, 32, true],
      ['fd00:8::1000', 6, 128, true],
      ['172.16.0.1/32', 4, 32, false],
      ['192.168.7.0/24', 4, 24, false],
      ['fd77::/48', 6, 48, false],
    ]);
  });
});

type FakeInstance = MultiInstance & { addresses: ClientAddresses; options: Options; lease: PoolLease };

function setUp(config: string, persisted = '') {
  const { options } = parseConfig(`dev tun\nca f\ncert f\nkey f\ndh none\n${config}`);
  const log = new MemoryLogger();
  const multi = { options, log, persisted: parsePoolPersist(persisted) } as unknown as MultiConfig;
  const plan = new AddressPlan(multi);
  openPool({ config: multi, plan });
  const client = (commonName: string): FakeInstance => {
    const fake = { commonName, options: cloneOptions(options), addresses: {}, lease: undefined, log };
    return fake as unknown as FakeInstance;
  };
  return { plan, client, log };
}

function configure(instance: MultiInstance, text: string): void {
  const { options, messages } = parseClientConfig(`${text}\n`, 'ccd', instance.options);
  expect(messages).toEqual([]);
  instance.options = options;
}

function texts(plan: AddressPlan, instance: MultiInstance): string[] {
  return plan.routesOf(instance).map((route) => route.text);
}

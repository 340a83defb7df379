/** Backends of NetworkConfig: the dry run against the conformance suite, iproute2 against a fake `ip`. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryLogger, TunError } from '../base/base.ts';
import { networkingConformance } from './networking.conformance.ts';
import { DryRunNetwork } from './networking-dry-run.ts';
import { createIproute2, parseBestRoute } from './networking-iproute2.ts';

networkingConformance(
  'dry-run',
  'tun0',
  () => new DryRunNetwork({ refuse: (line) => line.includes('ovpn-none0') }),
);

describe('iproute2', () => {
  let directory: string;
  let log: MemoryLogger;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'ovpn-ip-'));
    log = new MemoryLogger();
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  /** A program that records its arguments and then does what `body` says. */
  function fakeIp(body = ''): string {
    const path = join(directory, 'ip');
    writeFileSync(path, `#!/bin/sh\necho "$*" >> ${directory}/calls\n${body}\n`);
    chmodSync(path, 0o755);
    return path;
  }

  function calls(): string[] {
    return readFileSync(join(directory, 'calls'), 'utf8').trim().split('\n');
  }

  it('logs like 2.6 and runs one command at a time', async () => {
    const net = createIproute2({ log, command: fakeIp() });
    await Promise.all([
      net.setMtu('tun0', 1500),
      net.setUp('tun0', true),
      net.addAddress('tun0', '10.8.0.1', 24),
      net.addAddress('tun0', 'fd00:8::1', 64),
      net.addPeerAddress('tun0', '10.8.0.6', '10.8.0.5'),
      net.addRoute({ family: 4, network: '10.0.0.0', prefix: 24, gateway: '10.8.0.1' }),
      net.addRoute({ family: 6, network: 'fd01::', prefix: 64, dev: 'tun0', metric: 7 }),
      net.deleteRoute({ family: 4, network: '10.0.0.0', prefix: 24, gateway: '10.8.0.1' }),
      net.deleteAddress('tun0', '10.8.0.1', 24),
      net.deletePeerAddress('tun0', '10.8.0.6', '10.8.0.5'),
    ]);
    expect(log.lines).toEqual([
      'net_iface_mtu_set: mtu 1500 for tun0',
      'net_iface_up: set tun0 up',
      'net_addr_v4_add: 10.8.0.1/24 dev tun0',
      'net_addr_v6_add: fd00:8::1/64 dev tun0',
      'net_addr_ptp_v4_add: 10.8.0.6 peer 10.8.0.5 dev tun0',
      'net_route_v4_add: 10.0.0.0/24 via 10.8.0.1 dev [NULL] table 0 metric -1',
      'net_route_v6_add: fd01::/64 via :: dev tun0 table 0 metric 7',
      'net_route_v4_del: 10.0.0.0/24 via 10.8.0.1 dev [NULL] table 0 metric -1',
      'net_addr_v4_del: 10.8.0.1 dev tun0',
      'net_addr_ptp_v4_del: 10.8.0.6 dev tun0',
    ]);
    expect(calls()).toEqual([
      'link set dev tun0 mtu 1500',
      'link set dev tun0 up',
      '-4 addr replace 10.8.0.1/24 dev tun0 broadcast +',
      '-6 addr replace fd00:8::1/64 dev tun0',
      'addr replace 10.8.0.6 peer 10.8.0.5 dev tun0',
      '-4 route prepend 10.0.0.0/24 via 10.8.0.1',
      '-6 route prepend fd01::/64 dev tun0 metric 7',
      '-4 route del 10.0.0.0/24 via 10.8.0.1',
      '-4 addr del 10.8.0.1/24 dev tun0',
      'addr del 10.8.0.6 peer 10.8.0.5 dev tun0',
    ]);
  });

  it('tells an existing route from a failure', async () => {
    const existing = createIproute2({
      log,
      command: fakeIp('echo "RTNETLINK answers: File exists" >&2; exit 2'),
    });
    expect(await existing.addRoute({ family: 4, network: '10.0.0.0', prefix: 8, dev: 'tun0' })).toBe(false);
    const failing = createIproute2({
      log,
      command: fakeIp('echo "RTNETLINK answers: Operation not permitted" >&2; exit 2'),
    });
    const refused = failing.addRoute({ family: 4, network: '10.0.0.0', prefix: 8, dev: 'tun0' });
    await expect(refused).rejects.toThrow(
      /route prepend 10\.0\.0\.0\/8 dev tun0 scope global: .*Operation not permitted/,
    );
    await expect(
      createIproute2({ log, command: '/nonexistent/ip' }).setUp('x', false),
    ).rejects.toBeInstanceOf(TunError);
  });

  it('goes on after a failed command', async () => {
    const net = createIproute2({ log, command: fakeIp('case "$*" in *down*) exit 1;; esac') });
    const results = await Promise.allSettled([net.setUp('tun0', false), net.setUp('tun0', true)]);
    expect(results.map((result) => result.status)).toEqual(['rejected', 'fulfilled']);
  });

  it('asks for the best route', async () => {
    const command = fakeIp('echo "192.0.2.9 via 192.0.2.1 dev eth0 src 192.0.2.2 uid 0"');
    const net = createIproute2({ log, command });
    expect(await net.bestRoute(4, '192.0.2.9')).toEqual({ gateway: '192.0.2.1', dev: 'eth0' });
    expect(log.lines).toEqual([
      'net_route_v4_best_gw query: dst 192.0.2.9',
      'net_route_v4_best_gw result: via 192.0.2.1 dev eth0',
    ]);
    expect(calls()).toEqual(['-4 -o route get 192.0.2.9']);
    expect(await createIproute2({ log, command: '/nonexistent/ip' }).bestRoute(6)).toBeUndefined();
  });
});

describe('parseBestRoute', () => {
  it('takes the lowest metric and knows routes without a gateway', () => {
    const text =
      'default via 192.0.2.1 dev wlan0 proto dhcp metric 600\ndefault via 198.51.100.1 dev eth0 metric 100\n';
    expect(parseBestRoute(text)).toEqual({ gateway: '198.51.100.1', dev: 'eth0' });
    expect(parseBestRoute('default dev ppp0 scope link \n')).toEqual({ gateway: undefined, dev: 'ppp0' });
    expect(parseBestRoute('default via inet6 fe80::1 dev eth0\n')).toEqual({
      gateway: undefined,
      dev: 'eth0',
    });
    expect(parseBestRoute('unreachable default dev lo metric 4294967295 error -101\n')).toBeUndefined();
    expect(parseBestRoute('')).toBeUndefined();
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyPulledOptions, finishPull, parseConfig, restorePrePull } from './options.ts';
import { applyPushUpdate, readUpdateItem } from './update.ts';

const CLIENT = 'client\ndev tun\nremote vpn.example\nca f\ncert f\nkey f\n';

describe('readUpdateItem', () => {
  it('reads the flags in their order', () => {
    expect(readUpdateItem('route 10.0.0.0')).toEqual({
      text: 'route 10.0.0.0',
      remove: false,
      optional: false,
    });
    expect(readUpdateItem(' -route')).toEqual({ text: 'route', remove: true, optional: false });
    expect(readUpdateItem('?dns x')).toEqual({ text: 'dns x', remove: false, optional: true });
    expect(readUpdateItem('-?dns')).toEqual({ text: 'dns', remove: true, optional: true });
  });

  it('refuses flags alone and flags in the wrong order', () => {
    expect(['-', '?', '-?', '?-dns'].map(readUpdateItem)).toEqual(Array(4).fill(undefined));
  });
});

describe('applyPushUpdate', () => {
  it('replaces routes at the first one and adds the others', () => {
    const options = connected(['route 10.1.0.0 255.255.0.0', 'route 10.2.0.0 255.255.0.0']);
    const { imports } = applyPushUpdate(options, [
      'route 10.3.0.0 255.255.0.0',
      'route 10.4.0.0 255.255.0.0',
    ]);
    expect(options.routes.map((route) => route.network)).toEqual(['10.3.0.0', '10.4.0.0']);
    expect([...imports]).toEqual(['route']);
  });

  it('leaves the other kinds alone', () => {
    const options = connected(['route 10.1.0.0 255.255.0.0', 'redirect-gateway def1']);
    applyPushUpdate(options, ['route-ipv6 2001:db8::/32']);
    expect(options.routes).toHaveLength(1);
    expect(options.redirectGateway.def1).toBe(true);
    expect(options.routesIpv6).toHaveLength(1);
  });

  it('takes options back', () => {
    const options = connected([
      'route 10.1.0.0 255.255.0.0',
      'redirect-gateway def1',
      'dhcp-option DNS 10.8.0.1',
      'tun-mtu 1400',
      'ifconfig 10.8.0.2 255.255.255.0',
      'route-gateway 10.8.0.1',
    ]);
    const back = ['-route', '-redirect-gateway', '-dhcp-option', '-tun-mtu', '-ifconfig', '-route-gateway'];
    const { messages, imports } = applyPushUpdate(options, back);
    expect(messages).toEqual([]);
    expect(options).toMatchObject({
      routes: [],
      dhcpOptions: [],
      routeGateway: undefined,
      ifconfig: undefined,
    });
    expect(options.redirectGateway).toMatchObject({ enabled: false, def1: false });
    expect(options.ce.tunMtu).toBe(1500);
    expect([...imports].sort()).toEqual(['dhcpdns', 'push-mtu', 'route', 'route-extras', 'up']);
  });

  it('forgets what servers of dns had become', () => {
    const options = connected(['dns server 1 address 10.8.0.1', 'dhcp-option NTP 10.8.0.9']);
    expect(options.dhcpOptions).toContain('DNS 10.8.0.1');
    const { imports } = applyPushUpdate(options, ['dns server 1 address 10.8.0.2']);
    finishPull(options, imports);
    expect(options.dhcpOptions).toEqual(['NTP 10.8.0.9', 'DNS 10.8.0.2']);
  });

  it('changes keep-alive times', () => {
    const options = connected(['ping 10', 'ping-restart 60']);
    applyPushUpdate(options, ['keepalive 5 30']);
    expect(options).toMatchObject({ ping: 5, pingRecTimeout: 30 });
  });

  it('restarts for what cannot be updated, unless it may be ignored', () => {
    const offending = applyPushUpdate(connected([]), ['cipher AES-256-GCM']);
    expect(offending.restart).toBe('Offending option received from server');
    expect(offending.messages[0]?.text).toBe("Pushed option is not updatable: 'cipher AES-256-GCM'.");
    const ignored = applyPushUpdate(connected([]), ['?cipher AES-256-GCM', '?unheard-of 1']);
    expect(ignored.restart).toBeUndefined();
    expect(ignored.imports.size).toBe(0);
  });

  it('obeys pull filters', () => {
    const options = connected([], 'pull-filter ignore "route 10.9"\npull-filter reject "dns"\n');
    const first = applyPushUpdate(options, ['route 10.9.0.0 255.255.0.0', '?dns server 1 address 10.8.0.1']);
    expect(first.restart).toBeUndefined();
    expect(options.routes).toEqual([]);
    expect(applyPushUpdate(options, ['dns server 1 address 10.8.0.1']).restart).toBeDefined();
  });

  it('logs bad values and removals with values, and goes on', () => {
    const options = connected(['route 10.1.0.0 255.255.0.0']);
    const { messages, restart } = applyPushUpdate(options, [
      '-route 10.1.0.0',
      '-block-outside-dns',
      'route x',
    ]);
    expect(restart).toBeUndefined();
    expect(messages.map((line) => line.text)[0]).toMatch(
      /^Options error: Unrecognized option or missing or extra parameter\(s\) in \[PUSH-OPTIONS\]:1: -route \(2\.6\.\d+\)$/,
    );
    expect(messages).toHaveLength(3);
  });

  it('is undone by a reconnect', () => {
    const options = connected([], 'route 10.7.0.0 255.255.0.0\n');
    applyPushUpdate(options, ['-route']);
    expect(options.routes).toEqual([]);
    restorePrePull(options);
    expect(options.routes.map((route) => route.network)).toEqual(['10.7.0.0']);
  });

  it('never throws', () => {
    const words = fc.constantFrom(
      'route',
      'dns',
      'ifconfig',
      '-',
      '?',
      '10.0.0.0',
      '"',
      '\\',
      'tun-mtu',
      ' ',
      '1',
    );
    const item = fc.oneof(
      fc.string({ maxLength: 60 }),
      fc.array(words).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(fc.array(item, { maxLength: 8 }), (items) => {
        applyPushUpdate(connected([]), items);
      }),
      { numRuns: 300 },
    );
  });
});

function connected(pushed: readonly string[], config = '') {
  const { options } = parseConfig(`${CLIENT}${config}`);
  finishPull(options, applyPulledOptions(options, pushed).imports);
  return options;
}

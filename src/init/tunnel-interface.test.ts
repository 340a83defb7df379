/** The device with addresses, routes and scripts: the order of things, and that nothing is left behind. */
import { describe, expect, it } from 'vitest';
import { later, RecordedScripts } from '../../test-kit/recorded-scripts.ts';
import { MemoryLogger } from '../base/base.ts';
import { type Options, parseConfig } from '../options/options.ts';
import { DryRunNetwork, type DryRunOptions } from '../route/networking-dry-run.ts';
import { EnvSet, ScriptHooks } from '../script/script.ts';
import type { TunDevice } from '../tun/tun.ts';
import { createTunMemory } from '../tun/tun-memory.ts';
import { SignalState } from './sig.ts';
import { TunnelInterface } from './tunnel-interface.ts';

const CLIENT = `client
dev tun
topology subnet
remote 192.0.2.1
ca f
cert f
key f
ifconfig 10.8.0.2 255.255.255.0
route-gateway 10.8.0.1
`;
const ROUTE = 'route 10.40.0.0 255.255.0.0\n';
const SCRIPTS = 'up /bin/up\ndown /bin/down\nroute-up /bin/ru\nroute-pre-down /bin/rpd\n';

describe('TunnelInterface', () => {
  it('goes up and down in 2.x order', async () => {
    const bed = createBed(ROUTE + SCRIPTS);
    await bed.open();
    expect(await bed.addRoutes()).toBe(true);
    await bed.tunnel.close('sigterm');
    expect(bed.order).toEqual([
      'device tun0 opened',
      'link set tun0 mtu 1500',
      'link set tun0 up',
      'addr add tun0 10.8.0.2/24',
      'script up tun0 1500 0 10.8.0.2 255.255.255.0 init',
      'route add 10.40.0.0/16 via 10.8.0.1',
      'script route-up',
      'script route-pre-down tun0 1500 0 10.8.0.2 255.255.255.0 init',
      'route del 10.40.0.0/16 via 10.8.0.1',
      'addr del tun0 10.8.0.2/24',
      'device closed',
      'script down tun0 1500 0 10.8.0.2 255.255.255.0 init',
    ]);
    expect(bed.scripts.ofType('down')[0]!.env).toMatchObject({ signal: 'sigterm', script_context: 'init' });
    bed.expectNothingLeft();
  });

  it('runs down before the device goes with down-pre', async () => {
    const bed = createBed(`${SCRIPTS}down-pre\n`);
    await bed.open();
    await bed.tunnel.close('sigterm');
    expect(bed.order.slice(-3)).toEqual([
      'script down tun0 1500 0 10.8.0.2 255.255.255.0 init',
      'addr del tun0 10.8.0.2/24',
      'device closed',
    ]);
  });

  it('starts anew when somebody deletes the device', async () => {
    const bed = createBed('');
    const device = await bed.open();
    device.onError(Object.assign(new Error('read from TUN/TAP'), { code: 'EBADFD' }));
    expect(bed.signals.pending).toEqual({ name: 'SIGHUP', source: 'soft', reason: 'tun-abort' });
    await bed.tunnel.close('tun-abort');
    bed.expectNothingLeft();
  });

  it('takes a gateway from DHCP for a redirection that is still to come', async () => {
    const bed = createBed('redirect-gateway def1 local\n');
    await bed.open();
    bed.tunnel.useGateway('10.8.0.254');
    expect(bed.env.get('route_vpn_gateway')).toBe('10.8.0.254');
    expect(await bed.addRoutes()).toBe(true);
    expect(bed.order.slice(-2)).toEqual([
      'route add 0.0.0.0/1 via 10.8.0.254',
      'route add 128.0.0.0/1 via 10.8.0.254',
    ]);
    await bed.tunnel.close('sigterm');
    bed.expectNothingLeft();
  });

  it('changes nothing of the machine with ifconfig-noexec and route-noexec', async () => {
    const bed = createBed(`${ROUTE}ifconfig-noexec\nroute-noexec\n`);
    await bed.open();
    expect(await bed.addRoutes()).toBe(true);
    expect(bed.network.lines).toEqual([]);
    expect(bed.env.get('ifconfig_local')).toBe('10.8.0.2');
    await bed.tunnel.close('sigterm');
    expect(bed.network.lines).toEqual([]);
  });

  it('lets no variable of old routes reach the next connection', async () => {
    const bed = createBed(`${ROUTE}route 10.41.0.0 255.255.0.0\nredirect-gateway def1\n`, {
      gateway4: { gateway: '198.51.100.1', dev: 'eth0' },
    });
    const ofRoutes = () => [...bed.env.entries()].filter(([name]) => /^(route_|redirect)/.test(name));
    await bed.open();
    await bed.addRoutes();
    expect(bed.env.get('route_network_2')).toBe('10.41.0.0');
    expect(bed.env.get('redirect_gateway')).toBe('1');
    await bed.tunnel.close('exit');
    bed.options.routes.pop();
    await bed.open();
    expect(bed.env.get('route_network_1')).toBe('10.40.0.0');
    expect(bed.env.has('route_network_2')).toBe(false);
    await bed.tunnel.close('exit');
    expect(ofRoutes()).toEqual([]);
  });

  it('says nothing of a redirection with route-noexec', async () => {
    const bed = createBed('redirect-gateway def1\nroute-noexec\n');
    await bed.open();
    await bed.addRoutes();
    expect(bed.env.has('redirect_gateway')).toBe(false);
    await bed.tunnel.close('exit');
  });

  it('tells of a route that could not be added, and goes on', async () => {
    const bed = createBed(`${ROUTE}route 10.41.0.0 255.255.0.0\n`, {
      refuse: (line) => line.startsWith('route add 10.40'),
    });
    await bed.open();
    expect(await bed.addRoutes()).toBe(false);
    expect(bed.network.routes.map((route) => route.network)).toEqual(['10.41.0.0']);
    await bed.tunnel.close('sigterm');
    bed.expectNothingLeft();
  });

  for (const step of ['link set', 'addr add', 'route add']) {
    it(`leaves nothing behind when "${step}" fails`, async () => {
      const bed = createBed(`${ROUTE}${SCRIPTS}`, { refuse: (line) => line.startsWith(step) });
      await bed.open().then(bed.addRoutes, () => undefined);
      await bed.tunnel.close('exit');
      bed.expectNothingLeft();
    });
  }

  it('rejects in 2.x words when an address is refused, and runs no script then', async () => {
    const bed = createBed(SCRIPTS, { refuse: (line) => line.startsWith('addr add') });
    await expect(bed.open()).rejects.toThrow("Linux can't add IP to interface tun0");
    await bed.tunnel.close('exit');
    expect(bed.scripts.calls).toEqual([]);
    bed.expectNothingLeft();
  });

  it('rejects when the up script fails; close() takes all away and runs no script', async () => {
    const bed = createBed(SCRIPTS);
    bed.scripts.answer = ({ env }) => (env.script_type === 'up' ? 1 : 0);
    await expect(bed.open()).rejects.toThrow('ERROR: up script failed');
    await bed.tunnel.close('UNKNOWN');
    expect(bed.scripts.lines.map((line) => line.split(' ')[0])).toEqual(['up']);
    bed.expectNothingLeft();
  });

  it('takes all away and then rejects when the down script fails', async () => {
    const bed = createBed(ROUTE + SCRIPTS);
    bed.scripts.answer = ({ env }) => (env.script_type === 'down' ? 1 : 0);
    await bed.open();
    await bed.addRoutes();
    await expect(bed.tunnel.close('exit')).rejects.toThrow('ERROR: down script failed');
    bed.expectNothingLeft();
    await bed.tunnel.close('exit');
    expect(bed.scripts.ofType('down')).toHaveLength(1);
  });

  it('that is closed while it opens ends with nothing, and runs no up script', async () => {
    const bed = createBed(ROUTE + SCRIPTS);
    const opening = bed.open();
    const closing = bed.tunnel.close('exit');
    await Promise.all([opening, closing]);
    expect(bed.scripts.calls).toEqual([]);
    bed.expectNothingLeft();
  });

  it('that is closed while the up script runs waits for it', async () => {
    const bed = createBed(ROUTE + SCRIPTS);
    const up = later<number>();
    bed.scripts.answer = ({ env }) => (env.script_type === 'up' ? up.promise : 0);
    const opening = bed.open();
    await until(() => bed.scripts.calls.length === 1);
    const closing = bed.tunnel.close('exit');
    up.resolve(0);
    await Promise.all([opening, closing]);
    expect(bed.scripts.lines.map((line) => line.split(' ')[0])).toEqual(['up', 'route-pre-down', 'down']);
    bed.expectNothingLeft();
  });

  it('that is closed while routes are added removes those that were', async () => {
    const bed = createBed(`${ROUTE}route 10.41.0.0 255.255.0.0\n${SCRIPTS}`);
    await bed.open();
    const adding = bed.addRoutes();
    const closing = bed.tunnel.close('exit');
    await Promise.all([adding, closing]);
    expect(bed.scripts.ofType('route-up')).toEqual([]);
    bed.expectNothingLeft();
  });

  it('can be opened again after it was closed, and closed when it never was open', async () => {
    const bed = createBed(ROUTE);
    await bed.tunnel.close('exit');
    for (let round = 0; round < 3; round++) {
      await bed.open();
      await bed.addRoutes();
      expect(bed.network.routes).toHaveLength(1);
      await bed.tunnel.close('exit');
      bed.expectNothingLeft();
    }
    expect(bed.tunnel.device).toBeUndefined();
  });

  it('runs down and up on a restart that keeps the device', async () => {
    const bed = createBed(`${SCRIPTS}up-restart\n`);
    await bed.open();
    await bed.tunnel.suspend('ping-restart');
    await bed.tunnel.resume(bed.options.ce);
    expect(bed.scripts.lines.map((line) => line.replace(/ tun0.* /, ' '))).toEqual([
      'up init',
      'down restart',
      'up restart',
    ]);
    expect(bed.scripts.ofType('down')[0]!.env.signal).toBe('ping-restart');
  });

  it('passes on what the factory throws, with nothing to close', async () => {
    const bed = createBed('', {}, () => {
      throw new Error('no device');
    });
    await expect(bed.open()).rejects.toThrow('no device');
    await bed.tunnel.close('exit');
    bed.expectNothingLeft();
  });
});

interface Bed {
  readonly tunnel: TunnelInterface;
  readonly options: Options;
  readonly network: DryRunNetwork;
  readonly scripts: RecordedScripts;
  readonly env: EnvSet;
  /** Devices, changes of the machine and scripts as they came. */
  readonly order: string[];
  readonly signals: SignalState;
  open(): Promise<TunDevice>;
  addRoutes(): Promise<boolean>;
  expectNothingLeft(): void;
}

function createBed(config: string, network: DryRunOptions = {}, onOpen: () => void = () => undefined): Bed {
  const { options } = parseConfig(`script-security 2\n${CLIENT}${config}`);
  const order: string[] = [];
  const note = (line: string): boolean => {
    if (network.refuse?.(line)) return true;
    order.push(line);
    return false;
  };
  const dryRun = new DryRunNetwork({ ...network, refuse: note });
  const scripts = new RecordedScripts();
  const env = new EnvSet();
  const log = new MemoryLogger();
  const runner = {
    name: 'noting',
    run: (command: string, args: readonly string[], values: Record<string, string>) => {
      order.push(['script', values.script_type, ...args].join(' '));
      return scripts.run(command, args, values);
    },
  };
  const hooks = new ScriptHooks({ runner, log, scriptSecurity: 2, tmpDir: '/tmp', commands: options });
  let open = 0;
  const memory = createTunMemory(() => undefined);
  const tun = {
    name: 'noting',
    open: (request: Parameters<typeof memory.open>[0]) => {
      onOpen();
      const device = memory.open(request);
      order.push(`device ${device.name} opened`);
      open++;
      const close = device.close.bind(device);
      device.close = () => {
        order.push('device closed');
        open--;
        close();
      };
      return device;
    },
  };
  const signals = new SignalState();
  const tunnel = new TunnelInterface({
    providers: { tun, network: dryRun, log },
    hooks,
    env,
    signals,
  });
  return {
    tunnel,
    signals,
    options,
    network: dryRun,
    scripts,
    env,
    order,
    open: () => tunnel.open(options, options.ce, { family: 4, address: '192.0.2.1', port: 1194 }, 'init'),
    addRoutes: () => tunnel.addRoutes(options),
    expectNothingLeft: () => {
      expect({ open, addresses: dryRun.addresses, routes: dryRun.routes }).toEqual({
        open: 0,
        addresses: [],
        routes: [],
      });
    },
  };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

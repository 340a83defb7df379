/**
 * Which scripts run when, and what they see: over restarts, outages and other pushed options, and at the end.
 * The order and the values are those of 2.6.14 with scripts that note their arguments and environment.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { later, RecordedScripts, type ScriptCall } from '../../test-kit/recorded-scripts.ts';
import { TunnelWorld } from '../../test-kit/tunnel-world.ts';

const CLIENT = [
  'script-security 2',
  ...['up', 'down', 'route-up', 'route-pre-down', 'ipchange', 'tls-verify'].map((name) => `${name} /bin/x`),
  '',
].join('\n');
const PUSH =
  'push "route 10.40.0.0 255.255.0.0"\npush "dhcp-option DOMAIN lab.example"\npush "setenv-safe A b"\n';
const VERIFIED = ['tls-verify 1', 'tls-verify 0', 'ipchange'];

let world: TunnelWorld;
let scripts: RecordedScripts;
beforeEach(() => {
  world = new TunnelWorld();
  scripts = new RecordedScripts();
});
afterEach(() => world.close());

describe('scripts of a client', () => {
  it('hear of a restart at once with up-restart, and of routes only when they are made', async () => {
    await world.serving(PUSH);
    const alice = await world.connected('alice', `${CLIENT}persist-tun\nup-restart`, { scripts });
    alice.tunnel.restart();
    await world.until(() => alice.ups === 2);
    await world.stop(alice);
    expect(calls()).toEqual([
      ...VERIFIED,
      'up init',
      'route-up',
      'down restart restart',
      ...VERIFIED,
      'up restart',
      'route-pre-down init sigterm',
      'down init sigterm',
    ]);
  });

  it('hear of an end in the pause before a restart, in the environment of no connection', async () => {
    await world.serving(PUSH);
    const alice = await world.connected('alice', `${CLIENT}persist-tun`, { scripts });
    alice.tunnel.restart();
    await world.until(() => alice.count('Restart pause') === 1);
    await world.stop(alice);
    expect(calls().slice(5)).toEqual(['route-pre-down init init_instance', 'down init init_instance']);
    const [down] = scripts.ofType('down');
    expect(down!.args.slice(3, 5)).toEqual(['10.8.0.2', '255.255.255.0']);
    expect(down!.env).not.toHaveProperty('ifconfig_local');
  });

  it('hear of a lost connection while there is none', async () => {
    const server = await world.serving(`${PUSH}push "ping 5"\npush "ping-restart 10"\nping 5`);
    const alice = await world.connected('alice', `${CLIENT}persist-tun\nup-restart\ndown-pre`, { scripts });
    world.kill(server);
    await world.until(() => alice.count('(--ping-restart), restarting') === 1, 30_000);
    await world.until(() => scripts.ofType('down').length === 1);
    expect(calls().slice(-1)).toEqual(['down restart ping-restart']);
    expect(alice.host).toBeDefined();
  });

  it('see nothing of the connection before', async () => {
    await world.serving(PUSH);
    const alice = await world.connected('alice', `${CLIENT}persist-tun\nup-restart`, { scripts });
    alice.tunnel.restart();
    await world.until(() => alice.ups === 2);
    const [first, , second] = scripts.ofType('tls-verify');
    expect(Object.keys(second!.env)).toEqual(Object.keys(first!.env));
    const [init, restart] = scripts.ofType('up');
    expect(init!.env).toMatchObject({
      route_network_1: '10.40.0.0',
      foreign_option_1: 'dhcp-option DOMAIN lab.example',
      OPENVPN_A: 'b',
    });
    expect(init!.env).not.toHaveProperty('signal');
    expect(restart!.env).toMatchObject({ ifconfig_local: '10.8.0.2', script_context: 'restart' });
    expect(restart!.env).not.toHaveProperty('signal');
    expect(restart!.env).not.toHaveProperty('route_network_1');
  });

  it('see the old device kept and then closed when the server pushes something else', async () => {
    const server = await world.serving(PUSH);
    const alice = await world.connected('alice', `${CLIENT}persist-tun\nup-restart`, { scripts });
    world.kill(server);
    await world.serving('push "route 10.41.0.0 255.255.0.0"');
    alice.tunnel.restart();
    await world.until(() => alice.ups === 2);
    expect(calls().slice(5)).toEqual([
      'down restart restart',
      ...VERIFIED,
      'up restart',
      'route-pre-down init UNKNOWN',
      'down init UNKNOWN',
      'up init UNKNOWN',
      'route-up UNKNOWN',
    ]);
    const env = scripts.ofType('up').at(-1)!.env;
    expect(env).not.toHaveProperty('OPENVPN_A');
    expect(env).not.toHaveProperty('foreign_option_1');
    expect(env.route_network_1).toBe('10.41.0.0');
  });

  it('are told who the peer says to be, and where, before it is believed', async () => {
    await world.serving();
    await world.connected('alice', CLIENT, { scripts });
    const [authority, leaf] = scripts.ofType('tls-verify');
    expect(authority!.env).toMatchObject({ untrusted_ip: '192.0.2.1', untrusted_port: '1194' });
    expect(authority!.env).not.toHaveProperty('common_name');
    expect(leaf!.env).toMatchObject({ common_name: 'server', untrusted_ip: '192.0.2.1' });
    expect(leaf!.env).not.toHaveProperty('trusted_ip');
  });

  it('that take routes down run without routes, too', async () => {
    await world.serving();
    const alice = await world.connected('alice', CLIENT, { scripts });
    await world.stop(alice);
    expect(calls().slice(-2)).toEqual(['route-pre-down init sigterm', 'down init sigterm']);
    expect(scripts.ofType('up')[0]!.env.dev_type).toBe('tun');
  });

  it('are told of pushed and own DNS servers', async () => {
    await world.serving(
      'push "dns server 1 address 10.8.0.1:5353"\npush "dns search-domains a.example b.example"',
    );
    await world.connected('alice', `${CLIENT}dns server 2 address fd00::1\ndns server 2 sni x.example`, {
      scripts,
    });
    expect(scripts.ofType('up')[0]!.env).toMatchObject({
      dns_server_1_address_1: '10.8.0.1',
      dns_server_1_port_1: '5353',
      dns_server_2_address_1: 'fd00::1',
      dns_server_2_sni: 'x.example',
      dns_search_domain_1: 'a.example',
      dns_search_domain_2: 'b.example',
    });
  });
});

describe('scripts of a server', () => {
  it('hear why the device goes, and know the port that remotes have', async () => {
    const names = 'up /bin/x\ndown /bin/x\nroute-pre-down /bin/x\n';
    const server = await world.serving(`script-security 2\n${names}`, { scripts });
    expect(scripts.calls[0]!.env.remote_port_1).toBe('1194');
    server.tunnel.restart();
    await world.until(() => server.ups === 2);
    await world.stop(server);
    expect(calls()).toEqual([
      'up init',
      'route-pre-down init restart',
      'down init restart',
      'up init',
      'route-pre-down init sigterm',
      'down init sigterm',
    ]);
  });

  it('see the kept device again after a restart, and nothing of its routes', async () => {
    const server = await world.serving(
      `${CLIENT.replace(/tls-verify.*|ipchange.*/g, '')}persist-tun\nup-restart\nroute 10.40.0.0 255.255.0.0`,
      { scripts },
    );
    server.tunnel.restart();
    await world.until(() => server.ups === 2);
    await world.stop(server);
    expect(calls()).toEqual([
      'up init',
      'route-up',
      'down restart restart',
      'up restart',
      'route-pre-down init sigterm',
      'down init sigterm',
    ]);
    const [init, restart] = scripts.ofType('up');
    expect(init!.env).toMatchObject({ ifconfig_local: '10.8.0.1', route_network_1: '10.40.0.0' });
    expect(restart!.env).toMatchObject({ ifconfig_local: '10.8.0.1', script_context: 'restart' });
    expect(restart!.env).not.toHaveProperty('signal');
    expect(restart!.env).not.toHaveProperty('route_network_1');
    for (const { env } of scripts.ofType('down')) expect(env.ifconfig_local).toBe('10.8.0.1');
  });

  it('see the kept device without up-restart, too', async () => {
    const server = await world.serving('script-security 2\ndown /bin/x\npersist-tun', { scripts });
    server.tunnel.restart();
    await world.until(() => server.ups === 2);
    await world.stop(server);
    expect(calls()).toEqual(['down init sigterm']);
    expect(scripts.ofType('down')[0]!.env).toMatchObject({ ifconfig_local: '10.8.0.1', dev: 'tun0' });
  });

  it('hear of an end in the pause before a restart', async () => {
    const server = await world.serving('script-security 2\ndown /bin/x\npersist-tun', { scripts });
    server.tunnel.restart();
    await world.until(() => server.count('Restart pause') === 1);
    await world.stop(server);
    expect(calls()).toEqual(['down init init_instance']);
  });

  it('count connections without client-connect, each client once, the last ones at the end', async () => {
    const server = await world.serving('client-disconnect /bin/cd\nlearn-address /bin/la', { scripts });
    const alice = await world.connected('alice');
    await world.connected('bob');
    alice.tunnel.restart();
    await world.until(() => alice.ups === 2);
    await world.stop(server);
    const gone = scripts.ofType('client-disconnect').map(({ env }) => env.common_name);
    expect(gone.slice(0, 1)).toEqual(['alice']);
    expect(gone.slice(1).sort()).toEqual(['alice', 'bob']);
    for (const { env } of scripts.ofType('client-disconnect'))
      expect(Number(env.bytes_received)).toBeGreaterThan(0);
    const deletes = scripts.calls.filter(({ args }) => args[0] === 'delete');
    expect(deletes.map(({ env }) => env)).toEqual(deletes.map(() => ({ script_type: 'learn-address' })));
    expect(deletes).toHaveLength(2);
  });

  it('count one that left while client-connect let it in', async () => {
    const answer = later<number>();
    scripts.answer = (call: ScriptCall) => (call.env.script_type === 'client-connect' ? answer.promise : 0);
    const server = await world.serving('client-connect /bin/cc\nclient-disconnect /bin/cd', { scripts });
    const alice = world.client('alice');
    await world.until(() => scripts.ofType('client-connect').length === 1);
    const ended = world.stop(server);
    await world.run(1000);
    expect(scripts.ofType('client-disconnect')).toEqual([]);
    answer.resolve(0);
    await ended;
    expect(scripts.ofType('client-disconnect')).toHaveLength(1);
    await world.stop(alice);
  });
});

/** Each call as `type [depth] [context] [signal]`. */
function calls(): string[] {
  return scripts.calls.map(({ args, env }) => {
    const type = env.script_type!;
    const own =
      type === 'tls-verify' ? args[0] : /^(up|down|route-pre-down)$/.test(type) ? args.at(-1) : undefined;
    return [type, own, env.signal].filter((word) => word !== undefined).join(' ');
  });
}

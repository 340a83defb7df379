/** What a server does for single clients: client files, scripts, logins; others go on undisturbed. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { later, RecordedScripts, type ScriptCall } from '../../test-kit/recorded-scripts.ts';
import { TunnelWorld } from '../../test-kit/tunnel-world.ts';

let world: TunnelWorld;
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ovpn-world-'));
  mkdirSync(join(dir, 'ccd'));
  world = new TunnelWorld();
});
afterEach(async () => {
  await world.close();
  rmSync(dir, { recursive: true });
});

describe('client-config-dir', () => {
  it('gives fixed addresses, networks behind the client, and pushed options', async () => {
    const server = await world.serving(
      ccd(
        'alice',
        'ifconfig-push 10.8.0.99 255.255.255.0\niroute 192.168.77.0 255.255.255.0\npush "route 10.99.0.0 255.255.0.0"',
      ),
    );
    const alice = await world.connected('alice');
    expect(alice.address).toBe('10.8.0.99');
    expect(alice.network.routes.map(({ network, prefix }) => `${network}/${prefix}`)).toEqual([
      '10.99.0.0/16',
    ]);
    expect(await world.ping(server, '192.168.77.5', '10.8.0.1')).toBe(true);
    expect(await world.ping(alice, '10.8.0.1', '192.168.77.5')).toBe(true);
    expect(server.tunnel.status()?.routes).toMatchObject([
      { virtualAddress: '192.168.77.0/24', commonName: 'alice', cached: false },
      { virtualAddress: '192.168.77.5', commonName: 'alice', cached: true },
      { virtualAddress: '10.8.0.99', commonName: 'alice' },
    ]);
  });

  it('may give an address outside of the constraint, which is told', async () => {
    const server = await world.serving(ccd('alice', 'ifconfig-push 10.9.0.5 255.255.255.0'));
    const alice = await world.connected('alice');
    expect(alice.address).toBe('10.9.0.5');
    const told =
      / \(10\.9\.0\.5\) violates tunnel network\/netmask constraint \(10\.8\.0\.0\/255\.255\.255\.0\)$/;
    expect(server.count(told)).toBe(1);
  });

  it('tells learn-address of an update when a client comes back at once', async () => {
    const scripts = new RecordedScripts();
    await world.serving('learn-address /bin/la', { scripts });
    const alice = await world.connected('alice');
    alice.tunnel.restart();
    await world.until(() => alice.ups === 2);
    await world.run(30_000);
    expect(scripts.lines).toEqual([
      'learn-address add 10.8.0.2 alice',
      'learn-address update 10.8.0.2 alice',
    ]);
  });

  it('replaces what the server would push after push-reset', async () => {
    await world.serving(
      `push "route 10.50.0.0 255.255.0.0"\n${ccd('alice', 'push-reset\npush "route 10.51.0.0 255.255.0.0"\npush "topology subnet"\npush "route-gateway 10.8.0.1"')}`,
    );
    const alice = await world.connected('alice');
    expect(alice.network.lines.filter((line) => line.startsWith('route add'))).toEqual([
      expect.stringContaining('10.51.0.0/16'),
    ]);
    const bob = await world.connected('bob');
    expect(bob.network.routes.map((route) => route.network)).toEqual(['10.50.0.0']);
  });

  it('locks a client out with disable, and all without a file with ccd-exclusive', async () => {
    const server = await world.serving(`ccd-exclusive\n${ccd('alice', 'disable')}`);
    writeFileSync(join(dir, 'ccd', 'carol'), '');
    const alice = world.client('alice');
    const bob = world.client('bob');
    const carol = world.client('carol');
    await world.until(() => alice.ended !== undefined && bob.ended !== undefined && carol.ups === 1);
    expect(alice.count('AUTH: Received control message: AUTH_FAILED')).toBe(1);
    expect(bob.count('SIGTERM[soft,auth-failure] received, process exiting')).toBe(1);
    expect(server.count("client has been rejected due to 'disable' directive")).toBe(1);
    await world.run(6000);
    expect(server.tunnel.status()?.clients.map((client) => client.commonName)).toEqual(['carol']);
  });

  it('keeps an address that ifconfig-pool-persist remembers', async () => {
    const file = join(dir, 'ipp.txt');
    writeFileSync(file, 'bob,10.8.0.42,\n');
    const server = await world.serving(`ifconfig-pool-persist ${file}`);
    expect((await world.connected('alice')).address).toBe('10.8.0.2');
    expect((await world.connected('bob')).address).toBe('10.8.0.42');
    await world.stop(server);
    expect(readFileSync(file, 'utf8')).toBe('alice,10.8.0.2,\nbob,10.8.0.42,\n');
  });
});

describe('client-connect', () => {
  it('may answer late while other clients go on', async () => {
    const answer = later<number>();
    const scripts = new RecordedScripts();
    scripts.answer = ({ env }) => (env.common_name === 'alice' ? answer.promise : 0);
    await world.serving('client-connect /bin/cc', { scripts });
    const alice = world.client('alice');
    await world.until(() => scripts.ofType('client-connect').length === 1);
    const bob = await world.connected('bob');
    expect(await world.ping(bob, '10.8.0.1')).toBe(true);
    await world.run(20_000);
    expect(alice.ups).toBe(0);
    expect(await world.ping(bob, '10.8.0.1')).toBe(true);
    writeFileSync(scripts.calls[0]!.args[0]!, 'ifconfig-push 10.8.0.77 255.255.255.0\n');
    answer.resolve(0);
    await world.until(() => alice.ups === 1);
    expect(alice.address).toBe('10.8.0.77');
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
  });

  it('that fails locks its client out and nobody else; scripts see addresses and totals', async () => {
    const scripts = new RecordedScripts();
    scripts.answer = ({ env }) =>
      env.common_name === 'alice' && env.script_type === 'client-connect' ? 1 : 0;
    const server = await world.serving(
      'client-connect /bin/cc\nclient-disconnect /bin/cd\nlearn-address /bin/la',
      { scripts },
    );
    const bob = await world.connected('bob', 'explicit-exit-notify 1');
    const alice = world.client('alice');
    await world.until(() => alice.ended !== undefined);
    expect(await world.ping(bob, '10.8.0.1')).toBe(true);
    await world.run(6000);
    await world.stop(bob);
    await world.until(() => scripts.ofType('client-disconnect').length === 2);
    await world.until(() => scripts.ofType('learn-address').length === 2);
    expect(scripts.lines.map((line) => line.replace(/ \/tmp\/\S+/, ' FILE'))).toEqual([
      'client-connect FILE',
      'learn-address add 10.8.0.2 bob',
      'client-connect FILE',
      'client-disconnect',
      'client-disconnect',
      'learn-address delete 10.8.0.2',
    ]);
    expect(scripts.ofType('client-connect')[0]!.env).toMatchObject({
      common_name: 'bob',
      ifconfig_pool_remote_ip: '10.8.0.2',
      ifconfig_pool_netmask: '255.255.255.0',
      trusted_ip: '198.51.100.10',
      X509_0_CN: 'bob',
    });
    expect(Number(scripts.ofType('client-disconnect')[0]!.env.bytes_received)).toBeGreaterThan(100);
    expect(server.tunnel.status()?.clients).toEqual([]);
  });

  it('that still runs when its client goes does no harm', async () => {
    const answer = later<number>();
    const scripts = new RecordedScripts();
    scripts.answer = () => answer.promise;
    const server = await world.serving('proto tcp-server\nclient-connect /bin/cc', { scripts });
    const alice = world.client('alice', 'proto tcp-client');
    await world.until(() => scripts.calls.length === 1);
    await world.stop(alice);
    await world.until(() => server.tunnel.status()?.clients.length === 0);
    answer.resolve(0);
    await world.run(1000);
    expect(server.tunnel.status()).toMatchObject({ clients: [], routes: [] });
    scripts.answer = () => 0;
    // An address that nobody had comes before one that is free again.
    expect((await world.connected('bob', 'proto tcp-client')).address).toBe('10.8.0.3');
  });
});

describe('auth-user-pass-verify', () => {
  const SERVER = 'auth-user-pass-verify /bin/check via-env\nusername-as-common-name';
  const login = (name: string) => `<auth-user-pass>\n${name}\nsecret-${name}\n</auth-user-pass>`;
  /** The script decides by the user's name; `slow` is deferred. */
  const answer = ({ env }: ScriptCall): number =>
    env.username === 'slow' ? 2 : env.password === `secret-${env.username}` ? 0 : 1;

  it('sees name and password, and the name may become the common name', async () => {
    const scripts = new RecordedScripts();
    scripts.answer = answer;
    const server = await world.serving(SERVER, { scripts });
    const alice = await world.connected('alice', login('anna'));
    expect(scripts.ofType('user-pass-verify')[0]!.env).toMatchObject({
      username: 'anna',
      password: 'secret-anna',
      untrusted_ip: '198.51.100.10',
    });
    expect(server.tunnel.status()?.clients).toMatchObject([{ commonName: 'anna', username: 'anna' }]);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    expect([...server.log.lines, ...alice.log.lines].filter((line) => line.includes('secret-anna'))).toEqual(
      [],
    );
  });

  it('may defer its answer while other clients go on', async () => {
    const scripts = new RecordedScripts();
    scripts.answer = answer;
    await world.serving(SERVER, { scripts });
    const slow = world.client('alice', login('slow'));
    await world.until(() => scripts.calls.length === 1);
    const bob = await world.connected('bob', login('bert'));
    await world.run(3000);
    expect(await world.ping(bob, '10.8.0.1')).toBe(true);
    expect(slow.ups).toBe(0);
    writeFileSync(scripts.calls[0]!.env.auth_control_file!, '1');
    await world.until(() => slow.ups === 1);
    expect(await world.ping(slow, '10.8.0.1')).toBe(true);
  });

  it('may refuse late, with a reason', async () => {
    const scripts = new RecordedScripts();
    scripts.answer = answer;
    const server = await world.serving(SERVER, { scripts });
    const slow = world.client('alice', login('slow'));
    await world.until(() => scripts.calls.length === 1);
    const { auth_control_file, auth_failed_reason_file } = scripts.calls[0]!.env;
    writeFileSync(auth_failed_reason_file!, 'out of office');
    writeFileSync(auth_control_file!, '0');
    await world.until(() => slow.ended !== undefined);
    expect(slow.count('AUTH: Received control message: AUTH_FAILED,out of office')).toBe(1);
    await world.until(() => server.tunnel.status()?.clients.length === 0);
  });
});

/** A client file and the option that uses it. */
function ccd(name: string, text: string): string {
  writeFileSync(join(dir, 'ccd', name), `${text}\n`);
  return `client-config-dir ${join(dir, 'ccd')}`;
}

/** Functions of the library's caller as hooks of a client and of a server: they decide, and are told. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { login } from '../../test-kit/guarded-login.ts';
import { RecordedScripts } from '../../test-kit/recorded-scripts.ts';
import { TunnelWorld } from '../../test-kit/tunnel-world.ts';
import { parseConfig } from '../options/options.ts';
import type { HookFunctions } from '../script/script.ts';

let world: TunnelWorld;
beforeEach(() => {
  world = new TunnelWorld();
});
afterEach(() => world.close());

const LOGINS = 'verify-client-cert none\nusername-as-common-name';

describe('hooks of a server', () => {
  it('decide logins', async () => {
    const hooks: HookFunctions = {
      authUserPassVerify: async ({ username, password, env }) => {
        if (env.untrusted_ip === undefined || 'password' in env) return false;
        return password === 'right' && username === 'anna' ? true : { ok: false, reason: 'unknown name' };
      },
    };
    const server = await world.serving(LOGINS, { library: { hooks } });
    const anna = await world.connected('alice', login('right'));
    expect(await world.ping(anna, '10.8.0.1')).toBe(true);
    const mallory = world.client('bob', login('wrong'));
    await world.until(
      () => mallory.count('AUTH: Received control message: AUTH_FAILED,unknown name') > 0,
      60_000,
    );
    expect(server.tunnel.status()?.clients[0]?.commonName).toBe('anna');
    expect(mallory.ups).toBe(0);
    expect(server.scripts.calls).toEqual([]);
  });

  it('come before scripts, which must agree as well', async () => {
    const scripts = new RecordedScripts();
    const asked: string[] = [];
    scripts.answer = ({ env }) => {
      asked.push(`script ${env.common_name}`);
      return env.common_name === 'alice' ? 0 : 1;
    };
    const hooks: HookFunctions = {
      clientConnect: ({ env }) => {
        asked.push(`function ${env.common_name}`);
        return true;
      },
    };
    await world.serving('client-connect /bin/connect', { scripts, library: { hooks } });
    await world.connected('alice');
    const bob = world.client('bob');
    await world.until(() => bob.count('AUTH_FAILED') > 0, 60_000);
    expect(asked).toEqual(['function alice', 'script alice', 'function bob', 'script bob']);
  });

  it('give a client options, and hear of its end', async () => {
    const told: string[] = [];
    const hooks: HookFunctions = {
      clientConnect: ({ env }) => {
        told.push(`connect ${env.common_name} ${env.ifconfig_pool_remote_ip}`);
        return 'push "route 10.77.0.0 255.255.0.0"\nifconfig-push 10.8.0.99 255.255.255.0';
      },
      clientDisconnect: ({ env }) => told.push(`disconnect ${env.common_name}`),
      learnAddress: ({ operation, address, commonName }) => {
        told.push(`${operation} ${address} ${commonName}`);
        return true;
      },
    };
    await world.serving('', { library: { hooks } });
    const alice = await world.connected('alice', 'explicit-exit-notify 1');
    expect(alice.address).toBe('10.8.0.99');
    void alice.tunnel.stop();
    await world.until(() => told.some((line) => line.startsWith('disconnect')), 120_000);
    expect(told).toContain('connect alice 10.8.0.2');
    expect(told).toContain('add 10.8.0.99 alice');
    expect(told.at(-1)).toMatch(/^(disconnect alice|delete 10\.8\.0\.99 undefined)$/);
  });

  it('that throw refuse one client', async () => {
    const hooks: HookFunctions = {
      authUserPassVerify: ({ password }) => {
        if (password !== 'right') throw new Error('no database');
        return true;
      },
    };
    const server = await world.serving(LOGINS, { library: { hooks } });
    const bob = world.client('bob', login('wrong'));
    await world.until(() => bob.count('AUTH_FAILED') > 0, 60_000);
    expect(server.count('WARNING: the hook authUserPassVerify threw: no database')).toBe(1);
    const anna = await world.connected('alice', login('right'));
    expect(await world.ping(anna, '10.8.0.1')).toBe(true);
  });
});

describe('hooks of a client', () => {
  it('judge the server, and are told of the device', async () => {
    await world.serving();
    const told: string[] = [];
    const hooks: HookFunctions = {
      tlsVerify: ({ depth, subject }) => depth > 0 || subject === 'CN=server',
      up: ({ dev, tunMtu, ifconfigLocal }) => told.push(`up ${dev} ${tunMtu} ${ifconfigLocal}`),
      routeUp: ({ env }) => told.push(`route-up ${env.dev}`),
      ipchange: ({ from }) => told.push(`ipchange ${from.port}`),
      routePreDown: ({ signal }) => told.push(`route-pre-down ${signal}`),
      down: ({ signal }) => told.push(`down ${signal}`),
    };
    const alice = await world.connected('alice', '', { library: { hooks } });
    await alice.tunnel.stop();
    expect(told).toEqual([
      'ipchange 1194',
      `up tun0 1500 ${'10.8.0.2'}`,
      'route-up tun0',
      'route-pre-down sigterm',
      'down sigterm',
    ]);
  });

  it('end the attempt with a no', async () => {
    await world.serving();
    const refusing: HookFunctions = { tlsVerify: () => false };
    const alice = world.client('alice', '', { library: { hooks: refusing } });
    await world.until(() => alice.count('VERIFY SCRIPT ERROR') > 0, 60_000);
    expect(alice.ups).toBe(0);
  });
});

it('without judgesLogins a configuration still has to say who does', () => {
  const text = `dev tun\nserver 10.8.0.0 255.255.255.0\nca x\ncert x\nkey x\ndh none\n${LOGINS}\n`;
  expect(() => parseConfig(text)).toThrow('--verify-client-cert none|optional must be used with');
  expect(parseConfig(text, { judgesLogins: true }).options.usernameAsCommonName).toBe(true);
});

/** Clients that start over on their address: nothing of one TLS session reaches another whose login is undecided. */
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { GUARDED, guardedScripts, login, PLACE } from '../../test-kit/guarded-login.ts';
import { later, RecordedScripts } from '../../test-kit/recorded-scripts.ts';
import { type Station, TunnelWorld } from '../../test-kit/tunnel-world.ts';
import { MultiServer } from '../multi/multi.ts';
import { readControlMessage } from '../push/push.ts';

let world: TunnelWorld;
beforeEach(() => {
  world = new TunnelWorld();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await world.close();
});

function pushedTo(station: Station): number {
  return station.count('PUSH: Received control message') + station.ups;
}

describe('a second session on the address of a client (CVE-2020-15078)', () => {
  it('gets nothing of a connected client, be it by asking or by the renewal of its token', async () => {
    const { scripts, verdict } = guardedScripts(() => 0);
    const renewing = `${GUARDED}\nhand-window 15\nauth-gen-token 3600 30`;
    const server = await world.serving(renewing, { scripts });
    const anna = await world.connected('alice', `${PLACE}\n${login('right')}`);
    await world.run(35_000);
    world.kill(anna);
    const sent = server.count(/SENT CONTROL .*PUSH_REPLY/);
    const mallory = world.client('bob', `${PLACE}\n${login('wrong')}`);
    await world.until(() => server.count('initial untrusted session promoted') === 2, 60_000);
    await world.run(40_000);
    expect(scripts.ofType('user-pass-verify')).toHaveLength(2);
    expect(server.count(/SENT CONTROL .*PUSH_REPLY.*status=1/)).toBeLessThanOrEqual(sent);
    expect(pushedTo(mallory)).toBe(0);
    verdict.resolve(1);
    await world.until(() => mallory.count('AUTH_FAILED') > 0, 60_000);
    expect(pushedTo(mallory)).toBe(0);
  });

  it('that logs in is set up for itself', async () => {
    const connected = later<number>();
    const { scripts } = guardedScripts(() =>
      scripts.ofType('client-connect').length === 1 ? connected.promise : 0,
    );
    const server = await world.serving(GUARDED, { scripts });
    const anna = world.client('alice', `${PLACE}\n${login('right')}`);
    await world.until(() => scripts.ofType('client-connect').length === 1);
    world.kill(anna);
    const again = world.client('bob', `${PLACE}\n${login('right')}`);
    await world.until(() => again.ups === 1, 60_000);
    connected.resolve(0);
    await world.run(2000);
    expect(scripts.ofType('client-connect')).toHaveLength(2);
    expect(await world.ping(again, '10.8.0.1')).toBe(true);
    expect(server.tunnel.status()?.clients).toHaveLength(1);
  });
});

describe('a client with a fixed port', () => {
  it('that asks for its options before its login is decided waits, and the server lives', async () => {
    const scripts = new RecordedScripts();
    const second = later<number>();
    scripts.answer = () => (scripts.calls.length === 1 ? 0 : second.promise);
    const server = await world.serving('auth-user-pass-verify /bin/check via-env', { scripts });
    const alice = await world.connected('alice', `${PLACE}\n${login('right')}`);
    await world.run(31_000);
    alice.tunnel.restart();
    await world.until(() => scripts.calls.length === 2, 60_000);
    await world.run(10_000);
    expect(server.ended).toBeUndefined();
    expect(server.count('Internal error')).toBe(0);
    expect(alice.ups).toBe(1);
    second.resolve(0);
    await world.until(() => alice.ups === 2, 60_000);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
  });

  it('keeps its addresses when it starts over, and scripts of its end hear of its last session', async () => {
    const scripts = new RecordedScripts();
    await world.serving('client-connect /bin/cc\nclient-disconnect /bin/cd\nkeepalive 5 20', { scripts });
    const alice = await world.connected('alice', PLACE);
    alice.tunnel.restart();
    await world.until(() => alice.ups === 2, 60_000);
    world.kill(alice);
    await world.until(() => scripts.ofType('client-disconnect').length === 1, 120_000);
    expect(scripts.ofType('client-connect')).toHaveLength(1);
    expect(scripts.ofType('client-disconnect')[0]!.env).toMatchObject({
      common_name: 'alice',
      trusted_ip: '198.51.100.10',
      ifconfig_pool_remote_ip: '10.8.0.2',
      IV_PROTO: expect.any(String),
    });
  });
});

describe('clients without a common name', () => {
  it('are not each other', async () => {
    const server = await world.serving('verify-client-cert none\nauth-user-pass-verify /bin/check via-env');
    const one = await world.connected('alice', login('right'));
    const two = await world.connected('bob', login('right'));
    await world.run(5000);
    expect(server.tunnel.status()?.clients).toHaveLength(2);
    expect(one.ups + two.ups).toBe(2);
    expect(one.address).not.toBe(two.address);
    expect(server.count('will cause previous active sessions')).toBe(0);
  });
});

describe('answers to a challenge', () => {
  it('reach one script at a time, one for each challenge, and none once the login is decided', async () => {
    const scripts = new RecordedScripts();
    const heard = later<number>();
    scripts.answer = ({ env }) => {
      if (env.script_type === 'client-crresponse') return heard.promise;
      writeFileSync(env.auth_pending_file!, '60\ncrtext\nCR_TEXT:R,E:pin\n');
      return 2;
    };
    const created = vi.spyOn(MultiServer.prototype, 'createInstance');
    const check = 'auth-user-pass-verify /bin/check via-env\nclient-crresponse /bin/cr';
    const server = await world.serving(check, { scripts });
    world.client('alice', `push-peer-info\nsetenv IV_SSO crtext\n${login('right')}`);
    await world.until(() => server.count('AUTH_PENDING') > 0, 60_000);
    const multi = created.mock.contexts[0] as MultiServer;
    const [instance] = [...multi.instances()];
    const text = 'CR_RESPONSE,MTIz';
    for (let i = 0; i < 60; i++) {
      instance!.handleEvent({ type: 'message', message: readControlMessage(text), text }, world.nowMs);
    }
    await world.run(1000);
    expect(scripts.ofType('client-crresponse')).toHaveLength(1);
    expect(server.count('CR response ignored')).toBe(59);
    heard.resolve(0);
    await world.run(1000);
  });
});

describe('what a client says about itself', () => {
  it('does not pile up in the environment of scripts', async () => {
    const scripts = new RecordedScripts();
    await world.serving('auth-user-pass-verify /bin/check via-env\nreneg-sec 20', { scripts });
    const created = vi.spyOn(MultiServer.prototype, 'createInstance');
    const alice = await world.connected('alice', `push-peer-info\nsetenv UV_FIRST 1\n${login('right')}`);
    const [instance] = [...(created.mock.contexts[0] as MultiServer).instances()];
    instance!.session.env.set('UV_EARLIER', 'left over');
    await world.until(() => scripts.ofType('user-pass-verify').length === 2, 60_000);
    expect(scripts.calls[1]!.env).not.toHaveProperty('UV_EARLIER');
    expect(scripts.calls[1]!.env).toHaveProperty('UV_FIRST');
    expect(alice.ups).toBe(1);
  });
});

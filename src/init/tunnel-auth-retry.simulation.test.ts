/** What a client makes of AUTH_FAILED, per --auth-retry, and of messages that a server pushes at any time. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RecordedScripts } from '../../test-kit/recorded-scripts.ts';
import { type Station, TunnelWorld } from '../../test-kit/tunnel-world.ts';
import { MultiServer } from '../multi/multi.ts';

const VERIFY = 'auth-user-pass-verify /bin/check via-env';
const LOGIN = '<auth-user-pass>\nanna\nwrong\n</auth-user-pass>';

let world: TunnelWorld;
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ovpn-world-'));
  world = new TunnelWorld();
});
afterEach(async () => {
  await world.close();
  vi.restoreAllMocks();
  rmSync(dir, { recursive: true });
});

describe('AUTH_FAILED', () => {
  it('ends the client by default, and the server forgets it five seconds later', async () => {
    const server = await world.serving(VERIFY, { scripts: answering(1) });
    const alice = world.client('alice', LOGIN);
    await world.until(() => alice.ended !== undefined);
    expect(alice.count('SIGTERM[soft,auth-failure] received, process exiting')).toBe(1);
    expect(alice.hosts).toEqual([]);
    expect(server.tunnel.status()?.clients).toHaveLength(1);
    await world.until(() => server.tunnel.status()?.clients.length === 0, 6000);
    expect(server.count('SIGTERM[soft,delayed-exit] received, client-instance exiting')).toBe(1);
  });

  it('makes a client with auth-retry nointeract try again after ten seconds', async () => {
    const scripts = answering(1);
    await world.serving(VERIFY, { scripts });
    const alice = world.client('alice', `${LOGIN}\nauth-retry nointeract`);
    await world.until(() => alice.count('Restart pause, 10 second(s)') === 1);
    scripts.answer = () => 0;
    await world.until(() => alice.ups === 1);
    expect(alice.count('SIGUSR1[soft,auth-failure] received, process restarting')).toBe(1);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
  });

  it('makes a client with auth-retry interact ask again', async () => {
    const file = join(dir, 'login');
    writeFileSync(file, 'anna\nwrong\n');
    const scripts = answering(1);
    await world.serving(VERIFY, { scripts });
    const alice = world.client('alice', `auth-user-pass ${file}\nauth-retry interact`);
    await world.until(() => alice.count('Restart pause') === 1);
    writeFileSync(file, 'anna\nright\n');
    scripts.answer = ({ env }) => (env.password === 'right' ? 0 : 1);
    await world.until(() => alice.ups === 1);
  });

  it('takes a pushed token away and logs in with the password again', async () => {
    const scripts = answering(0);
    const push = 'push "auth-token tok-1"\npush "auth-token-user YW5uYQ=="';
    await world.serving(`${VERIFY}\n${push}\nreneg-sec 30\nkeepalive 5 20`, { scripts });
    const alice = await world.connected('alice', LOGIN);
    scripts.answer = ({ env }) => (env.password === 'tok-1' && scripts.calls.length > 2 ? 1 : 0);
    await world.until(() => scripts.calls.length >= 2, 60_000);
    expect(scripts.calls[1]!.env).toMatchObject({ username: 'anna', password: 'tok-1' });
    await world.until(() => alice.count('auth-failure (auth-token)') === 1, 120_000);
    await world.until(() => alice.ups === 2, 60_000);
    expect(scripts.calls.at(-1)!.env.password).toBe('wrong');
  });
});

describe('messages of the server', () => {
  it('HALT ends the client', async () => {
    const { alice, say } = await live();
    say('HALT,closing for good');
    await world.until(() => alice.ended !== undefined);
    expect(alice.count("Halt command was pushed by server ('closing for good')")).toBe(1);
    expect(alice.count('SIGTERM[soft,server-pushed-halt]')).toBe(1);
    expect(alice.ended!.error).toMatchObject({ code: 'ERR_OVPN_PEER', message: /closing for good/ });
    expect(alice.network.addresses).toEqual([]);
  });

  it('RESTART makes it connect again, to the same server', async () => {
    const { alice, say } = await live();
    say('RESTART,moving');
    await world.until(() => alice.ups === 2);
    expect(alice.count("Connection reset command was pushed by server ('moving')")).toBe(1);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
  });

  it('INFO and nonsense change nothing', async () => {
    const { alice, say } = await live();
    say('INFO,tea is ready');
    say('NONSENSE');
    say('PUSH_REPLY');
    say(`PUSH_REPLY,${'x'.repeat(900)}`);
    await world.run(2000);
    expect(alice.count("Info command was pushed by server ('tea is ready')")).toBe(1);
    expect(alice.ups).toBe(1);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
  });

  async function live(): Promise<{ alice: Station; say: (text: string) => void }> {
    const created = vi.spyOn(MultiServer.prototype, 'createInstance');
    await world.serving();
    const alice = await world.connected('alice');
    const server = created.mock.contexts[0] as MultiServer;
    const [instance] = server.instances();
    const say = (text: string): void => {
      instance!.peer.sendMessage(text, world.nowMs);
      instance!.peer.drive(world.nowMs);
    };
    return { alice, say };
  }
});

function answering(status: number): RecordedScripts {
  const scripts = new RecordedScripts();
  scripts.answer = () => status;
  return scripts;
}

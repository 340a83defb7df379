import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MemoryLogger, nullLogger } from '../base/base.ts';
import { chain, EnvSet, type HookFunctions, hooksOf } from './script.ts';

const certificate = { depth: 0, subject: 'CN=one', der: new Uint8Array() };
const login = { username: 'anna', password: 'secret' };
const soon = { deadlineMs: 1_000 };

function functions(given: HookFunctions) {
  return hooksOf(given, nullLogger);
}

describe('hooks in TypeScript', () => {
  it('handle what they have a function for, and agree to all else', async () => {
    const hooks = functions({ tlsVerify: () => false });
    expect([hooks.handles('tlsVerify'), hooks.handles('authUserPassVerify')]).toEqual([true, false]);
    expect(await hooks.tlsVerify(new EnvSet(), certificate)).toBe(false);
    expect(await hooks.authUserPassVerify(new EnvSet(), login, soon)).toEqual({ ok: true });
    expect(await hooks.clientConnect(new EnvSet(), soon)).toEqual({ ok: true, config: '' });
    expect(await hooks.up(new EnvSet(), { dev: 'tun0', tunMtu: 1500, context: 'init' })).toBe(true);
  });

  it('see what scripts see, without passwords', async () => {
    const env = new EnvSet();
    env.set('common_name', 'one');
    env.set('password', 'secret');
    let seen: unknown;
    await functions({
      learnAddress: (event) => {
        seen = event;
        return true;
      },
    }).learnAddress(env, 'add', '10.8.0.2', 'one');
    expect(seen).toEqual({
      operation: 'add',
      address: '10.8.0.2',
      commonName: 'one',
      env: expect.objectContaining({ common_name: 'one' }),
    });
    expect(seen).not.toHaveProperty('env.password');
  });

  it('accept nothing but true where they decide', async () => {
    for (const answer of [undefined, 1, 'yes', null, false, {}, { ok: 'yes', reason: 7 }]) {
      const hooks = functions({
        tlsVerify: () => answer as never,
        authUserPassVerify: () => answer as never,
      });
      expect(await hooks.tlsVerify(new EnvSet(), certificate)).toBe(false);
      expect(await hooks.authUserPassVerify(new EnvSet(), login, soon)).toEqual({ ok: false });
    }
  });

  it('say why a login is refused', async () => {
    const hooks = functions({ authUserPassVerify: async () => ({ ok: false, reason: 'too late' }) });
    expect(await hooks.authUserPassVerify(new EnvSet(), login, soon)).toEqual({
      ok: false,
      reason: 'too late',
    });
  });

  it('give a client options', async () => {
    const hooks = functions({ clientConnect: () => 'push "route 10.9.0.0"' });
    expect(await hooks.clientConnect(new EnvSet(), soon)).toEqual({
      ok: true,
      config: 'push "route 10.9.0.0"',
      file: 'client-connect hook',
    });
    const refusing = functions({ clientConnect: () => false });
    expect(await refusing.clientConnect(new EnvSet(), soon)).toEqual({ ok: false, config: '' });
  });

  it('that throw have failed, and the log says so', async () => {
    const log = new MemoryLogger(3);
    const hooks = hooksOf(
      {
        tlsVerify: () => {
          throw new Error('broken');
        },
        authUserPassVerify: () => Promise.reject(new Error('no database')),
        up: () => Promise.reject(new Error('no dns')),
      },
      log,
    );
    expect(await hooks.tlsVerify(new EnvSet(), certificate)).toBe(false);
    expect(await hooks.authUserPassVerify(new EnvSet(), login, soon)).toEqual({ ok: false });
    expect(await hooks.up(new EnvSet(), { dev: 'tun0', tunMtu: 1500, context: 'init' })).toBe(false);
    expect(log.lines).toEqual([
      'WARNING: the hook tlsVerify threw: broken',
      'WARNING: the hook authUserPassVerify threw: no database',
      'WARNING: the hook up threw: no dns',
    ]);
  });
});

describe('an answer that takes its time', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is refused at its deadline, which AUTH_PENDING puts off', async () => {
    let ended = false;
    const hooks = functions({
      authUserPassVerify: ({ pend, signal }) => {
        signal.addEventListener('abort', () => {
          ended = true;
        });
        expect(pend({ timeoutSec: 60, method: 'unknown', extra: '' })).toBe(false);
        expect(pend({ timeoutSec: 60, method: 'webauth', extra: 'https://x' })).toBe(true);
        return new Promise(() => undefined);
      },
    });
    const onPending = ({ method }: { method: string }) => (method === 'webauth' ? 5_000 : 0);
    let answer: unknown;
    const asked = hooks.authUserPassVerify(new EnvSet(), login, { ...soon, onPending }).then((given) => {
      answer = given;
    });
    await vi.advanceTimersByTimeAsync(4_999);
    expect([answer, ended]).toEqual([undefined, false]);
    await vi.advanceTimersByTimeAsync(1);
    await asked;
    expect([answer, ended]).toEqual([{ ok: false }, true]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is void when nobody waits for it any more', async () => {
    const gone = new AbortController();
    const hooks = functions({ clientConnect: () => new Promise(() => undefined) });
    const asked = hooks.clientConnect(new EnvSet(), { ...soon, signal: gone.signal });
    gone.abort();
    expect(await asked).toEqual({ ok: false, config: '' });
    expect(await hooks.clientConnect(new EnvSet(), { ...soon, signal: gone.signal })).toEqual({
      ok: false,
      config: '',
    });
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a chain of hooks', () => {
  it('handles what one of them does', () => {
    const hooks = chain(functions({ up: () => undefined }), functions({ tlsVerify: () => true }));
    expect([hooks.handles('up'), hooks.handles('tlsVerify'), hooks.handles('down')]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('agrees when all do, and asks nobody after a no', async () => {
    const asked: string[] = [];
    const saying = (name: string, ok: boolean) =>
      functions({
        tlsVerify: () => {
          asked.push(name);
          return ok;
        },
        authUserPassVerify: () => ({ ok, reason: name }),
      });
    const hooks = chain(saying('one', true), saying('two', false), saying('three', true));
    expect(await hooks.tlsVerify(new EnvSet(), certificate)).toBe(false);
    expect(asked).toEqual(['one', 'two']);
    expect(await hooks.authUserPassVerify(new EnvSet(), login, soon)).toEqual({ ok: false, reason: 'two' });
    const all = chain(saying('one', true), saying('two', true));
    expect(await all.authUserPassVerify(new EnvSet(), login, soon)).toEqual({ ok: true });
  });

  it('gives a client the options of all, and tells all of its end', async () => {
    const told: number[] = [];
    const giving = (config: string | true) =>
      functions({ clientConnect: () => config, clientDisconnect: () => told.push(told.length) });
    const hooks = chain(giving('a'), giving(true), giving('b'));
    expect(await hooks.clientConnect(new EnvSet(), soon)).toEqual({
      ok: true,
      config: 'a\nb',
      file: 'client-connect hook',
    });
    await hooks.clientDisconnect(new EnvSet());
    expect(told).toEqual([0, 1, 2]);
  });
});

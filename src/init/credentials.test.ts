/** Where a client's login comes from, and what a pushed token does to it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { defaultOptions, type Options } from '../options/options.ts';
import { UserPass } from './credentials.ts';

const dir = mkdtempSync(join(tmpdir(), 'ovpn-login-'));
afterAll(() => rmSync(dir, { recursive: true }));

describe('UserPass', () => {
  it('is not wanted without auth-user-pass', async () => {
    const login = userPass({});
    await login.prepare();
    expect(login.wanted).toBe(false);
    expect(login.current()).toBeUndefined();
  });

  it('reads a file or an inline block, with either line ending', async () => {
    const fromFile = userPass({ authUserPass: file('anna\r\nsecret word\r\nignored\r\n') });
    const inline = userPass({ authUserPass: { kind: 'inline', text: 'anna\nsecret word\n' } });
    for (const login of [fromFile, inline]) {
      await login.prepare();
      expect(login.current()).toEqual({ username: 'anna', password: 'secret word' });
    }
  });

  it('reads the file once, until it is told to forget', async () => {
    const source = file('anna\none\n');
    const login = userPass({ authUserPass: source });
    await login.prepare();
    file('anna\ntwo\n');
    await login.prepare();
    expect(login.current()?.password).toBe('one');
    login.forget();
    await login.prepare();
    expect(login.current()?.password).toBe('two');
  });

  it("rejects in 2.x's words when the file is missing or empty", async () => {
    const missing = userPass({ authUserPass: { kind: 'file', path: '/nowhere/login' } });
    await expect(missing.prepare()).rejects.toThrow("Error opening 'Auth' auth file: /nowhere/login");
    await expect(userPass({ authUserPass: file('') }).prepare()).rejects.toThrow(
      'Error reading username from Auth authfile',
    );
  });

  it('can ask nobody where there is no terminal', async () => {
    const { isTTY } = process.stdin;
    process.stdin.isTTY = false;
    try {
      await expect(userPass({ authUserPass: 'prompt' }).prepare()).rejects.toThrow(/can't ask for/);
      await expect(userPass({ authUserPass: file('anna\n') }).prepare()).rejects.toThrow(/can't ask for/);
    } finally {
      process.stdin.isTTY = isTTY;
    }
  });

  it("lets a token take the password's place until it is dropped", async () => {
    const login = userPass({ authUserPass: file('anna\nsecret\n') });
    await login.prepare();
    login.setToken('tok', undefined);
    expect(login.current()).toEqual({ username: 'anna', password: 'tok' });
    login.setToken('tok2', 'anna@site');
    expect(login.current()).toEqual({ username: 'anna@site', password: 'tok2' });
    expect(login.dropToken()).toBe(true);
    expect(login.dropToken()).toBe(false);
    expect(login.current()).toEqual({ username: 'anna', password: 'secret' });
  });

  it('with auth-nocache forgets the password once a token has its place', async () => {
    const login = userPass({ authUserPass: file('anna\nsecret\n'), authNocache: true });
    await login.prepare();
    login.used();
    expect(login.current()?.password).toBe('secret');
    login.setToken('tok', undefined);
    login.used();
    expect(login.current()).toEqual({ username: 'anna', password: 'tok' });
    login.dropToken();
    await login.prepare();
    expect(login.current()).toEqual({ username: 'anna', password: 'secret' });
  });
});

function userPass(changes: Partial<Options>): UserPass {
  return new UserPass(Object.assign(defaultOptions(), changes));
}

function file(text: string): { kind: 'file'; path: string } {
  const path = join(dir, 'login');
  writeFileSync(path, text);
  return { kind: 'file', path };
}

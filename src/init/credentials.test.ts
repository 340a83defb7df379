import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { MemoryLogger, OpenVpnError } from '../base/base.ts';
import { defaultOptions, type Options } from '../options/options.ts';
import { UserPass } from './credentials.ts';

/** Where a client's login comes from, what a pushed token does to it, and challenges. */
const dir = mkdtempSync(join(tmpdir(), 'ovpn-login-'));
afterAll(() => rmSync(dir, { recursive: true }));

const FILE = { kind: 'inline', text: 'alice\nsecret\n' } as const;

describe('username and password', () => {
  it('come from the configuration and stay for the next key, with one warning', async () => {
    const { login, log } = create({ authUserPass: FILE });
    await login.prepare();
    expect(login.current()).toEqual({ username: 'alice', password: 'secret' });
    expect(login.current()).toEqual({ username: 'alice', password: 'secret' });
    expect(log.lines.filter((line) => line.includes('may cache passwords in memory'))).toHaveLength(1);
  });

  it('are read again for every key with --auth-nocache', async () => {
    const { login, log, asked } = create({ authUserPass: FILE, authNocache: true });
    await login.prepare();
    for (let i = 0; i < 3; i++) expect(login.current()).toEqual({ username: 'alice', password: 'secret' });
    expect(asked).toEqual([]);
    expect(log.lines).toEqual([]);
  });

  it('are asked for where the configuration has none, and again when they were forgotten', async () => {
    const answers = ['bob', 'one', 'bob', 'two'];
    const { login, asked, answered } = create({ authUserPass: 'prompt' }, answers);
    await login.prepare();
    expect(login.current()).toEqual({ username: 'bob', password: 'one' });
    expect(asked).toEqual(['Enter Auth Username: true', 'Enter Auth Password: false']);
    login.forget();
    expect(login.current()).toBe('pending');
    expect(login.current()).toBe('pending');
    await answered();
    expect(login.current()).toEqual({ username: 'bob', password: 'two' });
  });

  it('fail with the words of 2.x where there is nothing to read', async () => {
    const empty = create({ authUserPass: { kind: 'inline', text: '' } }).login;
    await expect(empty.prepare()).rejects.toThrow('Error reading username from Auth authfile');
    const missing = create({ authUserPass: { kind: 'file', path: '/nonexistent/login' } }).login;
    await expect(missing.prepare()).rejects.toThrow("Error opening 'Auth' auth file: /nonexistent/login");
    const { login } = create({ authUserPass: 'prompt' }, ['']);
    await expect(login.prepare()).rejects.toThrow('username is empty');
  });

  it('come from a file with either line ending, read once until they are forgotten', async () => {
    const source = file('anna\r\nsecret word\r\nignored\r\n');
    const { login } = create({ authUserPass: source });
    await login.prepare();
    file('anna\ntwo\n');
    await login.prepare();
    expect(login.current()).toEqual({ username: 'anna', password: 'secret word' });
    login.forget();
    await login.prepare();
    expect(login.current()).toEqual({ username: 'anna', password: 'two' });
  });

  it('can not be asked for where there is no terminal', async () => {
    let told: OpenVpnError | undefined;
    const login = new UserPass({
      options: { ...defaultOptions(), authUserPass: 'prompt' },
      ask: () => Promise.reject(new OpenVpnError("can't ask for 'Enter Auth Username:'")),
      log: new MemoryLogger(),
      onAnswer: (error) => {
        told = error;
      },
    });
    await expect(login.prepare()).rejects.toThrow(/can't ask for/);
    expect(login.current()).toBe('pending');
    await new Promise((resolve) => setImmediate(resolve));
    expect(told?.message).toMatch(/can't ask for/);
  });

  it('are not wanted without --auth-user-pass', async () => {
    const { login } = create({});
    await login.prepare();
    expect(login.current()).toBeUndefined();
  });
});

describe('a pushed token', () => {
  it('takes the password’s place until the server refuses it', async () => {
    const { login } = create({ authUserPass: FILE });
    await login.prepare();
    login.current();
    login.setToken('SESS_ID_1', undefined);
    expect(login.current()).toEqual({ username: 'alice', password: 'SESS_ID_1' });
    login.setToken('SESS_ID_2', 'renamed');
    login.setToken('SESS_ID_3', undefined);
    expect(login.current()).toEqual({ username: 'renamed', password: 'SESS_ID_3' });
    expect(login.dropToken()).toBe(true);
    expect(login.dropToken()).toBe(false);
    expect(login.current()).toEqual({ username: 'alice', password: 'secret' });
  });

  it('is of use without --auth-user-pass only with a name of its own', () => {
    const { login } = create({});
    login.setToken('SESS_ID_1', undefined);
    expect(login.current()).toBeUndefined();
    expect(login.dropToken()).toBe(false);
    login.setToken('SESS_ID_1', 'cert-user');
    expect(login.current()).toEqual({ username: 'cert-user', password: 'SESS_ID_1' });
  });
});

describe('challenges', () => {
  it('of the configuration are answered with the password', async () => {
    const challenge = { text: 'Colour?', echo: true, format: 'scrv1' } as const;
    const { login, asked } = create({ authUserPass: FILE, staticChallenge: challenge }, ['blue']);
    await login.prepare();
    expect(asked).toEqual(['CHALLENGE: Colour? true']);
    expect(login.current()).toEqual({ username: 'alice', password: 'SCRV1:c2VjcmV0:Ymx1ZQ==' });
    const concat = create({ authUserPass: FILE, staticChallenge: { ...challenge, format: 'concat' } }, ['7']);
    await concat.login.prepare();
    expect(concat.login.current()).toEqual({ username: 'alice', password: 'secret7' });
  });

  it('of the server replace name and password once', async () => {
    const { login, asked } = create({ authUserPass: FILE }, ['42']);
    await login.prepare();
    login.setChallenge('CRV1:R:state:Ym9i:Say: 42');
    await login.prepare();
    expect(asked).toEqual(['CHALLENGE: Say: 42 false']);
    expect(login.current()).toEqual({ username: 'bob', password: 'CRV1::state::42' });
    login.forget();
    await login.prepare();
    expect(login.current()).toEqual({ username: 'alice', password: 'secret' });
  });

  it('that are none change nothing', async () => {
    const { login } = create({ authUserPass: FILE });
    await login.prepare();
    for (const text of ['', 'CRV1', 'CRV1:R:state', 'CRV2:R:state:Ym9i:x']) login.setChallenge(text);
    expect(login.current()).toEqual({ username: 'alice', password: 'secret' });
  });
});

function file(text: string): { kind: 'file'; path: string } {
  const path = join(dir, 'login');
  writeFileSync(path, text);
  return { kind: 'file', path };
}

function create(settings: Partial<Options>, answers: string[] = []) {
  const log = new MemoryLogger();
  const asked: string[] = [];
  let told: () => void = () => undefined;
  const login = new UserPass({
    options: { ...defaultOptions(), ...settings },
    ask: async ({ text, echo }) => {
      asked.push(`${text} ${echo}`);
      return answers.shift() ?? '';
    },
    log,
    onAnswer: () => told(),
  });
  const answered = () =>
    new Promise<void>((resolve) => {
      told = resolve;
    });
  return { login, log, asked, answered };
}

/** Small parts around the process: port names, tool modes, PID files, dropped privileges. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { MemoryLogger } from '../base/base.ts';
import { readStaticKey } from '../crypto/crypto.ts';
import { defaultOptions, type Options, type ParseResult } from '../options/options.ts';
import { portOf } from './port.ts';
import { Privileges } from './privileges.ts';
import { runTool } from './tools.ts';

const dir = mkdtempSync(join(tmpdir(), 'ovpn-parts-'));
afterAll(() => rmSync(dir, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

describe('portOf', () => {
  it('takes numbers', () => {
    expect(portOf('1194')).toBe(1194);
    expect(portOf('65535')).toBe(65535);
  });

  it('takes names of services where the machine has a list of them', () => {
    if (existsSync('/etc/services')) expect(portOf('https')).toBe(443);
    else expect(() => portOf('https')).toThrow();
  });

  it('refuses anything else', () => {
    for (const text of ['', '-1', '65536', '1194x', '12 34', 'no-such-service', '# comment', '0x10']) {
      expect(() => portOf(text)).toThrow(`RESOLVE: Cannot parse port number: '${text}'`);
    }
  });
});

describe('runTool', () => {
  it('prints a fresh static key, or writes it for its owner alone', () => {
    const printed: string[] = [];
    const print = (text: string): void => void printed.push(text);
    expect(runTool(tool({ type: 'secret', file: undefined }), print)).toBe(0);
    expect(readStaticKey(printed[0]!)).toHaveLength(256);
    const path = join(dir, 'ta.key');
    expect(runTool(tool({ type: 'secret', file: path }), print)).toBe(0);
    expect(printed).toHaveLength(1);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8')).not.toBe(printed[0]);
  });
});

describe('Privileges', () => {
  it('writes the PID file and removes it', () => {
    const { privileges, log } = createPrivileges();
    const path = join(dir, 'pid');
    expect(privileges.writePid(path)).toBe(path);
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`);
    privileges.removePid(path);
    expect(existsSync(path)).toBe(false);
    privileges.removePid(path);
    expect(log.lines).toEqual([`Note: cannot remove pid file ${path}`]);
    expect(privileges.writePid(undefined)).toBeUndefined();
    privileges.removePid(undefined);
    expect(() => privileges.writePid('/nowhere/pid')).toThrow(/^Open error on pid file \/nowhere\/pid: /);
  });

  it('sets the group before the user, once', () => {
    const { privileges, log } = createPrivileges();
    const calls = watchIds();
    const options = withOptions({ user: 'nobody', group: 'nogroup' });
    privileges.drop(options);
    privileges.drop(options);
    expect(calls).toEqual(['setgroups nogroup', 'setgid nogroup', 'setuid nobody']);
    expect(log.lines).toEqual(['GID set to nogroup', 'UID set to nobody']);
  });

  it('drops nothing that was not asked for', () => {
    const { privileges } = createPrivileges();
    const calls = watchIds();
    privileges.drop(withOptions({}));
    expect(calls).toEqual([]);
  });

  it('throws when the system refuses', () => {
    const { privileges } = createPrivileges();
    watchIds(new Error('EPERM'));
    expect(() => privileges.drop(withOptions({ user: 'nobody' }))).toThrow(
      'failed to find UID for user nobody: EPERM',
    );
  });

  it('warns of what restarts will lack', () => {
    const { privileges, log } = createPrivileges();
    privileges.prepare(withOptions({ user: 'nobody', pull: true, persistKey: true }));
    expect(log.lines).toEqual([
      'NOTE: UID/GID downgrade will be delayed because of --client, --pull, or --up-delay',
      'WARNING: you are using user/group/chroot/setcon without persist-tun -- this may cause restarts to fail',
    ]);
  });
});

function tool(genkey: { type: string; file: string | undefined }): ParseResult {
  const options = withOptions({ genkey: genkey as NonNullable<Options['genkey']> });
  return { options, messages: [], tool: 'genkey' };
}

function createPrivileges(): { privileges: Privileges; log: MemoryLogger } {
  const log = new MemoryLogger();
  return { privileges: new Privileges(log), log };
}

function withOptions(changes: Partial<Options>): Options {
  return Object.assign(defaultOptions(), changes);
}

/** Replaces the calls that change this process; `refusal` is thrown by setuid. */
function watchIds(refusal?: Error): string[] {
  const calls: string[] = [];
  vi.spyOn(process, 'setgroups').mockImplementation((groups) => void calls.push(`setgroups ${groups}`));
  vi.spyOn(process, 'setgid').mockImplementation((group) => void calls.push(`setgid ${group}`));
  vi.spyOn(process, 'setuid').mockImplementation((user) => {
    if (refusal) throw refusal;
    calls.push(`setuid ${user}`);
  });
  return calls;
}

/** Small parts around the process: port names, tool modes, PID files, dropped privileges. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { MemoryLogger } from '../base/base.ts';
import { readStaticKey } from '../crypto/crypto.ts';
import { defaultOptions, type Options, type ParseResult } from '../options/options.ts';
import { portOf } from './port.ts';
import { Privileges, type ProcessCalls } from './privileges.ts';
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

  it.each([
    ['', 0],
    ['99999', 34463],
    ['65536', 0],
    [' +7', 7],
    ['99999999999', 59391],
  ])('takes the low bits of %j, as getaddrinfo() does', (text, port) => {
    expect(portOf(text)).toBe(port);
  });

  it('refuses anything else', () => {
    for (const text of ['-1', '1194x', '9a', '12 34', 'no-such-service', '# comment', '0x10', '4294967295']) {
      const line = `RESOLVE: Cannot resolve host address: undefined:${text} (Servname not supported for ai_socktype)`;
      expect(() => portOf(text)).toThrow(line);
      expect(() => portOf(text, 'h')).toThrow(`h:${text} (`);
    }
  });
});

describe('runTool', () => {
  const OLD = 'Using --genkey --secret filename is DEPRECATED.  Use --genkey secret filename instead.';

  function run(genkey: { type: string; file?: string }, options: Partial<Options> = {}) {
    const printed: string[] = [];
    const log = new MemoryLogger(3);
    const tool = { genkey: { extra: undefined, ...genkey } as NonNullable<Options['genkey']>, ...options };
    const result: ParseResult = { options: withOptions(tool), messages: [], tool: 'genkey' };
    expect(runTool(result, { print: (text) => void printed.push(text), log })).toBe(0);
    return { printed, lines: log.lines };
  }

  it('prints a fresh static key with an empty line behind it, or writes it for its owner alone', () => {
    const { printed } = run({ type: 'secret' });
    expect(readStaticKey(printed[0]!)).toHaveLength(256);
    expect(printed[0]).toMatch(/-----END OpenVPN Static key V1-----\n\n$/);
    const path = join(dir, 'ta.key');
    expect(run({ type: 'secret', file: path }).printed).toEqual([]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(path).size).toBe(636);
    expect(readFileSync(path, 'utf8')).not.toBe(printed[0]);
  });

  it('writes the file of --secret, as installers of 2.4 ask for it', () => {
    const path = join(dir, 'old.key');
    const secret = { kind: 'file', path } as const;
    expect(run({ type: 'secret' }, { secret })).toEqual({ printed: [], lines: [`WARNING: ${OLD}`] });
    expect(readStaticKey(readFileSync(path, 'utf8'))).toHaveLength(256);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('refuses --secret beside a file, and beside other types', () => {
    const secret = { kind: 'file', path: join(dir, 'refused.key') } as const;
    expect(() => run({ type: 'secret', file: join(dir, 'other.key') }, { secret })).toThrow(
      'You must provide a filename to either --genkey or --secret, not both',
    );
    for (const type of ['tls-crypt-v2-server', 'tls-crypt-v2-client', 'auth-token']) {
      expect(() => run({ type }, { secret })).toThrow(
        'Using --genkey type with --secret filename is not supported.  Use --genkey type filename instead.',
      );
    }
    expect(existsSync(secret.path)).toBe(false);
  });

  it('tells at verb 3 where a static key went, by the name of --secret alone', () => {
    const path = join(dir, 'told.key');
    const told = (file: string) => [`Randomly generated 2048 bit key written to ${file}`];
    expect(run({ type: 'secret', file: path }, { verb: 3 }).printed).toEqual(told('(null)'));
    const secret = { kind: 'file', path } as const;
    expect(run({ type: 'secret' }, { verb: 3, secret }).printed).toEqual(told(path));
    expect(run({ type: 'auth-token', file: path }, { verb: 3 }).printed).toEqual([]);
  });

  it.each([
    ['secret', 'Failed to write key file'],
    ['tls-crypt-v2-server', 'ERROR: could not write key file: No such file or directory (errno=2)'],
    ['auth-token', 'ERROR: could not write key file: No such file or directory (errno=2)'],
  ])('says why a key of type %s can not be written', (type, message) => {
    let thrown: unknown;
    try {
      run({ type, file: join(dir, 'nowhere', 'x') });
    } catch (error) {
      thrown = error;
    }
    const why = `Cannot open file '${join(dir, 'nowhere', 'x')}' for write: No such file or directory (errno=2)`;
    expect(thrown).toMatchObject({ message, cause: { message: why } });
  });

  it('names what is wrong with the server key of a client key', () => {
    const junk = join(dir, 'junk.key');
    writeFileSync(junk, 'junk');
    for (const [path, why] of [
      [junk, 'ERROR: OpenVPN tls-crypt-v2 server key pem decode failed'],
      [
        join(dir, 'none'),
        `ERROR: failed to read OpenVPN tls-crypt-v2 server key file (${join(dir, 'none')})`,
      ],
    ] as const) {
      let thrown: unknown;
      try {
        run({ type: 'tls-crypt-v2-client' }, { tlsCryptV2: { kind: 'file', path } });
      } catch (error) {
        thrown = error;
      }
      const message = 'ERROR: invalid tls-crypt-v2 server key format';
      expect(thrown).toMatchObject({ message, cause: { message: why } });
    }
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
    expect(log.lines).toEqual([]);
    expect(privileges.writePid(undefined)).toBeUndefined();
    privileges.removePid(undefined);
    expect(() => privileges.writePid('/nowhere/pid')).toThrow(/^Open error on pid file \/nowhere\/pid: /);
  });

  it('drops the other groups, group and user, in this order and once, and keeps CAP_NET_ADMIN', () => {
    const { privileges, log, calls } = createPrivileges();
    const options = withOptions({ user: 'nobody', group: 'nogroup' });
    privileges.drop(options);
    privileges.drop(options);
    const changes = ['setgroups ', 'setgid nogroup', 'setuid nobody'];
    expect(calls).toEqual(['keepCapabilities', ...changes, 'retainNetAdmin']);
    expect(log.lines).toEqual([
      'UID set to nobody',
      'GID set to nogroup',
      'Capabilities retained: CAP_NET_ADMIN',
    ]);
  });

  it('goes on without the capability where it can’t be kept', () => {
    const refused = createPrivileges({ retainNetAdmin: () => 1 });
    refused.privileges.drop(withOptions({ user: 'nobody' }));
    expect(refused.log.lines).toEqual([
      'UID set to nobody',
      'capset() failed applying capabilities: error 1 (errno=1)',
      'Unable to retain capabilities',
    ]);
    const { privileges, log, calls } = createPrivileges({ keepCapabilities: () => 1 });
    privileges.drop(withOptions({ group: 'nogroup' }));
    expect(log.lines).toEqual(['GID set to nogroup', 'Unable to retain capabilities']);
    expect(calls).not.toContain('retainNetAdmin');
  });

  it('drops nothing that was not asked for', () => {
    const { privileges, calls } = createPrivileges();
    privileges.drop(withOptions({}));
    expect(calls).toEqual([]);
  });

  it('throws when the system refuses', () => {
    const { privileges } = createPrivileges();
    vi.spyOn(process, 'setuid').mockImplementation(() => {
      throw Object.assign(new Error('EPERM, Operation not permitted'), { code: 'EPERM', errno: 1 });
    });
    expect(() => privileges.drop(withOptions({ user: 'nobody' }))).toThrow(
      "setuid('nobody') failed: Operation not permitted (errno=1)",
    );
  });

  it('refuses names that don’t exist before anything else, the group first', () => {
    const { privileges } = createPrivileges({ userId: () => -1, groupId: () => -1 });
    const options = withOptions({ user: 'nosuch', group: 'neither' });
    expect(() => privileges.prepare(options)).toThrow('failed to find GID for group neither');
    expect(() => privileges.prepare(withOptions({ user: 'nosuch' }))).toThrow(
      'failed to find UID for user nosuch',
    );
  });

  it('says when the user changes later than usual', () => {
    const { privileges, log } = createPrivileges();
    privileges.prepare(withOptions({ user: 'nobody' }));
    expect(log.lines).toEqual([]);
    privileges.prepare(withOptions({ user: 'nobody', upDelay: true }));
    expect(log.lines).toEqual([
      'NOTE: UID/GID downgrade will be delayed because of --client, --pull, or --up-delay',
    ]);
  });
});

/** Nothing of this process changes; `calls` are the changes that were asked for. */
function createPrivileges(answers: Partial<ProcessCalls> = {}): {
  privileges: Privileges;
  log: MemoryLogger;
  calls: string[];
} {
  const log = new MemoryLogger();
  const calls: string[] = [];
  vi.spyOn(process, 'setgroups').mockImplementation((groups) => void calls.push(`setgroups ${groups}`));
  vi.spyOn(process, 'setgid').mockImplementation((group) => void calls.push(`setgid ${group}`));
  vi.spyOn(process, 'setuid').mockImplementation((user) => void calls.push(`setuid ${user}`));
  const addon: ProcessCalls = {
    userId: () => 1,
    groupId: () => 1,
    keepCapabilities: () => calls.push('keepCapabilities') && 0,
    retainNetAdmin: () => calls.push('retainNetAdmin') && 0,
    errorText: (errno) => `error ${errno}`,
    ...answers,
  };
  return { privileges: new Privileges(log, addon), log, calls };
}

function withOptions(changes: Partial<Options>): Options {
  return Object.assign(defaultOptions(), changes);
}

/** The set-up leaves the system's services and their policy alone, and is found by any path. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { runTelling } from './progress.mjs';
import { installPackages, START_PROGRAMS, TEST_PROGRAMS } from './setup.mjs';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ovt-setup-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(dir, { recursive: true });
});

describe('packages', () => {
  it('are installed with a PATH in which no service is started, and nothing of the system is changed', async () => {
    const calls = join(dir, 'calls');
    const program = (name: string, body: string) =>
      writeFileSync(join(dir, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    // What a maintainer script does.
    program(
      'apt-get',
      `echo "apt-get $*, offline $SYSTEMD_OFFLINE" >> ${calls}; invoke-rc.d nginx start; deb-systemd-invoke start nginx.service; service nginx start`,
    );
    for (const name of ['invoke-rc.d', 'deb-systemd-invoke', 'service'])
      program(name, `echo "started by ${name}" >> ${calls}`);
    vi.stubEnv('PATH', `${dir}:${process.env.PATH}`);
    vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const before = policy();
    await installPackages(['nginx-light'], true);
    expect(readFileSync(calls, 'utf8')).toBe(
      'apt-get -qq update, offline 1\napt-get -qq -y install --no-install-recommends nginx-light, offline 1\n',
    );
    expect(policy()).toBe(before);
  });

  it('are few for npm start', () => {
    expect(START_PROGRAMS).toEqual(['ip', 'ping']);
    expect(TEST_PROGRAMS).toEqual(expect.arrayContaining(['nginx', 'squid', ...START_PROGRAMS]));
  });
});

describe('a script', () => {
  it('knows that it is the program when it was started through a symbolic link', () => {
    mkdirSync(join(dir, 'x'));
    symlinkSync(resolve('.'), join(dir, 'x', 'checkout'));
    const { status, stderr } = spawnSync(
      process.execPath,
      [join(dir, 'x', 'checkout', 'scripts', 'tools.mjs')],
      {
        encoding: 'utf8',
      },
    );
    expect([status, stderr]).toEqual([2, 'usage: node scripts/tools.mjs FOLDER/main.ts [ARGUMENTS]\n']);
  });
});

describe('runTelling()', () => {
  it('gives status and output, and says that a program still runs after two seconds', async () => {
    const told: string[] = [];
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => told.push(`${text}`) > 0);
    const options = { detail: (output: string) => `${output.trim()} seen` };
    const result = await runTelling(
      'working',
      'sh',
      ['-c', 'echo one; echo two >&2; sleep 2.5; exit 3'],
      options,
    );
    expect(result).toEqual({ status: 3, stdout: 'one\n', stderr: 'two\n' });
    expect(told.join('')).toMatch(/working \(2 s, one\ntwo seen\)/);
    expect((await runTelling('x', '/nonexistent', [])).status).toBe(127);
  });
});

function policy(): string {
  const stat = statSync('/usr/sbin/policy-rc.d', { throwIfNoEntry: false });
  return `${stat?.ino} ${stat?.mtimeMs}`;
}

/** Environment, command running and hooks, with real small shell scripts. */
import {
  chmodSync,
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryLogger, textOfBytes } from '../base/base.ts';
import { pickInherited } from './inherited-fds.ts';
import { EnvSet, type HookCommands, ScriptHooks } from './script.ts';
import { createScriptRunner } from './script-runner-node.ts';

const der = Uint8Array.of(0x30, 0x03, 0x02, 0x01, 0x01);
const PATH = { PATH: '/usr/bin:/bin' };
let directory: string;
let log: MemoryLogger;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ovpn-script-'));
  log = new MemoryLogger();
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('EnvSet', () => {
  it('cleans names and values', () => {
    const env = new EnvSet();
    env.set('X509_0_e-mail', 'a\nb\tc é');
    expect(env.get('X509_0_email')).toBe('abc é');
  });

  it('hides passwords below script-security 3', () => {
    const env = new EnvSet();
    env.set('password', 'secret');
    env.set('password_2', 'secret');
    env.set('username', 'bob');
    expect(env.snapshot(2)).toEqual({ username: 'bob' });
    expect(Object.keys(env.snapshot(3))).toEqual(['password', 'password_2', 'username']);
  });

  it('copies into children and deletes', () => {
    const env = new EnvSet();
    env.set('dev', 'tun0');
    const child = env.child();
    child.set('dev', undefined);
    child.set('common_name', 'c1');
    expect([env.get('dev'), child.get('dev'), env.get('common_name')]).toEqual([
      'tun0',
      undefined,
      undefined,
    ]);
    env.inherit(child);
    expect(env.get('common_name')).toBe('c1');
    env.deletePrefix('common');
    expect(env.has('common_name')).toBe(false);
  });
});

describe('inherited descriptors', () => {
  it('are those above 2 that Node has not made', () => {
    const open = [
      { fd: 0, target: '/dev/null', access: 0 },
      { fd: 2, target: '/tmp/log', access: 1 },
      { fd: 3, target: '/tmp/log', access: 1 },
      { fd: 4, target: 'anon_inode:[eventpoll]', access: 2 },
      { fd: 5, target: 'pipe:[10]', access: 0 },
      { fd: 6, target: 'pipe:[10]', access: 1 },
      { fd: 7, target: 'pipe:[11]', access: 1 },
      { fd: 8, target: 'pipe:[11]', access: 1 },
      { fd: 9, target: 'socket:[12]', access: 2 },
    ];
    expect(pickInherited(open)).toEqual([3, 7, 8, 9]);
  });
});

describe('the runner', () => {
  it('hands bytes on that are no UTF-8', async () => {
    const raw = textOfBytes(Uint8Array.of(0x6a, 0xf6, 0x72, 0x67, 0x20, 0x25));
    const path = script(
      `#!/bin/sh\n{ printf '%s' "$1|$2|$username|" | od -An -tx1 -v; tr '\\0' '\\n' < /proc/self/environ; } > ${out()}\n`,
    );
    await createScriptRunner().run(path, [raw, 'two words'], { username: raw, other: 'ü' });
    const lines = readFileSync(out(), 'latin1').trimEnd().split('\n');
    const bytes = lines.filter((line) => line.startsWith(' ')).join('');
    const variables = lines.filter((line) => !line.startsWith(' '));
    const word = '6a f6 72 67 20 25';
    expect(bytes.trim()).toBe(`${word} 7c 74 77 6f 20 77 6f 72 64 73 7c ${word} 7c`);
    const names = variables.map((line) => line.split('=')[0]).filter((name) => !['PWD', '_'].includes(name!));
    expect(names.sort()).toEqual(['other', 'username']);
  });

  it('gives exactly our environment and all arguments', async () => {
    const path = script(
      `#!/bin/sh\nenv -i >/dev/null; { echo "$#|$1|$2|$3"; tr '\\0' '\\n' < /proc/self/environ; } > ${out()}\n`,
    );
    const runner = createScriptRunner();
    const result = await runner.run(`${path} a1 'a 2'`, ['tun0'], { dev: 'tun0', PATH: '/usr/bin:/bin' });
    expect(result).toEqual({ status: 0 });
    const [first, ...variables] = output().trim().split('\n');
    expect(first).toBe('3|a1|a 2|tun0');
    expect(variables).toContain('dev=tun0');
    expect(variables.some((line) => line.startsWith('HOME='))).toBe(false);
  });

  it('neither searches PATH nor uses a shell', async () => {
    expect(await createScriptRunner().run('true', [], { PATH: '/bin:/usr/bin' })).toEqual({ status: 127 });
    expect(await createScriptRunner().run('/bin/true;exit', [], {})).toEqual({ status: 127 });
    expect(await createScriptRunner().run('"open quote', [], {})).toEqual({ status: 127 });
    expect(await createScriptRunner().run('', [], {})).toEqual({ status: 127 });
  });

  it('hands on the descriptors that it is told to, and no others', async () => {
    const [handed, kept] = [openSync(out(), 'w'), openSync(out(), 'a')];
    const runner = createScriptRunner({ inheritedFds: [handed] });
    const path = script(`#!/bin/sh\necho there > /proc/$$/fd/${handed}\n[ ! -e /proc/$$/fd/${kept} ]\n`);
    expect(await runner.run(path, [], PATH)).toEqual({ status: 0 });
    expect(output()).toBe('there\n');
    for (const fd of [handed, kept]) closeSync(fd);
  });

  it('reports status and signal', async () => {
    const runner = createScriptRunner();
    expect(await runner.run(script('#!/bin/sh\nexit 3\n'), [], {})).toEqual({ status: 3 });
    expect(await runner.run(script('#!/bin/sh\nkill -9 $$\n'), [], {})).toEqual({ status: undefined });
  });

  it('ends what runs longer than a limit, whatever it does about SIGTERM', async () => {
    const runner = createScriptRunner();
    const soft = runner.run(script('#!/bin/sh\nexec sleep 60\n'), [], PATH);
    const deaf = runner.run(script('#!/bin/sh\ntrap "" TERM\nexec sleep 60\n'), [], PATH);
    runner.limit?.({ runningMs: 300, newMs: 50 });
    const later = runner.run(script('#!/bin/sh\nexec sleep 60\n'), [], PATH);
    for (const ended of [soft, deaf, later]) expect(await ended).toEqual({ status: undefined });
  });

  it('runs only so many at a time, the others in the order of asking', async () => {
    const runner = createScriptRunner({ maxRunning: 2 });
    const go = script(`#!/bin/sh\nwhile [ ! -e ${directory}/go ]; do sleep 0.05; done\n`);
    const note = script(`#!/bin/sh\necho $1 >> ${out()}\n`);
    const [first, second] = [runner.run(go, [], PATH), runner.run(go, [], PATH)];
    const left = new AbortController();
    const unwanted = runner.run(note, ['unwanted'], PATH, left.signal);
    const later = ['a', 'b', 'c'].map((word) => runner.run(note, [word], PATH));
    left.abort();
    expect(await unwanted).toEqual({ status: undefined, failure: 'fork' });
    expect(await runner.run(note, ['late'], PATH, left.signal)).toEqual({
      status: undefined,
      failure: 'fork',
    });
    writeFileSync(join(directory, 'go'), '');
    for (const run of [first, second, ...later]) expect(await run).toEqual({ status: 0 });
    expect(output().trim().split('\n').sort()).toEqual(['a', 'b', 'c']);
  });

  it('does not start what waits when a limit comes', async () => {
    const runner = createScriptRunner({ maxRunning: 1 });
    const endless = script('#!/bin/sh\nexec sleep 60\n');
    const running = runner.run(endless, [], PATH);
    const waiting = runner.run(endless, [], PATH);
    runner.limit?.({ runningMs: 50, newMs: 50 });
    expect(await waiting).toEqual({ status: undefined, failure: 'fork' });
    expect(await running).toEqual({ status: undefined });
  });

  it('lifts a limit', async () => {
    const runner = createScriptRunner();
    runner.limit?.({ runningMs: 50, newMs: 50 });
    const slow = runner.run(script('#!/bin/sh\nsleep 0.4\nexit 7\n'), [], PATH);
    runner.limit?.();
    expect(await slow).toEqual({ status: 7 });
  });
});

const UP = {
  dev: 'tun0',
  devType: 'tun',
  tunMtu: 1500,
  ifconfigLocal: '10.8.0.2',
  ifconfigRemote: '255.255.255.0',
  context: 'init',
} as const;

describe('hooks', () => {
  it('give up its arguments and variables', async () => {
    const command = `${script(`#!/bin/sh\necho "$*|$script_type|$dev_type|$tun_mtu|$script_context" > ${out()}\n`)} "my arg"`;
    expect(await hooks({ up: command }).up(new EnvSet(), UP)).toBe(true);
    expect(output()).toBe('my arg tun0 1500 0 10.8.0.2 255.255.255.0 init|up|tun|1500|init\n');
    expect(log.lines[0]).toMatch(/\/hook\.sh my arg tun0 1500 0 10\.8\.0\.2 255\.255\.255\.0 init$/);
  });

  it('keep the places of empty arguments', async () => {
    const command = `${script(`#!/bin/sh\nprintf '<%s>' "$@" > ${out()}\n`)} ''`;
    const context = { ...UP, ifconfigLocal: undefined, ifconfigRemote: undefined, signal: 'sigterm' };
    expect(await hooks({ down: command }).down(new EnvSet(), context)).toBe(true);
    expect(output()).toBe('<><tun0><1500><0><><><init>');
    expect(log.lines[0]).toMatch(/\/hook\.sh {2}tun0 1500 0 {3}init$/);
  });

  it('log failures in the words of 2.x', async () => {
    const failing = script('#!/bin/sh\nexit 7\n');
    expect(await hooks({ up: failing }).up(new EnvSet(), UP)).toBe(false);
    expect(await hooks({ routeUp: '/nonexistent/x' }).routeUp(new EnvSet())).toBe(false);
    expect(log.lines.filter((line) => line.startsWith('WARNING'))).toEqual([
      'WARNING: Failed running command (--up/--down): external program exited with error status: 7',
      'WARNING: Failed running command (--route-up): could not execute external program',
    ]);
  });

  it('obey script-security and warn once', async () => {
    const set = hooks({ routeUp: '/bin/true' }, 1);
    await set.routeUp(new EnvSet());
    expect(await set.routeUp(new EnvSet())).toBe(false);
    const failure = 'WARNING: Failed running command (--route-up): disallowed by script-security setting';
    expect(log.lines).toEqual([
      "WARNING: External program may not be called unless '--script-security 2' or higher is enabled. See --help text or man page for detailed info.",
      failure,
      failure,
    ]);
  });

  it('succeed at once when nothing is configured', async () => {
    const set = hooks({}, 0);
    expect(await set.up(new EnvSet(), UP)).toBe(true);
    expect(await set.tlsVerify(new EnvSet(), { depth: 0, subject: 'CN=x', der })).toBe(true);
    expect(await set.learnAddress(new EnvSet(), 'add', '10.8.0.2', 'c')).toBe(true);
    expect(await set.clientConnect(new EnvSet(), { deadlineMs: 1 })).toEqual({ ok: true, config: '' });
    expect(log.lines).toEqual([]);
  });

  it('give ipchange one word, tls-verify depth and subject', async () => {
    const command = script(`#!/bin/sh\nprintf '[%s]' "$@" >> ${out()}; test "$1" != 1\n`);
    const set = hooks({ ipchange: command, tlsVerify: command, learnAddress: command });
    await set.ipchange(new EnvSet(), { family: 4, address: '198.51.100.1', port: 1194 });
    expect(await set.tlsVerify(new EnvSet(), { depth: 0, subject: 'C=DE, CN=client1', der })).toBe(true);
    expect(await set.tlsVerify(new EnvSet(), { depth: 1, subject: 'CN=ca', der })).toBe(false);
    await set.learnAddress(new EnvSet(), 'delete', '10.8.0.2');
    expect(output()).toBe('[[AF_INET]198.51.100.1 1194][0][C=DE, CN=client1][1][CN=ca][delete][10.8.0.2]');
    expect(log.lines).toContain(
      'WARNING: Failed running command (--tls-verify script): external program exited with error status: 1',
    );
  });

  it('show tls-verify the certificate in a file that is gone afterwards', async () => {
    const command = script(`#!/bin/sh\n/bin/cat "$peer_cert" > ${out()}\n`);
    const set = hooks({ tlsVerify: command }, 2, { exportCertDir: directory });
    const env = new EnvSet();
    expect(await set.tlsVerify(env, { depth: 0, subject: 'CN=x', der })).toBe(true);
    expect(output()).toBe('-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n');
    expect(env.has('peer_cert')).toBe(false);
    expect(leftovers()).toEqual([]);
    const broken = hooks({}, 2, { exportCertDir: '/nonexistent' });
    expect(await broken.tlsVerify(env, { depth: 0, subject: 'CN=x', der })).toBe(false);
    expect(log.lines).toContain(
      'TLS Error: Failed to export certificate for --tls-export-cert in /nonexistent',
    );
  });

  it('hand the metadata of a wrapped key over in a file', async () => {
    const command = script(
      `#!/bin/sh\necho "$script_type $metadata_type" > ${out()}; /bin/cat "$metadata_file" >> ${out()}\n`,
    );
    const metadata = { type: 0, data: Buffer.from('user-data') };
    expect(await hooks({ tlsCryptV2Verify: command }).tlsCryptV2Verify(new EnvSet(), metadata)).toBe(true);
    expect(output()).toBe('tls-crypt-v2-verify 0\nuser-data');
    expect(leftovers()).toEqual([]);
  });
});

const LOGIN = { username: 'bob', password: 'pass word' };

describe('auth-user-pass-verify', () => {
  it('passes name and password in a file that is gone afterwards', async () => {
    const command = script(
      `#!/bin/sh\n/bin/cat "$1" > ${out()}; echo "$username|$password|$script_type" >> ${out()}\n`,
    );
    const set = hooks({ authUserPassVerify: { command, viaFile: true } }, 3);
    const env = new EnvSet();
    expect(await set.authUserPassVerify(env, LOGIN, { deadlineMs: 100 })).toEqual({ ok: true });
    expect(output()).toBe('bob\npass word\nbob||user-pass-verify\n');
    expect(leftovers()).toEqual([]);
    expect(env.has('password')).toBe(false);
  });

  it('passes them in the environment only at script-security 3', async () => {
    const command = script(`#!/bin/sh\necho "$username|$password" >> ${out()}\n`);
    for (const level of [2, 3]) {
      const env = new EnvSet();
      const set = hooks({ authUserPassVerify: { command, viaFile: false } }, level);
      expect((await set.authUserPassVerify(env, LOGIN, { deadlineMs: 100 })).ok).toBe(true);
      expect(env.has('password')).toBe(false);
    }
    expect(output()).toBe('bob|\nbob|pass word\n');
  });

  it('rejects with the reason that the script wrote', async () => {
    const command = script('#!/bin/sh\necho "Account locked, call IT" > $auth_failed_reason_file; exit 1\n');
    const set = hooks({ authUserPassVerify: { command, viaFile: false } });
    const answer = await set.authUserPassVerify(new EnvSet(), LOGIN, { deadlineMs: 100 });
    expect(answer).toEqual({ ok: false, reason: 'Account locked, call IT' });
    expect(log.lines).toEqual([]);
  });

  it.each([
    ['1', { ok: true }],
    ['0', { ok: false }],
  ])('waits for a deferred answer %s', async (character, expected) => {
    const command = script(`#!/bin/sh\n(/bin/sleep 0.2; echo ${character} > $auth_control_file) & exit 2\n`);
    const set = hooks({ authUserPassVerify: { command, viaFile: false } });
    let deferred = 0;
    const defer = { deadlineMs: 5000, onDeferred: () => void deferred++ };
    expect(await set.authUserPassVerify(new EnvSet(), LOGIN, defer)).toEqual(expected);
    expect(deferred).toBe(1);
    expect(leftovers()).toEqual([]);
  });

  it('gives up at the deadline and when the client leaves', async () => {
    const command = script('#!/bin/sh\nexit 2\n');
    const set = hooks({ authUserPassVerify: { command, viaFile: false } });
    expect(await set.authUserPassVerify(new EnvSet(), LOGIN, { deadlineMs: 60 })).toEqual({ ok: false });
    const signal = AbortSignal.abort();
    const answer = await set.authUserPassVerify(new EnvSet(), LOGIN, { deadlineMs: 60_000, signal });
    expect(answer).toEqual({ ok: false });
    expect(leftovers()).toEqual([]);
  });

  it('asks for a pending method and refuses clients without it', async () => {
    const body =
      "printf '20\\nwebauth\\nWEB_AUTH::https://x\\n' > $auth_pending_file; echo 1 > $auth_control_file";
    const command = script(`#!/bin/sh\n${body}; exit 2\n`);
    const set = hooks({ authUserPassVerify: { command, viaFile: false } });
    const seen: unknown[] = [];
    const onPending = (pending: unknown) => seen.push(pending) * 1000;
    expect(await set.authUserPassVerify(new EnvSet(), LOGIN, { deadlineMs: 100, onPending })).toEqual({
      ok: true,
    });
    expect(seen).toEqual([{ timeoutSec: 20, method: 'webauth', extra: 'WEB_AUTH::https://x' }]);
    const refused = await set.authUserPassVerify(new EnvSet(), LOGIN, { deadlineMs: 100 });
    expect(refused.reason).toBe(
      "Authentication failed, required pending auth method 'webauth' not supported",
    );
  });
});

describe('client-connect', () => {
  it('reads what the script wrote', async () => {
    const command = script('#!/bin/sh\necho "push \\"route 10.1.0.0 255.255.0.0\\"" > $1\n');
    const answer = await hooks({ clientConnect: command }).clientConnect(new EnvSet(), { deadlineMs: 100 });
    expect(answer).toMatchObject({ ok: true, config: 'push "route 10.1.0.0 255.255.0.0"\n' });
    expect(answer.file).toMatch(/openvpn_cc_\w+\.tmp$/);
    expect(leftovers()).toEqual([]);
  });

  it('waits when the deferred file says 2', async () => {
    const later =
      '(/bin/sleep 0.2; echo disable > $client_connect_config_file; echo 1 > $client_connect_deferred_file)';
    const command = script(`#!/bin/sh\necho 2 > $client_connect_deferred_file; ${later} & exit 0\n`);
    const answer = await hooks({ clientConnect: command }).clientConnect(new EnvSet(), { deadlineMs: 5000 });
    expect(answer).toMatchObject({ ok: true, config: 'disable\n' });
  });

  it('rejects on a bad status and on a deferred 0', async () => {
    const failing = hooks({ clientConnect: script('#!/bin/sh\nexit 1\n') });
    expect((await failing.clientConnect(new EnvSet(), { deadlineMs: 100 })).ok).toBe(false);
    const late = script(
      '#!/bin/sh\necho 2 > $client_connect_deferred_file; (/bin/sleep 0.1; echo 0 > $client_connect_deferred_file) &\n',
    );
    const deferred = hooks({ clientConnect: late });
    expect((await deferred.clientConnect(new EnvSet(), { deadlineMs: 5000 })).ok).toBe(false);
    expect(log.lines).toContain('MULTI: deferred --client-connect script returned CC_RET_FAILED');
    expect(leftovers()).toEqual([]);
  });
});

function hooks(
  commands: HookCommands,
  scriptSecurity = 2,
  further: { exportCertDir?: string } = {},
): ScriptHooks {
  return new ScriptHooks({
    runner: createScriptRunner(),
    log,
    scriptSecurity,
    tmpDir: directory,
    commands,
    pollMs: 20,
    ...further,
  });
}

let counter = 0;

/** A new executable `hook.sh` in its own folder. */
function script(text: string): string {
  const folder = mkdtempSync(join(directory, `s${counter++}-`));
  const path = join(folder, 'hook.sh');
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

function out(): string {
  return join(directory, 'out');
}

function output(): string {
  return readFileSync(out(), 'utf8');
}

/** Temporary files that hooks forgot. */
function leftovers(): string[] {
  return readdirSync(directory).filter((name) => name.startsWith('openvpn_'));
}

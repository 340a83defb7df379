/**
 * What surrounds the program: its threads, the port of Node's inspector, a log that can't be opened, questions at
 * the terminal, and the pauses between restarts.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { tcpListeners } from '../../test-kit/netns.ts';
import { describeExit, runProgram, sleep } from '../../test-kit/process.ts';
import { type Bed, check, type Role } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const UP = /Initialization Sequence Completed/;
const MOST_THREADS = 6;
/** LimitNPROC= of Debian's units. */
const UNIT_PROCESSES = 10;
const SPRAY_ROUNDS = 24;
const SPRAY_MS = 300;
const PAUSE = /Restart pause, 1 second\(s\)/;

export const processes: readonly Scenario[] = [
  {
    name: 'six threads, and scripts under a limit of ten processes',
    pairings: ['ours-server'],
    run: fewThreads,
  },
  { name: 'too few processes for its threads: it says so', pairings: ['ours-client'], run: noThreads },
  {
    name: "SIGUSR1 at any moment of the start opens no inspector's port",
    pairings: ['ours-server'],
    timeoutMs: 120_000,
    run: noInspector,
  },
  {
    name: 'a log that cannot be opened: it warns and goes on',
    pairings: ['ours-server'],
    run: noLog,
  },
  { name: 'passwords are asked for on the terminal', pairings: ['ours-client'], run: asksOnTerminal },
  ...(['\x03', 'SIGTERM'] as const).flatMap((end) =>
    ['Username', 'Password'].map(
      (field): Scenario => ({
        name: `${end === '\x03' ? 'Ctrl-C' : end} ends the question for the ${field.toLowerCase()}`,
        pairings: ['ours-client'],
        run: (bed) => questionEnds(bed, end, field),
      }),
    ),
  ),
  ...(['client', 'server'] as const).flatMap((role) => [
    ...(['SIGHUP', 'SIGUSR1'] as const).map(
      (signal): Scenario => ({
        name: `${signal} of the ${role}: it pauses before it starts again`,
        pairings: [`ours-${role}`],
        run: (bed) => pauses(bed, role, signal),
      }),
    ),
    {
      name: `SIGTERM ends the ${role}'s pause`,
      pairings: [`ours-${role}`],
      run: (bed: Bed) => endsPause(bed, role),
    } satisfies Scenario,
  ]),
];

async function fewThreads(bed: Bed): Promise<void> {
  // An account that nothing else on a machine uses much, since the limit counts all of its processes.
  const lines = ['user uucp', 'persist-key', 'persist-tun', 'script-security 2', 'client-connect /bin/true'];
  const server = await bed.startServer(lines);
  spawnSync('prlimit', ['--pid', String(server.pid), `--nproc=${UNIT_PROCESSES}`]);
  await bed.startClient();
  await bed.checkPing(INNER_SERVER4);
  const threads = readdirSync(`/proc/${server.pid}/task`).length;
  check(threads <= MOST_THREADS, `${threads} threads`);
  await bed.stop(server);
  check(
    !server.has(/external program|EAGAIN|temporarily unavailable/),
    `something could not be started\n${server.tail()}`,
  );
}

async function noThreads(bed: Bed): Promise<void> {
  const argv = ['setpriv', '--reuid', '61234', '--clear-groups', 'prlimit', '--nproc=5'];
  const program = await runProgram({
    name: 'our openvpn',
    argv: [...argv, bed.programs.ours, '--version'],
  });
  const text = program.lines.join('\n');
  check(program.ended?.code === 1, describeExit(program.ended!));
  check(/cannot start 2 threads: Resource temporarily unavailable/.test(text), text);
}

async function noInspector(bed: Bed): Promise<void> {
  const ns = bed.network.server;
  for (let round = 0; round < SPRAY_ROUNDS; round++) {
    const server = bed.launchServer();
    await sleep((round * SPRAY_MS) / SPRAY_ROUNDS);
    server.signal('SIGUSR1');
    await Promise.race([server.waitFor(UP).catch(() => undefined), server.exited]);
    const open = tcpListeners(ns);
    check(open.length === 0, `somebody listens: ${open.join('; ')}`);
    const { code, signal } = await server.stop();
    // Before its handlers are set the signal itself ends the program, as it does with 2.x.
    check(code === 0 || signal === 'SIGUSR1', `${describeExit({ code, signal })}\n${server.tail()}`);
  }
}

async function noLog(bed: Bed): Promise<void> {
  const server = await bed.startServer([`log ${join(bed.dir, 'missing', 'x.log')}`]);
  const warning =
    /Warning: Error redirecting stdout\/stderr to --log file: .*x\.log: No such file or directory \(errno=2\)$/;
  check(server.has(warning), server.tail());
  await bed.startClient();
  await bed.checkPing(INNER_SERVER4);
}

async function asksOnTerminal(bed: Bed): Promise<void> {
  await bed.startServer();
  const log = join(bed.dir, 'client.log');
  const client = bed.launchClient(['auth-user-pass', `log ${log}`], { terminal: true });
  await client.waitForPrompt('Enter Auth Username:');
  client.write('alice\n');
  await client.waitForPrompt('Enter Auth Password:');
  client.write('geh\x7fheim\n');
  await bed.waitForText('client.log', UP);
  const shown = client.lines.join('\n');
  check(shown.includes('Enter Auth Username:alice'), `the name does not show: ${shown}`);
  check(!/heim/.test(shown), 'the password shows');
  check(!bed.read('client.log').includes('Enter Auth'), 'the log has the questions');
  await bed.checkPing(INNER_SERVER4);
}

async function questionEnds(bed: Bed, end: '\x03' | 'SIGTERM', field: string): Promise<void> {
  const pidFile = join(bed.dir, 'pid');
  const lines = ['auth-user-pass', `writepid ${pidFile}`];
  const client = bed.launchClient(lines, { terminal: true, afterwards: 'echo status $?; stty -a' });
  await client.waitForPrompt('Enter Auth Username:');
  if (field === 'Password') {
    client.write('alice\n');
    await client.waitForPrompt('Enter Auth Password:');
  }
  if (end === 'SIGTERM') process.kill(Number(bed.read('pid')), end);
  else client.write(end);
  await client.waitForExit();
  const signal = end === 'SIGTERM' ? end : 'SIGINT';
  check(client.has(new RegExp(`${signal}\\[hard,.*\\] received, process exiting`)), client.tail());
  check(client.has(/^status 0$/), `another end\n${client.tail()}`);
  check(!client.has(/^\s+at |Error:/), `a stack trace\n${client.tail()}`);
  check(
    client.has(/(^| )icanon /) && client.has(/ echo /),
    `the terminal is not as it was\n${client.tail()}`,
  );
  check(!existsSync(pidFile), 'the file with the process id is left');
}

async function pauses(bed: Bed, role: Role, signal: 'SIGHUP' | 'SIGUSR1'): Promise<void> {
  const program = await bed.startBoth(role);
  program.mark();
  program.signal(signal);
  await program.waitFor(UP, 20_000);
  const order = [/received, process restarting/, /^\S+ \S+ OpenVPN 2\./, PAUSE, /link local/, UP];
  if (signal === 'SIGUSR1') order.splice(1, 1);
  const places = order.map((pattern) => program.recent.findIndex((line) => pattern.test(line)));
  const sorted = [...places].sort((a, b) => a - b);
  check(!places.includes(-1) && places.join() === sorted.join(), `not in 2.x's order\n${program.tail()}`);
}

async function endsPause(bed: Bed, role: Role): Promise<void> {
  const program = await bed.startBoth(role);
  program.signal('SIGUSR1');
  await program.waitFor(PAUSE);
  await bed.stop(program);
  check(program.has(/SIGTERM\[hard,init_instance\] received, process exiting/), program.tail());
}

/**
 * Options of one client: each row of the table is the file of a client of that name, and is tried with our server, with
 * --full also with the peer's. What a server pushes to a client whatever its kind, wrong values included, is compared with what the
 * peer's client makes of it.
 */
import type { Program } from '../../test-kit/process.ts';
import { type Bed, check } from '../bed.ts';
import {
  CLIENT_OPTIONS,
  CLIENT_OPTIONS_SERVER,
  CLOSED,
  type ClientOptionsRow,
  INCLUDED,
} from '../client-options-table.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const LANES = 3;
/** Words of logs are those of 2.6. */
const WORDS_OF_26 = { peerFrom: '2.6', peerBefore: '2.7' } as const;

const CLIENT_FILES = { tunnel: { cipher: 'default' }, clients: LANES, run: clientFiles } as const;

export const clientOptions: readonly Scenario[] = [
  {
    name: "options of a client's file: each with its effect",
    ...WORDS_OF_26,
    pairings: ['ours-server'],
    ...CLIENT_FILES,
  },
  {
    // The table itself is what is tried here.
    name: "options of a client's file: the peer's server does the same",
    ...WORDS_OF_26,
    pairings: ['ours-client'],
    full: true,
    ...CLIENT_FILES,
  },
  {
    name: "pushed options: the log, routes and timers are those of the peer's client",
    ...WORDS_OF_26,
    pairings: ['ours-client'],
    run: pushedOptions,
  },
];

async function clientFiles(bed: Bed): Promise<void> {
  for (const { name, file } of CLIENT_OPTIONS) bed.write(name, `${file.join('\n')}\n`);
  bed.write(INCLUDED.name, INCLUDED.text);
  const server = await bed.startServer([
    ...CLIENT_OPTIONS_SERVER,
    `client-config-dir ${bed.dir}`,
    'script-security 2',
    'auth-user-pass-verify /bin/true via-file',
    'username-as-common-name',
  ]);
  const plain = await start(bed, 'nobody', 0);
  await bed.waitUp(plain);
  const usual = pushedTo(plain);
  check(usual.includes('route 10.1.0.0 255.255.0.0'), `pushed without a file: ${usual.join()}`);
  await plain.stop();
  const lanes = Array.from({ length: LANES }, async (_nothing, lane) => {
    for (const row of CLIENT_OPTIONS.filter((_row, i) => i % LANES === lane))
      await tryRow(bed, server, row, lane, usual);
  });
  await Promise.all(lanes);
}

async function start(bed: Bed, name: string, index: number): Promise<Program> {
  const login = ['<auth-user-pass>', name, 'secret', '</auth-user-pass>'];
  return bed.launchClient(login, { index });
}

async function tryRow(
  bed: Bed,
  server: Program,
  row: ClientOptionsRow,
  index: number,
  usual: readonly string[],
): Promise<void> {
  const client = await start(bed, row.name, index);
  if (row.refused) await client.waitFor(/AUTH: Received control message: AUTH_FAILED/);
  else await bed.waitUp(client);
  const about = ({ source }: RegExp): RegExp => new RegExp(`(^| )${row.name}/\\S+ .*(${source})`);
  if (row.frozen) client.signal('SIGSTOP');
  if (!row.refused && !row.frozen && !row.ends)
    await (row.silent ? bed.checkNoPing : bed.checkPing).call(bed, INNER_SERVER4, { index, count: 1 });
  for (const line of row.logs ?? []) await server.waitFor(about(line));
  if (row.ends) await server.waitFor(about(row.ends), 20_000);
  if (row.ends) await server.waitFor(about(CLOSED));
  if (row.frozen) client.signal('SIGCONT');
  await client.stop();
  for (const [line, times] of row.counts ?? []) {
    const found = server.count(about(line));
    check(found === times, `${row.name}: ${found} times ${line}\n${server.tail()}`);
  }
  if (!row.refused) checkPushed(row, pushedTo(client), usual);
}

/** The options of the PUSH_REPLY, without those that differ from client to client anyhow. */
function pushedTo(client: Program): string[] {
  const line = client.lines.find((text) => text.includes("control message: 'PUSH_REPLY,"));
  return (line ?? '').replace(/^.*'PUSH_REPLY,|'$/g, '').split(',');
}

/** What each client has of its own. */
const OWN = /^(ifconfig|ifconfig-ipv6|peer-id|cipher) /;

function checkPushed(row: ClientOptionsRow, pushed: readonly string[], usual: readonly string[]): void {
  const { name, more, less = [] } = row;
  for (const option of more ?? [])
    check(pushed.includes(option), `${name}: no ${option} in ${pushed.join()}`);
  for (const option of less) check(!pushed.includes(option), `${name}: ${option} in ${pushed.join()}`);
  if (more === undefined) return;
  const rest = (options: readonly string[]): string =>
    options.filter((option) => !OWN.test(option) && !more.includes(option)).join();
  check(rest(pushed) === rest(usual), `${name}: pushed ${pushed.join()}\nand without a file ${usual.join()}`);
}

/** In range, below, above it and no number at all; lines that are wrong; `verb` shows in what comes after. */
const PUSHED: readonly string[] = [
  ...['9a', '-1', '0x10', '99999999999'].flatMap((value) => [
    `route 10.40.0.0 255.255.0.0 vpn_gateway ${value}`,
    `explicit-exit-notify ${value}`,
    `shaper ${value}`,
    `session-timeout ${value}`,
  ]),
  'route-metric 99999999999',
  'route-metric 7',
  'route 10.41.0.0 255.255.0.0',
  'route 10.42.0.0 255.255.0',
  'route-ipv6 fd41::/129',
  'route-ipv6 fd42::1',
  'route-ipv6 fd43::/48 nowhere',
  'ifconfig-ipv6 fd00:9::2/130 fd00:9::1',
  'ifconfig-ipv6 fd00:9::2/ fd00:9::1',
  'redirect-gateway nowhere',
  'topology ring',
  "dns server '' address 192.0.2.7",
  'dns server 200 address 192.0.2.7',
  'client-nat snat nowhere 255.255.0.0 10.2.0.0',
  'socket-flags TCP_NODELAY',
  'socket-flags nothing',
  'lladdr 02:00:00:00:00:11',
  'lladdr nonsense',
  'auth-token',
  'setenv-safe A b',
  'setenv A b',
  'up nothing',
  'ping 6',
  'ping-restart 0x10',
  'ping-restart 66',
  'inactive 1000 -5',
  'route-delay 1',
  'sndbuf 9000',
  'rcvbuf -1',
  'verb 4',
];

/** What is said of options, routes and timers; level 4 is the pushed one. */
const TOLD =
  /Options error|OPTIONS IMPORT|RESOLVE|IP prefix|ROUTE|route|Traffic Shaping|Timers|Protocol options|setsockopt|WARNING|MTU parms|lladdr|sitnl/;

async function pushedOptions(bed: Bed): Promise<void> {
  const { ns } = bed.client();
  await bed.startServer(PUSHED.map((option) => `push "${option}"`));
  const through = bed.write('as-peer', `#!/bin/sh\nshift\nexec ${bed.programs.peer} "$@"\n`, 0o755);
  const found: { log: string[]; state: string[] }[] = [];
  for (const options of [{ through }, {}]) {
    const client = bed.launchClient([], options);
    await bed.waitUp(client);
    // The last line of a start, be it before or after the completion.
    await client.waitFor(/Protocol options: /);
    const state = bed.snapshot(ns).filter((line) => !/fe80:/.test(line));
    await client.stop();
    const log = client.lines.filter((line) => TOLD.test(line)).map(comparable);
    found.push({ log: log.sort(), state });
  }
  const [peer, ours] = found;
  check(peer!.log.length > 30, `few lines:\n${peer!.log.join('\n')}`);
  for (const [what, wanted, got] of [
    ['log', peer!.log, ours!.log],
    ['state', peer!.state, ours!.state],
  ] as const) {
    const lacking = wanted.filter((line) => !got.includes(line));
    const extra = got.filter((line) => !wanted.includes(line));
    check(
      wanted.join('\n') === got.join('\n'),
      `${what}: the peer's alone\n${lacking.join('\n')}\nours alone\n${extra.join('\n')}`,
    );
  }
}

/** Without time, the sizes of a program's own buffers, and the id, which tells whether the server has forgotten the client before. */
function comparable(line: string): string {
  return line
    .replace(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (us=\d+ )?/, '')
    .replace(/ headroom:.*/, '')
    .replace(/peer-id \d+/, 'peer-id');
}

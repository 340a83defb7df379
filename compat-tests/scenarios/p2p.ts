/**
 * Two equals without --mode server and --pull: static keys, no keys, and TLS with what both compute from
 * their key messages. The left peer lives in the server's namespace and is 10.8.0.1 inside, the right one in
 * the client's and is 10.8.0.2; "ours-server" makes the left one ours.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { staticKeyText } from '../../test-kit/pki.ts';
import { type Program, sleep } from '../../test-kit/process.ts';
import { type Bed, check, type Role } from '../bed.ts';
import { isBefore } from '../peer.ts';
import type { Scenario } from './scenario.ts';

const LEFT = '10.8.0.1';
const RIGHT = '10.8.0.2';
const LEFT6 = 'fd00:8::1';
const UP = /Initialization Sequence Completed/;
const MIB = 1_048_576;
const NEXT_SECOND_MS = 1_100;

/** Further lines of each peer. */
interface Lines {
  readonly both?: readonly string[];
  readonly left?: readonly string[];
  readonly right?: readonly string[];
  /** Both know where the other is; otherwise only the right one does. */
  readonly mutual?: boolean;
}

/** What both ends take where one of them cannot negotiate. */
const FIXED_CIPHER = 'cipher AES-256-GCM';
const NOT_NEGOTIATED =
  /TLS_export=0, DATA_v2=0, peer-id \d+, cipher=\(not negotiated, fallback-cipher: AES-256-[CG][BC][CM]\)/;
/** Cipher and digest that no cipher of 2.6's defaults can replace. */
const CBC = ['cipher AES-256-CBC', 'auth SHA256'];

export const p2p: readonly Scenario[] = [
  ...staticKeyScenarios(),
  {
    name: 'p2p without keys',
    run: (bed) => carries(bed, { mutual: true }),
  },
  {
    name: 'p2p TLS: ciphers, peer id and key export are negotiated',
    run: (bed) =>
      carriesTls(
        bed,
        {},
        /P2P mode NCP negotiation result: TLS_export=1, DATA_v2=1, peer-id \d+, cipher=AES-256-GCM/,
      ),
  },
  {
    // The format is in no line but in what mssfix leaves room for.
    name: 'p2p TLS: epoch data keys when both ends have them',
    feature: 'Epoch data keys (2.7)',
    run: (bed) => carriesTls(bed, {}, bed.knows('2.7') ? /mss_fix:1396/ : /mss_fix:1400/),
  },
  {
    name: 'p2p TLS: both ends know the other, tls-auth, IPv6',
    tunnel: { family: 6 },
    run: (bed) => {
      const key = bed.write('ta.key', staticKeyText(randomBytes(256)));
      const wrap = { left: [`tls-auth ${key} 0`], right: [`tls-auth ${key} 1`] };
      return carriesTls(bed, { ...wrap, mutual: true }, /DATA_v2=1/);
    },
  },
  { name: 'p2p TLS on tap', tunnel: { dev: 'tap' }, run: (bed) => carriesTls(bed, {}, /DATA_v2=1/) },
  { name: 'p2p TLS over TCP', tunnel: { proto: 'tcp' }, run: (bed) => carriesTls(bed, {}, /DATA_v2=1/) },
  {
    name: 'p2p TLS: the server end decides the order of ciphers',
    peerFrom: '2.6',
    run: (bed) =>
      carriesTls(
        bed,
        {
          left: ['data-ciphers AES-256-CBC:AES-128-GCM'],
          right: ['data-ciphers CHACHA20-POLY1305:AES-128-GCM:AES-256-CBC'],
          both: ['auth SHA256'],
        },
        /cipher=AES-256-CBC/,
      ),
  },
  {
    name: 'p2p TLS: --cipher is used where no list agrees',
    run: (bed) =>
      carriesTls(
        bed,
        { left: ['data-ciphers AES-128-GCM'], right: ['data-ciphers CHACHA20-POLY1305'], both: CBC },
        /cipher=\(not negotiated, fallback-cipher: AES-256-CBC\)/,
      ),
  },
  {
    name: 'p2p TLS: renegotiation under pings',
    timeoutMs: 60_000,
    run: renegotiates,
  },
  ...(['left', 'right'] as const).map((side) => ({
    name: `p2p TLS: the ${side} peer restarts and is met again`,
    timeoutMs: 90_000,
    run: (bed: Bed) => meetsAgain(bed, side, true),
  })),
  {
    name: 'p2p static key: a restarted peer is met again',
    timeoutMs: 90_000,
    run: (bed) => meetsAgain(bed, 'right', false),
  },
  // Older ones end, as SIGTERM makes them.
  { name: 'p2p: explicit-exit-notify restarts the other peer', peerServerFrom: '2.6', run: leaves },
  { name: 'p2p: ping-exit ends a peer that is alone', run: endsAlone },
  { name: 'p2p static key: another key is not accepted', run: wrongKey },
  {
    name: 'p2p static key: replay-persist goes on where the last run ended',
    timeoutMs: 90_000,
    run: remembersIds,
  },
  { name: 'p2p static key: the options of the peer are compared', timeoutMs: 60_000, run: comparesOptions },
];

function staticKeyScenarios(): Scenario[] {
  const cases: readonly (readonly [string, readonly string[], boolean])[] = [
    ['AES-256-CBC, SHA256, with direction', CBC, true],
    ['AES-128-CBC, SHA1, without direction', ['cipher AES-128-CBC'], false],
    ['DES-EDE3-CBC, SHA512, with direction', ['cipher DES-EDE3-CBC', 'auth SHA512'], true],
    ['cipher none, SHA1, without direction', ['cipher none'], false],
    ['CAMELLIA-256-CBC, auth none, with direction', ['cipher CAMELLIA-256-CBC', 'auth none'], true],
  ];
  return [
    ...cases.map(([name, both, directed]) => ({
      name: `p2p static key: ${name}`,
      run: (bed: Bed) => carries(bed, { both, ...secret(bed, directed) }),
    })),
    {
      name: 'p2p static key over TCP and IPv6',
      tunnel: { proto: 'tcp', family: 6 },
      run: (bed) => carries(bed, { both: CBC, ...secret(bed, true) }),
    },
    {
      name: 'p2p static key on tap',
      tunnel: { dev: 'tap' },
      run: (bed) => carries(bed, { both: CBC, ...secret(bed, true) }),
    },
    {
      name: 'p2p static key: both ends know the other, one floats',
      run: (bed) => {
        const { left, right } = secret(bed, true);
        return carries(bed, { both: CBC, left: [...left, 'float'], right, mutual: true });
      },
    },
  ];
}

function secret(bed: Bed, directed: boolean): { left: string[]; right: string[] } {
  const key = bed.write('static.key', staticKeyText(randomBytes(256)));
  return directed
    ? { left: [`secret ${key} 0`], right: [`secret ${key} 1`] }
    : { left: [`secret ${key}`], right: [`secret ${key}`] };
}

/** Both come up, traffic flows, nothing is left behind. */
async function carries(bed: Bed, lines: Lines): Promise<void> {
  const { server: leftNs } = bed.network;
  const rightNs = bed.client().ns;
  const before = [bed.snapshot(leftNs), bed.snapshot(rightNs)] as const;
  const [left, right] = launch(bed, lines);
  await bothUp(bed, left, right);
  await bed.checkPing(LEFT);
  await bed.checkPing(LEFT6);
  await bed.checkPing(RIGHT, { ns: leftNs });
  await bed.checkTransfer(LEFT, 4 * MIB);
  await bed.stop(right);
  await bed.stop(left);
  bed.checkClean(leftNs, before[0]);
  bed.checkClean(rightNs, before[1]);
}

async function carriesTls(bed: Bed, lines: Lines, agreed: RegExp): Promise<void> {
  const [left, right] = launch(bed, withTls(bed, lines));
  await bothUp(bed, left, right);
  const wanted = negotiates(bed) ? agreed : NOT_NEGOTIATED;
  for (const program of [left, right]) {
    if (ours(bed, program))
      check(program.has(wanted), `${program.name} does not say ${wanted}${bed.tails()}`);
  }
  await bed.checkPing(LEFT);
  await bed.checkPing(RIGHT, { ns: bed.network.server });
  await bed.checkTransfer(LEFT, 4 * MIB);
}

async function renegotiates(bed: Bed): Promise<void> {
  const [left, right] = launch(bed, withTls(bed, { both: ['reneg-sec 6'] }));
  await bothUp(bed, left, right);
  await bed.checkPing(LEFT, { count: 400, intervalSec: 0.04 });
  const handshakes = left.count(/Control Channel: /);
  check(handshakes >= 3, `only ${handshakes} handshakes${bed.tails()}`);
}

async function meetsAgain(bed: Bed, side: 'left' | 'right', tls: boolean): Promise<void> {
  const keys = tls ? {} : { both: CBC, ...secret(bed, true) };
  const lines = tls ? withTls(bed, keys) : keys;
  const [left, right] = launch(bed, lines);
  await bothUp(bed, left, right);
  await bed.checkPing(LEFT);
  const [gone, kept] = side === 'left' ? [left, right] : [right, left];
  kept.mark();
  await gone.stop('SIGKILL');
  // Packet ids of static keys begin with the second of the start: within the same one they would be replays.
  if (!tls) await sleep(NEXT_SECOND_MS);
  const again = launchOne(bed, side, lines);
  await bed.waitUp(again, 40_000);
  // Static keys are there from the start, TLS peers agree anew.
  if (tls && (ours(bed, kept) || negotiates(bed))) await bed.waitUp(kept, 40_000);
  // Older servers go on without saying that they are up.
  else if (tls) await kept.waitFor(/untrusted session promoted to|Initialization Sequence Completed/, 40_000);
  await bed.checkPing(LEFT);
  await bed.checkPing(RIGHT, { ns: bed.network.server });
}

async function leaves(bed: Bed): Promise<void> {
  const [left, right] = launch(bed, withTls(bed, { both: ['explicit-exit-notify 1'] }));
  await bothUp(bed, left, right);
  left.mark();
  await bed.stop(right);
  await left.waitFor(/SIGUSR1\[soft,remote-exit\] received, process restarting/);
}

async function endsAlone(bed: Bed): Promise<void> {
  const keys = secret(bed, true);
  const [left, right] = launch(bed, { both: CBC, left: [...keys.left, 'ping-exit 4'], right: keys.right });
  await bothUp(bed, left, right);
  await right.stop('SIGKILL');
  await left.waitFor(/Inactivity timeout \(--ping-exit\), exiting/);
  await left.waitFor(/SIGTERM\[soft,ping-exit\] received, process exiting/);
}

async function wrongKey(bed: Bed): Promise<void> {
  const key = bed.write('one.key', staticKeyText(randomBytes(256)));
  const other = bed.write('other.key', staticKeyText(randomBytes(256)));
  const [left, right] = launch(bed, { both: CBC, left: [`secret ${key}`], right: [`secret ${other}`] });
  if (bed.isOurs('server'))
    await left.waitFor(/Authenticate\/Decrypt packet error: packet HMAC authentication failed/);
  await sleep(1_500);
  for (const program of [left, right]) check(!program.has(UP), `${program.name} came up${bed.tails()}`);
}

/** The record is the same in both programs: 8 bytes of time, 4 of id, 4 unused. */
async function remembersIds(bed: Bed): Promise<void> {
  const { left, right } = secret(bed, true);
  const files = { left: join(bed.dir, 'left.ids'), right: join(bed.dir, 'right.ids') };
  const lines = {
    both: CBC,
    left: [...left, `replay-persist ${files.left}`],
    right: [...right, `replay-persist ${files.right}`],
    mutual: true,
  };
  const first = launch(bed, lines);
  await bothUp(bed, ...first);
  await bed.checkPing(LEFT);
  for (const program of first) await bed.stop(program);
  const records = Object.values(files).map((file) => readFileSync(file));
  for (const record of records) {
    const age = Date.now() / 1000 - Number(record.readBigInt64LE());
    check(record.length === 16 && age >= 0 && age < 60, `a record of ${record.length} bytes, ${age} s old`);
    check(record.readUInt32LE(8) > 3, `packet id ${record.readUInt32LE(8)}`);
  }
  await sleep(NEXT_SECOND_MS);
  const second = launch(bed, lines);
  await bothUp(bed, ...second);
  await bed.checkPing(LEFT);
  for (const program of second) await bed.stop(program);
  // Whatever comes is older than what was seen last.
  for (const [i, file] of Object.values(files).entries()) {
    records[i]?.writeBigInt64LE(BigInt(Math.floor(Date.now() / 1000) + 3600));
    writeFileSync(file, records[i] ?? '');
  }
  const third = launch(bed, lines);
  for (const program of third)
    await program.waitFor(/bad packet ID \(may be a replay\): \[ #\d+ \/ time = /, 20_000);
  for (const program of third) check(!program.has(UP), `${program.name} came up${bed.tails()}`);
}

/** OCC_REQUEST comes after ten seconds. */
async function comparesOptions(bed: Bed): Promise<void> {
  const keys = secret(bed, true);
  const both = [...CBC, 'verb 7'];
  const mtu = { left: [...keys.left, 'tun-mtu 1400'], right: keys.right };
  const [left, right] = launch(bed, { both, ...mtu });
  await bothUp(bed, left, right);
  const differs =
    /WARNING: 'tun-mtu' is used inconsistently, local='tun-mtu 1[45]00', remote='tun-mtu 1[45]00'/;
  for (const program of [left, right]) if (ours(bed, program)) await program.waitFor(differs, 20_000);
}

function launch(bed: Bed, lines: Lines): [Program, Program] {
  return [launchOne(bed, 'left', lines), launchOne(bed, 'right', lines)];
}

function launchOne(
  bed: Bed,
  side: 'left' | 'right',
  { both = [], left = [], right = [], mutual }: Lines,
): Program {
  const { dev, proto, family } = bed.tunnel;
  const isLeft = side === 'left';
  const { ns, ip4, ip6, server4, server6 } = bed.client();
  const host = isLeft ? (family === 6 ? ip6 : ip4) : family === 6 ? server6 : server4;
  const kind = proto === 'udp' ? 'udp' : 'tcp';
  return bed.launch(isLeft ? 'server' : 'client', isLeft ? bed.network.server : ns, [
    `dev ${dev}`,
    `proto ${kind}${family}${kind === 'udp' ? '' : isLeft ? '-server' : '-client'}`,
    dev === 'tun'
      ? `ifconfig ${isLeft ? `${LEFT} ${RIGHT}` : `${RIGHT} ${LEFT}`}`
      : `ifconfig ${isLeft ? LEFT : RIGHT} 255.255.255.0`,
    `ifconfig-ipv6 ${isLeft ? `${LEFT6}/64 fd00:8::2` : `fd00:8::2/64 ${LEFT6}`}`,
    ...(isLeft && !mutual ? [] : [`remote ${host} 1194`]),
    'port 1194',
    'ping 1',
    'ping-restart 10',
    'connect-retry 1 2',
    'verb 4',
    ...both,
    ...(isLeft ? left : right),
  ]);
}

/** Peers older than 2.6 take --cipher without a word about it when nobody is their server. */
function negotiates(bed: Bed): boolean {
  return bed.pairing === 'ours-both' || !isBefore(bed.programs.reference, '2.6');
}

function withTls(bed: Bed, lines: Lines): Lines {
  const { ca, server, client1 } = bed.pki;
  const identity = ({ cert, key }: { cert: string; key: string }): string[] => [
    `ca ${ca}`,
    `cert ${cert}`,
    `key ${key}`,
  ];
  const { both = [] } = lines;
  const isFixed = negotiates(bed) || both.some((line) => line.startsWith('cipher '));
  return {
    ...lines,
    both: isFixed ? both : [FIXED_CIPHER, ...both],
    left: ['tls-server', 'dh none', ...identity(server), ...(lines.left ?? [])],
    right: ['tls-client', 'remote-cert-tls server', ...identity(client1), ...(lines.right ?? [])],
  };
}

async function bothUp(bed: Bed, left: Program, right: Program): Promise<void> {
  await bed.waitUp(right, 30_000);
  await bed.waitUp(left, 30_000);
}

function ours(bed: Bed, program: Program): boolean {
  const roles: readonly Role[] = ['server', 'client'];
  return roles.some((role) => bed.isOurs(role) && program.name === `our ${role}`);
}

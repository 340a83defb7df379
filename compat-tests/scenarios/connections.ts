/**
 * Connection profiles: both programs read the same client configuration, one after the other, against the
 * same server, and must go the same way: which address by which protocol, what ends each attempt, how
 * long they wait, and how it all ends.
 */
import { staticKeyText } from '../../test-kit/pki.ts';
import { Program, runProgram } from '../../test-kit/process.ts';
import { type Bed, check } from '../bed.ts';
import type { Scenario } from './scenario.ts';

interface Way {
  readonly name: string;
  readonly peerFrom?: string;
  readonly peerBefore?: string;
  readonly lines: (server: string, bed: Bed) => readonly string[];
  /** Whether it ends connected; else the program ends by itself. */
  readonly connects: boolean;
  /** What both programs see as /etc/hosts: at first, and once a look-up has failed. */
  readonly hosts?: (server: string) => readonly [string, string];
}

const block = (...lines: string[]): string[] => ['<connection>', ...lines, '</connection>'];

const WAYS: readonly Way[] = [
  {
    name: 'blocks with options of their own',
    // In 2.5 the socket of the last block is bound as that of the block before.
    peerFrom: '2.6',
    connects: true,
    lines: (server) => [
      ...block(`remote ${server} 1999 tcp4-client`, 'connect-retry 1', 'connect-timeout 5'),
      ...block(
        `remote ${server} 1998 udp4`,
        'connect-timeout 2',
        'explicit-exit-notify 2',
        'lport 0',
        'bind',
      ),
      ...block(`remote ${server} 1194 udp4`, 'nobind', 'tun-mtu 1400', 'mssfix 1200'),
      'remote 192.0.2.1 1',
      'port 4000',
    ],
  },
  {
    name: 'proto-force passes over other protocols',
    connects: true,
    lines: (server) => [`remote ${server} 1999 tcp4-client`, `remote ${server} 1194 udp4`, 'proto-force udp'],
  },
  {
    name: 'proto-force with nothing left',
    connects: false,
    lines: (server) => [`remote ${server} 1194 udp4`, 'proto-force tcp'],
  },
  {
    name: 'connect-retry-max ends it after so many rounds',
    connects: false,
    lines: (server) => [
      `remote ${server} 1999 tcp4-client`,
      `remote ${server} 1998 tcp4-client`,
      'connect-retry 1 1',
      'connect-retry-max 2',
    ],
  },
  {
    name: 'connect-retry-max over silent UDP servers, without a pause',
    connects: false,
    lines: (server) => [`remote ${server} 1998 udp4`, 'connect-timeout 1', 'connect-retry-max 3'],
  },
  {
    name: 'networks without a route are left at once',
    peerFrom: '2.6',
    connects: true,
    lines: (server) => [
      'remote 203.0.113.9 1194 udp4',
      'remote 2001:db8:ffff::9 1194 udp6',
      `remote ${server} 1194 udp4`,
    ],
  },
  {
    name: 'auth-retry nointeract waits longer between attempts',
    // 2.7 waits ten seconds whatever connect-retry says.
    peerBefore: '2.7',
    connects: false,
    lines: (server) => [
      `remote ${server} 1999 tcp4-client`,
      'connect-retry 1 2',
      'auth-retry nointeract',
      'connect-retry-max 2',
    ],
  },
  {
    name: 'blocks with proxies of their own',
    peerFrom: '2.6',
    connects: true,
    lines: (server) => [
      ...block(`remote ${server} 1998 tcp4-client`, `http-proxy ${server} 3128`, 'http-proxy-option AGENT x'),
      ...block(`remote ${server} 1998 tcp4-client`, `socks-proxy ${server} 3129`),
      ...block(`remote ${server} 1998 udp4`, `socks-proxy ${server} 3130`, 'connect-retry 1'),
      ...block(`remote ${server} 1194 udp4`),
      'connect-retry 1',
      'connect-timeout 5',
    ],
  },
  {
    name: 'blocks with wrapping keys of their own',
    peerFrom: '2.6',
    connects: true,
    lines: (server, bed) => [
      ...block(`remote ${server} 1194 udp4`, `tls-auth ${keyFile(bed)} 1`, 'connect-timeout 2'),
      ...block(`remote ${server} 1194 udp4`, `tls-crypt ${keyFile(bed)}`, 'server-poll-timeout 2'),
      ...block(`remote ${server} 1194 udp4`, 'mtu-disc yes', 'tun-mtu-max 1700', 'float'),
    ],
  },
  {
    name: 'a name that resolves only later',
    peerFrom: '2.6',
    connects: true,
    hosts: (server) => ['127.0.0.1 localhost', `${server} vpn.example`],
    lines: () => ['remote vpn.example 1194 udp4', 'resolv-retry 20'],
  },
  {
    name: 'a name that never resolves, with resolv-retry 0',
    connects: false,
    hosts: () => ['127.0.0.1 localhost', ''],
    lines: () => ['remote vpn.example 1194 udp4', 'resolv-retry 0', 'remote-random-hostname'],
  },
  {
    name: 'names that never resolve, one after the other',
    peerFrom: '2.6',
    connects: false,
    hosts: () => ['127.0.0.1 localhost', ''],
    lines: () => [
      'remote vpn.example 1194 udp4',
      ...block('remote other.example 1194 tcp4-client', 'http-proxy proxy.example 3128'),
      'connect-retry 1 1',
      'connect-retry-max 2',
    ],
  },
  {
    name: 'http-proxy-override leaves TCP profiles, through the proxy',
    connects: false,
    lines: (server) => [
      `remote ${server} 1194 udp4`,
      `remote ${server} 1999 tcp4-client`,
      `http-proxy-override ${server} 3128`,
      'connect-retry 1 1',
      'connect-retry-max 1',
    ],
  },
  {
    name: 'http-proxy-override without a TCP profile',
    connects: true,
    lines: (server) => [`remote ${server} 1194 udp4`, `http-proxy-override ${server} 3128`],
  },
];

export const connections: readonly Scenario[] = WAYS.map((way) => ({
  name: `connection list: ${way.name}`,
  ...(way.peerFrom === undefined ? {} : { peerFrom: way.peerFrom }),
  ...(way.peerBefore === undefined ? {} : { peerBefore: way.peerBefore }),
  pairings: ['ours-client'] as const,
  run: (bed: Bed) => sameWay(bed, way),
}));

async function sameWay(bed: Bed, way: Way): Promise<void> {
  await bed.startServer(['duplicate-cn']);
  const { server4 } = bed.client();
  const lines = [
    'client',
    'dev tun',
    'dev-type tun',
    'nobind',
    'remote-cert-tls server',
    `ca ${bed.pki.ca}`,
    `cert ${bed.pki.client1.cert}`,
    `key ${bed.pki.client1.key}`,
    'verb 3',
    'suppress-timestamps',
    ...way.lines(server4, bed),
  ].filter((line) => line !== 'nobind' || !way.lines(server4, bed).some((own) => own.startsWith('bind')));
  const file = bed.write('ways.conf', `${lines.join('\n')}\n`);
  const peer = await walk(bed, bed.programs.peer, file, way);
  const ours = await walk(bed, bed.programs.ours, file, way);
  check(
    JSON.stringify(ours) === JSON.stringify(peer),
    `ours:\n${ours.join('\n')}\nthe peer:\n${peer.join('\n')}`,
  );
}

/** The lines that tell the way, and the exit code. */
async function walk(bed: Bed, path: string, file: string, way: Way): Promise<string[]> {
  const options = { name: path, argv: [path, '--config', file], ns: bed.client().ns, cwd: bed.dir };
  const [first, later] = way.hosts?.(bed.client().server4) ?? [];
  if (first !== undefined) options.argv = withHosts(bed, options.argv, first);
  let program: Program;
  if (way.connects) {
    program = new Program(options);
    if (later !== undefined) {
      await program.waitFor(/RESOLVE: Cannot resolve/);
      bed.write('hosts', `${later}\n`, 0o644);
    }
    await program.waitFor(/Initialization Sequence Completed/, 20_000);
    await program.stop();
  } else {
    program = await runProgram(options, 20_000);
  }
  const told = program.lines.filter((line) => TELLING.test(line) && !CLOSING.test(line));
  const lines = told.map(withoutChance);
  // A client of 2.7 waits two seconds where connect-retry of 2.6 says how long.
  const paused = bed.knows('2.7') ? lines.map((line) => line.replace(/^(Restart pause), .*/, '$1')) : lines;
  // How often a name fails before the file has it is chance.
  const once = later === undefined ? paused : paused.filter((line, i) => line !== paused[i - 1]);
  return [...once, `exit ${program.ended?.code}`];
}

/** Without ports of the kernel's choice and labels of remote-random-hostname, and in the words of 2.6 where those of 2.5 or 2.7 differ. */
function withoutChance(line: string): string {
  return line
    .replace(/(bound\): .*:)\d+/, '$1PORT')
    .replace(/ [\da-f]{12}\./, ' LABEL.')
    .replace(/ \[nonblock\]$/, '')
    .replace(/fd=\d+/, 'fd=N')
    .replace(/^(RESOLVE: .*:\d+)\[AF_INET6?\]/, '$1')
    .replace(')(I would', ') (I would')
    .replace('(soft),init_instance]', '(soft),connection-failed]');
}

/** `ip netns exec` gives each program mounts of its own: this /etc/hosts shows nowhere else. */
function withHosts(bed: Bed, argv: readonly string[], text: string): string[] {
  const resolv = bed.write('resolv', '', 0o644);
  const mounts = [
    `mount --bind ${bed.write('hosts', `${text}\n`, 0o644)} /etc/hosts`,
    `mount --bind ${resolv} /etc/resolv.conf`,
  ];
  return ['sh', '-c', `${mounts.join(' && ')} && exec ${argv.join(' ')}`];
}

function keyFile(bed: Bed): string {
  return bed.write('other.key', staticKeyText(Buffer.alloc(256, 7)));
}

const TELLING =
  /RESOLVE|Network unreachable|^write UDP|link local|link remote|Attempting to establish|TCP connection established|connect to .* failed|Restart pause|SIGUSR1|poll timeout|connect-retry-max|No usable|Exiting|Could not determine|is ignored by previous|Note: option|NOTICE/;
/** What follows the stop. */
const CLOSING = /SIGTERM|exit-with-notification/;

/**
 * What a machine's network is like before, during and after a tunnel: without the program `ip`, with busybox's,
 * after a killed run, and compared with what the peer does to it.
 */
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const NET_LINE = /net_|ROUTE|GDG6|sitnl|add_route|delete_route|Linux route|TUN\/TAP|Initialization Sequence/;
const ROUTES = ['route 10.41.0.0 255.255.0.0 vpn_gateway 7', 'route 10.42.0.0 255.255.0.0 net_gateway'];
const ROUTES6 = ['route-ipv6 fd55::/64', 'route-ipv6 fd56::/64 default 5'];
const REDIRECT = 'redirect-gateway def1 ipv6';

export const networkConfig: readonly Scenario[] = [
  {
    name: 'without the program ip: addresses and routes come and go',
    pairings: ['ours-client'],
    run: (bed) => withoutIp(bed, '#!/bin/sh\necho "there is no ip here" >&2\nexit 127\n'),
  },
  {
    name: "with busybox's ip in PATH: addresses and routes come and go",
    pairings: ['ours-client'],
    run: (bed) => withoutIp(bed, '#!/bin/sh\necho "ip: invalid argument" >&2\nexit 1\n'),
  },
  {
    name: 'killed, started again and stopped: nothing of a redirection stays',
    pairings: ['ours-client'],
    run: killed,
  },
  {
    name: "addresses, routes and log lines are the peer's",
    pairings: ['ours-client'],
    peerFrom: '2.6',
    peerBefore: '2.7',
    run: sameAsPeer,
  },
  {
    name: 'a route that cannot be set: the sequence is completed all the same',
    pairings: ['ours-client'],
    run: badRoute,
  },
];

/** `body` is what any call of `ip` gets, wherever it is looked for: namespaces of tests have mounts of their own. */
async function withoutIp(bed: Bed, body: string): Promise<void> {
  const { ns, server4 } = bed.client();
  bed.ip(ns, 'route', 'add', 'default', 'via', server4);
  const stub = bed.write('stub', body, 0o755);
  const places = '/usr/sbin/ip /sbin/ip /usr/bin/ip /bin/ip';
  const hide = `for place in ${places}; do [ ! -e $place ] || mount --bind ${stub} $(readlink -f $place); done`;
  const through = bed.write('without-ip', `#!/bin/sh\n${hide}\nexec "$@"\n`, 0o755);
  const before = bed.snapshot(ns);
  await bed.startServer();
  const client = await bed.startClient([...ROUTES, ...ROUTES6, REDIRECT], { through });
  await bed.checkPing(INNER_SERVER4);
  check(bed.ip(ns, 'route').includes('10.41.0.0/16 via 10.8.0.1 dev tun0 metric 7'), 'a route is missing');
  check(bed.ip(ns, '-6', 'route').includes('fd55::/64 dev tun0'), 'an IPv6 route is missing');
  await bed.stop(client);
  bed.checkClean(ns, before);
}

async function killed(bed: Bed): Promise<void> {
  const { ns, server4 } = bed.client();
  bed.ip(ns, 'route', 'add', 'default', 'via', server4);
  const before = bed.snapshot(ns);
  await bed.startServer();
  const first = await bed.startClient([REDIRECT]);
  await first.stop('SIGKILL');
  check(bed.ip(ns, 'route').includes(`${server4} `), "the killed run's host route should be there still");
  const second = await bed.startClient([REDIRECT]);
  check(second.has(/NOTE: Linux route add command failed because route exists/), 'nothing was left behind');
  await bed.stop(second);
  bed.checkClean(ns, before);
}

/** The same client twice, by the peer and by us. */
async function sameAsPeer(bed: Bed): Promise<void> {
  const { ns, server4 } = bed.client();
  bed.ip(ns, 'route', 'add', 'default', 'via', server4);
  await bed.startServer();
  const lines = [...ROUTES, ...ROUTES6, REDIRECT, 'route 10.43.0.0 255.255.0.0 10.55.0.1', 'verb 3'];
  const found: { state: string[]; log: string[] }[] = [];
  const through = bed.write('as-peer', `#!/bin/sh\nshift\nexec ${bed.programs.peer} "$@"\n`, 0o755);
  for (const options of [{ through }, {}]) {
    const client = bed.launchClient(lines, options);
    await bed.waitUp(client);
    const state = bed.snapshot(ns).filter((line) => !/fe80:/.test(line));
    await bed.stop(client);
    found.push({ state, log: client.lines.filter((line) => NET_LINE.test(line)).map(withoutTime) });
  }
  const [peer, ours] = found;
  check(ours!.log.length > 20, `few lines:\n${ours!.log.join('\n')}`);
  check(
    peer!.log.join('\n') === ours!.log.join('\n'),
    `log lines\n${peer!.log.join('\n')}\nours\n${ours!.log.join('\n')}`,
  );
  check(
    peer!.state.join('\n') === ours!.state.join('\n'),
    `state\n${peer!.state.join('\n')}\nours\n${ours!.state.join('\n')}`,
  );
}

function withoutTime(line: string): string {
  return line.replace(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d /, '');
}

async function badRoute(bed: Bed): Promise<void> {
  await bed.startServer(['push "route 10.43.0.0 255.255.0.0 10.55.0.1"']);
  const client = await bed.startClient();
  check(
    client.has(/sitnl_send: rtnl: generic error \(-101\): Network is unreachable/),
    'no reason in the log',
  );
  check(client.has(/ERROR: Linux route add command failed/), 'no error in the log');
  check(client.has(/Initialization Sequence Completed$/), 'the sequence is told to have errors');
  await bed.checkPing(INNER_SERVER4);
}

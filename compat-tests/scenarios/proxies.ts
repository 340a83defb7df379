/**
 * Through real proxies: tinyproxy (HTTP, with and without login), squid (Digest and NTLM), microsocks
 * (SOCKS for TCP) and Dante (SOCKS for UDP). Each runs in the server's namespace; that the server sees the
 * proxy's address instead of the client's proves the way.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { isListening } from '../../test-kit/netns.ts';
import { Program, sleep } from '../../test-kit/process.ts';
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import { Skipped } from '../runner.ts';
import type { Scenario } from './scenario.ts';

const HTTP_PORT = 8080;
const SOCKS_PORT = 1080;
const USER = 'vpnuser';
const PASSWORD = 'secret word';
const HELPERS = '/usr/lib/squid';
const PAIRINGS = ['ours-client', 'ours-both'] as const;
const TCP = { proto: 'tcp' } as const;

interface Proxy {
  readonly argv: readonly string[];
  readonly port: number;
}

interface Case {
  readonly name: string;
  readonly proxy: (bed: Bed) => Proxy;
  /** Client lines; `%h` is the proxy's address. */
  readonly lines: (bed: Bed) => readonly string[];
  readonly udp?: true;
  readonly family?: 6;
}

const WORKING: readonly Case[] = [
  {
    name: 'HTTP proxy without login (tinyproxy)',
    proxy: (bed) => tinyproxy(bed),
    lines: () => [
      `http-proxy %h ${HTTP_PORT}`,
      'http-proxy-option VERSION 1.1',
      'http-proxy-option AGENT some-agent/1.0',
      'http-proxy-option CUSTOM-HEADER X-Test yes',
    ],
  },
  {
    name: 'HTTP proxy, Basic by file (tinyproxy)',
    proxy: (bed) => tinyproxy(bed, `BasicAuth ${USER} secretword`),
    lines: (bed) => [`http-proxy %h ${HTTP_PORT} ${login(bed, 'secretword')}`],
  },
  {
    name: 'HTTP proxy, Basic by auto (tinyproxy)',
    proxy: (bed) => tinyproxy(bed, `BasicAuth ${USER} secretword`),
    lines: () => [
      `http-proxy %h ${HTTP_PORT} auto`,
      '<http-proxy-user-pass>',
      USER,
      'secretword',
      '</http-proxy-user-pass>',
    ],
  },
  {
    name: 'HTTP proxy, Digest by auto-nct (squid)',
    proxy: (bed) => squid(bed, digestLines(bed)),
    lines: (bed) => [`http-proxy %h ${HTTP_PORT} auto-nct`, `http-proxy-user-pass ${login(bed, PASSWORD)}`],
  },
  {
    name: 'HTTP proxy, NTLMv2 (squid)',
    proxy: (bed) =>
      squid(bed, [
        `auth_param ntlm program ${HELPERS}/ntlm_fake_auth`,
        'auth_param ntlm children 1',
        'acl known proxy_auth REQUIRED',
      ]),
    lines: (bed) => [`http-proxy %h ${HTTP_PORT} ${login(bed, PASSWORD, `DOMAIN\\${USER}`)} ntlm2`],
  },
  {
    name: 'SOCKS proxy for TCP without login (microsocks)',
    proxy: () => ({ argv: ['microsocks', '-p', `${SOCKS_PORT}`], port: SOCKS_PORT }),
    lines: () => [`socks-proxy %h ${SOCKS_PORT}`],
  },
  {
    name: 'SOCKS proxy for TCP with login (microsocks)',
    proxy: () => ({
      argv: ['microsocks', '-p', `${SOCKS_PORT}`, '-u', USER, '-P', PASSWORD],
      port: SOCKS_PORT,
    }),
    lines: (bed) => [`socks-proxy %h ${SOCKS_PORT} ${login(bed, PASSWORD)}`],
  },
  {
    name: 'SOCKS proxy for UDP (Dante)',
    proxy: (bed) => dante(bed),
    lines: () => [`socks-proxy %h ${SOCKS_PORT}`],
    udp: true,
  },
  {
    name: 'SOCKS proxy for UDP with login (Dante)',
    proxy: (bed) => dante(bed, 'username'),
    lines: (bed) => [`socks-proxy %h ${SOCKS_PORT} ${login(bed, 'secretword')}`],
    udp: true,
  },
  {
    name: 'SOCKS proxy for TCP over IPv6 (microsocks)',
    proxy: () => ({ argv: ['microsocks', '-i', '::', '-p', `${SOCKS_PORT}`], port: SOCKS_PORT }),
    lines: () => [`socks-proxy %h ${SOCKS_PORT}`],
    family: 6,
  },
  {
    name: 'HTTP proxy over IPv6 (tinyproxy)',
    proxy: (bed) => tinyproxy(bed, 'Listen ::'),
    lines: () => [`http-proxy %h ${HTTP_PORT}`],
    family: 6,
  },
  {
    name: 'SOCKS proxy for TCP (Dante)',
    proxy: (bed) => dante(bed),
    lines: () => [`socks-proxy %h ${SOCKS_PORT}`],
  },
];

const REFUSED: readonly Case[] = [
  {
    name: 'HTTP proxy that refuses the login',
    proxy: (bed) => tinyproxy(bed, `BasicAuth ${USER} secretword`),
    lines: (bed) => [`http-proxy %h ${HTTP_PORT} ${login(bed, 'wrong')}`],
  },
  {
    name: 'HTTP proxy that asks for clear text where that is forbidden',
    proxy: (bed) => tinyproxy(bed, `BasicAuth ${USER} secretword`),
    lines: (bed) => [
      `http-proxy %h ${HTTP_PORT} auto-nct`,
      `http-proxy-user-pass ${login(bed, 'secretword')}`,
    ],
  },
  {
    name: 'HTTP proxy whose Digest login fails',
    proxy: (bed) => squid(bed, digestLines(bed)),
    lines: (bed) => [`http-proxy %h ${HTTP_PORT} auto`, `http-proxy-user-pass ${login(bed, 'wrong')}`],
  },
  {
    name: 'SOCKS proxy that refuses the login',
    proxy: () => ({
      argv: ['microsocks', '-p', `${SOCKS_PORT}`, '-u', USER, '-P', PASSWORD],
      port: SOCKS_PORT,
    }),
    lines: (bed) => [`socks-proxy %h ${SOCKS_PORT} ${login(bed, 'wrong')}`],
  },
];

export const proxies: readonly Scenario[] = [
  ...WORKING.map((test) => ({
    name: test.name,
    pairings: PAIRINGS,
    tunnel: { ...(test.udp ? {} : TCP), ...(test.family && { family: test.family }) },
    run: (bed: Bed) => tunnelThrough(bed, test),
  })),
  // Its NTLM does not get through squid's test program.
  ...WORKING.filter((test) => /^HTTP(?!.*IPv6).*(tinyproxy|Digest)/.test(test.name)).map((test) => ({
    name: `OpenVPN 3: ${test.name}`,
    pairings: ['ours-server'] as const,
    peerKinds: ['openvpn3-client'] as const,
    tunnel: TCP,
    run: (bed: Bed) => tunnelThrough(bed, test),
  })),
  ...REFUSED.map((test) => ({
    name: test.name,
    pairings: ['ours-client'] as const,
    tunnel: TCP,
    run: (bed: Bed) => refusedBy(bed, test),
  })),
];

async function tunnelThrough(bed: Bed, test: Case): Promise<void> {
  const proxy = await start(bed, test.proxy(bed));
  try {
    const server = await bed.startServer();
    await bed.startClient(clientLines(bed, test));
    const { server4 } = bed.client();
    const from = await server.waitFor(/Peer Connection Initiated with/);
    const proxied = test.family === 6 ? '[AF_INET6]fd99::1:' : `[AF_INET]${server4}:`;
    check(from.includes(proxied), `the server does not see the proxy: ${from}`);
    await bed.checkPing(INNER_SERVER4);
    await bed.checkTransfer(INNER_SERVER4, 2_097_152);
  } finally {
    await proxy.stop();
  }
}

/** The client goes on trying, with the reason that 2.x gives. */
async function refusedBy(bed: Bed, test: Case): Promise<void> {
  const proxy = await start(bed, test.proxy(bed));
  try {
    const client = bed.launchClient(clientLines(bed, test));
    const reason = test.name.startsWith('SOCKS') ? 'socks-error' : 'HTTP proxy error';
    const restart = new RegExp(`SIGUSR1\\[soft,${reason}\\] received, process restarting`);
    await client.waitFor(restart);
    client.mark();
    await client.waitFor(restart);
    await bed.stop(client);
  } finally {
    await proxy.stop();
  }
}

function clientLines(bed: Bed, test: Case): string[] {
  const { server4, server6 } = bed.client();
  return test.lines(bed).map((line) => line.replace('%h', test.family === 6 ? server6 : server4));
}

function login(bed: Bed, password: string, user = USER): string {
  return bed.write('proxy-login', `${user}\n${password}\n`);
}

function tinyproxy(bed: Bed, ...lines: string[]): Proxy {
  const config = [`Port ${HTTP_PORT}`, 'Timeout 600', 'MaxClients 10', 'LogLevel Info', ...lines];
  return {
    argv: ['tinyproxy', '-d', '-c', bed.write('tinyproxy.conf', `${config.join('\n')}\n`, 0o644)],
    port: HTTP_PORT,
  };
}

function squid(bed: Bed, auth: readonly string[]): Proxy {
  const config = [
    `http_port ${HTTP_PORT}`,
    ...auth,
    'http_access allow known',
    'http_access deny all',
    'cache deny all',
    'access_log none',
    'cache_log /dev/null',
    'pid_filename none',
    'shutdown_lifetime 0 seconds',
    `coredump_dir ${bed.dir}`,
  ];
  return {
    argv: ['squid', '-N', '-f', bed.write('squid.conf', `${config.join('\n')}\n`, 0o644)],
    port: HTTP_PORT,
  };
}

function digestLines(bed: Bed): string[] {
  const users = bed.write('digest-users', `${USER}:${PASSWORD}\n`, 0o644);
  spawnSync('chmod', ['755', bed.dir]);
  return [
    `auth_param digest program ${HELPERS}/digest_file_auth ${users}`,
    'auth_param digest children 1',
    'auth_param digest realm some proxy',
    'acl known proxy_auth REQUIRED',
  ];
}

/** Logins of Dante are the system's: with `username` it sees a user more, in a mount namespace of its own. */
function dante(bed: Bed, method: 'none' | 'username' = 'none'): Proxy {
  const { server4 } = bed.client();
  const config = [
    'logoutput: stderr',
    `internal: ${server4} port = ${SOCKS_PORT}`,
    `external: ${server4}`,
    `socksmethod: ${method}`,
    'clientmethod: none',
    'user.privileged: root',
    'user.unprivileged: root',
    'client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }',
    'socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }',
  ];
  const argv = ['danted', '-f', bed.write('danted.conf', `${config.join('\n')}\n`)];
  return { argv: method === 'none' ? argv : withUser(bed, argv), port: SOCKS_PORT };
}

/** `ip netns exec` gives each program mounts of its own: files of this one's /etc don't show elsewhere. */
function withUser(bed: Bed, argv: readonly string[]): string[] {
  const hash = spawnSync('openssl', ['passwd', '-6', 'secretword'], { encoding: 'utf8' }).stdout.trim();
  const files = {
    passwd: `${readFileSync('/etc/passwd', 'utf8')}${USER}:x:65533:65533::/:/bin/false\n`,
    shadow: `${readFileSync('/etc/shadow', 'utf8')}${USER}:${hash}:20000:0:99999:7:::\n`,
  };
  const mounts = Object.entries(files).map(
    ([name, text]) => `mount --bind ${bed.write(name, text, name === 'shadow' ? 0o600 : 0o644)} /etc/${name}`,
  );
  return ['sh', '-c', `${mounts.join(' && ')} && exec ${argv.join(' ')}`];
}

/** Starts a proxy in the server's namespace and waits until it listens. Throws Skipped without the program. */
async function start(bed: Bed, proxy: Proxy): Promise<Program> {
  const [first = ''] = proxy.argv;
  const name = first === 'sh' ? 'danted' : first;
  if (!['/usr/bin', '/usr/sbin'].some((dir) => existsSync(`${dir}/${name}`))) {
    throw new Skipped(`needs the program ${name}`);
  }
  const ns = bed.network.server;
  const program = new Program({ name, argv: proxy.argv, ns, cwd: bed.dir });
  for (let tries = 0; tries < 100; tries++) {
    if (isListening(ns, proxy.port)) return program;
    if (program.ended) break;
    await sleep(100);
  }
  throw new Error(`${name} does not listen\n${program.tail()}`);
}

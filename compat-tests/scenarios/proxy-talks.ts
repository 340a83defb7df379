/**
 * Talks with scripted proxies and servers: both programs read the same configuration and meet the same
 * answers, good, odd and hostile. They must say the same bytes, give the same reasons and try again in the
 * same way.
 */
import { Program, residentKib } from '../../test-kit/process.ts';
import type { ProxyAnswer } from '../../test-kit/scripted-proxy.ts';
import { type Bed, check } from '../bed.ts';
import type { Scenario } from './scenario.ts';

const PORTS = { peer: 8081, ours: 8082 } as const;
type Side = keyof typeof PORTS;

interface Talk {
  readonly name: string;
  /** Lines with `%p` for host and port of the proxy. */
  readonly lines: (login: string) => readonly string[];
  readonly script: readonly (readonly ProxyAnswer[])[];
  /** After so many SIGUSR1 restarts it was seen enough; 2 when left out. */
  readonly restarts?: number;
  /** Lines of the log that only the peer has. */
  readonly passedOver?: RegExp;
  /** Further lines of the peer's configuration. */
  readonly peerLines?: readonly string[];
}

/** The peer reads line by line, and for two more seconds when there is none. */
const NTLM_ONLY_PEER =
  /^HTTP proxy returned: '(Server|Proxy-Authenticate):|^recv_line: TCP port read timeout expired/;

/** The peer takes MD4 from OpenSSL. */
const LEGACY = ['providers legacy default'];

const CHALLENGE2 = Buffer.concat([
  Buffer.from('NTLMSSP\0\x02\0\0\0', 'latin1'),
  Buffer.alloc(8),
  Buffer.of(0x02, 0x02, 0, 0),
  Buffer.from('0123456789abcdef', 'hex'),
  Buffer.alloc(8),
]).toString('base64');

const HTTP_OK = 'HTTP/1.0 200 OK\r\n\r\n';
const ask = (method: string, more = ''): ProxyAnswer => ({
  text: `HTTP/1.1 407 Login\r\nServer: odd\r\nProxy-Authenticate: ${method}\r\n${more}\r\n`,
});
const FORBIDDEN: ProxyAnswer = { text: 'HTTP/1.1 403 Forbidden\r\n\r\n' };
const HANG_UP: ProxyAnswer = { text: '', end: true };
const DIGEST = 'Digest realm="some proxy", nonce="abc=,d", opaque="5c", qop="auth", algorithm=MD5';
const http = (...more: string[]) => [`http-proxy %p ${more[0] ?? ''}`.trim(), ...more.slice(1)];
const socks = (login = '') => [`socks-proxy %p ${login}`.trim()];

const TALKS: readonly Talk[] = [
  {
    name: 'request with version, agent and headers of its own',
    lines: () => [
      ...http(),
      'http-proxy-option VERSION 1.1',
      'http-proxy-option AGENT "Some Agent/1.0 (x)"',
      'http-proxy-option CUSTOM-HEADER X-One "two words"',
      'http-proxy-option CUSTOM-HEADER "X-Whole: line"',
      'http-proxy-option EXT1 X-Old yes',
    ],
    script: [[FORBIDDEN]],
  },
  {
    name: 'request with a Host header of its own',
    lines: () => [...http(), 'http-proxy-option CUSTOM-HEADER host other.example'],
    script: [[{ text: 'HTTP/1.0 502 Bad\r\nContent-Length: 4\r\n\r\nbody', end: true }]],
  },
  {
    name: 'Basic, refused',
    lines: (login) => http(login),
    script: [[ask('Basic realm="x"')]],
  },
  {
    name: 'auto: Basic',
    lines: (login) => http('auto', `http-proxy-user-pass ${login}`),
    script: [[ask('Basic realm="x"')], [{ text: HTTP_OK }, HANG_UP]],
    restarts: 1,
  },
  {
    name: 'auto: Digest before Basic, stale once, another error',
    lines: (login) => http('auto', `http-proxy-user-pass ${login}`),
    script: [
      [ask(DIGEST, 'Proxy-Authenticate: Basic realm="x"\r\n')],
      [ask(`${DIGEST}, stale=true`)],
      [FORBIDDEN],
    ],
  },
  {
    name: 'auto-nct: Digest with a session key',
    lines: (login) => http('auto-nct', `http-proxy-user-pass ${login}`),
    script: [[ask(DIGEST.replace('=MD5', '=MD5-sess'))], [FORBIDDEN]],
  },
  {
    name: 'auto: methods that nobody knows',
    lines: (login) => http('auto', `http-proxy-user-pass ${login}`),
    script: [[ask('Negotiate')]],
  },
  {
    name: 'NTLM version 1',
    lines: (login) => http(`${login} ntlm`),
    script: [[ask(`NTLM ${CHALLENGE2}`), FORBIDDEN]],
    passedOver: NTLM_ONLY_PEER,
    peerLines: LEGACY,
  },
  {
    name: 'NTLM version 2',
    lines: (login) => http(`${login} ntlm2`),
    script: [[ask(`NTLM ${CHALLENGE2}`), FORBIDDEN]],
    passedOver: NTLM_ONLY_PEER,
    peerLines: LEGACY,
  },
  {
    name: 'an answer byte by byte, then another protocol',
    lines: () => http(),
    script: [
      [{ text: 'HTTP/1.1 200 OK\r\nVia: x\r\n\r\n', trickleMs: 10 }, { text: 'HTTP/1.1 400 Bad\r\n\r\n' }],
    ],
  },
  { name: 'no answer', lines: () => [...http(), 'connect-timeout 2'], script: [[]] },
  { name: 'half an answer', lines: () => http(), script: [[{ text: 'HTTP/1.0 20', end: true }]] },
  { name: 'no number in the answer', lines: () => http(), script: [[{ text: 'what?\r\n\r\n' }]] },
  {
    name: 'a server with bad lengths behind the proxy',
    lines: () => http(),
    script: [[{ text: `${HTTP_OK}\0\0abc` }]],
  },
  ...[
    [1, 2, 3],
    [4, 5, 6],
    [7, 8, 255],
  ].map((codes) => ({
    name: `SOCKS replies ${codes.join(', ')}`,
    lines: () => socks(),
    script: codes.map((code) => [
      { text: '\x05\0' },
      { text: `\x05${String.fromCharCode(code)}\0\x01\0\0\0\0\0\0` },
    ]),
    restarts: codes.length,
  })),
  { name: 'SOCKS without a method', lines: () => socks(), script: [[{ text: '\x05\xff' }]] },
  { name: 'SOCKS of another version', lines: () => socks(), script: [[{ text: '\x04\0' }]] },
  {
    name: 'SOCKS with login, refused',
    lines: (login) => socks(login),
    script: [[{ text: '\x05\x02' }, { text: '\x01\x01' }]],
  },
  {
    name: 'SOCKS reply with a name, byte by byte',
    lines: () => socks(),
    script: [
      [
        { text: '\x05\0', trickleMs: 10 },
        { text: '\x05\0\0\x03\x04name\0\0', trickleMs: 10 },
        { text: '\0\0' },
      ],
    ],
  },
  {
    name: 'SOCKS reply with an unknown kind of address',
    lines: () => socks(),
    script: [[{ text: '\x05\0' }, { text: '\x05\0\0\x09\0\0\0\0\0\0' }]],
  },
  { name: 'SOCKS without answer', lines: () => [...socks(), 'connect-timeout 2'], script: [[]] },
  {
    name: 'SOCKS for UDP, refused',
    lines: () => [...socks(), 'proto udp'],
    script: [[{ text: '\x05\0' }, { text: '\x05\x07\0\x01\0\0\0\0\0\0' }]],
  },
];

export const proxyTalks: readonly Scenario[] = [
  ...TALKS.map((talk) => ({
    name: `proxy talk: ${talk.name}`,
    pairings: ['ours-client'] as const,
    // Texts and NTLM are those of 2.6.
    peerFrom: '2.6',
    peerBefore: '2.7',
    clients: 2,
    run: (bed: Bed) => sameTalk(bed, talk),
  })),
  {
    name: 'proxy talk: headers without end',
    pairings: ['ours-client'],
    tunnel: { proto: 'tcp' },
    run: endlessHeaders,
  },
];

const FLOOD = { text: `X-More: ${'y'.repeat(990)}\r\n`, times: 60_000 };
const GROWTH_LIMIT_KIB = 24 * 1_024;

/** 60 MB of headers: given up early, with a reason and without growing. */
async function endlessHeaders(bed: Bed): Promise<void> {
  const { server4 } = bed.client();
  const agent = await bed.agent(bed.network.server);
  const script = [[{ ...FLOOD, text: `HTTP/1.1 200 OK\r\n${FLOOD.text}` }]];
  await agent.ask({ do: 'proxy', options: { host: server4, port: PORTS.ours, script } });
  const client = bed.launchClient([`http-proxy ${server4} ${PORTS.ours}`, 'connect-retry 1 1']);
  const restart = /SIGUSR1\[soft,HTTP proxy error\]/;
  await client.waitFor(restart);
  check(client.has(/too long a header/), `no reason${bed.tails()}`);
  const before = residentKib(client.pid);
  for (let i = 0; i < 3; i++) {
    client.mark();
    await client.waitFor(restart);
  }
  const after = residentKib(client.pid);
  check(after - before < GROWTH_LIMIT_KIB, `memory grew from ${before} to ${after} KiB`);
  await bed.stop(client);
}

async function sameTalk(bed: Bed, talk: Talk): Promise<void> {
  const [peer, ours] = await Promise.all([hear(bed, 'peer', talk), hear(bed, 'ours', talk)]);
  for (const part of ['told', 'said'] as const) {
    check(
      JSON.stringify(ours[part]) === JSON.stringify(peer[part]),
      `ours ${part}:\n${ours[part].join('\n')}\nthe peer:\n${peer[part].join('\n')}\n\n${ours.log}`,
    );
  }
}

/** Runs one program against the script until it was seen enough. */
async function hear(
  bed: Bed,
  side: Side,
  talk: Talk,
): Promise<{ readonly told: string[]; readonly said: string[]; readonly log: string }> {
  const { ns, server4 } = bed.client(side === 'peer' ? 0 : 1);
  const port = PORTS[side];
  const agent = await bed.agent(bed.network.server);
  await agent.ask({ do: 'proxy', options: { host: server4, port, script: talk.script } });
  const login = bed.write(`${side}-login`, 'DOM\\vpnuser\nsecret word\n');
  const lines = [
    'client',
    'dev tun',
    'nobind',
    'remote vpn.example 1194',
    'remote-cert-tls server',
    `ca ${bed.pki.ca}`,
    `cert ${bed.pki.client1.cert}`,
    `key ${bed.pki.client1.key}`,
    'verb 4',
    'suppress-timestamps',
    'connect-retry 1',
    ...(side === 'peer' ? (talk.peerLines ?? []) : []),
    ...talk.lines(login).map((line) => line.replace('%p', `${server4} ${port}`)),
  ];
  if (!lines.includes('proto udp')) lines.push('proto tcp');
  const argv = [bed.programs[side], '--config', bed.write(`${side}.conf`, `${lines.join('\n')}\n`)];
  const program = new Program({ name: side, argv, ns, cwd: bed.dir });
  const wanted = talk.restarts ?? 2;
  await bed.waitUntil(
    () => program.count(RESTART) >= wanted || program.ended !== undefined,
    program.tail(),
    20_000,
  );
  await program.stop('SIGTERM');
  const said = (await agent.ask({ do: 'said', port })) as string[];
  return {
    told: toldLines(program.lines, wanted)
      .filter((line) => !talk.passedOver?.test(line))
      .map((line) => line.replaceAll(server4, 'HOST').replaceAll(`${port}`, 'PORT')),
    said: said.slice(0, wanted * talk.script.length).map(maskRandom),
    log: program.tail(60),
  };
}

const RESTART = /^SIGUSR1\[/;
const TELLING =
  /HTTP proxy|Proxy|PROXY|proxy|SOCKS|socks|NTLM|recv_line|Attempting|TCP connection established|connect to .* failed|Restart pause|SIGUSR1|Bad encapsulated|Connection reset/;

/** What the peer prints of its settings, and logins, which ours doesn't log. */
const PASSED_OVER =
  /^ {2}|^Note:|^(BEGIN|END) http_proxy|^Send to HTTP proxy: 'Proxy-Authorization|^auth string:/;

/** The lines that tell the way up to the last restart wanted, without errno and what is random. */
function toldLines(lines: readonly string[], wanted: number): string[] {
  let seen = 0;
  const upTo = lines.findIndex((line) => RESTART.test(line) && ++seen === wanted);
  return lines
    .slice(0, upTo < 0 ? lines.length : upTo + 1)
    .filter((line) => TELLING.test(line) && !PASSED_OVER.test(line))
    .map((line) => maskRandom(line.replace(/: [\w ]+ \(errno=\d+\)$/, '')));
}

/** A client's first packet in its TCP frame. */
const HARD_RESET = { start: '\0\x0e8', bytes: 16 };

/** Session ids, client nonces and what is made with them or the time; sizes of buffers. */
function maskRandom(text: string): string {
  const at = text.indexOf(HARD_RESET.start);
  const calm = at < 0 ? text : `${text.slice(0, at)}RESET${text.slice(at + HARD_RESET.bytes)}`;
  return calm
    .replace(/(must be > 0 and <=) \d+/, '$1 LIMIT')
    .replace(/cnonce="[^"]*"/g, 'cnonce')
    .replace(/response="[^"]*"/g, 'response')
    .replace(/NTLM (TlRMTVNTUAAD\S*?)(?=['\s])/g, (_all, base64: string) => `NTLM ${ntlmFields(base64)}`);
}

/** The fields of a type 3 message; a version 2 response, which is random, by its length. */
function ntlmFields(base64: string): string {
  const message = Buffer.from(base64, 'base64');
  const fields = [12, 20, 28, 36, 44, 52].map((at) => {
    const length = message.readUInt16LE(at);
    const field = message.subarray(message.readUInt32LE(at + 4)).subarray(0, length);
    return length > 24 ? `${length} bytes` : field.toString('hex');
  });
  return [...fields, message.readUInt32LE(60)].join(' ');
}

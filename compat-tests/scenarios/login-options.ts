/**
 * Logins by every way that options name: scripts that read the environment, names that become common names, blocks
 * in the configuration, clients without a login; what a client does about a refusal; what servers tell clients.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { sleep } from '../../test-kit/process.ts';
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

/** A prompt ends without a newline, so nothing tells when it is there. */
const PROMPT_MS = 1_500;
const UP = /Initialization Sequence Completed/;
const REFUSED = /AUTH: Received control message: AUTH_FAILED/;
const RENEWAL_SEC = 4;

export const loginOptions: readonly Scenario[] = [
  { name: 'login by via-env, from a block, as the common name', run: asCommonName },
  { name: 'login is optional (auth-user-pass-optional)', run: optional },
  { name: 'wrong password: auth-retry none ends the client', run: retryNone },
  { name: 'wrong password: auth-retry nointeract tries again', run: retryNointeract },
  { name: 'wrong password: auth-retry interact asks again', run: retryInteract },
  { name: 'auth-token renewed between renegotiations', run: renewedToken },
  { name: 'login that nobody decides ends in time', run: undecided },
  { name: "auth-token of a script's own making", run: ownToken },
  { name: 'client without a certificate (verify-client-cert none)', run: noCertificate },
  { name: 'opt-verify refuses other options', peerFrom: '2.6', peerBefore: '2.7', run: optVerify },
  { name: 'push-peer-info and what scripts see of it', run: peerInfo },
  { name: 'messages of a server: RESTART and HALT', pairings: ['ours-client'], run: serverMessages },
  {
    name: 'scripts that never end do not hold up the server',
    pairings: ['ours-server'],
    run: endlessScripts,
  },
  {
    name: 'a script that never ends does not hold up the client',
    pairings: ['ours-client'],
    run: endlessUp,
  },
];

/** Server lines for a login script that logs what it got from the environment and goes on with `body`. */
function envScript(bed: Bed, body: readonly string[]): string[] {
  const log = `echo "$username|$password|$common_name" >> ${bed.dir}/calls`;
  const script = bed.write('login.sh', ['#!/bin/sh', log, ...body, ''].join('\n'), 0o700);
  return ['script-security 3', `auth-user-pass-verify ${script} via-env`];
}

function calls(bed: Bed): string[] {
  return bed.read('calls').split('\n').slice(0, -1);
}

function block(user: string, password: string): string[] {
  return ['<auth-user-pass>', user, password, '</auth-user-pass>'];
}

async function asCommonName(bed: Bed): Promise<void> {
  const script = bed.write('connect.sh', `#!/bin/sh\nenv > ${bed.dir}/connected\n`, 0o700);
  const server = await bed.startServer([
    ...envScript(bed, ['[ "$username|$password" = "alice|open sesame" ]']),
    'username-as-common-name',
    `client-connect ${script}`,
  ]);
  await bed.startClient(block('alice', 'open sesame'));
  await bed.checkPing(INNER_SERVER4);
  check(calls(bed).join() === 'alice|open sesame|client1', `calls: ${calls(bed).join('; ')}`);
  await server.waitFor(/authentication succeeded for username 'alice' \[CN SET\]/);
  await server.waitFor(/\[alice\] Peer Connection Initiated with \[AF_INET\]10\.99\.0\.2:/);
  await server.waitFor(/alice\/(udp4:)?10\.99\.0\.2:\d+ .*SENT CONTROL \[alice\]: 'PUSH_REPLY/);
  const seen = bed.read('connected');
  check(/^common_name=alice$/m.test(seen) && /^username=alice$/m.test(seen), seen);
  check(!/^password=/m.test(seen), `the password is left behind in\n${seen}`);
}

async function optional(bed: Bed): Promise<void> {
  await bed.startServer([
    ...envScript(bed, ['[ -z "$username" ] || [ "$password" = secret ]']),
    'auth-user-pass-optional',
  ]);
  const nameless = await bed.startClient();
  await bed.checkPing(INNER_SERVER4);
  await bed.stop(nameless);
  const named = await bed.startClient(block('alice', 'secret'));
  await bed.checkPing(INNER_SERVER4);
  await bed.stop(named);
  const wrong = bed.launchClient(block('alice', 'guess'));
  await wrong.waitFor(REFUSED);
  const seen = calls(bed).join('; ');
  check(seen === '||client1; alice|secret|client1; alice|guess|client1', `calls: ${seen}`);
}

async function retryNone(bed: Bed): Promise<void> {
  const server = await bed.startServer(envScript(bed, ['exit 1']));
  const client = bed.launchClient(block('alice', 'guess'));
  await client.waitFor(REFUSED);
  await client.waitFor(/SIGTERM\[soft,auth-failure\] received, process exiting/);
  const { code } = await client.waitForExit();
  check(code === 0, `exit code ${code}`);
  await server.waitFor(/TLS Auth Error: Auth Username\/Password verification failed for peer/);
  await server.waitFor(/SIGTERM\[soft,delayed-exit\] received, client-instance exiting/);
}

async function retryNointeract(bed: Bed): Promise<void> {
  await bed.startServer(
    envScript(bed, [`[ -e ${bed.dir}/second ] && exit 0`, `touch ${bed.dir}/second; exit 1`]),
  );
  const lines = ['auth-retry nointeract', 'connect-retry 1 2'];
  const client = bed.launchClient([...block('alice', 'secret'), ...lines]);
  await client.waitFor(/SIGUSR1\[soft,auth-failure\] received, process restarting/);
  await client.waitFor(/Restart pause, 2 second\(s\)/);
  await bed.waitUp(client);
  const seen = calls(bed).join('; ');
  check(seen === 'alice|secret|client1; alice|secret|client1', `calls: ${seen}`);
}

async function retryInteract(bed: Bed): Promise<void> {
  await bed.startServer(envScript(bed, ['[ "$username|$password" = "alice|secret" ]']));
  const lines = ['auth-user-pass', 'auth-retry interact'];
  const client = bed.launchClient(lines, { terminal: true });
  for (const word of ['alice', 'guess']) {
    await sleep(PROMPT_MS);
    client.write(`${word}\n`);
  }
  await client.waitFor(/SIGUSR1\[soft,auth-failure\] received, process restarting/);
  for (const word of ['alice', 'secret']) {
    await sleep(PROMPT_MS);
    client.write(`${word}\n`);
  }
  await client.waitFor(UP);
  const seen = calls(bed).join('; ');
  check(seen === 'alice|guess|client1; alice|secret|client1', `calls: ${seen}`);
}

/** The server renews the token by itself; with its key in a file, and the new one still opens the door. */
async function renewedToken(bed: Bed): Promise<void> {
  const secret = join(bed.dir, 'token.key');
  // The peer's key, where there is a peer that can make one.
  const maker = bed.pairing === 'ours-both' ? bed.programs.ours : bed.programs.peer;
  execFileSync(maker, ['--genkey', 'auth-token', secret]);
  const server = await bed.startServer([
    ...envScript(bed, ['[ "$username|$password" = "alice|secret" ]']),
    `auth-gen-token 3600 ${RENEWAL_SEC}`,
    `auth-gen-token-secret ${secret}`,
    'hand-window 2',
  ]);
  const client = await bed.startClient([...block('alice', 'secret'), 'reneg-sec 0', 'persist-tun', 'verb 4']);
  client.mark();
  const count = 2 * RENEWAL_SEC + 3;
  await bed.checkPing(INNER_SERVER4, { count, intervalSec: 1 });
  const isRenewal = (line: string) => /PUSH: Received control message: 'PUSH_REPLY,auth-token/.test(line);
  // 2.x looks at a quiet session every 15 s (TLS_MULTI_REFRESH): what it hands to TLS may leave as late.
  const limitMs = bed.isOurs('server') ? 1_000 : 20_000;
  await bed.waitUntil(() => client.recent.filter(isRenewal).length >= 2, 'no second token', limitMs);
  client.mark();
  client.signal('SIGUSR1');
  await bed.waitUp(client);
  check(calls(bed).length === 1, `the script was called for ${calls(bed).join('; ')}`);
  await server.waitFor(/auth-token authentication succeeded for username 'alice'/);
}

/** The script pushes a token, and judges it like a password. */
async function ownToken(bed: Bed): Promise<void> {
  const push = bed.write('connect.sh', '#!/bin/sh\necho \'push "auth-token TOKEN"\' > "$1"\n', 0o700);
  await bed.startServer([
    ...envScript(bed, ['[ "$password" = secret ] || [ "$password" = TOKEN ]']),
    `client-connect ${push}`,
    `reneg-sec ${RENEWAL_SEC}`,
    'hand-window 3',
  ]);
  await bed.startClient([...block('alice', 'secret'), 'auth-nocache', 'reneg-sec 0']);
  await bed.waitUntil(() => calls(bed).length >= 2, 'no renegotiation');
  await bed.checkPing(INNER_SERVER4);
  const seen = calls(bed).slice(0, 2).join('; ');
  check(seen === 'alice|secret|client1; alice|TOKEN|client1', `calls: ${seen}`);
}

async function noCertificate(bed: Bed): Promise<void> {
  const accepts = envScript(bed, ['[ "$username|$password" = "alice|secret" ]']);
  const server = await bed.startServer([...accepts, 'verify-client-cert none', 'username-as-common-name']);
  const { ns, server4 } = bed.client();
  const lines = ['client', 'dev tun', 'nobind', `remote ${server4} 1194 udp4`, `ca ${bed.pki.ca}`, 'verb 3'];
  const client = bed.launch('client', ns, [...lines, 'remote-cert-tls server', ...block('alice', 'secret')]);
  await bed.waitUp(client);
  await bed.checkPing(INNER_SERVER4);
  check(calls(bed).join() === 'alice|secret|', `calls: ${calls(bed).join('; ')}`);
  await server.waitFor(/\[alice\] Peer Connection Initiated/);
}

async function optVerify(bed: Bed): Promise<void> {
  const server = await bed.startServer(['opt-verify']);
  const same = await bed.startClient();
  await bed.checkPing(INNER_SERVER4);
  await bed.stop(same);
  const other = bed.launchClient(['tun-mtu 1400']);
  await other.waitFor(REFUSED);
  await server.waitFor(/Option inconsistency warnings triggering disconnect due to --opt-verify/);
}

async function undecided(bed: Bed): Promise<void> {
  const pending = `printf '3\\nwebauth\\nWEB_AUTH::https://example.org/\\n' > "$auth_pending_file"`;
  await bed.startServer([...envScript(bed, [pending, 'exit 2']), 'hand-window 20']);
  const client = bed.launchClient([...block('alice', 'secret'), 'setenv IV_SSO webauth', 'hand-window 20']);
  await client.waitFor(/AUTH_PENDING received, extending handshake timeout from 20s to 3s/);
  const startMs = Date.now();
  // The peer's server may look at the time only after the client has given up by itself.
  await client.waitFor(bed.isOurs('server') ? REFUSED : /AUTH_FAILED|SIGUSR1\[soft,no-push-reply\]/);
  const waitedSec = (Date.now() - startMs) / 1_000;
  check(waitedSec > 1 && waitedSec < 12, `the end came after ${waitedSec} s`);
}

async function peerInfo(bed: Bed): Promise<void> {
  const { ns, server4 } = bed.client();
  bed.ip(ns, 'route', 'add', 'default', 'via', server4);
  const script = bed.write('connect.sh', `#!/bin/sh\nenv > ${bed.dir}/connected\n`, 0o700);
  const server = await bed.startServer(['script-security 2', `client-connect ${script}`]);
  await bed.startClient([
    'push-peer-info',
    'setenv UV_SITE "up $(here)"',
    'setenv OTHER x',
    'setenv IV_GUI_VER gui',
  ]);
  const seen = bed.read('connected');
  const wanted = [
    /^IV_VER=2\.[\w.]+$/m,
    /^IV_PLAT=linux$/m,
    /^IV_HWADDR=([0-9a-f]{2}:){5}[0-9a-f]{2}$/m,
    /^IV_SSL=OpenSSL_3\.\S+$/m,
    /^IV_PLAT_VER=\d\S+$/m,
    /^IV_GUI_VER=gui$/m,
    /^UV_SITE=up___here\)$/m,
  ];
  for (const pattern of wanted) check(pattern.test(seen), `${pattern} is missing in\n${seen}`);
  check(!/^OTHER=/m.test(seen), `more than peer info in\n${seen}`);
  for (const line of [
    / peer info: IV_PLAT=linux$/,
    / peer info: IV_TCPNL=1$/,
    / peer info: UV_SITE=up___here\)$/,
  ])
    await server.waitFor(line);
}

/** Only the peer's management interface sends these at will. */
async function serverMessages(bed: Bed): Promise<void> {
  const port = 7_505;
  await bed.startServer([`management 127.0.0.1 ${port}`]);
  const kill = (client: number, text: string) =>
    execFileSync('ip', [
      'netns',
      'exec',
      bed.network.server,
      'bash',
      '-c',
      MANAGE,
      'sh',
      `client-kill ${client} "${text}"`,
      String(port),
    ]);
  const client = await bed.startClient();
  client.mark();
  kill(0, 'RESTART,[P]moving house');
  await client.waitFor(/Connection reset command was pushed by server \('\[P\]moving house'\)/);
  await client.waitFor(/SIGUSR1\[soft,server-pushed-connection-reset\] received, process restarting/);
  await bed.waitUp(client);
  kill(1, 'HALT,closing time');
  await client.waitFor(/Halt command was pushed by server \('closing time'\)/);
  await client.waitFor(/SIGTERM\[soft,server-pushed-halt\] received, process exiting/);
  const { code } = await client.waitForExit();
  check(code === 0, `exit code ${code}`);
}

/** Says one line to a management interface and waits for the answer. */
const MANAGE = 'exec 3<>/dev/tcp/127.0.0.1/$2; read -r _ <&3; printf "%s\\n" "$1" >&3; read -r _ <&3';

async function endlessScripts(bed: Bed): Promise<void> {
  const before = bed.snapshot(bed.network.server);
  const endless = bed.write('endless.sh', `#!/bin/sh\necho $$ >> ${bed.dir}/pids\nexec sleep 1000\n`, 0o700);
  const server = await bed.startServer(['script-security 2', `client-connect ${endless}`]);
  bed.launchClient();
  await bed.waitForText('pids', /^\d+\n$/);
  const startMs = Date.now();
  await bed.stop(server);
  check(Date.now() - startMs < 8_000, `it took ${Date.now() - startMs} ms to end`);
  check(!isRunning(bed), 'the script runs on');
  bed.checkClean(bed.network.server, before);
}

async function endlessUp(bed: Bed): Promise<void> {
  const before = bed.snapshot(bed.client().ns);
  const endless = bed.write('endless.sh', `#!/bin/sh\necho $$ >> ${bed.dir}/pids\nexec sleep 1000\n`, 0o700);
  await bed.startServer();
  const client = bed.launchClient(['script-security 2', `up ${endless}`]);
  await bed.waitForText('pids', /^\d+\n$/);
  client.signal('SIGTERM');
  const { code } = await client.waitForExit(8_000);
  check(code === 1 || code === 0, `exit code ${code}\n${client.tail()}`);
  check(!isRunning(bed), 'the script runs on');
  bed.checkClean(bed.client().ns, before);
}

function isRunning(bed: Bed): boolean {
  try {
    process.kill(Number(bed.read('pids')), 0);
    return true;
  } catch {
    return false;
  }
}

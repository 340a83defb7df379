/**
 * Logins: tokens that a server makes, renews and lets expire, challenges answered at a terminal, logins that take
 * place elsewhere, temporary refusals.
 */
import { execFileSync } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type Program, sleep } from '../../test-kit/process.ts';
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import { isBefore } from '../peer.ts';
import {
  b64,
  calls,
  crTextLines,
  dynamicChallengeLines,
  loginFile,
  loginLines,
  onlyPassword,
  openUrlLines,
  temporaryLines,
  webAuthLines,
} from './login-scripts.ts';
import type { Scenario } from './scenario.ts';

const RENEG_SEC = 4;
/** A prompt ends without a newline, so nothing tells when it is there. */
const PROMPT_MS = 1_500;
const UP = /Initialization Sequence Completed/;

export const logins: readonly Scenario[] = [
  {
    name: 'auth-token replaces the password in renegotiations',
    run: tokenInRenegotiations,
  },
  {
    name: 'auth-token survives a restart of the server by its secret (TCP)',
    peerServerFrom: '2.5',
    tunnel: { proto: 'tcp' },
    run: tokenAfterRestart,
  },
  // Older servers do not tell a connected client.
  {
    name: 'auth-token that expired: the password is asked for again',
    peerServerFrom: '2.6',
    run: expiredToken,
  },
  { name: 'auth-token judged by a script (external-auth)', peerServerFrom: '2.5', run: externalAuth },
  { name: 'auth-nocache reads the password again for every key', run: nocache },
  {
    name: 'static challenge answered at the terminal',
    run: staticChallenge,
  },
  {
    name: 'dynamic challenge answered at the terminal',
    peerServerFrom: '2.6',
    run: dynamicChallenge,
  },
  {
    name: 'login that takes place on a web page, longer than the hand-window',
    peerFrom: '2.6',
    run: webAuth,
  },
  { name: 'login method that the client does not have', peerServerFrom: '2.6', run: webAuthRefused },
  {
    name: 'challenge in the session, answered by CR_RESPONSE',
    peerClientFrom: '2.5',
    pairings: ['ours-server'],
    run: crText,
  },
  { name: 'temporary refusal with a back-off', peerFrom: '2.6', run: temporary },
  { name: 'password-protected private key (askpass)', run: lockedKey },
  { name: 'password of the private key asked for at the terminal', run: askedForKey },
];

async function tokenInRenegotiations(bed: Bed): Promise<void> {
  const reneg = [`reneg-sec ${RENEG_SEC}`, 'hand-window 2'];
  // The default renewal is reneg-sec: a token would end just when the second renegotiation needs it.
  const renews = bed.isOurs('server') || !isBefore(bed.programs.reference, '2.6');
  const token = renews ? 'auth-gen-token 0 30' : 'auth-gen-token';
  const server = await bed.startServer([...onlyPassword(bed), token, ...reneg]);
  const client = await bed.startClient([`auth-user-pass ${loginFile(bed)}`, 'reneg-sec 0', 'verb 4']);
  // The peer's server leaves a new token with TLS, unsent, until the client's next packet or timer: without
  // pings that may be the next renegotiation, which throws it away.
  await bed.checkPing(INNER_SERVER4, { count: Math.ceil(5.2 * RENEG_SEC), intervalSec: 0.5 });
  check(calls(bed).length === 1, `the script was called for ${calls(bed).join('; ')}`);
  const accepted = server.count(/TLS: Username\/auth-token authentication succeeded for username 'alice'/);
  check(accepted >= 2, `${accepted} logins by token${bed.tails()}`);
  const pushed = client.count(/PUSH: Received control message: 'PUSH_REPLY,(SESS_ID|auth-token)/);
  check(pushed >= 1 || !renews, `no token was pushed again${bed.tails()}`);
}

async function tokenAfterRestart(bed: Bed): Promise<void> {
  const secret = join(bed.dir, 'token.key');
  execFileSync(bed.programs.ours, ['--genkey', 'auth-token', secret]);
  const lines = [...onlyPassword(bed), 'auth-gen-token 3600', `auth-gen-token-secret ${secret}`];
  const server = await bed.startServer(lines);
  const client = await bed.startClient([`auth-user-pass ${loginFile(bed)}`]);
  await server.stop();
  client.mark();
  const again = await bed.startServer(lines);
  await bed.waitUp(client, 30_000);
  check(calls(bed).length === 1, `the script was called for ${calls(bed).join('; ')}`);
  check(again.has(/auth-token authentication succeeded for username 'alice'/), again.tail());
}

async function expiredToken(bed: Bed): Promise<void> {
  const lines = [...onlyPassword(bed), 'auth-gen-token 2', `reneg-sec ${RENEG_SEC}`, 'hand-window 2'];
  const server = await bed.startServer(lines);
  const client = await bed.startClient([`auth-user-pass ${loginFile(bed)}`, 'reneg-sec 0']);
  client.mark();
  await client.waitFor(/AUTH: Received control message: AUTH_FAILED,SESSION: token expired/, 20_000);
  await client.waitFor(/SIGUSR1\[soft,auth-failure \(auth-token\)\] received/);
  await bed.waitUp(client, 30_000);
  check(calls(bed).length === 2, `the script was called for ${calls(bed).join('; ')}`);
  check(server.has(/--auth-gen-token: auth-token from client expired/), server.tail());
}

async function externalAuth(bed: Bed): Promise<void> {
  const accept = loginLines(bed, ['exit 0']);
  const reneg = [`reneg-sec ${RENEG_SEC}`, 'hand-window 2'];
  await bed.startServer([...accept, 'auth-gen-token 0 external-auth', ...reneg]);
  await bed.startClient([`auth-user-pass ${loginFile(bed)}`, 'reneg-sec 0']);
  await bed.waitUntil(() => calls(bed).length >= 2, 'no second call of the script', 4_000 * RENEG_SEC);
  const [first, second] = calls(bed).map((line) => line.split(' '));
  check(first?.[2] === 'Initial', `first call: ${first?.join(' ')}`);
  check(second?.[2] === 'Authenticated', `second call: ${second?.join(' ')}`);
  check(first[3] !== '' && first[3] === second[3], `session ids: ${first[3]}, ${second[3]}`);
}

async function nocache(bed: Bed): Promise<void> {
  await bed.startServer([...onlyPassword(bed), `reneg-sec ${RENEG_SEC}`, 'hand-window 2']);
  const client = await bed.startClient([`auth-user-pass ${loginFile(bed)}`, 'auth-nocache', 'reneg-sec 0']);
  await bed.waitUntil(() => calls(bed).length >= 2, 'no second call of the script', 4_000 * RENEG_SEC);
  await bed.checkPing(INNER_SERVER4);
  check(!client.has(/this configuration may cache passwords/), client.tail());
}

async function staticChallenge(bed: Bed): Promise<void> {
  const wanted = `SCRV1:${b64('secret')}:${b64('blue')}`;
  await bed.startServer(loginLines(bed, [`[ "$user $pass" = "alice ${wanted}" ]`]));
  const client = launchAtTerminal(bed, [
    `auth-user-pass ${loginFile(bed)}`,
    'static-challenge "Which colour?" 1',
  ]);
  await sleep(PROMPT_MS);
  client.write('blue\n');
  await client.waitFor(UP);
  await bed.checkPing(INNER_SERVER4);
}

async function dynamicChallenge(bed: Bed): Promise<void> {
  await bed.startServer(dynamicChallengeLines(bed));
  const client = launchAtTerminal(bed, [`auth-user-pass ${loginFile(bed)}`, 'auth-retry interact']);
  await client.waitFor(/Restart pause/);
  await sleep(1_000 + PROMPT_MS);
  client.write('42\n');
  await client.waitFor(UP);
  await bed.checkPing(INNER_SERVER4);
}

/** `SECONDS` after which the script lets in whom it sent to a web page. */
const WEB_LOGIN_SEC = 10;

async function webAuth(bed: Bed): Promise<void> {
  const server = await bed.startServer([...webAuthLines(bed, WEB_LOGIN_SEC), 'hand-window 7']);
  const client = bed.launchClient(
    [`auth-user-pass ${loginFile(bed)}`, 'setenv IV_SSO webauth,openurl', 'hand-window 7'],
    { env: { IV_SSO: 'webauth,openurl' } },
  );
  await client.waitFor(/AUTH_PENDING received, extending handshake timeout from 7s to 30s/);
  await client.waitFor(/Info command was pushed by server \('WEB_AUTH::https:\/\/example\.org\/login'\)/);
  await bed.waitUp(client);
  await bed.checkPing(INNER_SERVER4);
  check(server.has(/authentication deferred for username 'alice'/), server.tail());
}

async function webAuthRefused(bed: Bed): Promise<void> {
  const server = await bed.startServer(openUrlLines(bed));
  const client = bed.launchClient([`auth-user-pass ${loginFile(bed)}`]);
  await client.waitFor(
    /AUTH_FAILED,Authentication failed, required pending auth method 'openurl' not supported/,
  );
  check(server.has(/Client does not supported auth pending method 'openurl'/), server.tail());
}

async function crText(bed: Bed): Promise<void> {
  const socket = join(bed.dir, 'management');
  await bed.startServer(crTextLines(bed));
  const client = bed.launchClient(
    [`auth-user-pass ${loginFile(bed)}`, 'setenv IV_SSO crtext', `management ${socket} unix`],
    { env: { IV_SSO: 'crtext' } },
  );
  await client.waitFor(/CR_TEXT:R,E:Your code/);
  const management = connect(socket);
  management.write(`cr-response ${b64('1234')}\n`);
  await bed.waitUp(client);
  management.destroy();
  check(bed.read('answer').trim() === b64('1234'), `the script got ${bed.read('answer')}`);
}

async function temporary(bed: Bed): Promise<void> {
  await bed.startServer(temporaryLines(bed));
  const client = bed.launchClient([`auth-user-pass ${loginFile(bed)}`]);
  await client.waitFor(/AUTH_FAILED,TEMP\[backoff 3,advance no\]:come back later/);
  await client.waitFor(/Restart pause, 3 second\(s\)/);
  await bed.waitUp(client);
}

/** The client's key, to be opened with `open sesame`. */
function lockKey(bed: Bed): string {
  const locked = join(bed.dir, 'locked.key');
  const out = ['-out', locked, '-aes128', '-passout', 'pass:open sesame'];
  execFileSync('openssl', ['pkey', '-in', bed.pki.client1.key, ...out]);
  return locked;
}

async function askedForKey(bed: Bed): Promise<void> {
  await bed.startServer();
  const client = launchAtTerminal(bed, [`key ${lockKey(bed)}`]);
  await sleep(PROMPT_MS);
  client.write('open sesame\n');
  await client.waitFor(UP);
  await bed.checkPing(INNER_SERVER4);
}

async function lockedKey(bed: Bed): Promise<void> {
  const locked = lockKey(bed);
  await bed.startServer();
  const lines = [`key ${locked}`, `askpass ${bed.write('pass.txt', 'open sesame\n')}`];
  await bed.startClient(lines);
  await bed.checkPing(INNER_SERVER4);
  const wrong = bed.launchClient([`key ${locked}`, `askpass ${bed.write('wrong.txt', 'wrong\n')}`]);
  const status = await wrong.waitForExit();
  check(status.code === 1, `exit code ${status.code}`);
  check(wrong.has(/Error: private key password verification failed/), wrong.tail());
}

/** A client on a terminal of its own, whose keyboard is Program.write(). */
function launchAtTerminal(bed: Bed, extra: readonly string[]): Program {
  return bed.launchClient(extra, { terminal: true });
}

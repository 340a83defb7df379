/**
 * Logins of OpenVPN 3's client at our server: tokens, both kinds of challenges, questions in the session, pages,
 * refusals for good and for a while. It takes passwords and static answers as arguments and further answers from its
 * standard input.
 */
import { sleep } from '../../test-kit/process.ts';
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
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

/** The least that it takes. */
const RENEG_SEC = 10;

const SCENARIOS: readonly Omit<Scenario, 'peerKinds' | 'pairings'>[] = [
  { name: 'OpenVPN 3: auth-token in renegotiations, renewed', timeoutMs: 90_000, run: tokenInRenegotiations },
  { name: 'OpenVPN 3: auth-token that expired', run: expiredToken },
  { name: 'OpenVPN 3: wrong password', run: wrongPassword },
  { name: 'OpenVPN 3: static challenge', run: staticChallenge },
  { name: 'OpenVPN 3: dynamic challenge', run: dynamicChallenge },
  { name: 'OpenVPN 3: challenge in the session (CR_TEXT)', run: crText },
  { name: 'OpenVPN 3: login on a web page, longer than the hand-window', run: webAuth },
  { name: 'OpenVPN 3: login method that it does not have', run: webAuthRefused },
  { name: 'OpenVPN 3: temporary refusal with a back-off', run: temporary },
  { name: 'OpenVPN 3: password alone, without a certificate', run: withoutCertificate },
];

export const openvpn3Logins: readonly Scenario[] = SCENARIOS.map((scenario) => ({
  ...scenario,
  pairings: ['ours-server'],
  peerKinds: ['openvpn3-client'],
}));

async function tokenInRenegotiations(bed: Bed): Promise<void> {
  const server = await bed.startServer([
    ...onlyPassword(bed),
    'auth-gen-token 0 15',
    'hand-window 5',
    'reneg-sec 3600',
  ]);
  const client = await bed.startClient([`auth-user-pass ${loginFile(bed)}`, `reneg-sec ${RENEG_SEC}`]);
  await sleep(2_300 * RENEG_SEC);
  await bed.checkPing(INNER_SERVER4);
  check(calls(bed).length === 1, `the script was called for ${calls(bed).join('; ')}`);
  const accepted = server.count(/Username\/auth-token authentication succeeded for username 'alice'/);
  check(accepted >= 2, `${accepted} logins by token${bed.tails()}`);
  const tokens = client.count(/Session token: /);
  check(tokens >= 2, `${tokens} tokens${bed.tails()}`);
}

async function expiredToken(bed: Bed): Promise<void> {
  const server = await bed.startServer([...onlyPassword(bed), 'auth-gen-token 2', 'reneg-sec 3600']);
  const client = await bed.startClient([`auth-user-pass ${loginFile(bed)}`, `reneg-sec ${RENEG_SEC}`]);
  client.mark();
  await client.waitFor(/SESSION_AUTH_FAILED|EVENT: SESSION_EXPIRED/, 20_000);
  check(server.has(/--auth-gen-token: auth-token from client expired/), server.tail());
  await bed.waitUp(client);
  check(calls(bed).length === 2, `the script was called for ${calls(bed).join('; ')}`);
  await bed.checkPing(INNER_SERVER4);
}

async function wrongPassword(bed: Bed): Promise<void> {
  const server = await bed.startServer(onlyPassword(bed));
  const client = bed.launchClient([`auth-user-pass ${bed.write('wrong.txt', 'alice\nwrong\n')}`]);
  await client.waitFor(/EVENT: AUTH_FAILED/);
  await client.waitForExit();
  check(server.has(/TLS Auth Error: Auth Username\/Password verification failed for peer/), server.tail());
  check(server.has(/SENT CONTROL .*'AUTH_FAILED'/), server.tail());
}

async function staticChallenge(bed: Bed): Promise<void> {
  const wanted = `SCRV1:${b64('secret')}:${b64('blue')}`;
  await bed.startServer(loginLines(bed, [`[ "$user $pass" = "alice ${wanted}" ]`]));
  const lines = ['static-challenge "Which colour?" 1', 'response blue'];
  await bed.startClient([`auth-user-pass ${loginFile(bed)}`, ...lines]);
  await bed.checkPing(INNER_SERVER4);
}

async function dynamicChallenge(bed: Bed): Promise<void> {
  await bed.startServer(dynamicChallengeLines(bed));
  const client = bed.launchClient([`auth-user-pass ${loginFile(bed)}`]);
  await client.waitFor(/^challenge: Say 42/);
  await client.waitFor(/^ENTER RESPONSE/);
  client.write('42\n');
  await bed.waitUp(client);
  await bed.checkPing(INNER_SERVER4);
}

async function crText(bed: Bed): Promise<void> {
  await bed.startServer(crTextLines(bed));
  const client = bed.launchClient([`auth-user-pass ${loginFile(bed)}`, 'setenv IV_SSO crtext']);
  await client.waitFor(/EVENT: INFO CR_TEXT:R,E:Your code/);
  client.write('1234\n');
  await bed.waitUp(client);
  check(bed.read('answer').trim() === b64('1234'), `the script got ${bed.read('answer')}`);
  await bed.checkPing(INNER_SERVER4);
}

async function webAuth(bed: Bed): Promise<void> {
  const server = await bed.startServer([...webAuthLines(bed, 13), 'hand-window 10']);
  const lines = [`auth-user-pass ${loginFile(bed)}`, 'setenv IV_SSO webauth', 'hand-window 10'];
  const client = bed.launchClient(lines);
  await client.waitFor(/EVENT: AUTH_PENDING timeout 30/);
  await client.waitFor(/EVENT: INFO WEB_AUTH::https:\/\/example\.org\/login/);
  await bed.waitUp(client, 30_000);
  await bed.checkPing(INNER_SERVER4);
  check(server.has(/authentication deferred for username 'alice'/), server.tail());
}

async function webAuthRefused(bed: Bed): Promise<void> {
  const server = await bed.startServer(openUrlLines(bed));
  const client = bed.launchClient([`auth-user-pass ${loginFile(bed)}`]);
  await client.waitFor(
    /AUTH_FAILED Authentication failed, required pending auth method 'openurl' not supported/,
  );
  check(server.has(/Client does not supported auth pending method 'openurl'/), server.tail());
}

async function temporary(bed: Bed): Promise<void> {
  await bed.startServer(temporaryLines(bed));
  const client = bed.launchClient([`auth-user-pass ${loginFile(bed)}`]);
  await client.waitFor(/AUTH_FAILED_TEMP:come back later/);
  await client.waitFor(/Client terminated, restarting in 3000 ms/);
  await bed.waitUp(client);
  await bed.checkPing(INNER_SERVER4);
}

async function withoutCertificate(bed: Bed): Promise<void> {
  const server = await bed.startServer([
    ...onlyPassword(bed),
    'verify-client-cert none',
    'username-as-common-name',
  ]);
  await bed.startClient([`auth-user-pass ${loginFile(bed)}`, 'setenv CLIENT_CERT 0']);
  check(server.has(/\[alice\] Peer Connection Initiated/), server.tail());
  await bed.checkPing(INNER_SERVER4);
}

/** All scenarios, grouped by the feature that they test. */
import { PAIRINGS, type Pairing } from '../pairing.ts';
import { ALL_KINDS } from '../peer.ts';
import type { CompatTest } from '../runner.ts';
import { certificateOptions } from './certificate-options.ts';
import { certificates } from './certificates.ts';
import { ciphers } from './ciphers.ts';
import { clientOptions } from './client-options.ts';
import { compression } from './compression.ts';
import { configErrors } from './config-errors.ts';
import { connections } from './connections.ts';
import { controlChannel } from './control-channel.ts';
import { epoch } from './epoch.ts';
import { exitNotify } from './exit-notify.ts';
import { flood } from './flood.ts';
import { hooks } from './hooks.ts';
import { hostile } from './hostile.ts';
import { limits } from './limits.ts';
import { links } from './links.ts';
import { loginOptions } from './login-options.ts';
import { logins } from './logins.ts';
import { networkConfig } from './network-config.ts';
import { oldCiphers } from './old-ciphers.ts';
import { openvpn3 } from './openvpn3.ts';
import { openvpn3Logins } from './openvpn3-logins.ts';
import { p2p } from './p2p.ts';
import { privileges } from './privileges.ts';
import { processes } from './process.ts';
import { proxies } from './proxies.ts';
import { proxyTalks } from './proxy-talks.ts';
import { pushUpdate } from './push-update.ts';
import { refusals } from './refusals.ts';
import { renegotiation } from './renegotiation.ts';
import { restarts } from './restart.ts';
import { routing } from './routing.ts';
import { type Scenario, toTest } from './scenario.ts';
import { shaping } from './shaping.ts';
import { signals } from './signals.ts';
import { socketOptions } from './socket-options.ts';
import { sockets } from './sockets.ts';
import { status } from './status.ts';
import { tap } from './tap.ts';
import { tlsCryptV2 } from './tls-crypt-v2.ts';
import { tlsEngines } from './tls-engines.ts';
import { vlan } from './vlan.ts';
import { withoutAddon } from './without-addon.ts';

/** Rows of docs/compatibility.md with their scenarios, in the order of the table. */
const FEATURES: readonly (readonly [feature: string, scenarios: readonly Scenario[]])[] = [
  ['Renegotiation', waiting(renegotiation)],
  ['Restarts and timeouts', waiting(withOpenvpn3(restarts, /^session-timeout pushed/))],
  ['Control channel under loss', waiting(withOpenvpn3(links))],
  [
    'tls-auth: digests and key directions',
    withOpenvpn3(controlChannel, /SHA3-|512-|BLAKE|MD5-SHA1|RIPEMD|SM3/),
  ],
  ['Connection lists', waiting(connections)],
  ['HTTP and SOCKS proxies', [...proxies, ...proxyTalks]],
  ['Dual stack and port-share', withOpenvpn3(sockets, /cannot be bound/)],
  [
    'Routes, client-config-dir, client-to-client',
    [...withOpenvpn3(routing, /^max-clients/), ...networkConfig, ...clientOptions],
  ],
  [
    'Compression framing',
    withOpenvpn3(compression, /^comp-lzo no|^comp-lzo yes pushed|^compress$|not allow/),
  ],
  ['MTU, shaper, client-nat', withOpenvpn3(shaping, /^fragment|^client-nat|^block-ipv6|txqueuelen/)],
  ['Socket options', withOpenvpn3(socketOptions)],
  ['Exit notification', exitNotify],
  ['CBC, CFB, OFB and legacy data ciphers', ciphers],
  ['Ciphers with peers before 2.6', oldCiphers],
  ['Epoch data keys (2.7)', epoch],
  ['Static keys and point-to-point peers', p2p],
  ['Signals', withOpenvpn3(signals)],
  ['Dropped privileges', since26(privileges)],
  ['Threads, terminal, pauses', since26(processes)],
  ['Script hooks', withOpenvpn3(hooks)],
  ['Status files', withOpenvpn3(status)],
  ['TAP, bridges, VLAN', [...tap, ...vlan.map((scenario) => ({ peerServerFrom: '2.5', ...scenario }))]],
  [
    'Logins, auth-token, challenges',
    [
      ...withOpenvpn3(logins, /^(?!auth-token (survives|judged))/),
      ...since26(withOpenvpn3(loginOptions, /^(?!login (by via-env|is optional)|scripts that never end)/)),
    ],
  ],
  [
    'Certificates and revocation',
    [
      ...withOpenvpn3(certificates, /capath|verify-hash|Suite B refuses|PKCS#12/),
      ...since26(withOpenvpn3(certificateOptions, /^(?!tls-cipher|extra-certs)/)),
    ],
  ],
  ['Limits of a server', since26(withOpenvpn3(limits))],
  ['PUSH_UPDATE (2.7)', pushUpdate],
  ['Refused peers', withOpenvpn3(refusals, /no common/)],
  ['TLS engines', withOpenvpn3(tlsEngines, /renegotiation|tls-groups|ecdh-curve/)],
  [
    'tls-crypt-v2',
    withOpenvpn3(tlsCryptV2, /^renegotiation|without cookies/).map((scenario) => ({
      peerFrom: '2.5',
      ...scenario,
    })),
  ],
  ["OpenVPN 3's own ways", [...openvpn3, ...openvpn3Logins]],
  ['Garbage and replays', [...withOpenvpn3(hostile), ...flood]],
  ['Node without the addon', withoutAddon],
  ['Wrong configurations', configErrors],
];

const TESTS: readonly CompatTest[] = FEATURES.flatMap(([feature, scenarios]) =>
  scenarios.flatMap((scenario) =>
    (scenario.pairings ?? PAIRINGS).map((pairing) => toTest(scenario, feature, pairing)),
  ),
);

/** Little but timers. */
function waiting(scenarios: readonly Scenario[]): Scenario[] {
  return scenarios.map((scenario) => ({ waits: true, ...scenario }));
}

/** Also for OpenVPN 3, but those without tap and `except`: what it lacks, or says and does otherwise. */
function withOpenvpn3(scenarios: readonly Scenario[], except = /^$/): Scenario[] {
  return scenarios.map((scenario) => {
    const lacking = scenario.tunnel?.dev === 'tap' || except.test(scenario.name);
    return lacking ? scenario : { peerKinds: ALL_KINDS, ...scenario };
  });
}

/** With options, or words of the log, that older peers don't have. */
function since26(scenarios: readonly Scenario[]): Scenario[] {
  return scenarios.map((scenario) => ({ peerFrom: '2.6', ...scenario }));
}

/** The scenario tests of one pairing. */
export function scenarioTests(pairing: Pairing, full = false): CompatTest[] {
  return TESTS.filter((test) => test.pairing === pairing && (full || !test.full));
}

/** All features that scenarios belong to. */
export function scenarioFeatures(): string[] {
  return [...new Set(TESTS.map((test) => test.feature))];
}

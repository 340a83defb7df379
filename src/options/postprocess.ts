/**
 * What happens after the last word was read (2.x options.c options_postprocess_mutate()): helpers,
 * implied defaults, profiles, then sanity checks and file checks. The order is 2.x's, since later
 * steps look at what earlier ones set and messages come out in that order.
 */
import { D_DCO, M_INFO, M_WARN } from '../base/errlevel.ts';
import { compressionProblem } from '../comp/comp.ts';
import { completeCompression } from './apply-compression.ts';
import { ConfigError, type LogLine } from './config-error.ts';
import {
  type ConnectionEntry,
  MSSFIX_DEFAULT,
  TAP_MTU_EXTRA_DEFAULT,
  TUN_MTU_DEFAULT,
  TUN_MTU_MIN,
} from './connection-entry.ts';
import { compatBefore, completeCiphers, normaliseDataCiphers } from './data-ciphers.ts';
import { localDnsToDhcp } from './dns-options.ts';
import { checkFiles } from './file-checks.ts';
import { expandClientServer, expandKeepalive, expandTcpNodelay } from './helper.ts';
import { listensOn } from './listen.ts';
import type { Options } from './option-types.ts';
import { linkHeaderBytes } from './options-string.ts';
import type { ParseEnvironment } from './parse.ts';
import { devTypeOf, isUdp, protoFamily, protoKind, withKind } from './proto.ts';
import { savePrePull } from './pull.ts';
import { restartsBeforePull, verifyOptions } from './verify.ts';

/** Completes and checks `options` in place. Throws ConfigError; log lines go to `messages`. */
export function postprocess(options: Options, messages: LogLine[], environment: ParseEnvironment): void {
  if (options.dev === undefined && options.devNode !== undefined) {
    options.dev = options.devNode.slice(options.devNode.lastIndexOf('/') + 1);
  }
  checkTracked(options, environment);
  expandClientServer(options, messages);
  expandKeepalive(options);
  expandTcpNodelay(options);
  completeTlsVersion(options);
  completeCiphers(options, messages);
  completeCompression(options);
  options.dataCiphers = normaliseDataCiphers(options.dataCiphers, messages, environment.supportsCipher);
  makeProfiles(options);
  for (const entry of options.connectionList) completeProfile(options, entry, messages);
  completeTls(options, messages);
  overrideProxies(options, messages);
  if (options.config === 'stdin' && options.remapUsr1 === 'SIGHUP') {
    throw new ConfigError("Options 'config stdin' and 'remap-usr1 SIGHUP' are incompatible with each other.");
  }
  const compression = compressionProblem(options.compress, undefined);
  if (compression !== undefined) throw new ConfigError(compression);
  adviseMigration(options, messages);
  if (!options.pull) localDnsToDhcp(options);
  savePrePull(options);
  verifyOptions(options, messages, environment);
  if (environment.files !== undefined) checkFiles(options, environment.files, messages);
}

/**
 * Makes `entry` the profile in use: `options.ce` becomes a copy that pushed options may change. Who
 * restartsBeforePull() does so after 120 s of silence.
 * Source: 2.x init.c next_connection_entry(), update_options_ce_post().
 */
export function useConnection(options: Options, entry: ConnectionEntry): void {
  options.ce = structuredClone(entry);
  if (restartsBeforePull(options, entry)) {
    options.pingRecTimeout = PRE_PULL_INITIAL_PING_RESTART;
    options.pingRecAction = 'restart';
  }
}

/** Bytes: the tun-mtu that may be pushed in any case. Source: 2.x init.c. */
const TUN_MTU_MAX_MIN = 1600;
/** Seconds. Source: 2.x ping.h. */
const PRE_PULL_INITIAL_PING_RESTART = 120;

function checkTracked({ x509Track = [] }: Options, { isTrackable = () => true }: ParseEnvironment): void {
  // The list is in 2.x's order, the last given first; the first bad one of the text is the one told of.
  const strange = x509Track.findLast(({ name }) => !isTrackable(name));
  if (strange) throw new ConfigError(`x509_track: no such attribute '${strange.name}'`);
}

function completeTlsVersion(options: Options): void {
  if (options.tlsVersionMin !== undefined) return;
  const max = options.tlsVersionMax;
  if (compatBefore(options, 20307)) options.tlsVersionMin = '1.0';
  else if (max === undefined || max >= '1.2') options.tlsVersionMin = '1.2';
  else options.tlsVersionMin = max;
}

/** Without blocks every --remote is a profile; without remotes there is one to listen on. */
function makeProfiles(options: Options): void {
  if (options.connectionList.length > 0) return;
  for (const { remote, rport, proto } of options.remoteList) {
    const entry = structuredClone(options.ce);
    entry.remote = remote;
    if (rport !== undefined) entry.rport = rport;
    if (proto !== undefined) entry.proto = proto;
    options.connectionList.push(entry);
  }
  if (options.connectionList.length === 0) options.connectionList.push(structuredClone(options.ce));
}

function completeProfile(options: Options, entry: ConnectionEntry, messages: LogLine[]): void {
  completeProto(options, entry, messages);
  completeMtu(options, entry, messages);
  if (entry.tlsAuth === undefined && entry.tlsCrypt === undefined && entry.tlsCryptV2 === undefined) {
    entry.tlsAuth = options.tlsAuth;
    entry.keyDirection = options.keyDirection;
    entry.tlsCrypt = options.tlsCrypt;
    entry.tlsCryptV2 = options.tlsCryptV2;
  }
  const notifies = isUdp(entry.proto) || (options.mode === 'server' && listensOn(options, 'udp'));
  if (!notifies && entry.explicitExitNotify !== 0) {
    messages.push({ level: M_WARN, text: 'NOTICE: --explicit-exit-notify ignored for --proto tcp' });
    entry.explicitExitNotify = 0;
  }
}

function completeProto(options: Options, entry: ConnectionEntry, messages: LogLine[]): void {
  if (protoKind(entry.proto) === 'tcp') {
    const server = options.server !== undefined || options.serverBridge !== undefined;
    if (server) entry.proto = withKind(entry.proto, 'tcp-server');
    else if (options.client) entry.proto = withKind(entry.proto, 'tcp-client');
  }
  const kind = protoKind(entry.proto);
  const needsBind = entry.locals.length > 0 || entry.lportDefined || entry.bindDefined;
  const usesSocks = kind === 'udp' && entry.socksProxy !== undefined;
  if (!needsBind && (kind === 'tcp-client' || usesSocks || options.pull)) entry.bindLocal = false;
  if (options.mode !== 'server') entry.lport = entry.locals.at(-1)?.port ?? entry.lport;
  if (!entry.bindLocal) entry.lport = undefined;
  if (options.protoForce !== undefined && options.protoForce !== kind) entry.disabled = true;
  if (usesSocks && protoFamily(entry.proto) !== 4) {
    const text =
      protoFamily(entry.proto) === 6
        ? "WARNING: '--proto udp6' is not compatible with '--socks-proxy' today.  Forcing IPv4 mode."
        : "NOTICE: dual-stack mode for '--proto udp' does not work correctly with '--socks-proxy' today.  Forcing IPv4.";
    messages.push({ level: M_INFO, text });
    entry.proto = 'udp4';
  }
}

function completeMtu(options: Options, entry: ConnectionEntry, messages: LogLine[]): void {
  if (!entry.tunMtuDefined && !entry.linkMtuDefined) entry.tunMtuDefined = true;
  if (devTypeOf(options) === 'tap' && !entry.tunMtuExtraDefined) {
    entry.tunMtuExtraDefined = true;
    entry.tunMtuExtra = TAP_MTU_EXTRA_DEFAULT;
  }
  if (entry.linkMtuDefined) entry.tunMtu = entry.linkMtu - linkHeaderBytes(options, entry);
  checkTunMtu(entry, messages);
  entry.tunMtuMax = Math.max(TUN_MTU_MAX_MIN, entry.tunMtu, entry.tunMtuMax);
  if (!options.ce.mssfixDefault) return;
  if (entry.fragment !== 0) entry.mssfix.value = entry.fragment;
  else if (entry.tunMtuDefined && options.ce.tunMtu === TUN_MTU_DEFAULT) {
    entry.mssfix = { value: MSSFIX_DEFAULT, mode: 'mtu' };
  } else if (entry.tunMtuDefined) {
    entry.mssfix = { value: entry.tunMtu, mode: 'fixed' };
  }
}

/** 2.x says this where compression keeps a server from its kernel module, and the reason stands for any server. */
function adviseMigration(options: Options, messages: LogLine[]): void {
  const { compress, mode, disableDco, enableNcpFallback, cipher } = options;
  const { algorithm, allow, migrate } = compress;
  if (mode !== 'server' || migrate || disableDco) return;
  if (algorithm === 'none' && allow !== 'asym' && allow !== 'yes') return;
  if (enableNcpFallback && !DCO_CIPHERS.has(cipher)) return;
  messages.push({ level: D_DCO, text: "Consider using the '--compress migrate' option." });
}

/** Ciphers of 2.x's kernel module. */
const DCO_CIPHERS: ReadonlySet<string> = new Set([
  'AES-256-GCM',
  'AES-192-GCM',
  'AES-128-GCM',
  'CHACHA20-POLY1305',
]);

/** --http-proxy-override: TCP profiles go through that proxy, UDP profiles are off. */
function overrideProxies({ httpProxyOverride, connectionList }: Options, messages: LogLine[]): void {
  if (httpProxyOverride === undefined) return;
  const tcp = connectionList.filter(({ proto }) => ['tcp', 'tcp-client'].includes(protoKind(proto)));
  for (const entry of tcp) entry.httpProxy = structuredClone(httpProxyOverride);
  if (tcp.length === 0) {
    const text =
      'Note: option http-proxy-override ignored because no TCP-based connection profiles are defined';
    messages.push({ level: M_WARN, text });
    return;
  }
  for (const entry of connectionList) if (isUdp(entry.proto)) entry.disabled = true;
}

/** 2.x says so when it makes the frame, after its banner. */
function checkTunMtu({ tunMtu }: ConnectionEntry, messages: LogLine[]): void {
  if (tunMtu >= TUN_MTU_MIN) return;
  messages.push({ level: M_WARN, text: `TUN MTU value (${tunMtu}) must be at least ${TUN_MTU_MIN}` });
  // 2.x shows a frame here that has no numbers yet.
  const frame = 'mss_fix:0 max_frag:0 tun_mtu:0 tun_max_mtu:0 headroom:0 payload:0 tailroom:0 ET:0';
  throw new ConfigError(`MTU is too small [ ${frame} ]`, 'fatal');
}

function completeTls(options: Options, messages: LogLine[]): void {
  if (options.tlsServer) {
    if (options.dh === undefined) throw new ConfigError('You must define DH file (--dh)');
  } else if (options.dh !== undefined) {
    messages.push({
      level: M_WARN,
      text: "WARNING: Ignoring option 'dh' in tls-client mode, please only include this in your server configuration",
    });
    options.dh = undefined;
  }
  if (options.ca === undefined && options.capath === undefined && options.peerFingerprints !== undefined) {
    messages.push({
      level: M_INFO,
      text: 'Using certificate fingerprint to verify peer (no CA option set). ',
    });
    options.verifyHashNoCa = true;
  }
}

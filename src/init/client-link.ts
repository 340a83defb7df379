/**
 * From a connection profile to an open link (2.x link_socket_init_phase1() and 2, openvpn_getaddrinfo()
 * of socket.c): resolving with retries, binding, connecting, with 2.x's log lines.
 */
import { isIP } from 'node:net';
import { errorMessage, formatAddress, type LinkAddress, type Logger, OpenVpnError } from '../base/base.ts';
import { D_RESOLVE_ERRORS, M_INFO, M_WARN } from '../base/errlevel.ts';
import { type ConnectionEntry, isTcp, type Options, protoFamily } from '../options/options.ts';
import type { Link, SocketFactory, UdpBind } from '../socket/socket.ts';
import type { ResolvedAddress } from './connection-list.ts';
import { namesUntil } from './local-bind.ts';
import { badService, portOf, servicePort } from './port.ts';
import { dialledHost, type ProxyLogins, profileSockets } from './proxy-setup.ts';
import type { SignalState } from './sig.ts';
import { socketOptions, warnOfTos } from './socket-setup.ts';

/** 2.x waits this long between failed look-ups. */
const RESOLVE_RETRY_SEC = 5;
const RETRY_HINT = '(I would have retried this name query if you had specified the --resolv-retry option.)';
const UNRESOLVED = 'Could not determine IPv4/IPv6 protocol';

export interface LinkParts {
  readonly options: Options;
  readonly ce: ConnectionEntry;
  readonly socket: SocketFactory;
  readonly logins: ProxyLogins;
  readonly signals: SignalState;
  readonly log: Logger;
  /** What --preresolve found; kept as long as the process. */
  readonly names: NameCache;
  readonly randomBytes: (length: number) => Uint8Array;
}

/** Addresses by family and name. */
export type NameCache = Map<string, readonly ResolvedAddress[]>;

/** Bytes of the label that --remote-random-hostname puts before a name. */
const RANDOM_LABEL_BYTES = 6;

/**
 * Addresses of the profile's proxy or remote. [] when a signal came: one of ours where the name can't be
 * resolved, after a second look-up at once (--resolv-retry infinite) or more of them, as many as fit into
 * its seconds. Throws OpenVpnError at the first failure with --resolv-retry 0.
 */
export async function resolveRemote(parts: LinkParts): Promise<readonly ResolvedAddress[]> {
  const { ce, options, signals, names, log } = parts;
  const known = names.get(cacheKey(ce, dialledHost(ce).host));
  if (known) return known;
  const first = await lookUp(parts, dialledHost(ce));
  if (typeof first !== 'string') return first;
  if (options.resolvRetry === 0) throw new OpenVpnError(`${first} ${RETRY_HINT}`, 'ERR_OVPN_RESOLVE');
  log.log(D_RESOLVE_ERRORS, first);
  const tries = Number.isFinite(options.resolvRetry) ? resolveTries(options) : 1;
  const found = signals.pending ? [] : await lookUpAgain(parts, tries);
  if (found.length === 0 && !signals.pending) {
    log.log(M_WARN, UNRESOLVED);
    signals.raise('SIGUSR1', 'soft', UNRESOLVED);
  }
  return found;
}

function resolveTries({ resolvRetry }: Options): number {
  return Math.max(1, Math.floor((resolvRetry + RESOLVE_RETRY_SEC - 1) / RESOLVE_RETRY_SEC));
}

/** Up to `tries` look-ups, 5 seconds apart; [] when all failed or a signal came. */
async function lookUpAgain(parts: LinkParts, tries: number): Promise<readonly ResolvedAddress[]> {
  for (let left = tries; ; left--) {
    const found = await lookUp(parts, dialledHost(parts.ce));
    if (typeof found !== 'string') return found;
    parts.log.log(D_RESOLVE_ERRORS, found);
    if (left <= 1 || (await parts.signals.sleep(RESOLVE_RETRY_SEC * 1000))) return [];
  }
}

/**
 * --preresolve: looks up the names of all profiles, or the hint in their place, before the first
 * connection. Throws OpenVpnError when one can't be resolved within resolv-retry.
 */
export async function preresolve(parts: LinkParts, entries: readonly ConnectionEntry[]): Promise<void> {
  const { options, signals, names } = parts;
  for (const ce of entries) {
    const target = dialledHost(ce);
    // A peer that waits for whoever comes.
    if (target.host === '' && ce.remote === undefined) continue;
    const host = options.ipRemoteHint ?? target.host;
    const key = cacheKey(ce, host);
    if (names.has(key)) continue;
    const found = await lookUpAgain({ ...parts, ce: { ...ce, remote: host } }, resolveTries(options));
    if (signals.pending) return;
    if (found.length === 0)
      throw new OpenVpnError(
        `RESOLVE: Cannot resolve host address: ${host}:${target.port}`,
        'ERR_OVPN_RESOLVE',
      );
    names.set(key, found);
  }
}

function cacheKey(ce: ConnectionEntry, host: string): string {
  return `${protoFamily(ce.proto)} ${host}`;
}

/** One look-up; 2.x's line when it fails, [] when a signal came first. */
async function lookUp(
  parts: LinkParts,
  { host, port }: { readonly host: string; readonly port: string },
): Promise<readonly ResolvedAddress[] | string> {
  const { ce, socket, signals } = parts;
  const name = lookUpName(parts, host);
  if (servicePort(port) === undefined) return badService(host, port);
  try {
    const found = await namesUntil(signals, socket).resolve(name, protoFamily(ce.proto));
    if (found.length > 0) return found;
    return `RESOLVE: Cannot resolve host address: ${host}:${port} (Address family for hostname not supported)`;
  } catch (error) {
    if (signals.pending) return [];
    const text = errorMessage(error);
    return text.replace(`: ${name} (`, `: ${name}:${port} (`);
  }
}

/** --remote-random-hostname: `a1b2c3d4e5f6.NAME`, which no resolver on the way has cached. */
function lookUpName({ options, log, randomBytes }: LinkParts, host: string): string {
  if (!options.remoteRandomHostname) return host;
  if (isIP(host) === 0) return `${Buffer.from(randomBytes(RANDOM_LABEL_BYTES)).toString('hex')}.${host}`;
  log.log(M_WARN, 'WARNING: ignoring --remote-random-hostname because the hostname is an IP address');
  return host;
}

/**
 * Opens the link by way of one address. Rejects with LinkError (ProxyError for what a proxy did wrong);
 * resolves undefined when a signal came first or the server behind a SOCKS proxy can't be resolved.
 */
export async function openClientLink(
  parts: LinkParts,
  address: ResolvedAddress,
): Promise<{ link: Link; remote: LinkAddress } | undefined> {
  const { ce, options, log } = parts;
  const dialled: LinkAddress = { ...address, port: portOf(dialledHost(ce).port) };
  const bind = {
    ...localBind(ce),
    ...socketOptions(options, ce, log),
  };
  log.log(M_INFO, `TCP/UDP: Preserving recently used remote address: ${formatAddress(dialled)}`);
  const socket = profileSockets(parts, dialled);
  const opened = isTcp(ce.proto)
    ? await connect(parts, dialled, (signal) =>
        socket.connectTcp(
          {
            remote: dialled,
            timeoutMs: ce.connectTimeout * 1000,
            tcpNoDelay: options.tcpNodelay,
            ...bind,
          },
          signal,
        ),
      )
    : await openUdp(parts, { socket, dialled, bind });
  if (!opened) return undefined;
  warnOfTos(options, opened.link, log);
  logLink(parts, opened.link, opened.remote);
  return opened;
}

async function openUdp(
  parts: LinkParts,
  how: {
    readonly socket: SocketFactory;
    readonly dialled: LinkAddress;
    readonly bind: Omit<UdpBind, 'family'>;
  },
): Promise<{ link: Link; remote: LinkAddress } | undefined> {
  const { ce } = parts;
  const { socket, dialled, bind } = how;
  if (ce.socksProxy === undefined) {
    return { link: await socket.openUdp({ family: dialled.family, ...bind }), remote: dialled };
  }
  const opened = await connect(parts, dialled, (signal) => socket.openUdp({ family: 4, ...bind }, signal));
  if (!opened) return undefined;
  const found = await lookUp(parts, { host: ce.remote ?? '', port: ce.rport });
  if (typeof found === 'string') parts.log.log(D_RESOLVE_ERRORS, found);
  const server = typeof found === 'string' ? undefined : found[0];
  if (server && !parts.signals.pending) {
    return { link: opened.link, remote: { ...server, port: portOf(ce.rport) } };
  }
  opened.link.close();
  return undefined;
}

/** Opens what begins with a TCP connection to `dialled`; the next signal breaks it off. Proxies tell of theirs themselves. */
async function connect(
  { ce, signals, log }: LinkParts,
  dialled: LinkAddress,
  open: (signal: AbortSignal) => Promise<Link>,
): Promise<{ link: Link; remote: LinkAddress } | undefined> {
  const direct = ce.httpProxy === undefined && ce.socksProxy === undefined;
  if (direct) log.log(M_INFO, `Attempting to establish TCP connection with ${formatAddress(dialled)}`);
  const abort = signals.abortable();
  try {
    const link = await open(abort.signal);
    if (direct) log.log(M_INFO, `TCP connection established with ${formatAddress(dialled)}`);
    return { link, remote: dialled };
  } catch (error) {
    if (signals.pending) return undefined;
    throw error;
  } finally {
    abort.done();
  }
}

function localBind(ce: ConnectionEntry): { localAddress?: string; localPort?: number } {
  if (!ce.bindLocal) return {};
  return {
    ...(ce.local !== undefined && { localAddress: ce.local }),
    ...(ce.lport !== undefined && { localPort: portOf(ce.lport) }),
  };
}

function logLink(parts: LinkParts, link: Link, remote: LinkAddress): void {
  const { ce, log } = parts;
  const name = `${isTcp(ce.proto) ? 'TCP' : 'UDP'}v${remote.family}${isTcp(ce.proto) ? '_CLIENT' : ''}`;
  const bound = ce.bindLocal ? `(bound): ${boundText(ce, remote, link)}` : ': (not bound)';
  log.log(M_INFO, `${name} link local${ce.bindLocal ? ' ' : ''}${bound}`);
  log.log(M_INFO, `${name} link remote: ${formatAddress(remote)}`);
}

function boundText(ce: ConnectionEntry, remote: LinkAddress, link: Link): string {
  const family = remote.family === 4 ? '[AF_INET]' : '[AF_INET6]';
  return `${family}${ce.local ?? '[undef]'}:${link.local.port}`;
}

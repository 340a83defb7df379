/**
 * Frame and buffer sizes from options (2.x do_init_frame(), frame_finalize_options() of init.c).
 */
import { type LinkAddress, OpenVpnError } from '../base/base.ts';
import { D_SHOW_OCC, M_WARN } from '../base/errlevel.ts';
import { headerBytes } from '../comp/comp.ts';
import type { FrameOptions, InnerOptions } from '../forward/forward.ts';
import {
  type ConnectionEntry,
  devTypeOf,
  isTcp,
  type LogLine,
  type Options,
  optionsString,
} from '../options/options.ts';

/** Bytes that a link packet may have on top of tun-mtu: headers, tag, padding, TCP length. */
const LINK_SLACK = 192;

export function frameOptions(options: Options, ce: ConnectionEntry, family: 4 | 6): FrameOptions {
  return {
    dev: devTypeOf(options) ?? 'tun',
    tunMtu: ce.tunMtu,
    tunMtuMax: ce.tunMtuMax,
    tunMtuExtra: ce.tunMtuExtra,
    transport: isTcp(ce.proto) ? 'tcp' : 'udp',
    family,
    socks: ce.socksProxy !== undefined && !isTcp(ce.proto),
    mssfix:
      ce.mssfix.value > 0
        ? { bytes: ce.mssfix.value, mode: ce.mssfix.mode === 'payload' ? undefined : ce.mssfix.mode }
        : undefined,
    fragment: ce.fragment > 0 ? { bytes: ce.fragment, encap: ce.fragmentMtu } : undefined,
    compBytes: headerBytes(options.compress.algorithm),
  };
}

/** Source: 2.x buffer.h BUF_SIZE_MAX. */
const MAX_BUFFER_BYTES = 1_000_000;

/** Largest packet that buffers have to hold. Throws OpenVpnError where 2.x has no buffers of such a size. */
export function maxPacketBytes(ce: ConnectionEntry): number {
  const bytes = Math.max(ce.tunMtu, ce.tunMtuMax, ce.maxPacketSize) + ce.tunMtuExtra + LINK_SLACK;
  if (bytes >= MAX_BUFFER_BYTES) throw new OpenVpnError(`fatal buffer size error, size=${bytes}`);
  return bytes;
}

/**
 * What a client or P2P peer does to the packets inside. `remote` is the other end of the link, if known;
 * `onDhcpRouter` is told the routers of DHCP answers with `route-gateway dhcp`.
 */
export function innerOptions(
  options: Options,
  remote: LinkAddress | undefined,
  onDhcpRouter?: (router: string) => void,
): InnerOptions {
  return {
    clientNat: options.clientNat,
    blockIpv6: options.blockIpv6 ? 'sent' : 'off',
    remoteIpv6: options.ifconfigIpv6?.remote,
    passtos: options.passtos,
    linkRemote: options.allowRecursiveRouting ? undefined : remote,
    onDhcpRouter: options.routeGatewayViaDhcp ? onDhcpRouter : undefined,
  };
}

/** 2.x's lines about a profile's frame, for the start of a connection (init.c do_init_frame(), do_compute_occ_strings()). */
export function frameLines(options: Options, ce: ConnectionEntry): LogLine[] {
  maxPacketBytes(ce);
  const strings = [
    `Local Options String (VER=V4): '${optionsString({ options, ce })}'`,
    `Expected Remote Options String (VER=V4): '${optionsString({ options, ce, remote: true })}'`,
  ];
  return [...frameAdvice(options, ce), ...strings.map((text) => ({ level: D_SHOW_OCC, text }))];
}

function frameAdvice(options: Options, ce: ConnectionEntry): LogLine[] {
  if (ce.fragment === 0) return [];
  const mssfixEncap = ce.mssfix.mode === 'mtu';
  const texts: (string | false)[] = [
    options.mtuTest &&
      'WARNING: using --fragment and --mtu-test together may produce an inaccurate MTU test result',
    ce.mssfix.value > ce.fragment &&
      `WARNING: if you use --mssfix and --fragment, you should set --fragment (${ce.fragment}) larger or equal than --mssfix (${ce.mssfix.value})`,
    ce.mssfix.value > 0 &&
      ce.fragmentMtu !== mssfixEncap &&
      'WARNING: if you use --mssfix and --fragment, you should use the "mtu" flag for both or none of of them.',
  ];
  return texts.filter((text) => text !== false).map((text) => ({ level: M_WARN, text }));
}

/**
 * Frame and buffer sizes from options (2.x do_init_frame(), frame_finalize_options() of init.c).
 */
import type { FrameOptions } from '../forward/forward.ts';
import { type ConnectionEntry, devTypeOf, isTcp, type Options } from '../options/options.ts';

/** Bytes that a link packet may have on top of tun-mtu: headers, tag, padding, TCP length. */
const LINK_SLACK = 192;
/** tun-mtu-max of 2.6: a pushed tun-mtu may be this large. */
const TUN_MTU_MAX_DEFAULT = 1600;

export function frameOptions(options: Options, ce: ConnectionEntry, family: 4 | 6): FrameOptions {
  return {
    dev: devTypeOf(options) ?? 'tun',
    tunMtu: ce.tunMtu,
    tunMtuExtra: ce.tunMtuExtra,
    transport: isTcp(ce.proto) ? 'tcp' : 'udp',
    family,
    socks: ce.socksProxy !== undefined && !isTcp(ce.proto),
    mssfix:
      ce.mssfix.value > 0
        ? { bytes: ce.mssfix.value, mode: ce.mssfix.mode === 'payload' ? undefined : ce.mssfix.mode }
        : undefined,
    fragment: ce.fragment > 0 ? { bytes: ce.fragment, encap: ce.fragmentMtu } : undefined,
    compBytes: 0,
  };
}

/** Largest packet that buffers have to hold. */
export function maxPacketBytes(ce: ConnectionEntry): number {
  return Math.max(ce.tunMtu, ce.tunMtuMax, TUN_MTU_MAX_DEFAULT) + LINK_SLACK;
}

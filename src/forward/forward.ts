/**
 * Header of forward/ (2.x forward.h, ping.h, occ.h, mss.h, mtu.h, proto.h, sig.h): one peer's packet
 * pipeline between tun and link, in place on a PacketBatch.
 *
 *   seal: tun packet -> mssfix, inner rules -> compression frame -> [pieces] -> cipher -> P_DATA_V1/V2
 *   open: P_DATA -> cipher -> replay -> [pieces joined] -> compression frame -> ping, OCC -> mssfix, inner rules
 *
 * How to drive a DataChannel: seal() and open() per batch; after each open(), at nextTimeout() and after
 * handleTimeout() call pollTransmit() until 0 and pollEvent() until undefined. With --fragment `splits` is
 * true, and sealSplit() takes the place of seal(). With block-ipv6 call pollTun() after sealing.
 */
import type { Logger, PacketBatch } from '../base/base.ts';
import type { Compressor } from '../comp/comp.ts';
import type { CipherInfo, DigestInfo } from '../crypto/crypto.ts';
import type { DataChannelParams, DataKeys } from '../ssl/ssl.ts';
import type { InnerOptions } from './inner-rules.ts';

/** Where the pipeline finds its keys; a TlsMulti is one. */
export interface DataKeySource {
  sealKeys(nowMs: number): DataKeys | undefined;
  openKeys(keyId: number): DataKeys | undefined;
  readonly params: DataChannelParams | undefined;
}

/** What frame arithmetic depends on (2.x struct frame and parts of struct options). Units: bytes. */
export interface FrameOptions {
  readonly dev: 'tun' | 'tap';
  /** --tun-mtu */
  readonly tunMtu: number;
  /** --tun-mtu-max, as log lines show it; 1600 at least. */
  readonly tunMtuMax?: number;
  /** --tun-mtu-extra: 32 for tap, else 0. */
  readonly tunMtuExtra: number;
  readonly transport: 'udp' | 'tcp';
  /** Family of the link's addresses: 20 or 40 bytes of IP header with `mtu`. */
  readonly family: 4 | 6;
  /** UDP through a SOCKS proxy: 10 bytes more. */
  readonly socks: boolean;
  /** Undefined = no mssfix. */
  readonly mssfix: MssfixOptions | undefined;
  /** --fragment; undefined = off. `encap` is its word `mtu`. */
  readonly fragment: { readonly bytes: number; readonly encap: boolean } | undefined;
  /** Bytes of compression framing per packet: 1 for the v1 framings, else 0. */
  readonly compBytes: 0 | 1;
}

/** --mssfix N [mtu|fixed]; `mode` undefined = neither word. */
export interface MssfixOptions {
  readonly bytes: number;
  readonly mode: 'mtu' | 'fixed' | undefined;
}

/** What frame arithmetic needs to know of the data cipher. */
export interface FrameCrypto {
  /** Undefined counts as cipher none. */
  readonly cipher: CipherInfo | undefined;
  readonly digest: DigestInfo | undefined;
  /** P_DATA_V2 (4 bytes of header) or V1 (1 byte); undefined in static key mode (none). */
  readonly header: 'v2' | 'v1' | undefined;
  /** Epoch data format: ids of 8 bytes. */
  readonly epoch?: boolean;
}

/** Byte and drop counters of one peer or of a whole server; plain numbers, never reset. */
export interface LinkCounters {
  /** Bytes that came from tun and went into seal(). */
  tunReadBytes: number;
  /** Bytes that open() left for tun. */
  tunWriteBytes: number;
  linkReadBytes: number;
  linkWriteBytes: number;
  /** Authenticated payload bytes, pings and OCC included. */
  authReadBytes: number;
  linkReadPackets: number;
  linkWritePackets: number;
  /** Dropped: no key for this key id or none to send with. */
  dropNoKey: number;
  /** Dropped: failed authentication. */
  dropAuth: number;
  /** Dropped: shorter than its headers, or no data opcode. */
  dropShort: number;
  dropReplay: number;
  /** Dropped in tun mode: no IP packet inside. */
  dropNotIp: number;
  /** Dropped: packet ids of the key used up. */
  dropIdsUsedUp: number;
  /** Dropped: malformed compression frame or fragment, or too many pieces. */
  dropFrame: number;
}

/** Timers of --ping, --ping-restart, --ping-exit, --inactive, --session-timeout. Seconds; 0 = off. */
export interface TimerOptions {
  readonly pingSec: number;
  /** --ping-restart or --ping-exit, by `onSilence`. */
  readonly silenceSec: number;
  readonly onSilence: 'restart' | 'exit';
  /** --ping-timer-rem: silence counts only once the remote address is known (handleRemote()). */
  readonly pingTimerRem: boolean;
  readonly inactiveSec: number;
  /** --inactive n BYTES: less traffic than this within the time counts as inactive. */
  readonly inactiveBytes: number;
  readonly sessionSec: number;
}

export interface OccOptions {
  /** Answer to OCC_REQUEST; undefined answers nothing. */
  readonly localOptions: string | undefined;
  /** Without TLS: asks the peer for its options string, and gives it here. */
  readonly onReply?: (peerOptions: string) => void;
  /** --mtu-test: run the empirical test (client). */
  readonly mtuTest: boolean;
  /** Random bytes for the filler of OCC_MTU_LOAD. */
  readonly randomBytes: (length: number) => Uint8Array;
}

export interface DataChannelConfig {
  readonly keys: DataKeySource;
  readonly frame: FrameOptions;
  /** Undefined: packets go without compression frame. */
  readonly compressor?: Compressor | undefined;
  readonly inner?: InnerOptions | undefined;
  readonly timers: TimerOptions;
  readonly occ: OccOptions;
  /** Already with the peer's prefix, as all lines of this peer. */
  readonly log: Logger;
  /** Server: `[common name] ` stands before the text of a ping timeout. */
  readonly commonName?: () => string;
  readonly counters: LinkCounters;
  /** Counted along, e.g. the sums of a server. */
  readonly totals?: LinkCounters;
  readonly muteReplayWarnings: boolean;
}

/** What the owner has to do. Texts are logged already; `reason` is 2.x's signal text. */
export type DataChannelEvent =
  /** SIGUSR1: reconnect; a server closes the instance. */
  | {
      readonly type: 'restart';
      readonly reason: 'ping-restart' | 'decryption-error';
    }
  /** SIGTERM; a server closes the instance. */
  | { readonly type: 'exit'; readonly reason: 'ping-exit' | 'inactive' | 'session-timeout' }
  /** OCC_EXIT: a server closes the instance at once, a P2P peer restarts. */
  | { readonly type: 'remote-exit'; readonly reason: 'remote-exit' };

/** One peer's packet pipeline and its timers. See the file comment for how to drive it. */
export interface DataChannel {
  readonly counters: LinkCounters;
  /** Largest MSS let through for IPv4 inside; 0 = not changed. Follows keys.params and setFrame(). */
  readonly mss: number;
  /** The compression framing in use. */
  readonly compressor: Compressor | undefined;
  /** Packets may become several: sealSplit() has to be used instead of seal(). */
  readonly splits: boolean;
  /** Packets of the last open() that authenticated and were no replay: > 0 allows floating. */
  readonly authenticated: number;
  /**
   * Seals slots first..end-1, which hold tun packets behind PACKET_HEADROOM. Slots that can't be sent
   * get length 0 and are counted. Returns the packets left to send.
   */
  seal(batch: PacketBatch, first: number, end: number, nowMs: number): number;
  /**
   * As seal(), but into free slots of `out`, in pieces where packets are too long for one. Returns the slot
   * it stopped at for want of room: send and clear `out`, then go on from there. `out` should hold MAX_FRAGS.
   */
  sealSplit(batch: PacketBatch, first: number, end: number, out: PacketBatch, nowMs: number): number;
  /**
   * Opens slots first..end-1, which hold P_DATA_V1/V2 packets of this peer (without TLS: any). What remains for tun keeps its
   * slot; all else (bad, replayed, ping, OCC, empty) gets length 0.
   */
  open(batch: PacketBatch, first: number, end: number, nowMs: number): void;
  /** An authenticated control packet of `bytes` arrived: counts, and resets the silence timer. */
  noteControlReceived(bytes: number, nowMs: number): void;
  /** A control packet was sent: counts, and puts off the next ping. */
  noteControlSent(bytes: number, nowMs: number): void;
  /** Replaces the timers' settings (after a pull, with a new common name) and starts them anew. */
  setTimers(timers: TimerOptions, nowMs: number): void;
  /** Replaces the frame (pushed tun-mtu, floated to another family). */
  setFrame(frame: FrameOptions): void;
  /** The kernel says how long packets of the link may be: with --fragment, sizes follow it. */
  handlePathMtu(pathMtu: number): void;
  /** Keys were made: sizes follow their cipher from the first packet on; this logs them at once. */
  handleKeys(): void;
  /** Replaces the compression framing (after a pull, by client options). */
  setCompressor(compressor: Compressor | undefined): void;
  /** Replaces what is done to packets inside (after a pull, floated). */
  setInner(inner: InnerOptions): void;
  /** --ping-timer-rem: the remote address is known from here on. */
  handleRemote(nowMs: number): void;
  /** Queues OCC_EXIT for pollTransmit(). */
  sendOccExit(): void;
  handleTimeout(nowMs: number): void;
  /** Absolute; undefined = nothing to wait for. */
  nextTimeout(): number | undefined;
  /**
   * Writes waiting pings and OCC messages, sealed, into free slots of `batch` (count grows). Returns how
   * many: link addresses of the new slots are the caller's to fill in. Call until 0.
   */
  pollTransmit(batch: PacketBatch, nowMs: number): number;
  /**
   * Copies packets made here for tun (--block-ipv6) into free slots of `batch`. Returns how many; 0 at once
   * when there are none, which is all but always.
   */
  pollTun(batch: PacketBatch): number;
  pollEvent(): DataChannelEvent | undefined;
}

export type { ClientNatRule } from './client-nat.ts';
/** createDataChannel(config, nowMs): DataChannel; timers start at nowMs. newLinkCounters(): all zero. */
export { createDataChannel, newLinkCounters } from './data-channel.ts';
/**
 * Explicit exit notification. createExitNotifier({ seconds, ccExit, log }, nowMs): ExitNotifier;
 * restartMessage(n): the server's text; EXIT_DELAY_MS: from EXIT to closing; SHUTDOWN_DELAY_MS: from
 * RESTART to the server's own end.
 */
export {
  createExitNotifier,
  EXIT_DELAY_MS,
  type ExitNotifier,
  type ExitNotifierEvent,
  restartMessage,
  SHUTDOWN_DELAY_MS,
} from './exit-notify.ts';
/** MAX_FRAGS: pieces of one packet at most. */
export { MAX_FRAGS } from './fragment.ts';
export type { InnerOptions } from './inner-rules.ts';
/** mssfix(slab, offset, length, mss): true when it lowered an MSS. IP packet at offset. */
export { mssfix } from './mss.ts';
/**
 * Header fields without allocation. ipVersion(slab, offset, length): 4 | 6 | 0; the others need a checked version.
 * ipOffset(slab, offset, length, dev): start of IP in a frame, -1 if none. ipSourceOffset(offset, version),
 * isIpMulticast(slab, offset, version), isIpv6LinkLocalSource(slab, offset), readWord(slab, at): int32.
 */
export {
  ipDestinationOffset,
  ipOffset,
  ipSourceOffset,
  ipVersion,
  isIpMulticast,
  isIpv6LinkLocalSource,
  readWord,
} from './proto.ts';
/** Shaper: when the next packet may be sent under --shaper. */
export { Shaper } from './shaper.ts';
/** timerOptions(options): TimerOptions. */
export { timerOptions } from './timer-options.ts';

/**
 * UDP links over the C++ addon (2.x socket.c, UDP part): recvmmsg() and sendmmsg() between the network
 * and the slots of a batch, with segmentation offload where the kernel has it, and readiness from libuv
 * once per burst (native/udp.cc). Datagrams that were received together but had no slot left wait in the
 * addon, where poll() doesn't see them: a turn of the event loop later onReadable is called for them.
 *
 * Errors that ICMP reports, or that one packet of a batch met, don't stop the batch. They reach
 * onError in 2.x's words (`read UDPv4 [ECONNREFUSED]: Connection refused (fd=3,code=111)`), each code
 * at most once a second, since a peer can provoke them at will.
 */
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { getSystemErrorName } from 'node:util';
import {
  ADDRESS_WORDS,
  ApiMisuseError,
  addressFromWords,
  addressToWords,
  errnoLine,
  type LinkAddress,
  LinkError,
  PACKET_HEADROOM,
  PACKET_TAILROOM,
  type PacketBatch,
} from '../base/base.ts';
import {
  NATIVE_ERROR_WORDS,
  NATIVE_OP_READ,
  NATIVE_READABLE,
  NATIVE_WRITABLE,
  type NativeAddon,
  type NativeUdp,
  offloadAllowed,
} from '../native/native.ts';
import { udpUnlessAborted } from './abort.ts';
import { bindError } from './bind-error.ts';
import type { Link, LinkErrno, SocketFactory, SocketOptions, UdpBind } from './socket.ts';
import { buffersText, type SocketTuner } from './tuner.ts';
import { createNativeTuner } from './tuner-native.ts';

/** Packets per batch; native/udp.cc sends as many with one system call. Ours. */
const BATCH_SIZE = 128;
/** Between two reports of one error code. Ours. */
const REPORT_INTERVAL_MS = 1000;
const ANY_ADDRESS = { 4: '0.0.0.0', 6: '::' } as const;
/** Errors that Linux tells with a name in 2.x's square brackets. */
const NAMED_ERRORS = new Set([
  'ETIMEDOUT',
  'EMSGSIZE',
  'ECONNREFUSED',
  'EPROTO',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EACCES',
]);

export interface UdpNativeOptions {
  /** Segmentation offload where the kernel has it; default true, unless OPENVPN_TS_OFFLOAD=0. */
  readonly offload?: boolean;
}

/** UDP by the addon, the rest (TCP, names) by `base`. */
export function createNativeSockets(
  addon: NativeAddon,
  base: SocketFactory,
  options: UdpNativeOptions = {},
): SocketFactory {
  return {
    name: 'native',
    openUdp: (bind, signal) => udpUnlessAborted(async () => openUdpNative(addon, bind, options), signal),
    connectTcp: (connect, signal) => base.connectTcp(connect, signal),
    connectStream: (connect, signal) => base.connectStream(connect, signal),
    listenTcp: (listen) => base.listenTcp(listen),
    resolve: (host, family, signal) => base.resolve(host, family, signal),
  };
}

/** Opens and binds a UDP socket. Throws LinkError in 2.x's words, its cause carrying the errno `code`. */
export function openUdpNative(addon: NativeAddon, bind: UdpBind, options: UdpNativeOptions = {}): Link {
  return new UdpNativeLink(addon, bind, options.offload ?? offloadAllowed());
}

class UdpNativeLink implements Link {
  readonly transport = 'udp';
  readonly remote = undefined;
  readonly batchSize = BATCH_SIZE;
  readonly local: LinkAddress;
  onWritable: () => void = nothing;
  onError: (error: LinkErrno) => void = nothing;
  onClose: (error: NodeJS.ErrnoException | undefined) => void = nothing;

  readonly #native: NativeUdp;
  readonly #tuner: SocketTuner;
  readonly #proto: string;
  readonly #errorText: (errno: number) => string;
  readonly #errors = new Int32Array(NATIVE_ERROR_WORDS);
  readonly #reportedAt = new Map<string, number>();
  readonly #words = new Int32Array(ADDRESS_WORDS);
  #onReadable: () => void = nothing;
  #closed = false;
  /** Whether a call of onReadable for what waits in the addon is on its way. */
  #announced = false;

  constructor(addon: NativeAddon, bind: UdpBind, offload: boolean) {
    this.#proto = bind.family === 6 ? 'UDPv6' : 'UDPv4';
    this.#errorText = addon.errorText;
    this.#native = this.#open(addon, bind, offload);
    this.#tuner = createNativeTuner(addon);
    this.#tune(bind);
    bind.onBuffers?.(this.#buffersText());
    this.#native.localAddress(this.#words);
    this.local = addressFromWords(this.#words, 0);
  }

  get onReadable(): () => void {
    return this.#onReadable;
  }

  /** Readiness is level-triggered: as long as nobody reads, the socket isn't watched. */
  set onReadable(listener: () => void) {
    this.#onReadable = listener;
    if (!this.#closed) this.#native.poll(this.#readable);
  }

  get dropped(): number {
    return this.#native.dropped;
  }

  recvBatch(batch: PacketBatch): number {
    batch.count = 0;
    if (this.#closed) return 0;
    const { slab, slotSize, offsets, lengths, addresses } = batch;
    const limit = Math.min(batch.capacity, BATCH_SIZE);
    const count = this.#native.recvBatch(
      slab,
      slotSize,
      PACKET_HEADROOM,
      PACKET_TAILROOM,
      offsets,
      lengths,
      addresses,
      limit,
    );
    batch.status.fill(0, 0, count);
    batch.count = count;
    if (this.#errors[0] !== 0) this.#report();
    if (this.#closed) return 0;
    if (count === limit) this.#announcePending();
    return count;
  }

  sendBatch(batch: PacketBatch, first: number, end: number): number {
    if (this.#closed) return end - first;
    const { slab, slotSize, offsets, lengths, addresses } = batch;
    const handled = this.#native.sendBatch(slab, slotSize, offsets, lengths, addresses, first, end);
    if (handled < end - first) this.#native.poll(this.#readable | NATIVE_WRITABLE);
    if (this.#errors[0] !== 0) this.#report();
    return handled;
  }

  send(packet: Uint8Array, to: LinkAddress): boolean {
    if (this.#closed || packet.length === 0) return false;
    addressToWords(to, this.#words, 0);
    const sent = this.#native.send(packet, this.#words);
    if (this.#errors[0] !== 0) this.#report();
    return sent;
  }

  setTos(tos: number): void {
    if (!this.#closed) this.#tuner.setTos(this.#native.fd, tos);
  }

  setBuffers({ sndbuf = 0, rcvbuf = 0, warn, onBuffers }: SocketOptions): void {
    const told = { ...(warn && { warn }), ...(onBuffers && { onBuffers }) };
    if (!this.#closed) this.#tuner.tune(this.#native.fd, this.local.family, { sndbuf, rcvbuf, ...told });
  }

  /** Sizes were set when the socket was made: what it had before are the kernel's defaults. */
  #buffersText(): string {
    const after = this.#tuner.buffers(this.#native.fd);
    const before = { rcv: kernelDefault('rmem') ?? after.rcv, snd: kernelDefault('wmem') ?? after.snd };
    return buffersText(before, after);
  }

  close(): void {
    this.#closed = true;
    this.#native.close();
  }

  #open(addon: NativeAddon, bind: UdpBind, offload: boolean): NativeUdp {
    const { family, localAddress, localPort: port = 0 } = bind;
    addressToWords({ family, address: localAddress ?? ANY_ADDRESS[family], port }, this.#words, 0);
    const { ipv6Only = false, sndbuf = 0, rcvbuf = 0 } = bind;
    try {
      return new addon.Udp(this.#words, ipv6Only, sndbuf, rcvbuf, this.#errors, this.#handleReady, offload);
    } catch (error) {
      const cause = error as NodeJS.ErrnoException;
      if (cause.syscall === 'bind') throw bindError(family, localAddress, port, cause);
      if (cause.syscall === undefined) throw new ApiMisuseError(cause.message, { cause });
      throw new LinkError(errnoLine('UDP: Cannot create UDP/UDP6 socket', cause), { cause });
    }
  }

  /** Buffer sizes were set when the socket was made. */
  #tune({ family, mark, bindDev, mtuDisc, multihome, warn }: UdpBind): void {
    this.#tuner.tune(this.#native.fd, family, {
      ...(mark && { mark }),
      ...(bindDev !== undefined && { bindDev }),
      ...(mtuDisc && { mtuDisc }),
      ...(warn && { warn }),
    });
    if (multihome && this.#native.multihome() !== 0)
      warn?.('NOTE: --multihome is ignored: IP_PKTINFO failed');
  }

  readonly #handleReady = (events: number): void => {
    if (this.#errors[0] !== 0) this.#report();
    if ((events & NATIVE_WRITABLE) !== 0 && !this.#closed) {
      this.#native.poll(this.#readable);
      this.onWritable();
    }
    if ((events & NATIVE_READABLE) !== 0 && !this.#closed) this.#onReadable();
  };

  get #readable(): number {
    return this.#onReadable === nothing ? 0 : NATIVE_READABLE;
  }

  #announcePending(): void {
    if (this.#announced || !this.#native.pending) return;
    this.#announced = true;
    setImmediate(() => {
      this.#announced = false;
      if (!this.#closed && this.#native.pending) this.#onReadable();
    });
  }

  #report(): void {
    const count = this.#errors[0]!;
    const found = this.#errors.slice(1, 1 + 3 * count);
    this.#errors[0] = 0;
    const nowMs = performance.now();
    for (let at = 0; at < found.length && !this.#closed; at += 3) {
      const [operation, errno, info] = found.subarray(at, at + 3) as unknown as [number, number, number];
      const code = getSystemErrorName(-errno);
      const lastMs = this.#reportedAt.get(code);
      if (lastMs !== undefined && nowMs - lastMs < REPORT_INTERVAL_MS) continue;
      this.#reportedAt.set(code, nowMs);
      this.onError(this.#describe(operation, errno, info, code));
    }
  }

  #describe(operation: number, errno: number, info: number, code: string): LinkErrno {
    const verb = operation === NATIVE_OP_READ ? 'read' : 'write';
    const named = NAMED_ERRORS.has(code) ? code : 'UNKNOWN';
    const bracket = info < 0 ? ' []' : ` [${named}${code === 'EMSGSIZE' ? ` Path-MTU=${info}` : ''}]`;
    const text = `${verb} ${this.#proto}${bracket}: ${this.#errorText(errno)} (fd=${this.#native.fd},code=${errno})`;
    const path = code === 'EMSGSIZE' && info > 0 ? { pathMtu: info } : {};
    return Object.assign(new Error(text), { code, errno, syscall: verb, ...path });
  }
}

/** Bytes that a new UDP socket may hold, where the kernel tells. */
function kernelDefault(name: 'rmem' | 'wmem'): number | undefined {
  try {
    return Number(readFileSync(`/proc/sys/net/core/${name}_default`, 'utf8'));
  } catch {
    return undefined;
  }
}

function nothing(): void {}

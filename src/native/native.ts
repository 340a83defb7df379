/**
 * The one loader of the C++ addon, with its types written by hand. The addon moves and encrypts
 * packets by the batch; what a batch means is decided in TypeScript (tun/tun-linux.ts,
 * socket/udp-native.ts, crypto/crypto-native.ts). addon-file.ts says where its file is.
 *
 * Conventions of every class: batch arguments are the arrays of one PacketBatch, checked against the
 * slab on each call; a broken rule throws a RangeError or TypeError with code ERR_OVPN_API_MISUSE; a
 * failed system call of a constructor throws an Error with `code`, `errno` (positive) and `syscall`.
 */
import type { CtrKey, MacKey } from '../crypto/crypto.ts';
import { loadAddonFile } from './addon-file.ts';
import { nativeMismatch } from './native-abi.ts';
import type { NativeNetlink } from './native-netlink.ts';

export type { NativeNetlink } from './native-netlink.ts';

/** Bits of `NativePollable.poll()` and of the readiness callback. */
export const NATIVE_READABLE = 1;
export const NATIVE_WRITABLE = 2;

/**
 * Errors that a batch call met without stopping: word 0 counts the triples behind it, each triple is
 * (operation, errno, info). The reader sets word 0 back to 0; triples beyond the array's end are lost.
 * info: -1 nothing was in the socket's error queue, 0 something was, > 0 the path MTU told there.
 */
export type NativeErrorLog = Int32Array;
export const NATIVE_ERROR_WORDS = 1 + 3 * 16;
/** Operation word of a read in a NativeErrorLog; a write's is 1. */
export const NATIVE_OP_READ = 0;

/** A file descriptor watched by libuv. `close()` is idempotent; no callback comes after it. */
export interface NativePollable {
  /** The descriptor, or -1 after close(). */
  readonly fd: number;
  /** Watches for NATIVE_READABLE and/or NATIVE_WRITABLE (level-triggered); 0 stops. Throws after close(). */
  poll(events: number): void;
  /** Whether watching keeps the process alive: it does until unref(). */
  ref(): void;
  unref(): void;
  close(): void;
}

export interface NativeTun extends NativePollable {
  readonly name: string;
  /** Reads into slots 0.. behind the headroom; returns the packets read, 0 = would block or error (see the log). Tailroom at least 1. */
  readBatch(
    slab: Uint8Array,
    slotSize: number,
    headroom: number,
    tailroom: number,
    offsets: Int32Array,
    lengths: Int32Array,
    limit: number,
  ): number;
  /** Writes slots first..end-1, passing over length 0; returns the packets written. */
  writeBatch(
    slab: Uint8Array,
    slotSize: number,
    offsets: Int32Array,
    lengths: Int32Array,
    first: number,
    end: number,
  ): number;
  /** Sets the transmit queue length; returns 0 or an errno. */
  setTxQueueLength(packets: number): number;
  /** Packets dropped: longer than a slot (read) or refused by the kernel (write). */
  readonly dropped: number;
  /** Whether the device gives and takes TCP super-packets. */
  readonly offload: boolean;
  /** Whether packets of a super-packet wait for the next readBatch(); poll() does not tell of them. */
  readonly pending: boolean;
}

export type NativeSocketOption = 'sndbuf' | 'rcvbuf' | 'mark' | 'tos' | 'mtu-disc' | 'mtu-disc6';

export interface NativeUdp extends NativePollable {
  /** Writes the bound address into words 0..7, laid out as in base/address.ts. */
  localAddress(words: Int32Array): void;
  /** Receives into slots 0.. behind the headroom, source addresses into `addresses`; 0 = would block. */
  recvBatch(
    slab: Uint8Array,
    slotSize: number,
    headroom: number,
    tailroom: number,
    offsets: Int32Array,
    lengths: Int32Array,
    addresses: Int32Array,
    limit: number,
  ): number;
  /** Sends slots first..end-1 to their addresses; returns the slots handled, fewer = would block. */
  sendBatch(
    slab: Uint8Array,
    slotSize: number,
    offsets: Int32Array,
    lengths: Int32Array,
    addresses: Int32Array,
    first: number,
    end: number,
  ): number;
  /** Sends one datagram to address words 0..7; false = not sent. */
  send(packet: Uint8Array, words: Int32Array): boolean;
  /**
   * Numbers the local addresses that datagrams come to, in word 7 of their address, and sends from the address
   * with the number in that word. Returns 0 or an errno.
   */
  multihome(): number;
  /** Datagrams dropped on receive: empty or longer than a slot's packet. */
  readonly dropped: number;
  /** Whether received datagrams wait for the next recvBatch(); poll() does not tell of them. */
  readonly pending: boolean;
  /** recvmmsg, sendmmsg and sendto calls made so far. */
  readonly syscalls: number;
}

export interface NativeAeadSealer {
  readonly nextPacketId: number;
  sealBatch(
    slab: Uint8Array,
    slotSize: number,
    offsets: Int32Array,
    lengths: Int32Array,
    first: number,
    end: number,
  ): number;
  destroy(): void;
}

export interface NativeAeadOpener {
  readonly failures: number;
  openBatch(
    slab: Uint8Array,
    slotSize: number,
    offsets: Int32Array,
    lengths: Int32Array,
    status: Int32Array,
    packetIds: Uint32Array,
    first: number,
    end: number,
  ): void;
  destroy(): void;
}

/** As NativeAeadOpener; ids have 64 bits, their upper halves go into `packetTimes`. */
export interface NativeEpochOpener {
  readonly failures: number;
  openBatch(
    slab: Uint8Array,
    slotSize: number,
    offsets: Int32Array,
    lengths: Int32Array,
    status: Int32Array,
    packetIds: Uint32Array,
    packetTimes: Uint32Array,
    first: number,
    end: number,
  ): void;
  destroy(): void;
}

/** Bits of the state that NativeTlsSession's calls give. */
export const NATIVE_TLS_OUTPUT = 1;
export const NATIVE_TLS_PLAINTEXT = 2;
export const NATIVE_TLS_DONE = 4;
export const NATIVE_TLS_FAILED = 8;
/** The handshake waits for a signature, see signRequest(). */
export const NATIVE_TLS_SIGN = 16;

/** How a key that lives elsewhere is to sign. */
export type NativeSignPadding = 'RSA_PKCS1_PADDING' | 'RSA_PKCS1_PSS_PADDING' | 'ECDSA' | 'EDDSA';

/**
 * TLS settings of many sessions. A setter gives undefined, or OpenSSL's text when it refuses. Texts are
 * PEM unless said otherwise; call setSecurityLevel() first, it bears on everything loaded later.
 */
export interface NativeTlsContext {
  /** Protocol numbers as on the wire, e.g. 0x0303 for TLS 1.2. */
  setVersions(least: number, most: number): string | undefined;
  setSecurityLevel(level: number): void;
  setCiphers(list: string): string | undefined;
  setCiphersuites(list: string): string | undefined;
  setGroups(list: string): string | undefined;
  /** Certificates; what else the text holds is passed over. */
  addAuthorities(pem: string): string | undefined;
  /** Our own certificate, its chain behind it. */
  useCertificate(pem: string): string | undefined;
  addExtraCertificates(pem: string): string | undefined;
  /** '' is no password. */
  usePrivateKey(pem: string, password: string): string | undefined;
  /** The private key of the certificate in use lives elsewhere: sessions ask for signatures. */
  useExternalKey(): string | undefined;
  /** Whether certificate and private key belong together. */
  privateKeyFits(): boolean;
  /** `authorities`: whether certificates beside our own are trusted, or only sent along. */
  usePkcs12(der: Uint8Array, password: string, authorities: boolean): string | undefined;
  /** DH parameters, or `auto`. */
  setDh(pem: string): string | undefined;
  /** Sessions live on. Throws when used afterwards. */
  close(): void;
}

/** One TLS session over memory. Synchronous; `write`, `send` and `state` give NATIVE_TLS_* bits. */
export interface NativeTlsSession {
  readonly state: number;
  /** Bytes from the peer; ignored after a failure. Kept, 256 KiB at most, while a signature is waited for. */
  write(ciphertext: Uint8Array): number;
  /** One record up to 16 KiB; throws before the handshake is over. */
  send(plaintext: Uint8Array): number;
  /** All bytes for the peer that wait, an alert after a failure among them. */
  output(): Buffer | undefined;
  /** The next record from the peer. */
  plaintext(): Buffer | undefined;
  /** Why the session ended, in OpenSSL's words. */
  failure(): string | undefined;
  /** DER of the peer's chain as verified, leaf first, 17 at most; empty without certificate. */
  chain(): Buffer[];
  /** OpenSSL's text and the depth of the first problem with the chain. */
  problem(): [string, number] | undefined;
  /** RFC 5705 without context, 1 to 16384 bytes; false when OpenSSL can't. */
  exportKey(label: string, into: Uint8Array): boolean;
  describe(): string;
  /** Message, padding (see SignRequest), OpenSSL's digest name or '', bytes of salt or -1; undefined unless NATIVE_TLS_SIGN. */
  signRequest(): [Buffer, NativeSignPadding, string, number] | undefined;
  /** Goes on with the handshake, or fails when it doesn't verify; without a request nothing happens. */
  provideSignature(signature: Uint8Array): number;
  /** Ends the handshake for want of a signature. */
  refuseSignature(reason: string): number;
  /** Frees everything; calls afterwards do nothing. */
  close(): void;
}

export interface NativeAddon {
  /** NATIVE_ABI of the build. */
  readonly abi: number;
  /** Opens `node` and attaches to `dev`; `tun` and `tap` alone let the kernel take the lowest free unit. `offload` is dropped where it can't be had. */
  readonly Tun: new (
    node: string,
    dev: string,
    tap: boolean,
    errors: NativeErrorLog,
    onReady: (events: number) => void,
    offload: boolean,
  ) => NativeTun;
  /** A bound UDP socket; `bind` are address words, `sndbuf`/`rcvbuf` 0 keeps the kernel's default, `offload` is for UDP_SEGMENT and UDP_GRO. */
  readonly Udp: new (
    bind: Int32Array,
    ipv6Only: boolean,
    sndbuf: number,
    rcvbuf: number,
    errors: NativeErrorLog,
    onReady: (events: number) => void,
    offload: boolean,
  ) => NativeUdp;
  /**
   * `cipher` is an OpenVPN AEAD name in upper case; `implicitIv` the 8 bytes behind the packet id in the nonce;
   * `peerId` -1 for P_DATA_V1. Throws when Node's OpenSSL lacks the cipher. `firstPacketId` is 1 outside tests.
   */
  readonly AeadSealer: new (
    cipher: string,
    key: Uint8Array,
    implicitIv: Uint8Array,
    keyId: number,
    peerId: number,
    firstPacketId: number,
  ) => NativeAeadSealer;
  readonly AeadOpener: new (cipher: string, key: Uint8Array, implicitIv: Uint8Array) => NativeAeadOpener;
  /** The key of one epoch, 1..65535: `iv` has 12 bytes, `peerId` is never -1, ids end with 2^48-1. */
  readonly EpochSealer: new (
    cipher: string,
    key: Uint8Array,
    iv: Uint8Array,
    keyId: number,
    peerId: number,
    epoch: number,
    firstPacketId: number,
  ) => NativeAeadSealer;
  readonly EpochOpener: new (
    cipher: string,
    key: Uint8Array,
    iv: Uint8Array,
    epoch: number,
  ) => NativeEpochOpener;
  /** Throws when Node's OpenSSL lacks the digest; its names are OpenSSL's. */
  readonly Mac: new (
    digest: string,
    key: Uint8Array,
  ) => MacKey;
  /** 32 bytes of key. */
  readonly AesCtr: new (
    key: Uint8Array,
  ) => CtrKey;
  /** `requestCert`: whether a server asks for a certificate; a client always sees one. */
  readonly TlsContext: new (
    server: boolean,
    requestCert: boolean,
  ) => NativeTlsContext;
  /** A client's first flight waits in output() at once. */
  readonly TlsSession: new (
    context: NativeTlsContext,
  ) => NativeTlsSession;
  /** A NETLINK_ROUTE socket. */
  readonly Netlink: new () => NativeNetlink;
  /** A negative errno when there is no such network interface. */
  interfaceIndex(name: string): number;
  /** Empty when there is none. */
  interfaceName(index: number): string;
  /** Whether the AEAD sealers and openers take this cipher name. */
  supportsAead(cipher: string): boolean;
  /**
   * Cuts a frame as a device with IFF_VNET_HDR gives it (virtio_net_hdr, packet) into slots, as readBatch()
   * does; returns the packets that fit, -1 for a frame that contradicts itself. Changes the frame.
   */
  splitFrame(
    frame: Uint8Array,
    slab: Uint8Array,
    slotSize: number,
    headroom: number,
    tailroom: number,
    offsets: Int32Array,
    lengths: Int32Array,
    limit: number,
  ): number;
  /** Puts the frames that writeBatch() would write one behind the other into `out`, their bytes into `sizes`; returns the frames. */
  coalesceBatch(
    slab: Uint8Array,
    slotSize: number,
    offsets: Int32Array,
    lengths: Int32Array,
    first: number,
    end: number,
    out: Uint8Array,
    sizes: Int32Array,
  ): number;
  /** setsockopt(2); returns 0 or an errno. `mtu-disc`: 0 don't, 1 want, 2 do. */
  setSocketOption(fd: number, option: NativeSocketOption, value: number): number;
  /** getsockopt(2); returns a negative errno when it fails. */
  socketOption(fd: number, option: NativeSocketOption): number;
  /** SO_BINDTODEVICE; returns 0 or an errno. */
  bindToDevice(fd: number, device: string): number;
  /** An unconnected TCP socket; returns a negative errno when it fails. The descriptor is the caller's. */
  openTcpSocket(ipv6: boolean): number;
  /** The C library's text of an errno, e.g. 111 is `Connection refused`. */
  errorText(errno: number): string;
  /** chroot(2); returns 0 or an errno. */
  chroot(path: string): number;
  /** mlockall(2) for present and future pages; returns 0 or an errno. */
  lockMemory(): number;
  /** flock(2), exclusive and without waiting; returns 0 or an errno. */
  lockFile(fd: number): number;
  /** Has the C library give freed memory of all threads back sooner, for the whole process; returns 1, or 0 where it can't. */
  returnMemory(): number;
  /** The number of a user; -1 where the system knows none of this name. */
  userId(name: string): number;
  groupId(name: string): number;
  /** The calling thread's capabilities survive a change of the user id; returns 0 or an errno. */
  keepCapabilities(): number;
  /** Reduces the calling thread's capabilities to CAP_NET_ADMIN; returns 0 or an errno. */
  retainNetAdmin(): number;
  /** Starts so many threads and ends them again; returns 0, or an errno where they can't all be had. */
  tryThreads(count: number): number;
  /** OSSL_PROVIDER_load() for the whole process; returns undefined, or OpenSSL's errors, one a line. */
  loadProvider(name: string): string | undefined;
}

let addon: NativeAddon | undefined;
let reason: string | undefined;

/**
 * The addon, loaded at the first call, or undefined where it isn't built, doesn't load, is of another
 * build than this file, or OPENVPN_TS_NATIVE=0 turns it off; nativeMissingReason() then says why.
 */
export function loadNative(): NativeAddon | undefined {
  if (addon !== undefined || reason !== undefined) return addon;
  if (nativeTurnedOff()) {
    reason = 'turned off by OPENVPN_TS_NATIVE=0';
    return undefined;
  }
  const loaded = loadAddonFile(nativeMismatch);
  if ('addon' in loaded) addon = loaded.addon as NativeAddon;
  else reason = loaded.reason;
  return addon;
}

/** Whether OPENVPN_TS_NATIVE=0 keeps to Node's modules. */
export function nativeTurnedOff(): boolean {
  return process.env.OPENVPN_TS_NATIVE === '0';
}

/** Whether OPENVPN_TS_NATIVE=tun keeps to Node's modules for all but the device, which they can't open. */
export function nativeForTunOnly(): boolean {
  return process.env.OPENVPN_TS_NATIVE === 'tun';
}

/** Why loadNative() gave undefined, in one line; undefined when it gave the addon. */
export function nativeMissingReason(): string | undefined {
  loadNative();
  return reason;
}

/** Whether segmentation offload may be used: OPENVPN_TS_OFFLOAD=0 turns it off. */
export function offloadAllowed(): boolean {
  return process.env.OPENVPN_TS_OFFLOAD !== '0';
}

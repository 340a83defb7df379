/**
 * Header of socket/ (2.x socket.h): links that carry OpenVPN packets. A UDP socket, a TCP connection
 * and an in-memory wire look alike: packets are received and sent in batches, TCP framing (u16 length)
 * is added and removed inside. Backends: udp-native.ts (recvmmsg/sendmmsg), udp-node.ts (node:dgram),
 * tcp-node.ts (node:net), link-memory.ts (tests). http-proxy.ts and socks-proxy.ts wrap a factory so
 * that its links lead through a proxy; port-share.ts looks at connections before they become links.
 */
import type { AddressFamily, LinkAddress, PacketBatch } from '../base/base.ts';

export interface Link {
  /** 'udp' keeps datagrams apart by address; 'tcp' has one peer and ignores addresses on send. */
  readonly transport: 'udp' | 'tcp';
  readonly local: LinkAddress;
  /** The one peer of a TCP connection; undefined on UDP. */
  readonly remote: LinkAddress | undefined;
  readonly batchSize: number;
  /** Called when packets wait. The owner then calls recvBatch() until it returns 0. Set before anything can arrive. */
  onReadable: () => void;
  /** Called once after sendBatch() accepted fewer packets than offered and there is room again. */
  onWritable: () => void;
  /** ICMP errors and the like on UDP (`code` ECONNREFUSED, ...); the link stays open. */
  onError: (error: LinkErrno) => void;
  /** TCP: the connection ended (error undefined = orderly). Not called after close(). */
  onClose: (error: NodeJS.ErrnoException | undefined) => void;
  /**
   * Fills the batch from slot 0: offsets, lengths, addresses (source), status 0, count. Returns the
   * packets read; 0 = would block. Packets longer than batch.maxPacketBytes are dropped and counted.
   */
  recvBatch(batch: PacketBatch): number;
  /**
   * Sends slots first..end-1, each to its words in batch.addresses (UDP) or to the peer (TCP); slots
   * of length 0 are passed over. Returns the slots handled; fewer than asked = would block, offer the
   * rest again after onWritable. May overwrite up to 2 bytes before a packet (TCP length).
   */
  sendBatch(batch: PacketBatch, first: number, end: number): number;
  /**
   * Sends one control packet; false = dropped because the socket is full or unreachable. TCP takes some more
   * when sendBatch() takes none.
   */
  send(packet: Uint8Array, to: LinkAddress): boolean;
  /** --passtos: type of service of the IPv4 packets sent from here on; missing where it can't be set. */
  setTos?(tos: number): void;
  /** Changes --sndbuf and --rcvbuf of the open socket (pushed ones); missing where they can't be changed. */
  setBuffers?(options: SocketOptions): void;
  /** TCP_NODELAY from here on; missing on UDP. */
  setNoDelay?(): void;
  /** Datagrams or frames dropped by the link itself (too long, zero length). */
  readonly dropped: number;
  close(): void;
}

/** What went wrong on a link that stays open. */
export interface LinkErrno extends NodeJS.ErrnoException {
  /** EMSGSIZE: the longest packet, with IP header, that the way to the peer takes, as far as the kernel knows. */
  readonly pathMtu?: number;
}

/**
 * A TCP connection as plain bytes: before it becomes a link, or instead. Errors and the peer's end look
 * alike; close() may be called at any time and more than once.
 */
export interface ByteStream {
  readonly local: LinkAddress;
  readonly remote: LinkAddress;
  /** The next bytes as they came; undefined when the stream is over. One read at a time. */
  read(): Promise<Uint8Array | undefined>;
  /** Puts bytes back in front of what read() returns next. */
  unread(bytes: Uint8Array): void;
  /** Resolves when more may be written; false when the stream is over. The bytes are the stream's from here on. */
  write(bytes: Uint8Array): Promise<boolean>;
  /** The rest of the stream as frames. The stream itself may not be used afterwards. */
  toLink(): Link;
  /** Called once when the connection is over, not after close() or toLink(). */
  onClose: () => void;
  /** What was written may take `graceMs` to go out; 2 s when left out. */
  close(graceMs?: number): void;
}

export interface SocketOptions {
  readonly sndbuf?: number;
  readonly rcvbuf?: number;
  readonly tcpNoDelay?: boolean;
  /** SO_MARK; 0 or undefined = none. */
  readonly mark?: number;
  /** SO_BINDTODEVICE */
  readonly bindDev?: string;
  /** IP_MTU_DISCOVER: set the don't-fragment bit never, by the path's MTU, always. */
  readonly mtuDisc?: 'no' | 'maybe' | 'yes';
  /** UDP: answers leave from the address that was asked. */
  readonly multihome?: boolean;
  /** Told, in words for the log, which of these can't be set. */
  readonly warn?: (text: string) => void;
  /** Told 2.x's line about the sizes of the socket's buffers; asked for it costs some system calls. */
  readonly onBuffers?: (text: string) => void;
  /** TCP: packets that may wait for the kernel before the link is full; 64 when left out. */
  readonly queuePackets?: number;
}

export interface UdpBind extends SocketOptions {
  readonly family: AddressFamily;
  /** Undefined = any address. */
  readonly localAddress?: string;
  /** 0 or undefined = kernel's choice. */
  readonly localPort?: number;
  /** Family 6 only: refuse IPv4-mapped peers. */
  readonly ipv6Only?: boolean;
}

export interface TcpConnect extends SocketOptions {
  readonly remote: LinkAddress;
  readonly localAddress?: string;
  readonly localPort?: number;
  readonly timeoutMs: number;
}

export interface TcpListen extends SocketOptions {
  readonly family: AddressFamily;
  readonly localAddress?: string;
  readonly localPort: number;
  readonly ipv6Only?: boolean;
  /** Sees each connection before it becomes a link; false = the connection is the screen's from here on. */
  readonly screen?: (stream: ByteStream) => Promise<boolean>;
}

export interface LinkListener {
  readonly local: LinkAddress;
  onConnection: (link: Link) => void;
  onError: (error: NodeJS.ErrnoException) => void;
  close(): void;
}

/**
 * Opens links. Errors reject with LinkError whose cause carries the errno `code`; ABORT_ERR after an abort, with the
 * signal's reason as its own cause. Aborted before, nothing is opened; no listener is left on a signal.
 */
export interface SocketFactory {
  readonly name: string;
  openUdp(bind: UdpBind, signal?: AbortSignal): Promise<Link>;
  connectTcp(connect: TcpConnect, signal?: AbortSignal): Promise<Link>;
  /** As connectTcp(), without framing. */
  connectStream(connect: TcpConnect, signal?: AbortSignal): Promise<ByteStream>;
  listenTcp(listen: TcpListen): Promise<LinkListener>;
  /** All addresses of a host name (getaddrinfo order); literals resolve to themselves. */
  resolve(
    host: string,
    family: AddressFamily | 0,
    signal?: AbortSignal,
  ): Promise<{ family: AddressFamily; address: string }[]>;
}

export { isAborted, orAborted } from './abort.ts';
export type { ProxyCredentials } from './http-auth.ts';
export { type HttpProxyAuth, withHttpProxy } from './http-proxy.ts';
/** createNextTurn(run): asks for a call of `run` behind the events that wait. */
export { createNextTurn } from './next-turn.ts';
export { setNoDelay } from './no-delay.ts';
export { PortShare } from './port-share.ts';
export { ProxyError } from './proxy-stream.ts';
/** sendByTos(link, batch, first, end): as Link.sendBatch(), each packet with the type of service in batch.tos. */
export { sendByTos } from './send-by-tos.ts';
export { withSocksProxy } from './socks-proxy.ts';

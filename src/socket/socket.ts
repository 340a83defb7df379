/**
 * Header of socket/ (2.x socket.h): links that carry OpenVPN packets. A UDP socket, a TCP connection
 * and an in-memory wire look alike: packets are received and sent in batches, TCP framing (u16 length)
 * is added and removed inside. Backends: udp-native.ts (recvmmsg/sendmmsg), udp-node.ts (node:dgram),
 * tcp-node.ts (node:net), link-memory.ts (tests).
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
  onError: (error: NodeJS.ErrnoException) => void;
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
  /** Sends one control packet; false = dropped because the socket is full or unreachable. */
  send(packet: Uint8Array, to: LinkAddress): boolean;
  /** Datagrams or frames dropped by the link itself (too long, zero length). */
  readonly dropped: number;
  close(): void;
}

export interface SocketOptions {
  readonly sndbuf?: number;
  readonly rcvbuf?: number;
  readonly tcpNoDelay?: boolean;
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
}

export interface LinkListener {
  readonly local: LinkAddress;
  onConnection: (link: Link) => void;
  onError: (error: NodeJS.ErrnoException) => void;
  close(): void;
}

/** Opens links. Errors reject with LinkError whose cause carries the errno `code`. */
export interface SocketFactory {
  readonly name: string;
  openUdp(bind: UdpBind): Promise<Link>;
  connectTcp(connect: TcpConnect, signal?: AbortSignal): Promise<Link>;
  listenTcp(listen: TcpListen): Promise<LinkListener>;
  /** All addresses of a host name (getaddrinfo order); literals resolve to themselves. */
  resolve(host: string, family: AddressFamily | 0): Promise<{ family: AddressFamily; address: string }[]>;
}

/**
 * The addon's netlink socket (native/netlink.cc), for route/: bytes of rtnetlink messages out and in. Its
 * constructor throws what native.ts says of failed system calls.
 */
export interface NativeNetlink {
  /** Sends messages to the kernel, 64 KiB at most; returns 0 or an errno. The kernel has carried them out then. */
  send(messages: Uint8Array): number;
  /** Bytes of the next datagram that the kernel sent; a negative errno on failure, EMSGSIZE when it is longer than `into`. */
  receive(into: Uint8Array): number;
  /** May be called more than once. */
  close(): void;
}

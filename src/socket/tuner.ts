/**
 * Socket options that Node has no function for: --mark, --bind-dev, --mtu-disc, --passtos, and buffer
 * sizes of TCP sockets (2.x socket.c socket_set_mark(), create_socket(), socket_set_buffers(); mtu.c
 * set_mtu_discover_type()). tuner-native.ts sets them by the addon; without it they are refused aloud.
 */
import type { AddressFamily } from '../base/base.ts';
import type { SocketOptions } from './socket.ts';

/** What the kernel counts against SO_RCVBUF and SO_SNDBUF. */
export interface BufferSizes {
  readonly rcv: number;
  readonly snd: number;
}

export interface SocketTuner {
  /** Sets what `options` ask for; what fails is told to options.warn, in 2.x's words, buffers to options.onBuffers. */
  tune(fd: number, family: AddressFamily, options: SocketOptions): void;
  /** A TCP socket that isn't connected, for options that count from the first packet on; undefined = failed. */
  openTcp(family: AddressFamily): number | undefined;
  buffers(fd: number): BufferSizes;
  /** IP_TOS of what is sent from here on. */
  setTos(fd: number, tos: number): void;
}

/** Whether there is something to tune beyond what Node can. */
export function needsTuning({ mark, bindDev, mtuDisc, sndbuf, rcvbuf }: SocketOptions): boolean {
  return Boolean(mark || bindDev || mtuDisc || sndbuf || rcvbuf);
}

/** 2.x's line about a socket that is set up. */
export function buffersText(before: BufferSizes, after: BufferSizes): string {
  return `Socket Buffers: R=[${before.rcv}->${after.rcv}] S=[${before.snd}->${after.snd}]`;
}

/** Tells that options can't be set; `able` are those that Node sets by itself. */
export function warnUntuned(options: SocketOptions, able: readonly (keyof SocketOptions)[]): void {
  for (const [key, name] of NAMES) {
    if (options[key] && !able.includes(key)) {
      options.warn?.(`NOTE: --${name} is ignored: it needs the C++ addon, which is not there`);
    }
  }
}

const NAMES: readonly (readonly [keyof SocketOptions, string])[] = [
  ['mark', 'mark'],
  ['bindDev', 'bind-dev'],
  ['mtuDisc', 'mtu-disc'],
  ['multihome', 'multihome'],
  ['sndbuf', 'sndbuf'],
  ['rcvbuf', 'rcvbuf'],
];

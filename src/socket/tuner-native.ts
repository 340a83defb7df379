/** SocketTuner over the C++ addon (native/socket.cc). */
import type { AddressFamily } from '../base/base.ts';
import type { NativeAddon } from '../native/native.ts';
import type { SocketOptions } from './socket.ts';
import { type BufferSizes, buffersText, type SocketTuner } from './tuner.ts';

/** IP_PMTUDISC_* of Linux. */
const MTU_DISC = { no: 0, maybe: 1, yes: 2 } as const;

export function createNativeTuner(addon: NativeAddon): SocketTuner {
  return {
    tune: (fd, family, options) => tune(addon, fd, family, options),
    openTcp: (family) => {
      const fd = addon.openTcpSocket(family === 6);
      return fd < 0 ? undefined : fd;
    },
    buffers: (fd) => bufferSizes(addon, fd),
    setTos: (fd, tos) => {
      addon.setSocketOption(fd, 'tos', tos);
    },
  };
}

function bufferSizes(addon: NativeAddon, fd: number): BufferSizes {
  return { rcv: addon.socketOption(fd, 'rcvbuf'), snd: addon.socketOption(fd, 'sndbuf') };
}

function tune(addon: NativeAddon, fd: number, family: AddressFamily, options: SocketOptions): void {
  const before = options.onBuffers && bufferSizes(addon, fd);
  const { sndbuf = 0, rcvbuf = 0, mark = 0, bindDev, mtuDisc, warn = () => undefined } = options;
  const failed = (option: Parameters<NativeAddon['setSocketOption']>[1], value: number): boolean =>
    value !== 0 && addon.setSocketOption(fd, option, value) !== 0;
  if (failed('sndbuf', sndbuf)) warn(`NOTE: setsockopt SO_SNDBUF=${sndbuf} failed`);
  if (failed('rcvbuf', rcvbuf)) warn(`NOTE: setsockopt SO_RCVBUF=${rcvbuf} failed`);
  if (before) options.onBuffers?.(buffersText(before, bufferSizes(addon, fd)));
  if (failed('mark', mark)) warn(`NOTE: setsockopt SO_MARK=${mark} failed`);
  if (bindDev !== undefined) {
    const errno = addon.bindToDevice(fd, bindDev);
    const why = `${addon.errorText(errno)} (errno=${errno})`;
    if (errno !== 0) warn(`WARN: setsockopt SO_BINDTODEVICE=${bindDev} failed: ${why}`);
  }
  if (mtuDisc === undefined) return;
  const option = family === 6 ? 'mtu-disc6' : 'mtu-disc';
  const type = MTU_DISC[mtuDisc];
  const errno = addon.setSocketOption(fd, option, type);
  if (errno === 0) return;
  const name = family === 6 ? 'IPV6_MTU_DISCOVER' : 'IP_MTU_DISCOVER';
  const kind = family === 6 ? 'TCP6/UDP6' : 'TCP/UDP';
  const why = `${addon.errorText(errno)} (errno=${errno})`;
  warn(`Error setting ${name} type=${type} on ${kind} socket: ${why}`);
}

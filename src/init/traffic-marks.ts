/**
 * One character a packet at verb 5 (2.x forward.c, D_LOG_RW): `R` and `W` for packets read from and written to the
 * network, `r` and `w` for those of the device, without line ends. 2.x writes each as it goes, here a batch's come
 * together. Backends are wrapped only where that is asked for, so that it costs nothing elsewhere.
 */
import type { PacketBatch } from '../base/base.ts';
import type { ByteStream, Link, LinkListener, SocketFactory } from '../socket/socket.ts';
import type { TunDevice } from '../tun/tun.ts';
import type { Providers } from './init.ts';

/** The verbosity that has them; above it there are lines about each packet instead. */
export const MARKING_VERB = 5;

type Mark = (text: string) => void;

/** The same providers, whose links and devices tell `mark` of their packets. */
export function markTraffic(providers: Providers, mark: Mark): Providers {
  const { tun, socket } = providers;
  return {
    ...providers,
    tun: { name: tun.name, open: (options) => markDevice(tun.open(options), mark) },
    socket: markSockets(socket, mark),
  };
}

function markSockets(socket: SocketFactory, mark: Mark): SocketFactory {
  return {
    name: socket.name,
    openUdp: async (bind, signal) => markLink(await socket.openUdp(bind, signal), mark),
    connectTcp: async (to, signal) => markLink(await socket.connectTcp(to, signal), mark),
    connectStream: async (to, signal) => markStream(await socket.connectStream(to, signal), mark),
    listenTcp: async (listen) => markListener(await socket.listenTcp(listen), mark),
    resolve: (host, family, signal) => socket.resolve(host, family, signal),
  };
}

function markDevice(device: TunDevice, mark: Mark): TunDevice {
  const read = device.readBatch.bind(device);
  const write = device.writeBatch.bind(device);
  device.readBatch = (batch) => {
    const count = read(batch);
    markCount(mark, 'r', count);
    return count;
  };
  device.writeBatch = (batch, first, end) => {
    const count = write(batch, first, end);
    markCount(mark, 'w', count);
    return count;
  };
  return device;
}

function markLink(link: Link, mark: Mark): Link {
  const recv = link.recvBatch.bind(link);
  const sendBatch = link.sendBatch.bind(link);
  const send = link.send.bind(link);
  link.recvBatch = (batch) => {
    const count = recv(batch);
    markCount(mark, 'R', packets(batch, 0, count));
    return count;
  };
  link.sendBatch = (batch, first, end) => {
    const count = sendBatch(batch, first, end);
    markCount(mark, 'W', packets(batch, first, first + count));
    return count;
  };
  link.send = (packet, to) => {
    const sent = send(packet, to);
    if (sent) mark('W');
    return sent;
  };
  return link;
}

/** A proxy's answer is no packet: marks begin where the stream becomes a link. */
function markStream(stream: ByteStream, mark: Mark): ByteStream {
  const toLink = stream.toLink.bind(stream);
  stream.toLink = () => markLink(toLink(), mark);
  return stream;
}

function markListener(listener: LinkListener, mark: Mark): LinkListener {
  return {
    get local() {
      return listener.local;
    },
    get onConnection() {
      return listener.onConnection;
    },
    set onConnection(handle) {
      listener.onConnection = (link) => handle(markLink(link, mark));
    },
    get onError() {
      return listener.onError;
    },
    set onError(handle) {
      listener.onError = handle;
    },
    close: () => listener.close(),
  };
}

function packets({ lengths }: PacketBatch, first: number, end: number): number {
  let count = 0;
  for (let slot = first; slot < end; slot++) if (lengths[slot]! > 0) count++;
  return count;
}

function markCount(mark: Mark, letter: string, count: number): void {
  if (count > 0) mark(letter.repeat(count));
}

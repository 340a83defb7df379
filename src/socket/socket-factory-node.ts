/**
 * SocketFactory over Node's own sockets: node:dgram, node:net and the system's resolver. Works on
 * every system that Node runs on.
 */
import { lookup } from 'node:dns/promises';
import { type AddressFamily, errnoText, LinkError, parseIp } from '../base/base.ts';
import { orAborted, udpUnlessAborted } from './abort.ts';
import type { SocketFactory } from './socket.ts';
import { connectStreamNode, connectTcpNode, listenTcpNode } from './tcp-node.ts';
import type { SocketTuner } from './tuner.ts';
import { openUdpNode } from './udp-node.ts';

/** `tuner` sets what Node has no function for; without it such options are refused aloud. */
export function createNodeSockets(tuner?: SocketTuner): SocketFactory {
  return {
    name: 'node',
    openUdp: (bind, signal) => udpUnlessAborted(() => openUdpNode(bind), signal),
    connectTcp: (options, signal) => connectTcpNode(options, signal, tuner),
    connectStream: (options, signal) => connectStreamNode(options, signal, tuner),
    listenTcp: (options) => listenTcpNode(options, tuner),
    resolve: resolveHost,
  };
}

/**
 * All addresses of `host` in getaddrinfo() order; a literal resolves to itself, or to nothing when it
 * is of the other family. Rejects with LinkError in 2.x's words (openvpn_getaddrinfo()).
 */
function resolveHost(
  host: string,
  family: AddressFamily | 0,
  signal?: AbortSignal,
): Promise<{ family: AddressFamily; address: string }[]> {
  // The system's resolver can't be stopped: its late answer is dropped.
  return orAborted(
    () => lookUp(host, family),
    signal,
    (cause) => new LinkError(`RESOLVE: Cannot resolve host address: ${host} (aborted)`, { cause }),
  );
}

async function lookUp(
  host: string,
  family: AddressFamily | 0,
): Promise<{ family: AddressFamily; address: string }[]> {
  const literal = parseIp(host);
  if (literal !== undefined) return family === 0 || literal.family === family ? [literal] : [];
  // Node answers an empty name with the loopback address, and warns.
  if (host === '') throw new LinkError('RESOLVE: Cannot resolve host address:  (Name or service not known)');
  try {
    const found = await lookup(host, { all: true, family, verbatim: true });
    return found.map((entry) => ({ family: entry.family === 6 ? 6 : 4, address: entry.address }));
  } catch (cause) {
    const text = errnoText(cause as NodeJS.ErrnoException);
    throw new LinkError(`RESOLVE: Cannot resolve host address: ${host} (${text})`, { cause });
  }
}

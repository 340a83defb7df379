/** What a server says about a client that is set up (2.x init.c do_up() as an instance of a server runs it). */
import { logDataChannel } from '../ssl/ssl.ts';
import type { MultiInstance } from './multi-instance.ts';

/** Cipher, timers and protocol options, with every new session of the client. */
export function logClientTunnel({ log, options, peer, data }: MultiInstance): void {
  const { params } = peer;
  if (!params) return;
  const ce = options.connectionList[0] ?? options.ce;
  logDataChannel(log, options, ce, params, data.compressor?.framing);
}

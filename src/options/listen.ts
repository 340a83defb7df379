/**
 * The sockets of a server (2.7 options.c options_postprocess_mutate_le()): one for each --local, which may
 * name a port and protocol of its own, or the one of 2.6.
 */
import type { ConnectionEntry } from './connection-entry.ts';
import type { Options } from './option-types.ts';
import { isTcp, protoKind, withKind } from './proto.ts';

/** One profile per socket to open, each with `local`, `lport` and `proto` of its own. At least one. */
export function listenEntries(options: Options): ConnectionEntry[] {
  const [entry] = options.connectionList;
  if (entry === undefined) return [];
  if (entry.locals.length === 0) return [entry];
  return entry.locals.map(({ address, port, proto = entry.proto }) => {
    const kind = protoKind(proto);
    return {
      ...entry,
      local: address,
      lport: port ?? entry.lport,
      proto: kind === 'tcp' || kind === 'tcp-client' ? withKind(proto, 'tcp-server') : proto,
    };
  });
}

/** Whether one of the server's sockets is TCP (`tcp`) or UDP. */
export function listensOn(options: Options, transport: 'tcp' | 'udp'): boolean {
  return listenEntries(options).some(({ proto }) => isTcp(proto) === (transport === 'tcp'));
}

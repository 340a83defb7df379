/**
 * No wrap: control packets as they are (2.x ssl_pkt.c with TLS_WRAP_NONE). Nothing is authenticated
 * before TLS, and there are no replay ids; the sessions hold no state.
 */
import { readControlPacket, writeControlPacket } from './control-packet.ts';
import type { ControlWrap, WrapSession } from './reliable.ts';

const session: WrapSession = {
  wrap: writeControlPacket,
  unwrap: (packet) => readControlPacket(packet),
};

/** A wrap that adds nothing. */
export function createNoWrap(): ControlWrap {
  return {
    name: 'none',
    overheadBytes: 0,
    key2: undefined,
    createSession: () => session,
    unwrapStateless: readControlPacket,
    wrapStateless: writeControlPacket,
    destroy: () => undefined,
  };
}

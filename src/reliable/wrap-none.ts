/**
 * No wrap: control packets as they are (2.x ssl_pkt.c with TLS_WRAP_NONE). Nothing is authenticated
 * before TLS, and there are no replay ids; the sessions hold no state.
 */
import { PREFIX_BYTES, readControlPacket, readControlRange, writeControlPacket } from './control-packet.ts';
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
    unwrapStateless: (bytes, start = 0, end = bytes.length) =>
      readControlRange(bytes, start, end, bytes, start + PREFIX_BYTES, end),
    wrapStateless: writeControlPacket,
    destroy: () => undefined,
  };
}

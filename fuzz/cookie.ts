/**
 * Fuzz entry of the stateless UDP handshake: without the right cookie no bytes establish a session,
 * an answer is hardly longer than what it answers, and a client that does take part gets in.
 */

import { nullLogger } from '../src/base/base.ts';
import { createNodeCrypto } from '../src/crypto/crypto-node.ts';
import {
  createNoWrap,
  InitialRateLimit,
  op,
  readControlPacket,
  writeControlPacket,
} from '../src/reliable/reliable.ts';
import { FirstPackets } from '../test-kit/first-packets.ts';

const FROM = { family: 4, address: '192.0.2.7', port: 40000 } as const;
const NOW = 1_800_000_000;
/** What an answer may be longer than its reset: an ack and the client's session id. */
const MOST_GROWTH = 12;
const handshake = new FirstPackets({
  wrap: createNoWrap(),
  crypto: createNodeCrypto(),
  key: new Uint8Array(32).fill(7),
  rate: new InitialRateLimit(1_000_000_000, 10, nullLogger),
});

export const target = {
  name: 'cookie',
  run(bytes: Uint8Array): void {
    const verdict = handshake.handle(bytes, FROM, NOW, 0);
    if (verdict.type === 'established' || verdict.type === 'unproven')
      throw new Error('a session without a cookie');
    if (verdict.type === 'drop') return;
    if (verdict.packet.length > bytes.length + MOST_GROWTH) throw new Error('the answer amplifies');
    const asked = readControlPacket(bytes);
    if (typeof asked === 'string' || asked.messageId !== 0) throw new Error('an answer to no first message');
    finish(verdict.packet);
  },
};

function finish(answer: Uint8Array): void {
  const reset = readControlPacket(answer);
  if (typeof reset === 'string' || !reset.peerSessionId) throw new Error('the answer is not a good reset');
  const ack = writeControlPacket({
    opcode: op.P_ACK_V1,
    keyId: 0,
    sessionId: reset.peerSessionId,
    acks: [0],
    peerSessionId: reset.sessionId,
    messageId: undefined,
    payload: new Uint8Array(0),
  });
  if (handshake.handle(ack, FROM, NOW, 0).type !== 'established')
    throw new Error('a good client was refused');
}

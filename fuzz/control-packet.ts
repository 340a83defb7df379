/**
 * Fuzz entry of the control packet codec: any bytes give a packet or a drop reason, and an accepted
 * packet written again is a prefix of what came in (P_ACK_V1 ignores what follows its acks).
 */
import { op, readControlPacket, writeControlPacket } from '../src/reliable/reliable.ts';

export const target = {
  name: 'control-packet',
  run(bytes: Uint8Array): void {
    const packet = readControlPacket(bytes);
    if (typeof packet === 'string') return;
    if (!op.isControlOpcode(packet.opcode))
      throw new Error('accepted an opcode that is not of the control channel');
    if (packet.acks.length > 8) throw new Error('accepted more than 8 acks');
    if (packet.acks.length > 0 !== (packet.peerSessionId !== undefined)) {
      throw new Error('peer session id and acks do not go together');
    }
    const rewritten = writeControlPacket(packet);
    const same = Buffer.compare(rewritten, bytes.subarray(0, rewritten.length)) === 0;
    if (!same) throw new Error('a written packet differs from what was read');
    if (packet.opcode !== op.P_ACK_V1 && rewritten.length !== bytes.length) {
      throw new Error('bytes of a message got lost');
    }
  },
};

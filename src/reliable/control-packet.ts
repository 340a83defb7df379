/**
 * Codec of control packets without their wrap (2.x ssl_pkt.c, reliable.c reliable_ack_parse()):
 *
 *   prefix : u8 opcode<<3|key_id || u8[8] own session id
 *   inner  : u8 ack_count || u32 ack_id * ack_count || [u8[8] peer session id] || [u32 message id] || payload
 *
 * The peer session id is there only when ack_count > 0; P_ACK_V1 has neither message id nor payload.
 * Wraps put their bytes between prefix and inner, so both are read and written apart.
 */
import { firstByte, isControlOpcode, P_ACK_V1, readKeyId, readOpcode } from './opcodes.ts';
import type { ControlPacket, DropReason } from './reliable.ts';
import { isZeroSessionId, SESSION_ID_BYTES } from './session-id.ts';

/** Opcode byte and session id. */
export const PREFIX_BYTES = 1 + SESSION_ID_BYTES;
/** Most acknowledgements that a packet may hold; more is a parse error (2.x RELIABLE_ACK_SIZE). */
export const MAX_ACKS = 8;

const NO_ACKS: readonly number[] = Object.freeze([]);

/** Bytes of the acknowledgement block with its count byte (2.x ACK_SIZE). */
export function ackBlockBytes(ackCount: number): number {
  return 1 + (ackCount > 0 ? 4 * ackCount + SESSION_ID_BYTES : 0);
}

/** Checks what can be checked before unwrapping start..end-1 of `bytes`; undefined means that the prefix is good. */
export function checkPrefix(bytes: Uint8Array, start: number, end: number): DropReason | undefined {
  if (end - start < PREFIX_BYTES) return 'too-short';
  if (!isControlOpcode(readOpcode(bytes, start))) return 'bad-opcode';
  return isZeroSessionId(bytes, start + 1) ? 'bad-session-id' : undefined;
}

/** Parses the control packet start..end-1 of `bytes`, which the result's views point into. Makes nothing of a bad packet. */
export function readControlPacket(
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
): ControlPacket | DropReason {
  return checkPrefix(bytes, start, end) ?? readInner(bytes, start, bytes, start + PREFIX_BYTES, end);
}

/**
 * Parses what follows a prefix that checkPrefix() found good, the one at `start` of `bytes`: at..end-1 of `inner`,
 * unwrapped. The result's views point into the two. Makes nothing of a bad packet.
 */
export function readInner(
  bytes: Uint8Array,
  start: number,
  inner: Uint8Array,
  at: number,
  end: number,
): ControlPacket | DropReason {
  const opcode = readOpcode(bytes, start);
  const problem = checkInner(opcode, inner, at, end);
  if (problem) return problem;
  const ackCount = inner[at]!;
  const ackEnd = at + ackBlockBytes(ackCount);
  const isAck = opcode === P_ACK_V1;
  return {
    opcode,
    keyId: readKeyId(bytes, start),
    sessionId: bytes.subarray(start + 1, start + PREFIX_BYTES),
    acks: ackCount > 0 ? readAcks(inner, at, ackCount) : NO_ACKS,
    peerSessionId: ackCount > 0 ? inner.subarray(ackEnd - SESSION_ID_BYTES, ackEnd) : undefined,
    messageId: isAck ? undefined : readUint32(inner, ackEnd),
    payload: inner.subarray(isAck ? end : ackEnd + 4, end),
  };
}

function checkInner(opcode: number, inner: Uint8Array, at: number, end: number): DropReason | undefined {
  if (end - at < 1) return 'too-short';
  const ackCount = inner[at]!;
  const ackEnd = at + ackBlockBytes(ackCount);
  if (ackCount > MAX_ACKS || end < ackEnd) return 'bad-acks';
  if (ackCount > 0 && isZeroSessionId(inner, ackEnd - SESSION_ID_BYTES)) return 'bad-session-id';
  return opcode !== P_ACK_V1 && end < ackEnd + 4 ? 'too-short' : undefined;
}

/** `prefix || inner`, the packet as it goes out without a wrap. */
export function writeControlPacket(packet: ControlPacket): Uint8Array {
  const out = new Uint8Array(PREFIX_BYTES + innerBytes(packet));
  writePrefix(packet, out);
  writeInner(packet, out, PREFIX_BYTES);
  return out;
}

/** Bytes that writeInner() writes. */
export function innerBytes(packet: ControlPacket): number {
  const acks = ackBlockBytes(packet.acks.length);
  return packet.messageId === undefined ? acks : acks + 4 + packet.payload.length;
}

/** Writes the 9 bytes that every control packet starts with. */
export function writePrefix(packet: ControlPacket, out: Uint8Array): void {
  out[0] = firstByte(packet.opcode, packet.keyId);
  out.set(packet.sessionId, 1);
}

/** Writes acknowledgements, message id and payload at `offset`; there must be innerBytes() of room. */
export function writeInner(packet: ControlPacket, out: Uint8Array, offset: number): void {
  let at = offset;
  out[at++] = packet.acks.length;
  for (const id of packet.acks) {
    writeUint32(out, at, id);
    at += 4;
  }
  if (packet.acks.length > 0 && packet.peerSessionId) {
    out.set(packet.peerSessionId, at);
    at += SESSION_ID_BYTES;
  }
  if (packet.messageId === undefined) return;
  writeUint32(out, at, packet.messageId);
  out.set(packet.payload, at + 4);
}

/** A big-endian u32; the caller has checked the bounds. */
export function readUint32(bytes: Uint8Array, offset: number): number {
  return (
    ((bytes[offset]! << 24) | (bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8) | bytes[offset + 3]!) >>>
    0
  );
}

/** Writes a big-endian u32. */
export function writeUint32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = value >>> 16;
  bytes[offset + 2] = value >>> 8;
  bytes[offset + 3] = value;
}

function readAcks(inner: Uint8Array, at: number, count: number): number[] {
  const acks: number[] = [];
  for (let i = 0; i < count; i++) acks.push(readUint32(inner, at + 1 + 4 * i));
  return acks;
}

/**
 * What the log says of packets that strangers send to a UDP server (2.x ssl_pkt.c tls_pre_decrypt_lite(), mudp.c
 * do_pre_decrypt_check()). What anybody can send without a key is told at high verbosity only: it would fill the log.
 * Where nothing is to be written no text is made, the address's least of all.
 */
import { addressFromWords, formatAddress, type Logger, type PacketBatch } from '../base/base.ts';
import {
  D_MULTI_DEBUG,
  D_MULTI_MEDIUM,
  D_TLS_ERRORS,
  D_TLS_STATE_ERRORS,
  M_STRANGER,
} from '../base/errlevel.ts';
import { type ControlWrap, type DropReason, op, PREFIX_BYTES } from '../reliable/reliable.ts';

/** Tells of a first packet that was dropped, where 2.x does. */
export function logFirstPacket(
  log: Logger,
  batch: PacketBatch,
  slot: number,
  reason: DropReason,
  wrap: ControlWrap['name'],
): void {
  // The limit has said so once.
  if (reason === 'rate-limit') return;
  const length = batch.lengths[slot]!;
  const level = levelFor(length, reason, wrap) | M_STRANGER;
  if (!log.enabled(level)) return;
  const first = batch.slab[batch.offsets[slot]!]!;
  log.log(
    level,
    textFor(first, length, formatAddress(addressFromWords(batch.addresses, slot)), reason, wrap),
  );
}

function levelFor(length: number, reason: DropReason, wrap: ControlWrap['name']): number {
  if (length < PREFIX_BYTES || isStateError(reason)) return D_TLS_STATE_ERRORS;
  if (reason === 'client-key-cookie' || reason === 'no-return') return D_MULTI_DEBUG;
  return isTlsError(reason, wrap) ? D_TLS_ERRORS : D_MULTI_MEDIUM;
}

function textFor(
  first: number,
  length: number,
  peer: string,
  reason: DropReason,
  wrap: ControlWrap['name'],
): string {
  const opcode = first >>> op.P_OPCODE_SHIFT;
  // Two blanks are 2.x's.
  if (length < PREFIX_BYTES)
    return `TLS State Error: Too short packet (length  ${length}) received from ${peer}`;
  if (reason === 'bad-key-id')
    return `TLS State Error: Unknown key ID (${first & op.P_KEY_ID_MASK}) received from ${peer} -- 0 was expected`;
  if (isStateError(reason)) return `TLS State Error: No TLS state for client ${peer}, opcode=${opcode}`;
  if (reason === 'client-key-cookie')
    return `tls-crypt-v2 force-cookie is enabled, ignoring connection attempt from old client (${peer})`;
  if (reason === 'no-return') return `No answer can go to ${peer}, dropping packet`;
  const error = errorText(reason, wrap);
  if (error !== undefined) return `TLS Error: ${error} from ${peer}`;
  return `Packet (${op.opcodeName(opcode)}) with invalid or missing SID from ${peer}`;
}

function isStateError(reason: DropReason): boolean {
  return (
    reason === 'bad-opcode' || reason === 'unroutable' || reason === 'wrong-role' || reason === 'bad-key-id'
  );
}

function isTlsError(reason: DropReason, wrap: ControlWrap['name']): boolean {
  return errorText(reason, wrap) !== undefined;
}

/** Without the packet's source, so that asking for it makes nothing. */
function errorText(reason: DropReason, wrap: ControlWrap['name']): string | undefined {
  if (reason === 'unwrapped') return 'could not determine wrapping';
  if (reason === 'bad-session-id') return 'session-id not found in packet';
  if (reason.startsWith('client-key-')) return 'can not extract tls-crypt-v2 client key';
  if (reason !== 'bad-hmac' && reason !== 'too-short' && reason !== 'replay') return undefined;
  if (wrap === 'tls-crypt') return 'tls-crypt unwrapping failed';
  return wrap === 'tls-auth' ? 'incoming packet authentication failed' : undefined;
}

/**
 * What the log says of packets that strangers send to a UDP server (2.x ssl_pkt.c tls_pre_decrypt_lite(), mudp.c
 * do_pre_decrypt_check()). What anybody can send without a key is told at high verbosity only: it would fill the log.
 */
import { formatAddress, type LinkAddress } from '../base/base.ts';
import { D_MULTI_DEBUG, D_MULTI_MEDIUM, D_TLS_ERRORS, D_TLS_STATE_ERRORS } from '../base/errlevel.ts';
import { type ControlWrap, type DropReason, op, PREFIX_BYTES } from '../reliable/reliable.ts';

/** Level and text for a first packet that was dropped; undefined when nothing is to be said. */
export function firstPacketText(
  packet: Uint8Array,
  from: LinkAddress,
  reason: DropReason,
  wrap: ControlWrap['name'],
): { readonly level: number; readonly text: string } | undefined {
  // The limit has said so once.
  if (reason === 'rate-limit') return undefined;
  const peer = formatAddress(from);
  const state = stateText(packet, peer, reason);
  if (state !== undefined) return { level: D_TLS_STATE_ERRORS, text: `TLS State Error: ${state}` };
  if (reason === 'client-key-cookie') {
    const text = `tls-crypt-v2 force-cookie is enabled, ignoring connection attempt from old client (${peer})`;
    return { level: D_MULTI_DEBUG, text };
  }
  const error = errorText(reason, wrap);
  if (error !== undefined) return { level: D_TLS_ERRORS, text: `TLS Error: ${error} from ${peer}` };
  const opcode = op.opcodeName(op.readOpcode(packet));
  return { level: D_MULTI_MEDIUM, text: `Packet (${opcode}) with invalid or missing SID from ${peer}` };
}

function stateText(packet: Uint8Array, peer: string, reason: DropReason): string | undefined {
  // Two blanks are 2.x's.
  if (packet.length < PREFIX_BYTES)
    return `Too short packet (length  ${packet.length}) received from ${peer}`;
  if (reason === 'bad-opcode' || reason === 'unroutable' || reason === 'wrong-role')
    return `No TLS state for client ${peer}, opcode=${op.readOpcode(packet)}`;
  if (reason !== 'bad-key-id') return undefined;
  return `Unknown key ID (${op.readKeyId(packet)}) received from ${peer} -- 0 was expected`;
}

function errorText(reason: DropReason, wrap: ControlWrap['name']): string | undefined {
  if (reason === 'unwrapped') return 'could not determine wrapping';
  if (reason === 'bad-session-id') return 'session-id not found in packet';
  if (reason.startsWith('client-key-')) return 'can not extract tls-crypt-v2 client key';
  if (reason !== 'bad-hmac' && reason !== 'too-short' && reason !== 'replay') return undefined;
  if (wrap === 'tls-crypt') return 'tls-crypt unwrapping failed';
  return wrap === 'tls-auth' ? 'incoming packet authentication failed' : undefined;
}

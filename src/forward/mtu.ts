/**
 * Frame arithmetic (2.x mtu.c, mss.c frame_calculate_dynamic(), crypto.c calculate_crypto_overhead()).
 *
 *   link packet = [socks 10] [tcp length 2] [opcode 1|4] crypto( [frag 4] [comp 1] [ethernet] IP packet )
 *   mssfix:  target = N - headers [- IP and UDP/TCP headers with `mtu`]; CBC: whole blocks less 1
 *            mss    = target - payload headers - 40
 *
 * All numbers are bytes. Vectors: test-kit/vectors.json `mss`, `options_strings`.
 */
import type { FrameCrypto, FrameOptions } from './forward.ts';

const SOCKS_BYTES = 10;
const TCP_LENGTH_BYTES = 2;
const FRAGMENT_HEADER_BYTES = 4;
const PACKET_ID_BYTES = 4;
const PACKET_ID_LONG_BYTES = 8;
/** IPv4 and TCP header of the packet inside. */
const INNER_HEADERS_BYTES = 40;

/** Largest MSS for TCP over IPv4 inside the tunnel; 0 = leave packets as they are. */
export function mssfixTarget(frame: FrameOptions, crypto: FrameCrypto): number {
  const { mssfix } = frame;
  if (!mssfix || mssfix.bytes <= 0) return 0;
  if (mssfix.mode === 'fixed') return Math.max(0, mssfix.bytes - INNER_HEADERS_BYTES);
  const encap = mssfix.mode === 'mtu' ? encapBytes(frame) : 0;
  const target = mssfix.bytes - headerBytes(frame, crypto, false) - encap;
  const payload = payloadHeaderBytes(frame, crypto) + INNER_HEADERS_BYTES;
  return Math.max(0, wholeBlocks(target, crypto) - payload);
}

/** Largest piece that --fragment makes; 0 without --fragment. */
export function fragmentSize(frame: FrameOptions, crypto: FrameCrypto): number {
  const { fragment } = frame;
  if (!fragment) return 0;
  const encap = fragment.encap ? encapBytes(frame) : 0;
  const target = fragment.bytes - headerBytes(frame, crypto, false) - encap;
  const packetId = isCbc(crypto) ? packetIdBytes(crypto) : 0;
  return Math.max(0, wholeBlocks(target, crypto) - FRAGMENT_HEADER_BYTES - packetId);
}

/**
 * Bytes of the largest link packet.
 * @param occ counts as the options string does: bytes that old versions reserved, opcode always 1 byte.
 */
export function linkMtu(frame: FrameOptions, crypto: FrameCrypto, occ: boolean): number {
  const header = occ && crypto.header ? { ...crypto, header: 'v1' as const } : crypto;
  return frame.tunMtu + payloadHeaderBytes(frame, crypto) + headerBytes(frame, header, occ);
}

/** 2.x's line about a frame, e.g. for `Data Channel MTU parms [ ... ]`. */
export function frameText(frame: FrameOptions, crypto: FrameCrypto, buffer: FrameBuffer): string {
  const mss = mssfixTarget(frame, crypto);
  const frag = fragmentSize(frame, crypto);
  return `[ mss_fix:${mss} max_frag:${frag} tun_mtu:${frame.tunMtu} tun_max_mtu:${buffer.tunMtuMax} headroom:${buffer.headroom} payload:${buffer.payload} tailroom:${buffer.tailroom} ET:${frame.tunMtuExtra} ]`;
}

/**
 * What a path MTU that the kernel told makes of a frame, with 2.x's lines (mss.c frame_adjust_path_mtu()).
 * Source: only frames with --fragment follow it (forward.c check_fragment()).
 */
export function adjustToPathMtu(
  frame: FrameOptions,
  pathMtu: number,
): { frame: FrameOptions; notes: string[] } {
  const { mssfix, fragment } = frame;
  const notes: string[] = [];
  if (!fragment) return { frame, notes };
  const tooLong = (bytes: number, encap: boolean): boolean =>
    pathMtu < bytes || (encap && pathMtu < bytes + encapBytes(frame));
  const note = (name: string, bytes: number, encap: boolean): void => {
    const before = `'${name} ${bytes}${encap ? ' mtu' : ''}'`;
    notes.push(`Note adjusting ${before} to '${name} ${pathMtu} mtu' according to path MTU discovery`);
  };
  let next = frame;
  if (mssfix && tooLong(mssfix.bytes, mssfix.mode === 'mtu')) {
    note('mssfix', mssfix.bytes, mssfix.mode === 'mtu');
    const mode = mssfix.mode === 'fixed' ? 'fixed' : 'mtu';
    next = { ...next, mssfix: { bytes: pathMtu, mode } };
  }
  if (tooLong(fragment.bytes, fragment.encap)) {
    note('fragment', fragment.bytes, fragment.encap);
    next = { ...next, fragment: { bytes: pathMtu, encap: true } };
  }
  return { frame: next, notes };
}

/** Room in the packet buffers, as frameText() shows it. */
export interface FrameBuffer {
  readonly tunMtuMax: number;
  readonly headroom: number;
  readonly payload: number;
  readonly tailroom: number;
}

/** Everything of the link packet outside the encrypted payload, IP and UDP excepted. */
export function headerBytes(frame: FrameOptions, crypto: FrameCrypto, occ: boolean): number {
  const socks = frame.socks && frame.transport === 'udp' ? SOCKS_BYTES : 0;
  const tcp = frame.transport === 'tcp' ? TCP_LENGTH_BYTES : 0;
  const opcode = crypto.header === 'v2' ? 4 : crypto.header === 'v1' ? 1 : 0;
  return socks + tcp + opcode + cryptoBytes(crypto, occ);
}

/** What is encrypted along with the packet from tun. */
export function payloadHeaderBytes(frame: FrameOptions, crypto: FrameCrypto): number {
  const fragment = frame.fragment ? FRAGMENT_HEADER_BYTES : 0;
  const packetId = isCbc(crypto) ? packetIdBytes(crypto) : 0;
  return frame.tunMtuExtra + frame.compBytes + fragment + packetId;
}

function cryptoBytes(crypto: FrameCrypto, occ: boolean): number {
  const { cipher, digest } = crypto;
  const packetId = isCbc(crypto) ? 0 : packetIdBytes(crypto);
  if (cipher?.mode === 'aead') {
    return packetId + cipher.tagBytes + (occ ? cipher.ivBytes + cipher.blockBytes : 0);
  }
  const hmac = digest?.bytes ?? 0;
  if (!cipher || cipher.mode === 'none') return packetId + hmac;
  return packetId + hmac + cipher.ivBytes + (occ ? cipher.blockBytes : 0);
}

/** Long form (with time) for CFB, OFB and every static-key cipher; epoch and counter have 8 bytes, too. */
function packetIdBytes(crypto: FrameCrypto): number {
  const mode = crypto.cipher?.mode;
  const long = crypto.header === undefined || mode === 'cfb' || mode === 'ofb' || crypto.epoch;
  return long ? PACKET_ID_LONG_BYTES : PACKET_ID_BYTES;
}

/** IP and UDP or TCP header of the link. */
function encapBytes(frame: FrameOptions): number {
  return (frame.family === 4 ? 20 : 40) + (frame.transport === 'udp' ? 8 : 20);
}

function isCbc(crypto: FrameCrypto): boolean {
  return crypto.cipher?.mode === 'cbc';
}

/** CBC: the most plain text whose padded form fits; padding takes at least one byte. */
function wholeBlocks(target: number, crypto: FrameCrypto): number {
  if (!crypto.cipher || !isCbc(crypto)) return target;
  const block = crypto.cipher.blockBytes;
  return Math.floor(target / block) * block - 1;
}

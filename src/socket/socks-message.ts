/**
 * SOCKS 5 messages (2.x socks.c; RFC 1928, RFC 1929). Pure.
 *
 *   greeting   05 01 method                     answer 05 method          method 00 none, 02 user and password
 *   login      01 ulen user plen password       answer version 00
 *   request    05 cmd 00 atyp address port      answer 05 status 00 atyp address port
 *   datagram   00 00 frag atyp(01) ip[4] port[2] || packet, both ways
 */
import { ADDRESS_WORDS, bytesOfText, formatIp, type LinkAddress, type PacketBatch } from '../base/base.ts';
import type { Answer } from './http-message.ts';

export const SOCKS_UDP_HEAD_BYTES = 10;
export const SOCKS_NO_LOGIN = 0;
export const SOCKS_LOGIN = 2;
const VERSION = 5;
const COMMAND_CONNECT = 1;
const ATYP_IPV4 = 1;
const ATYP_NAME = 3;
const ATYP_IPV6 = 4;
/** 2.x's longest message: names are cut to fit in. */
const MAX_NAME_BYTES = 263 - 8;
const MAX_LOGIN_BYTES = 255;

const MORE = { type: 'more' } as const;

/** UDP ASSOCIATE for packets from anywhere. */
export const SOCKS_UDP_ASSOCIATE: Uint8Array = Uint8Array.of(VERSION, 3, 0, ATYP_IPV4, 0, 0, 0, 0, 0, 0);

export function socksGreeting(method: number): Uint8Array {
  return Uint8Array.of(VERSION, 1, method);
}

/** undefined when user or password are too long to be sent. */
export function socksLogin(username: string, password: string): Buffer | undefined {
  const user = Buffer.from(bytesOfText(username));
  const secret = Buffer.from(bytesOfText(password));
  if (user.length > MAX_LOGIN_BYTES || secret.length > MAX_LOGIN_BYTES) return undefined;
  return Buffer.concat([Buffer.of(1, user.length), user, Buffer.of(secret.length), secret]);
}

/** CONNECT to a host by name; addresses are sent as names too. */
export function socksConnect(host: string, port: number): Buffer {
  const name = Buffer.from(host).subarray(0, MAX_NAME_BYTES);
  const head = Buffer.of(VERSION, COMMAND_CONNECT, 0, ATYP_NAME, name.length);
  return Buffer.concat([head, name, Buffer.of(port >> 8, port & 0xff)]);
}

/** The method that the proxy chose must be the one that was offered. */
export function readSocksMethod(bytes: Uint8Array, offered: number): Answer<true> {
  if (bytes.length < 2) return MORE;
  if (bytes[0] !== VERSION) return bad('socks_handshake: Socks proxy returned bad status');
  if (bytes[1] !== offered) return bad('socks_handshake: Socks proxy returned unexpected auth');
  return { type: 'done', value: true, used: 2 };
}

/** RFC 1929 says version 1; proxies made for 2.7, which takes nothing else, say 5. */
export function readSocksLogin(bytes: Uint8Array): Answer<true> {
  if (bytes.length < 2) return MORE;
  if ((bytes[0] !== 1 && bytes[0] !== VERSION) || bytes[1] !== 0) {
    return bad('socks_username_password_auth: server refused the authentication');
  }
  return { type: 'done', value: true, used: 2 };
}

/** The answer to a request; its value is the address when that is IPv4. */
export function readSocksReply(bytes: Uint8Array): Answer<LinkAddress | undefined> {
  if (bytes.length < 5) return MORE;
  const addressBytes = addressLength(bytes[3]!, bytes[4]!);
  if (addressBytes === 0) return bad('recv_socks_reply: Socks proxy returned bad address type');
  const used = 4 + addressBytes + 2;
  if (bytes.length < used) return MORE;
  if (bytes[0] !== VERSION || bytes[1] !== 0) return bad('recv_socks_reply: Socks proxy returned bad reply');
  if (bytes[3] !== ATYP_IPV4) return { type: 'done', value: undefined, used };
  const port = (bytes[8]! << 8) | bytes[9]!;
  return { type: 'done', value: { family: 4, address: formatIp(bytes.subarray(4, 8)), port }, used };
}

/** Puts the header for the slot's IPv4 destination in front of the packet. The slot must have headroom. */
export function writeSocksUdpHead(batch: PacketBatch, slot: number): void {
  const { slab, addresses } = batch;
  const at = batch.offsets[slot]! - SOCKS_UDP_HEAD_BYTES;
  const words = slot * ADDRESS_WORDS;
  slab[at] = 0;
  slab[at + 1] = 0;
  slab[at + 2] = 0;
  slab[at + 3] = ATYP_IPV4;
  slab.writeInt32BE(addresses[words + 2]!, at + 4);
  slab.writeUInt16BE(addresses[words + 1]!, at + 8);
  batch.offsets[slot] = at;
  batch.lengths[slot] = batch.lengths[slot]! + SOCKS_UDP_HEAD_BYTES;
}

/** Takes the header off a received packet and notes its source in the slot; false when it is none. */
export function readSocksUdpHead(batch: PacketBatch, slot: number): boolean {
  const { slab, offsets, lengths, addresses } = batch;
  const at = offsets[slot]!;
  // A packet of nothing but a header says nothing either.
  if (lengths[slot]! <= SOCKS_UDP_HEAD_BYTES || slab[at + 2] !== 0 || slab[at + 3] !== ATYP_IPV4)
    return false;
  const words = slot * ADDRESS_WORDS;
  addresses.fill(0, words, words + ADDRESS_WORDS);
  addresses[words] = 4;
  addresses[words + 1] = slab.readUInt16BE(at + 8);
  addresses[words + 2] = slab.readInt32BE(at + 4);
  offsets[slot] = at + SOCKS_UDP_HEAD_BYTES;
  lengths[slot] = lengths[slot]! - SOCKS_UDP_HEAD_BYTES;
  return true;
}

/** Bytes of the address field; 0 for an unknown type. */
function addressLength(atyp: number, first: number): number {
  if (atyp === ATYP_IPV4) return 4;
  if (atyp === ATYP_IPV6) return 16;
  return atyp === ATYP_NAME ? 1 + first : 0;
}

function bad(text: string): { readonly type: 'bad'; readonly text: string } {
  return { type: 'bad', text };
}

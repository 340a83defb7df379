/**
 * Packets that nobody who may come in would send, for floods: each kind as a handful of examples. Written from the
 * layouts in docs/protocol.md with node:crypto alone, so that what they test has no part in making them.
 */
import { createCipheriv, createHmac, randomBytes, randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { TunnelFiles, TunnelOptions } from './config.ts';

/** What the packets of a flood are. */
export const FLOOD_KINDS = [
  /** Bytes without sense. */
  'random',
  /** Data for a peer-id that nobody has. */
  'data-unknown',
  /** Data for a client's peer-id, from somebody else. */
  'data-known',
  /** First packets, wrapped with a key that isn't the server's; of tls-crypt-v2 with a client key that isn't. */
  'reset-bad-wrap',
  /** First packets as they are without a wrap. */
  'reset-bare',
  /** First packets as clients send them, recorded or by somebody who has the wrap's key. */
  'reset-good',
  /** Second packets of a client that never got the cookie that it shows. */
  'cookie-forged',
] as const;
export type FloodKind = (typeof FLOOD_KINDS)[number];

type Wrap = (plain: Buffer) => Buffer;

const P_CONTROL_V1 = 4;
const P_HARD_RESET_V2 = 7;
const P_DATA_V2 = 9;
const P_HARD_RESET_V3 = 10;
const P_CONTROL_WKC_V1 = 11;
const PREFIX_BYTES = 9;
const UNKNOWN_PEER_ID = 0x012345;
const EXAMPLES = 32;
/** Says that the sender of tls-crypt-v2 can send its key again. */
const EARLY_NEGOTIATION_ID = 0x0f000001;

/** Kinds that make sense at a server with this tunnel. */
export function floodKinds({ wrap }: TunnelOptions): FloodKind[] {
  return FLOOD_KINDS.filter((kind) => wrap !== 'none' || kind !== 'reset-bad-wrap');
}

/** Those of them that no server answers: good resets are, up to --connect-freq-initial. */
export function badKinds(tunnel: TunnelOptions): FloodKind[] {
  const good = tunnel.wrap === 'none' ? ['reset-good', 'reset-bare'] : ['reset-good'];
  return floodKinds(tunnel).filter((kind) => !good.includes(kind));
}

/** Examples of one kind, which makes sense at a server with this tunnel. */
export function floodPackets(kind: FloodKind, tunnel: TunnelOptions, files: TunnelFiles): Buffer[] {
  return Array.from({ length: EXAMPLES }, () => onePacket(kind, tunnel, files));
}

function onePacket(kind: FloodKind, tunnel: TunnelOptions, files: TunnelFiles): Buffer {
  const v2 = tunnel.wrap === 'tls-crypt-v2';
  switch (kind) {
    case 'random':
      return randomBytes(randomInt(1, 600));
    case 'data-unknown':
      return Buffer.concat([head(P_DATA_V2, UNKNOWN_PEER_ID), randomBytes(120)]);
    case 'data-known':
      return Buffer.concat([head(P_DATA_V2, 0), randomBytes(120)]);
    case 'reset-bad-wrap':
      return Buffer.concat([reset(v2).subarray(0, PREFIX_BYTES), strangeWrap(v2)]);
    case 'reset-bare':
      return reset(false);
    case 'reset-good':
      return wrapOf(tunnel, files)(reset(v2));
    case 'cookie-forged':
      return wrapOf(tunnel, files)(forgedThird(v2));
  }
}

function head(opcode: number, peerId: number): Buffer {
  return Buffer.of(opcode << 3, peerId >>> 16, peerId >>> 8, peerId);
}

function reset(v2: boolean): Buffer {
  return Buffer.concat([
    Buffer.of((v2 ? P_HARD_RESET_V3 : P_HARD_RESET_V2) << 3),
    randomBytes(8),
    Buffer.alloc(5),
  ]);
}

/** Acknowledges message 0 of a session that the server never offered. */
function forgedThird(v2: boolean): Buffer {
  const ack = Buffer.of(1, 0, 0, 0, 0);
  const message = Buffer.concat([Buffer.of(0, 0, 0, 1), randomBytes(64)]);
  return Buffer.concat([
    Buffer.of((v2 ? P_CONTROL_WKC_V1 : P_CONTROL_V1) << 3),
    randomBytes(8),
    ack,
    randomBytes(8),
    message,
  ]);
}

/** What a wrap would put there, of random bytes; of tls-crypt-v2 with a length that could be right. */
function strangeWrap(v2: boolean): Buffer {
  if (!v2) return randomBytes(64);
  const wrapped = randomBytes(400);
  wrapped.writeUInt16BE(wrapped.length, wrapped.length - 2);
  return Buffer.concat([randomBytes(45), wrapped]);
}

function wrapOf({ wrap, auth }: TunnelOptions, files: TunnelFiles): Wrap {
  switch (wrap) {
    case 'none':
      return (plain) => plain;
    case 'tls-auth':
      return tlsAuth(staticKey(files.wrapKey), auth);
    case 'tls-crypt':
      return tlsCrypt(staticKey(files.wrapKey), 1);
    case 'tls-crypt-v2': {
      const key = pemKey(files.clientKeyV2);
      const crypt = tlsCrypt(key.subarray(0, 256), EARLY_NEGOTIATION_ID);
      return (plain) => Buffer.concat([crypt(plain), key.subarray(256)]);
    }
  }
}

/** The client of key direction 1. */
function tlsAuth(key: Buffer, auth: string): Wrap {
  return (plain) => {
    const id = replayId(1);
    const bytes = createHmac(auth, '').digest().length;
    const mac = createHmac(auth, key.subarray(192, 192 + bytes));
    mac.update(id).update(plain);
    return Buffer.concat([plain.subarray(0, PREFIX_BYTES), mac.digest(), id, plain.subarray(PREFIX_BYTES)]);
  };
}

function tlsCrypt(key: Buffer, firstId: number): Wrap {
  return (plain) => {
    const id = replayId(firstId);
    const [prefix, inner] = [plain.subarray(0, PREFIX_BYTES), plain.subarray(PREFIX_BYTES)];
    const tag = createHmac('sha256', key.subarray(192, 224)).update(prefix).update(id).update(inner).digest();
    const cipher = createCipheriv('aes-256-ctr', key.subarray(128, 160), tag.subarray(0, 16));
    return Buffer.concat([prefix, id, tag, cipher.update(inner)]);
  };
}

function replayId(id: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeUInt32BE(id, 0);
  out.writeUInt32BE(Math.floor(Date.now() / 1000), 4);
  return out;
}

function staticKey(path: string): Buffer {
  const body = readFileSync(path, 'latin1').split('-----')[2] ?? '';
  return Buffer.from(body.replace(/\s/g, ''), 'hex');
}

function pemKey(path: string): Buffer {
  return Buffer.from(readFileSync(path, 'latin1').split('-----')[2] ?? '', 'base64');
}

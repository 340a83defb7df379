/**
 * Fuzz entry of tls-crypt-v2: bytes that this server's key didn't wrap never open, and the same bytes as
 * metadata of a good key come out unchanged, whatever packet the key hangs on.
 */
import { createNodeCrypto } from '../src/crypto/crypto-node.ts';
import {
  createTlsCryptV2ClientWrap,
  MAX_METADATA_BYTES,
  op,
  readControlPacket,
  stripClientKey,
  TlsCryptV2ServerKey,
} from '../src/reliable/reliable.ts';

const crypto = createNodeCrypto();
const KEY2 = Uint8Array.from({ length: 256 }, (_, i) => (i * 59 + 31) & 0xff);
const NOW = 1_800_000_000;
const server = new TlsCryptV2ServerKey({ key: KEY2, crypto });
const RESET = op.P_CONTROL_HARD_RESET_CLIENT_V3;

export const target = {
  name: 'tls-crypt-v2',
  run(bytes: Uint8Array): void {
    for (const opcode of [bytes[0] ?? 0, RESET << 3, op.P_CONTROL_WKC_V1 << 3]) {
      const packet = Uint8Array.from(bytes);
      packet[0] = opcode;
      if (typeof server.open(packet) !== 'string') throw new Error('opened a forged key');
      const body = stripClientKey(packet);
      if (body && body.length > packet.length - 2) throw new Error('nothing was stripped');
    }
    wrapAndOpen(bytes);
  },
};

function wrapAndOpen(bytes: Uint8Array): void {
  const metadata = bytes.subarray(0, MAX_METADATA_BYTES);
  const file = server.wrap(KEY2, metadata);
  const wrap = createTlsCryptV2ClientWrap({ key2: KEY2, wrapped: file.subarray(256), crypto });
  const bare = readControlPacket(Uint8Array.of(RESET << 3, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0));
  if (typeof bare === 'string') throw new Error(bare);
  const packet = wrap.createSession().wrap(bare, NOW);
  const opened = server.open(packet);
  if (typeof opened === 'string') throw new Error(`a good key was refused: ${opened}`);
  if (Buffer.compare(opened.metadata, metadata) !== 0) throw new Error('the metadata changed');
  const control = opened.wrap.unwrapStateless(opened.packet);
  if (typeof control === 'string') throw new Error(`a good packet was dropped: ${control}`);
}

/**
 * Fuzz entry of the tls-crypt and tls-auth wraps. Raw bytes can't be authentic, so they must be
 * dropped. The same bytes inside a good wrap reach the parser behind it: it must agree with
 * the bare codec, and the same packet a second time must be a replay.
 */
import { digestInfo } from '../src/crypto/crypto.ts';
import { createNodeCrypto } from '../src/crypto/crypto-node.ts';
import {
  type ControlWrap,
  createTlsAuthWrap,
  createTlsCryptWrap,
  readControlPacket,
} from '../src/reliable/reliable.ts';

const crypto = createNodeCrypto();
const KEY2 = Uint8Array.from({ length: 256 }, (_, i) => (i * 167 + 13) & 0xff);
const NOW = 1_800_000_000;

const digest = digestInfo('SHA256');
if (!digest) throw new Error('SHA256 is missing');
const pairs: readonly (readonly [ControlWrap, ControlWrap])[] = [
  [
    createTlsCryptWrap({ key2: KEY2, role: 'client', crypto }),
    createTlsCryptWrap({ key2: KEY2, role: 'server', crypto }),
  ],
  [
    createTlsAuthWrap({ key2: KEY2, direction: 1, digest, crypto }),
    createTlsAuthWrap({ key2: KEY2, direction: 0, digest, crypto }),
  ],
];

export const target = {
  name: 'tls-crypt',
  run(bytes: Uint8Array): void {
    for (const [client, server] of pairs) {
      if (typeof server.unwrapStateless(bytes) !== 'string') throw new Error('accepted a forged packet');
      wrapAndUnwrap(bytes, client, server);
    }
  },
};

function wrapAndUnwrap(bytes: Uint8Array, client: ControlWrap, server: ControlWrap): void {
  const bare = readControlPacket(bytes);
  if (typeof bare === 'string') return;
  const session = server.createSession();
  const wrapped = client.createSession().wrap(bare, NOW);
  const opened = session.unwrap(wrapped, NOW);
  if (typeof opened === 'string') throw new Error(`a good packet was dropped: ${opened}`);
  if (opened.messageId !== bare.messageId || opened.acks.join() !== bare.acks.join()) {
    throw new Error('a packet changed on its way through the wrap');
  }
  if (Buffer.compare(opened.payload, bare.payload) !== 0) throw new Error('the payload changed');
  if (session.unwrap(wrapped, NOW) !== 'replay') throw new Error('a replay was accepted');
  const changed = wrapped.slice();
  changed[(bytes.length * 7919) % changed.length]! ^= 0x01;
  if (typeof session.unwrap(changed, NOW) !== 'string') throw new Error('a changed packet was accepted');
}

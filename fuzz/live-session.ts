/**
 * Fuzz entry of a control channel without wrap that is up: any bytes as a packet to either side. Who doesn't know its
 * session id can do no more than make both ends go through another handshake; who does can end it, but the next
 * attempt succeeds. Nothing throws, hangs or piles up.
 */
import { createPrng } from '../test-kit/prng.ts';
import { TlsPair } from '../test-kit/tls-pair.ts';

const MINUTE = 60_000;
/** Packets until the next pair. */
const LIFE = 500;
/** Reasons for a drop that may be counted. */
const MOST_REASONS = 40;
/** TLS sessions of both sides: each has one in use, one old and one begun, each of these up to two. */
const MOST_SESSIONS = 8;
const random = createPrng(7);
const strangers = { pair: undefined, used: 0, ids: new Map() } as Bed;
const witnesses = { pair: undefined, used: 0, ids: new Map() } as Bed;

/** A pair and what of it the senders of one kind may use. */
interface Bed {
  pair: TlsPair | undefined;
  used: number;
  /** Session id that the side of this address sends. */
  readonly ids: Map<unknown, Uint8Array>;
}

export const target = {
  name: 'live-session',
  executions: 1000,
  run(bytes: Uint8Array): void {
    if (bytes.length < 2) return;
    const packet = Uint8Array.from(bytes.subarray(1));
    const knows = (bytes[0]! & 2) !== 0 && packet.length >= 9;
    const bed = knows ? witnesses : strangers;
    const pair = pairInUse(bed);
    const [to, from] = bytes[0]! & 1 ? [pair.server, pair.client] : [pair.client, pair.server];
    if (knows) packet.set(bed.ids.get(from.address) ?? [], 1);
    pair.inject(to, packet, from.address);
    pair.run(5);
    for (const { multi } of [to, from]) {
      if ((multi?.drops.size ?? 0) > MOST_REASONS) throw new Error('reasons pile up');
    }
    if (pair.ssl.openSessions > MOST_SESSIONS) throw new Error(`${pair.ssl.openSessions} TLS sessions`);
    // A reset makes both ends begin another session, which takes the place of the first only once it is up.
    const limitMs = knows ? 30 * MINUTE : MINUTE / 6;
    if (!pair.runUntil(() => talks(pair), limitMs)) throw new Error('the session does not come back');
  },
};

function pairInUse(bed: Bed): TlsPair {
  if (bed.pair && bed.used++ < LIFE) return bed.pair;
  bed.pair?.close();
  bed.used = 0;
  const pair = new TlsPair({ seed: Math.floor(random() * 2 ** 31), recovers: true });
  const { wire } = pair;
  const send = wire.send.bind(wire);
  wire.send = (packet, from, to, nowMs) => {
    bed.ids.set(from, packet.slice(1, 9));
    send(packet, from, to, nowMs);
  };
  if (!pair.runUntil(() => talks(pair), MINUTE)) throw new Error('no first handshake');
  bed.pair = pair;
  return pair;
}

function talks(pair: TlsPair): boolean {
  return pair.connected && pair.ping(pair.client) === 'ping' && pair.ping(pair.server) === 'ping';
}

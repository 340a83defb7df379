import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPrng } from '../../test-kit/prng.ts';
import { PacketBatch } from '../base/base.ts';
import { Fragmenter, MAX_FRAGS, pieceSize, Reassembler, writeWhole } from './fragment.ts';

interface Vector {
  received: { fragment: string }[];
  reassembled: string;
  sent: { fragment: string; seq_id: number; payload_len: number }[];
  sent_datagram: string;
  whole_header: string;
}
const { fragment: vector } = JSON.parse(readFileSync('test-kit/vectors.json', 'utf8')) as {
  fragment: Vector;
};

describe('pieceSize', () => {
  it('evens pieces out as 2.x does', () => {
    expect(pieceSize(1228, 472)).toBe(412);
    expect(pieceSize(1500, 1172)).toBe(752);
    expect(pieceSize(100, 472)).toBe(472);
    expect(pieceSize(944, 472)).toBe(472);
  });

  it('never makes more pieces than the largest would, and pieces at least half as long', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9000 }), fc.integer({ min: 8, max: 1500 }), (length, max) => {
        const size = pieceSize(length, max);
        expect(size % 4).toBe(0);
        expect(size).toBeLessThanOrEqual(max);
        expect(Math.ceil(length / size)).toBe(Math.ceil(length / (max & ~3)));
        if (length > max) expect(size).toBeGreaterThanOrEqual((max >> 1) & ~3);
      }),
    );
  });
});

describe('fragments', () => {
  it('of 2.6.14 are joined, in any order', () => {
    const pieces = vector.received.map(({ fragment }) => Buffer.from(fragment, 'hex'));
    for (const order of [
      [0, 1, 2],
      [2, 0, 1],
      [2, 1, 0],
    ]) {
      const joined = join(
        new Reassembler(),
        order.map((i) => pieces[i]!),
      );
      expect(joined.map((packet) => packet.toString('hex'))).toEqual([vector.reassembled]);
    }
  });

  it('are written as 2.6.14 writes them', () => {
    const packet = Buffer.from(vector.reassembled, 'hex');
    const { pieces } = split(new Fragmenter(239), packet, 412);
    expect(pieces.map((piece) => piece.toString('hex'))).toEqual(
      vector.received.map(({ fragment }) => fragment),
    );
  });

  it('that a live 2.6.14 server took are written again, and joined', () => {
    const { sent, sent_datagram } = vector;
    const packet = Buffer.from(sent_datagram, 'hex');
    const { pieces } = split(new Fragmenter(sent[0]!.seq_id - 1), packet, sent[0]!.payload_len);
    expect(pieces.map((piece) => piece.toString('hex'))).toEqual(sent.map(({ fragment }) => fragment));
    expect(join(new Reassembler(), pieces)).toEqual([packet]);
    expect(whole(packet).toString('hex')).toBe(vector.whole_header + sent_datagram);
  });

  it('survive a shuffle among each other and with whole packets', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.array(fc.integer({ min: 1, max: 1500 }), { maxLength: 12 }),
        (seed, lengths) => {
          const random = createPrng(seed);
          const fragmenter = new Fragmenter(seed);
          const packets = lengths.map((length) => Buffer.from(Array.from({ length }, () => random() * 256)));
          const wire = packets.flatMap((packet) =>
            packet.length <= 300
              ? [whole(packet)]
              : split(fragmenter, packet, pieceSize(packet.length, 300)).pieces,
          );
          wire.sort(() => random() - 0.5);
          const joined = join(new Reassembler(), wire).map((packet) => packet.toString('hex'));
          expect(joined.sort()).toEqual(packets.map((packet) => packet.toString('hex')).sort());
        },
      ),
    );
  });

  it('wait at most 10 s for each other', () => {
    const { pieces } = split(new Fragmenter(0), Buffer.alloc(600, 1), 400);
    const late = new Reassembler();
    expect(push(late, pieces[0]!, 0).verdict).toBe('waits');
    expect(push(late, pieces[1]!, 10_000).verdict).toBe('waits');
    const timely = new Reassembler();
    push(timely, pieces[0]!, 0);
    expect(push(timely, pieces[1]!, 9_999).verdict).toBe('packet');
  });

  it('are remembered for the 25 newest packets', () => {
    const fragmenter = new Fragmenter(250);
    const first = split(fragmenter, Buffer.alloc(600, 1), 400).pieces;
    const others = Array.from({ length: 25 }, () => split(fragmenter, Buffer.alloc(600, 2), 400).pieces);
    const within = new Reassembler();
    push(within, first[0]!);
    for (const [piece] of others.slice(0, 24)) push(within, piece!);
    expect(push(within, first[1]!).verdict).toBe('packet');
    const beyond = new Reassembler();
    push(beyond, first[0]!);
    for (const [piece] of others) push(beyond, piece!);
    expect(push(beyond, first[1]!).verdict).toBe('waits');
  });

  it('of another size start the packet over', () => {
    const reassembler = new Reassembler();
    push(reassembler, split(new Fragmenter(6), Buffer.alloc(600, 1), 400).pieces[0]!);
    const other = split(new Fragmenter(6), Buffer.alloc(500, 2), 300).pieces;
    expect(join(reassembler, other)).toEqual([Buffer.alloc(500, 2)]);
  });

  it('that contradict each other leave no gaps in a packet', () => {
    const reassembler = new Reassembler();
    push(reassembler, piece({ type: 2, piece: 3, size: 100 }, 50));
    expect(push(reassembler, piece({ type: 2, piece: 1, size: 100 }, 50)).verdict).toBe('waits');
    expect(push(reassembler, piece({ type: 1, piece: 0 }, 100)).packet?.length).toBe(150);
  });

  it.each([
    ['', 'flags not found in packet'],
    ['000000', 'flags not found in packet'],
    ['00000004aa', 'spurious FRAG_WHOLE flags'],
    ['00000400aa', 'spurious FRAG_WHOLE flags'],
    ['00000003aa', 'FRAG_TEST not implemented'],
    ['00000001aaaaaa', 'bad fragment size'],
  ])('that read %j are refused: %s', (hex, verdict) => {
    expect(push(new Reassembler(), Buffer.from(hex, 'hex')).verdict).toBe(verdict);
  });

  it('that lead beyond a packet are refused', () => {
    const reassembler = new Reassembler();
    const { verdict } = push(reassembler, piece({ type: 2, piece: 31, size: 1000 }, 4));
    expect(verdict).toBe('fragment buffer overflow');
  });
});

function whole(packet: Buffer): Buffer {
  const batch = new PacketBatch(1);
  batch.push(packet);
  writeWhole(batch, 0);
  return Buffer.from(batch.packet(0));
}

function split(fragmenter: Fragmenter, packet: Buffer, size: number): { pieces: Buffer[] } {
  const from = new PacketBatch(1);
  const out = new PacketBatch(MAX_FRAGS);
  from.push(packet);
  expect(fragmenter.split(from, 0, size, out)).toBe(out.count);
  expect(from.lengths[0]).toBe(0);
  return { pieces: Array.from({ length: out.count }, (_, i) => Buffer.from(out.packet(i))) };
}

function piece(head: { type: number; piece: number; size?: number }, bytes: number): Buffer {
  const flags = head.type | (5 << 2) | (head.piece << 10) | (((head.size ?? 0) >>> 2) << 15);
  const packet = Buffer.alloc(4 + bytes);
  packet.writeUInt32BE(flags >>> 0);
  return packet;
}

function push(reassembler: Reassembler, bytes: Buffer, nowMs = 0) {
  const batch = new PacketBatch(1);
  batch.push(bytes);
  const verdict = reassembler.push(batch, 0, nowMs);
  expect(batch.lengths[0]! > 0).toBe(verdict === 'packet');
  return { verdict, packet: verdict === 'packet' ? Buffer.from(batch.packet(0)) : undefined };
}

function join(reassembler: Reassembler, pieces: readonly Buffer[]): Buffer[] {
  return pieces.flatMap((bytes) => push(reassembler, bytes).packet ?? []);
}

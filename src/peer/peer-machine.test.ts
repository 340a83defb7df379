import { describe, expect, it } from 'vitest';
import { type LinkAddress, ManualClock, MemoryLogger, PeerAddress } from '../base/base.ts';
import type { DataChannel, DataChannelEvent } from '../forward/forward.ts';
import type { TlsEvent, TlsMulti } from '../ssl/ssl.ts';
import { Driver } from './driver.ts';
import { Peer, type PeerEvent, type PeerOwner } from './peer-machine.ts';

const HOME: LinkAddress = { family: 4, address: '192.0.2.1', port: 1194 };
const NEVER = Number.POSITIVE_INFINITY;
const SILENT = { soon: () => undefined, at: () => undefined };

/** A control and a data channel that do as they are told, and an owner that notes what it is told. */
class Bed {
  readonly clock = new ManualClock(1_000);
  readonly log = new MemoryLogger(7);
  readonly calls: string[] = [];
  readonly events: TlsEvent[] = [];
  readonly out: { packet: Uint8Array; to: LinkAddress }[] = [];
  readonly heard: PeerEvent[] = [];
  end: DataChannelEvent | undefined;
  controlMs: number | undefined;
  dataMs: number | undefined;
  ownerMs = NEVER;
  onEvent: (event: PeerEvent) => void = () => undefined;
  goesOn = true;
  readonly peer: Peer;

  constructor() {
    this.peer = new Peer({
      driver: new Driver(this.clock, SILENT),
      address: new PeerAddress(HOME),
      createControl: () => this.#control(),
      createData: () => this.#data(),
      owner: this.#owner(),
      log: this.log,
    });
  }

  drive(): void {
    this.peer.drive(this.clock.nowMs());
  }

  #control(): TlsMulti {
    return {
      handlePacket: (packet: Uint8Array) => (packet[0] === 1 ? 'taken' : 'too-short'),
      handleTimeout: () => this.calls.push('control timeout'),
      handleVerifyResult: (id: number, ok: boolean) => this.calls.push(`verify ${id} ${ok}`),
      handleMoved: () => this.calls.push('moved'),
      sendMessage: (text: string) => text !== 'refused',
      nextTimeout: () => this.controlMs,
      pollTransmit: () => this.out.shift(),
      pollEvent: () => this.events.shift(),
      close: () => this.calls.push('control closed'),
    } as unknown as TlsMulti;
  }

  #data(): DataChannel {
    return {
      noteControlReceived: (bytes: number) => this.calls.push(`received ${bytes}`),
      noteControlSent: (bytes: number) => this.calls.push(`sent ${bytes}`),
      handleTimeout: () => {
        this.calls.push('data timeout');
        this.dataMs = undefined;
      },
      nextTimeout: () => this.dataMs,
      pollEvent: () => {
        const { end } = this;
        this.end = undefined;
        return end;
      },
    } as unknown as DataChannel;
  }

  #owner(): PeerOwner {
    return {
      peerName: 'somebody',
      sendControl: (packet, to) => this.calls.push(`out ${packet.length} ${to.port}`),
      sendService: () => undefined,
      handleEvent: (event) => {
        this.heard.push(event);
        this.onEvent(event);
      },
      poll: () => this.calls.push('poll'),
      nextTimeout: () => this.ownerMs,
      handleTimeout: () => this.goesOn,
      handleFault: (entry, error) => {
        this.calls.push(`${entry}: ${(error as Error).message}`);
        this.peer.close();
      },
    };
  }
}

function message(session: number, text: string): TlsEvent {
  return { type: 'message', session, text };
}

describe('Peer', () => {
  it('sends, hears, and sends what came of it', () => {
    const bed = new Bed();
    bed.out.push({ packet: new Uint8Array(5), to: HOME });
    bed.events.push({ type: 'promoted', session: 1 }, message(1, 'PUSH_REQUEST'));
    bed.onEvent = () => bed.out.push({ packet: new Uint8Array(7), to: HOME });
    bed.drive();
    expect(bed.calls).toEqual([
      ...['out 5 1194', 'sent 5', 'poll'],
      ...['out 7 1194', 'sent 7', 'out 7 1194', 'sent 7'],
    ]);
    expect(bed.heard[1]).toMatchObject({ type: 'message', message: { type: 'push-request' } });
  });

  it('leaves out what a session says that has lost its place', () => {
    const bed = new Bed();
    bed.events.push(message(1, 'early'), { type: 'promoted', session: 2 });
    bed.events.push(message(1, 'late'), message(2, 'EXIT'));
    bed.drive();
    expect(bed.heard.map(({ type }) => type)).toEqual(['promoted', 'message']);
    expect(bed.heard[1]).toMatchObject({ text: 'EXIT' });
  });

  it('is driven once more instead of inside of a drive', () => {
    const bed = new Bed();
    let depth = 0;
    let deepest = 0;
    bed.events.push({ type: 'promoted', session: 1 });
    bed.onEvent = ({ type }) => {
      deepest = Math.max(deepest, ++depth);
      if (type === 'promoted') {
        bed.events.push(message(1, 'EXIT'));
        bed.drive();
      }
      depth--;
    };
    bed.drive();
    expect(deepest).toBe(1);
    expect(bed.heard.map(({ type }) => type)).toEqual(['promoted', 'message']);
    expect(bed.calls.filter((call) => call === 'poll')).toHaveLength(2);
  });

  it('gives what is thrown to its owner, and is over when that closes it', () => {
    const bed = new Bed();
    bed.events.push({ type: 'promoted', session: 1 }, message(1, 'EXIT'));
    bed.onEvent = () => {
      throw new Error('broken');
    };
    bed.drive();
    expect(bed.calls).toEqual(['control packet: broken', 'control closed']);
    bed.drive();
    bed.peer.answer({ to: 'verify', id: 1, ok: true });
    bed.peer.handleWake(0);
    bed.peer.handleTimeout(0);
    expect(bed.heard).toHaveLength(1);
    expect(bed.calls).toHaveLength(2);
  });

  it('waits for the earliest of channels and owner', () => {
    const bed = new Bed();
    bed.drive();
    expect(bed.peer.deadlineMs).toBe(NEVER);
    [bed.controlMs, bed.dataMs, bed.ownerMs] = [5_000, 4_000, 3_000];
    bed.drive();
    expect(bed.peer.deadlineMs).toBe(3_000);
    bed.ownerMs = 4_500;
    bed.peer.noteDeadline();
    expect(bed.peer.deadlineMs).toBe(4_000);
  });

  it('does what is due already without a timer', () => {
    const bed = new Bed();
    bed.dataMs = 1_000;
    bed.drive();
    expect(bed.calls).toEqual(['data timeout', 'poll']);
  });

  it('lets its owner end it when a deadline has come', () => {
    const bed = new Bed();
    bed.goesOn = false;
    bed.peer.handleTimeout(2_000);
    expect(bed.calls).toEqual([]);
    bed.goesOn = true;
    bed.peer.handleTimeout(2_000);
    expect(bed.calls).toEqual(['control timeout', 'data timeout', 'poll']);
  });

  it('tells when the data channel gives up', () => {
    const bed = new Bed();
    bed.end = { type: 'restart', reason: 'ping-restart' };
    bed.drive();
    expect(bed.heard).toEqual([{ type: 'over', end: { type: 'restart', reason: 'ping-restart' } }]);
  });

  it('counts control packets that were its own only', () => {
    const bed = new Bed();
    expect(bed.peer.handlePacket(Uint8Array.of(1, 2, 3), HOME, 0)).toBe('taken');
    expect(bed.peer.handlePacket(Uint8Array.of(2), HOME, 0)).toBe('too-short');
    expect(bed.calls).toEqual(['received 3']);
  });

  it('says what it sent, and whether it could', () => {
    const bed = new Bed();
    expect(bed.peer.sendMessage('EXIT', 0)).toBe(true);
    expect(bed.peer.sendMessage('refused', 0)).toBe(false);
    expect(bed.log.lines).toEqual([
      "SENT CONTROL [somebody]: 'EXIT' (status=1)",
      "SENT CONTROL [somebody]: 'refused' (status=0)",
    ]);
  });

  it('moves to where data has shown it to be', () => {
    const bed = new Bed();
    const elsewhere: LinkAddress = { family: 4, address: '192.0.2.9', port: 4 };
    bed.peer.moveTo(elsewhere);
    expect(bed.peer.address.current).toBe(elsewhere);
    expect(bed.calls).toEqual(['moved']);
  });
});

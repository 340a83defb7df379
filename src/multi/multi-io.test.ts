/** The server's data path with plain-text clients: who gets a packet, and what happens when a way is full. */
import { beforeEach, describe, expect, it } from 'vitest';
import { RecordedScripts } from '../../test-kit/recorded-scripts.ts';
import { ipPacket, readIpPacket, TunHost } from '../../test-kit/tun-host.ts';
import {
  ADDRESS_WORDS,
  addressFromWords,
  addressToWords,
  MemoryLogger,
  PacketBatch,
  parseIpBytes,
} from '../base/base.ts';
import { ScriptHooks } from '../script/script.ts';
import type { Link } from '../socket/socket.ts';
import { createTunPair } from '../tun/tun-memory.ts';
import { AddressLearner } from './learn.ts';
import { addressWords, VirtualTable } from './mroute.ts';
import type { MultiInstance } from './multi-instance.ts';
import { MultiIo } from './multi-io.ts';
import type { MultiIoDrops } from './router.ts';
import { TunRouter } from './router-tun.ts';

let bench: Bench;
beforeEach(() => {
  bench = createBench();
});

describe('packets from tun', () => {
  it('go to the owner of their destination, by host, network and family', () => {
    const { alice, bob, system } = bench;
    bench.own(alice, '10.8.0.2');
    bench.own(bob, '10.8.0.3', '192.168.0.0/16', 'fd00::/64');
    bench.own(alice, '192.168.5.0/24');
    system.send('10.8.0.1', '10.8.0.2', 'to alice');
    system.send('10.8.0.1', '192.168.9.9', 'to bob');
    system.send('10.8.0.1', '192.168.5.9', 'to alice again');
    system.send('fd00:1::1', 'fd00::77', 'to bob too');
    expect(bench.udp.sent).toEqual([
      'alice to alice',
      'bob to bob',
      'alice to alice again',
      'bob to bob too',
    ]);
  });

  it('of nobody are counted and dropped, as is what is no IP packet', () => {
    const { system, drops } = bench;
    system.send('10.8.0.1', '10.8.0.9', 'lost');
    const junk = new PacketBatch(1);
    junk.push(Buffer.from('not an IP packet'));
    system.device.writeBatch(junk, 0, 1);
    expect(bench.udp.sent).toEqual([]);
    expect(drops).toMatchObject({ unknownDestination: 2, badSource: 0, saturation: 0 });
  });

  it('to a multicast group are copied to all who are connected', () => {
    const { alice, bob, carol, system } = bench;
    carol.forwarding = false;
    for (const client of [alice, bob, carol]) bench.own(client, `10.8.0.${2 + client.peerId}`);
    system.send('10.8.0.1', '224.0.0.5', 'news');
    system.send('fd00::1', 'ff02::1', 'news6');
    expect(bench.udp.sent).toEqual(['alice news', 'bob news', 'alice news6', 'bob news6']);
  });

  it('of one owner in a row are sealed in one run and sent in one call', () => {
    const { alice, bob, system } = bench;
    bench.own(alice, '10.8.0.2');
    bench.own(bob, '10.8.0.3');
    bench.pause();
    system.send('10.8.0.1', '10.8.0.2', 'a1', 'a2');
    system.send('10.8.0.1', '10.8.0.3', 'b1');
    system.send('10.8.0.1', '10.8.0.9', 'nobody');
    system.send('10.8.0.1', '10.8.0.2', 'a3');
    bench.resume();
    expect(alice.runs).toEqual([2, 1]);
    expect(bob.runs).toEqual([1]);
    expect(bench.udp.calls).toBe(1);
    expect(bench.udp.sent).toEqual(['alice a1', 'alice a2', 'bob b1', 'alice a3']);
  });
});

describe('a full UDP link', () => {
  it('stops reading from tun, and goes on where it stopped', () => {
    const { alice, system, io, drops, udp } = bench;
    bench.own(alice, '10.8.0.2');
    udp.room = 3;
    bench.pause();
    for (let n = 0; n < 8; n++) system.send('10.8.0.1', '10.8.0.2', `p${n}`);
    bench.resume();
    system.send('10.8.0.1', '10.8.0.2', 'later');
    expect(udp.sent).toEqual(['alice p0', 'alice p1', 'alice p2']);
    udp.room = 2;
    io.handleWritable(udp.link);
    expect(udp.sent).toHaveLength(5);
    udp.room = Number.POSITIVE_INFINITY;
    io.handleWritable(udp.link);
    expect(udp.sent.slice(5)).toEqual(['alice p5', 'alice p6', 'alice p7', 'alice later']);
    expect(drops.saturation).toBe(0);
  });

  it('that closes lets the others go on', () => {
    const { alice, bob, system, io, udp, tcp } = bench;
    bob.bound.link = tcp.link;
    bench.own(alice, '10.8.0.2');
    bench.own(bob, '10.8.0.3');
    udp.room = 0;
    system.send('10.8.0.1', '10.8.0.2', 'stuck');
    system.send('10.8.0.1', '10.8.0.3', 'waits');
    expect(tcp.sent).toEqual([]);
    io.handleLinkClosed(udp.link);
    expect(tcp.sent).toEqual(['bob waits']);
  });

  it('that becomes writable without anything waiting does nothing', () => {
    bench.io.handleWritable(bench.udp.link);
    bench.io.handleLinkClosed(bench.udp.link);
    expect(bench.udp.calls).toBe(0);
  });

  it('loses nothing for clients of other sockets, whichever of them is full', () => {
    const { alice, bob, carol, system, io, udp, drops } = bench;
    const second = bench.addUdp();
    bob.bound.link = second.link;
    for (const client of [alice, bob, carol]) bench.own(client, `10.8.0.${2 + client.peerId}`);
    udp.room = 1;
    second.room = 1;
    bench.pause();
    for (const round of [1, 2, 3]) {
      system.send('10.8.0.1', '10.8.0.2', `a${round}`, `A${round}`);
      system.send('10.8.0.1', '10.8.0.3', `b${round}`, `B${round}`);
      system.send('10.8.0.1', '10.8.0.4', `c${round}`);
    }
    bench.resume();
    for (let turn = 0; turn < 40; turn++) {
      udp.room = 1;
      second.room = 1;
      io.handleWritable(udp.link);
      io.handleWritable(second.link);
    }
    expect(udp.sent).toEqual([1, 2, 3].flatMap((n) => [`alice a${n}`, `alice A${n}`, `carol c${n}`]));
    expect(second.sent).toEqual([1, 2, 3].flatMap((n) => [`bob b${n}`, `bob B${n}`]));
    expect(drops.saturation).toBe(0);
  });

  it('keeps copies for other clients as far as their buffers go, in order', () => {
    bench = createBench({ clientToClient: true });
    const { alice, bob, udp, io, drops, log, system } = bench;
    bench.own(alice, '10.8.0.2');
    bench.own(bob, '10.8.0.3');
    udp.room = 1;
    for (let n = 0; n < 258; n++) bench.fromClient(alice, ipPacket('10.8.0.2', '10.8.0.3', `p${n}`));
    system.send('10.8.0.1', '10.8.0.3', 'from tun');
    expect(udp.sent).toEqual(['bob p0']);
    expect(drops.saturation).toBe(1);
    expect(log.lines).toEqual([
      'MULTI: packet dropped due to output saturation (multi_process_incoming_tun)',
    ]);
    udp.room = 2;
    io.handleWritable(udp.link);
    expect(udp.sent).toEqual(['bob p0', 'bob p1', 'bob p2']);
    udp.room = Number.POSITIVE_INFINITY;
    io.handleWritable(udp.link);
    const copies = Array.from({ length: 257 }, (_, n) => `bob p${n}`);
    expect(udp.sent).toEqual([...copies, 'bob from tun']);
    bench.fromClient(alice, ipPacket('10.8.0.2', '10.8.0.3', 'after'));
    expect(udp.sent.at(-1)).toBe('bob after');
  });

  it('that closes takes its copies with it', () => {
    bench = createBench({ clientToClient: true });
    const { alice, bob, udp, tcp, io } = bench;
    bench.own(alice, '10.8.0.2');
    bench.own(bob, '10.8.0.3');
    udp.room = 0;
    bench.fromClient(alice, ipPacket('10.8.0.2', '10.8.0.3', 'stuck'));
    bob.bound.link = tcp.link;
    bench.fromClient(alice, ipPacket('10.8.0.2', '10.8.0.3', 'waits'));
    io.handleLinkClosed(udp.link);
    expect(udp.sent).toEqual([]);
    expect(tcp.sent).toEqual(['bob waits']);
  });
});

describe('a full TCP connection', () => {
  it("loses its own client's packets and nobody else's", () => {
    const { alice, bob, system, drops, udp, tcp, log } = bench;
    alice.bound.link = tcp.link;
    bench.own(alice, '10.8.0.2');
    bench.own(bob, '10.8.0.3');
    tcp.room = 1;
    bench.pause();
    system.send('10.8.0.1', '10.8.0.2', 'a1', 'a2', 'a3');
    system.send('10.8.0.1', '10.8.0.3', 'b1');
    bench.resume();
    system.send('10.8.0.1', '10.8.0.3', 'b2');
    expect(tcp.sent).toEqual(['alice a1']);
    expect(udp.sent).toEqual(['bob b1', 'bob b2']);
    expect(drops.saturation).toBe(2);
    expect(log.lines).toHaveLength(1);
  });
});

describe('packets of a client', () => {
  it('stay in their slots for tun when the source is its own', () => {
    const { alice } = bench;
    bench.own(alice, '10.8.0.2', '192.168.5.0/24', 'fd00::2');
    const kept = bench.fromClient(
      alice,
      ipPacket('10.8.0.2', '10.8.0.1', 'mine'),
      ipPacket('192.168.5.7', '10.8.0.1', 'from behind me'),
      ipPacket('fd00::2', 'fd00::1', 'mine too'),
    );
    expect(kept).toEqual(['mine', 'from behind me', 'mine too']);
    expect(bench.udp.sent).toEqual([]);
  });

  it('with the source of somebody else or of nobody are dropped with a line', () => {
    const { alice, bob, drops, log } = bench;
    bench.own(alice, '10.8.0.2');
    bench.own(bob, '10.8.0.3', 'fd00::3');
    const kept = bench.fromClient(
      alice,
      ipPacket('10.8.0.3', '10.8.0.1', 'as bob'),
      ipPacket('172.16.0.1', '10.8.0.1', 'as nobody'),
      ipPacket('fd00::3', 'fd00::1', 'as bob'),
      ipPacket('fe80::1', 'ff02::2', 'link-local noise'),
      Buffer.from('no IP'),
    );
    expect(kept).toEqual([]);
    expect(drops.badSource).toBe(3);
    expect(log.lines).toEqual([
      'MULTI: bad source address from client [10.8.0.3], packet dropped',
      'MULTI: bad source address from client [172.16.0.1], packet dropped',
      'MULTI: bad source address from client [fd00::3], packet dropped',
    ]);
  });

  it('are all dropped before it is connected', () => {
    const { alice } = bench;
    bench.own(alice, '10.8.0.2');
    alice.forwarding = false;
    expect(bench.fromClient(alice, ipPacket('10.8.0.2', '10.8.0.1', 'early'))).toEqual([]);
  });

  it('for another client go to tun, unless client-to-client', () => {
    const packet = ipPacket('10.8.0.2', '10.8.0.3', 'hello');
    bench.own(bench.alice, '10.8.0.2');
    bench.own(bench.bob, '10.8.0.3');
    expect(bench.fromClient(bench.alice, packet)).toEqual(['hello']);
    const open = createBench({ clientToClient: true });
    open.own(open.alice, '10.8.0.2');
    open.own(open.bob, '10.8.0.3');
    expect(open.fromClient(open.alice, packet)).toEqual([]);
    expect(open.udp.sent).toEqual(['bob hello']);
  });

  it('to a group reach tun and all other clients with client-to-client', () => {
    const open = createBench({ clientToClient: true });
    for (const client of [open.alice, open.bob, open.carol]) open.own(client, `10.8.0.${2 + client.peerId}`);
    expect(open.fromClient(open.alice, ipPacket('10.8.0.2', '224.0.0.1', 'hi all'))).toEqual(['hi all']);
    expect(open.udp.sent).toEqual(['bob hi all', 'carol hi all']);
  });

  it('are copied to any number of clients, more than a batch holds', () => {
    const open = createBench({ clientToClient: true });
    const many = Array.from({ length: 150 }, (_, n) => open.add(`c${n}`));
    open.own(open.alice, '10.8.0.2');
    open.fromClient(open.alice, ipPacket('10.8.0.2', '224.0.0.1', 'x'));
    expect(open.udp.sent).toHaveLength(many.length + 2);
    expect(new Set(open.udp.sent).size).toBe(many.length + 2);
    expect(open.drops.saturation).toBe(0);
  });
});

/** A client whose data channel passes packets as they are. */
interface FakeClient {
  readonly name: string;
  readonly peerId: number;
  forwarding: boolean;
  readonly bound: { link: Link };
  /** Packets of each sealed run. */
  readonly runs: number[];
  readonly instance: MultiInstance;
}

interface FakeLink {
  readonly link: Link;
  /** `client text` of each packet. */
  readonly sent: string[];
  calls: number;
  /** Packets that it still takes. */
  room: number;
}

interface Bench {
  readonly io: MultiIo;
  readonly drops: MultiIoDrops;
  readonly log: MemoryLogger;
  readonly alice: FakeClient;
  readonly bob: FakeClient;
  readonly carol: FakeClient;
  readonly udp: FakeLink;
  readonly tcp: FakeLink;
  /** A further UDP socket. */
  addUdp(): FakeLink;
  /** Sends and receives as the machine's network stack. */
  readonly system: TunHost;
  add(name: string): FakeClient;
  own(client: FakeClient, ...networks: string[]): void;
  /** Opens the packets as one run of a client; returns the texts that are left for tun. */
  fromClient(client: FakeClient, ...packets: Buffer[]): string[];
  /** Lets packets gather in tun. */
  pause(): void;
  resume(): void;
}

function createBench({ clientToClient = false } = {}): Bench {
  const log = new MemoryLogger();
  const { device, system } = createTunPair({ schedule: (run) => run() });
  const routes = new VirtualTable<MultiInstance>();
  const clients: FakeClient[] = [];
  const nameOf = (port: number): string => clients[port - 1000]!.name;
  const [udp, tcp] = [createLink('udp', nameOf), createLink('tcp', nameOf)];
  const drops: MultiIoDrops = { badSource: 0, unknownDestination: 0, saturation: 0, badFrame: 0 };
  const hooks = new ScriptHooks({
    runner: new RecordedScripts(),
    log,
    scriptSecurity: 2,
    tmpDir: '/tmp',
    commands: {},
  });
  const learner = new AddressLearner<MultiInstance>({
    routes,
    hooks,
    log,
    staleRoutesCheck: undefined,
    local: undefined,
    nowMs: () => 0,
    onFault: rethrow,
  });
  const io = new MultiIo({
    tun: device,
    router: new TunRouter({ routes, learner, clientToClient, local4: 0, drops }),
    drops,
    clients: () => clients.map(({ instance }) => instance),
    passtos: false,
    blockIpv6: false,
    copyBuffers: 256,
    maxPacketBytes: 1600,
    nowMs: () => 0,
    log,
    onFault: (_entry, error) => rethrow(error),
  });
  device.onReadable = () => io.handleTun();
  const add = (name: string): FakeClient => {
    const client = createClient(name, clients.length, udp.link, log);
    clients.push(client);
    return client;
  };
  return {
    io,
    drops,
    log,
    udp,
    tcp,
    add,
    addUdp: () => createLink('udp', nameOf),
    alice: add('alice'),
    bob: add('bob'),
    carol: add('carol'),
    system: new TunHost(system),
    own: ({ instance }, ...networks) => {
      for (const network of networks) {
        const [address = '', bits] = network.split('/');
        const bytes = parseIpBytes(address)!;
        const family = bytes.length === 4 ? 4 : 6;
        const prefix = Number(bits ?? bytes.length * 8);
        routes.learn({ family, words: addressWords(bytes), prefix }, instance);
      }
    },
    fromClient: ({ instance }, ...packets) => {
      const batch = new PacketBatch(16);
      for (const packet of packets) batch.push(packet);
      io.handleRun(instance, batch, 0, packets.length);
      io.flush();
      const slots = packets.map((_, slot) => slot).filter((slot) => batch.lengths[slot]! > 0);
      return slots.map((slot) => readIpPacket(batch.packet(slot))!.text);
    },
    pause: () => device.pause(),
    resume: () => device.resume(),
  };
}

function createClient(name: string, peerId: number, link: Link, log: MemoryLogger): FakeClient {
  const remoteWords = new Int32Array(ADDRESS_WORDS);
  addressToWords({ family: 4, address: '198.51.100.1', port: 1000 + peerId }, remoteWords, 0);
  const runs: number[] = [];
  const data = {
    authenticated: 1,
    open: () => 1,
    seal: (_batch: PacketBatch, first: number, end: number) => runs.push(end - first),
  };
  const state = {
    forwarding: true,
    open: true,
    prefix: name,
    commonName: name,
    options: { maxRoutesPerClient: 256 },
  };
  const client = { name, peerId, ...state, bound: { link }, runs, data, log, remoteWords };
  return Object.assign(client, { instance: client as unknown as MultiInstance });
}

function createLink(transport: 'udp' | 'tcp', nameOf: (port: number) => string): FakeLink {
  const fake = { sent: [] as string[], calls: 0, room: Number.POSITIVE_INFINITY };
  const sendBatch = (batch: PacketBatch, first: number, end: number): number => {
    fake.calls++;
    for (let slot = first; slot < end; slot++) {
      if (batch.lengths[slot] === 0) continue;
      if (fake.room <= 0) return slot - first;
      fake.room--;
      const { port } = addressFromWords(batch.addresses, slot);
      fake.sent.push(`${nameOf(port)} ${readIpPacket(batch.packet(slot))!.text}`);
    }
    return end - first;
  };
  return Object.assign(fake, { link: { transport, sendBatch } as unknown as Link });
}

function rethrow(error: unknown): never {
  throw error;
}

/**
 * What every Link and every SocketFactory must do, over loopback or in memory. A backend is done when
 * it passes. `Lab` tells the suite how to make a pair of links and how to let packets move.
 */
import { getEventListeners } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import {
  ADDRESS_WORDS,
  type AddressFamily,
  addressFromWords,
  addressToWords,
  LinkError,
  PacketBatch,
} from '../base/base.ts';
import type { Link, SocketFactory } from './socket.ts';

export interface LinkLab {
  readonly transport: 'udp' | 'tcp';
  /** Two links that reach each other; for UDP at each other's `local`. */
  openPair(family: AddressFamily): Promise<readonly [Link, Link]>;
  /** Lets packets move for a moment. */
  tick(): Promise<void>;
  /** TCP: whether a frame too long for the batch ends the connection; in memory it is dropped. */
  readonly framed: boolean;
}

const FAMILIES: readonly AddressFamily[] = [4, 6];
const LOOPBACK = { 4: '127.0.0.1', 6: '::1' } as const;
/** How long a test waits for something that must happen. */
const PATIENCE_MS = 8000;

/** Runs the checks of one kind of link. */
export function linkConformance(name: string, lab: LinkLab): void {
  describe(`${name}: Link`, () => {
    const opened: Link[] = [];
    const pair = async (family: AddressFamily = 4): Promise<readonly [Link, Link]> => {
      const links = await lab.openPair(family);
      opened.push(...links);
      return links;
    };
    afterEach(async () => {
      for (const link of opened.splice(0)) link.close();
      await lab.tick();
    });

    for (const family of FAMILIES) traffic(lab, family, pair);
    batches(lab, pair);
    closing(lab, pair);
    if (lab.transport === 'udp') datagrams(lab, pair);
    else stream(lab, pair);
  });
}

/** Runs linkConformance over a factory's links, and the checks of the factory itself. */
export function socketFactoryConformance(
  name: string,
  create: () => SocketFactory,
  traits: { readonly udpReportsRefused: boolean },
): void {
  const factory = create();
  linkConformance(`${name} udp`, udpLab(factory));
  linkConformance(`${name} tcp`, tcpLab(factory));
  describe(`${name}: SocketFactory`, () => {
    udpFactory(factory, traits.udpReportsRefused);
    tcpFactory(factory);
    resolver(factory);
  });
}

type OpenPair = (family?: AddressFamily) => Promise<readonly [Link, Link]>;

function traffic(lab: LinkLab, family: AddressFamily, pair: OpenPair): void {
  it(`carries every length 1..1600 in order over IPv${family}`, async () => {
    const [a, b] = await pair(family);
    const sink = collect(b);
    const batch = new PacketBatch(32);
    for (let from = 1; from <= 1600; from += 32) {
      batch.clear();
      for (let length = from; length < from + 32; length++) pushTo(batch, fill(length), b);
      expect(a.sendBatch(batch, 0, batch.count)).toBe(32);
      await until(lab, () => sink.packets.length === from + 31);
    }
    expect(sink.packets.map((packet) => packet.length)).toEqual(
      Array.from({ length: 1600 }, (_, i) => i + 1),
    );
    expect(sink.packets.every((packet) => packet.equals(fill(packet.length)))).toBe(true);
    expect([a.dropped, b.dropped]).toEqual([0, 0]);
  });

  it(`tells the source, and answers to it, over IPv${family}`, async () => {
    const [a, b] = await pair(family);
    const sink = collect(a);
    const echo = new PacketBatch(8);
    const seen: string[] = [];
    b.onReadable = () => {
      while (b.recvBatch(echo) > 0) {
        for (let slot = 0; slot < echo.count; slot++) {
          seen.push(JSON.stringify(addressFromWords(echo.addresses, slot)));
        }
        expect(b.sendBatch(echo, 0, echo.count)).toBe(echo.count);
      }
    };
    for (let i = 0; i < 3; i++) expect(a.send(fill(100 + i), b.local)).toBe(true);
    await until(lab, () => sink.packets.length === 3);
    expect(sink.packets.map((packet) => packet.length)).toEqual([100, 101, 102]);
    expect(new Set(seen)).toEqual(new Set([JSON.stringify(a.local)]));
    expect(sink.from).toEqual([b.local, b.local, b.local]);
    if (lab.transport === 'tcp') expect([a.remote, b.remote]).toEqual([b.local, a.local]);
    else expect([a.remote, b.remote]).toEqual([undefined, undefined]);
  });
}

function batches(lab: LinkLab, pair: OpenPair): void {
  it('sends only the slots asked and passes over those of length 0', async () => {
    const [a, b] = await pair();
    const sink = collect(b);
    const batch = new PacketBatch(8);
    for (let i = 0; i < 8; i++) pushTo(batch, fill(10 + i), b);
    batch.lengths[3] = 0;
    expect(a.sendBatch(batch, 2, 6)).toBe(4);
    await until(lab, () => sink.packets.length === 3);
    expect(sink.packets.map((packet) => packet.length)).toEqual([12, 14, 15]);
    expect(a.sendBatch(batch, 3, 4)).toBe(1);
    expect(a.sendBatch(batch, 0, 0)).toBe(0);
  });

  it('is done with the slab when sendBatch() returns, and has not changed the packets', async () => {
    const [a, b] = await pair();
    const sink = collect(b);
    const batch = new PacketBatch(16);
    for (let i = 0; i < 16; i++) pushTo(batch, fill(1000 + i), b);
    expect(a.sendBatch(batch, 0, 16)).toBe(16);
    for (let i = 0; i < 16; i++) expect(batch.packet(i).equals(fill(1000 + i))).toBe(true);
    batch.slab.fill(0);
    await until(lab, () => sink.packets.length === 16);
    expect(sink.packets.every((packet) => packet.equals(fill(packet.length)))).toBe(true);
  });

  it('sends packets from any offset in their slots', async () => {
    const [a, b] = await pair();
    const sink = collect(b);
    const batch = new PacketBatch(2);
    pushTo(batch, fill(300), b);
    pushTo(batch, fill(300), b);
    batch.offsets[1] = batch.slotSize + 2;
    batch.slab.set(fill(300), batch.slotSize + 2);
    expect(a.sendBatch(batch, 0, 2)).toBe(2);
    await until(lab, () => sink.packets.length === 2);
    expect(sink.packets.every((packet) => packet.equals(fill(300)))).toBe(true);
  });

  it('hands out no more than a batch holds and keeps the rest', async () => {
    const [a, b] = await pair();
    const small = new PacketBatch(4);
    const counts: number[] = [];
    b.onReadable = () => {
      for (let n = b.recvBatch(small); n > 0; n = b.recvBatch(small)) {
        counts.push(n);
        expect(small.count).toBe(n);
        expect([...small.status]).toEqual([0, 0, 0, 0]);
      }
      expect(small.count).toBe(0);
    };
    const batch = new PacketBatch(10);
    for (let i = 0; i < 10; i++) pushTo(batch, fill(50), b);
    a.sendBatch(batch, 0, 10);
    await until(lab, () => counts.reduce((sum, n) => sum + n, 0) === 10);
    expect(Math.max(...counts)).toBe(4);
  });

  it('announces a burst, not each packet', async () => {
    const [a, b] = await pair();
    let calls = 0;
    const sink = collect(b, () => calls++);
    const batch = new PacketBatch(32);
    for (let i = 0; i < 32; i++) pushTo(batch, fill(100), b);
    a.sendBatch(batch, 0, 32);
    await until(lab, () => sink.packets.length === 32);
    expect(calls).toBeLessThan(16);
    expect(b.batchSize).toBeGreaterThan(0);
  });

  it('sends and receives nothing when there is nothing', async () => {
    const [a, b] = await pair();
    const batch = new PacketBatch(4);
    expect(b.recvBatch(batch)).toBe(0);
    expect(a.send(new Uint8Array(0), b.local)).toBe(false);
  });
}

function closing(lab: LinkLab, pair: OpenPair): void {
  it('calls nobody back after close(), and takes all calls', async () => {
    const [a, b] = await pair();
    const calls: string[] = [];
    for (const what of ['onReadable', 'onWritable', 'onError', 'onClose'] as const) {
      a[what] = () => calls.push(what);
    }
    const batch = new PacketBatch(4);
    for (let i = 0; i < 4; i++) pushTo(batch, fill(200), a);
    expect(b.sendBatch(batch, 0, 4)).toBe(4);
    a.close();
    for (let i = 0; i < 10; i++) await lab.tick();
    b.close();
    for (let i = 0; i < 10; i++) await lab.tick();
    expect(calls).toEqual([]);
    batch.clear();
    for (let i = 0; i < 4; i++) pushTo(batch, fill(200), b);
    expect(a.recvBatch(new PacketBatch(4))).toBe(0);
    expect(a.sendBatch(batch, 0, 4)).toBe(4);
    expect(a.send(fill(10), b.local)).toBe(false);
    a.close();
  });

  it('can be closed from inside onReadable', async () => {
    const [a, b] = await pair();
    let calls = 0;
    b.onReadable = () => {
      calls++;
      b.close();
    };
    for (let i = 0; i < 3; i++) a.send(fill(20), b.local);
    await until(lab, () => calls > 0);
    for (let i = 0; i < 10; i++) await lab.tick();
    expect(calls).toBe(1);
  });
}

function datagrams(lab: LinkLab, pair: OpenPair): void {
  it('drops and counts datagrams that are too long for the batch', async () => {
    const [a, b] = await pair();
    const sink = collect(b, undefined, new PacketBatch(4, 300));
    const limit = new PacketBatch(1, 300).maxPacketBytes;
    for (const length of [limit, limit + 1, 1500, 10]) a.send(fill(length), b.local);
    await until(lab, () => sink.packets.length === 2);
    expect(sink.packets.map((packet) => packet.length)).toEqual([limit, 10]);
    expect(b.dropped).toBe(2);
  });

  it('loses nothing of a burst when it offers the rest again after onWritable', async () => {
    const [a, b] = await pair();
    const sink = collect(b);
    const batch = new PacketBatch(64);
    for (let i = 0; i < 64; i++) pushTo(batch, fill(500 + i), b);
    let at = 0;
    const offer = (): void => {
      at += a.sendBatch(batch, at, 64);
    };
    a.onWritable = offer;
    offer();
    await until(lab, () => sink.packets.length === 64);
    expect(at).toBe(64);
  });
}

function stream(lab: LinkLab, pair: OpenPair): void {
  it('stops taking packets when the peer does not read, and loses none', async () => {
    const [a, b] = await pair();
    const batch = new PacketBatch(32);
    let sent = 0;
    let short = false;
    let writable = 0;
    const pump = (): void => {
      for (;;) {
        batch.clear();
        for (let i = 0; i < 32; i++) pushTo(batch, numbered(sent + i), b);
        const taken = a.sendBatch(batch, 0, 32);
        sent += taken;
        if (taken < 32) {
          short = true;
          return;
        }
        if (sent >= 100_000) return;
      }
    };
    for (let i = 0; i < 1000 && !short; i++) {
      pump();
      await lab.tick();
    }
    expect(short).toBe(true);
    a.onWritable = () => writable++;
    let next = 0;
    collect(b, undefined, new PacketBatch(32), (packet) => {
      expect(packet.readUInt32BE(0)).toBe(next);
      next++;
    });
    b.onReadable();
    await until(lab, () => next === sent && writable > 0);
    expect(writable).toBe(1);
    expect(next).toBe(sent);
  });

  it('says that the peer closed, once, behind its last packet', async () => {
    const [a, b] = await pair();
    const events: string[] = [];
    const batch = new PacketBatch(4);
    b.onReadable = () => {
      while (b.recvBatch(batch) > 0) events.push(...Array(batch.count).fill('packet'));
    };
    b.onClose = (error) => events.push(`close ${error?.code}`);
    for (let i = 0; i < 6; i++) expect(a.send(fill(100), b.local)).toBe(true);
    a.close();
    await until(lab, () => events.includes('close undefined'));
    for (let i = 0; i < 10; i++) await lab.tick();
    expect(events).toEqual([...Array(6).fill('packet'), 'close undefined']);
  });

  if (!lab.framed) return;
  it('ends the connection on a frame that is too long, in 2.x words', async () => {
    const [a, b] = await pair();
    const batch = new PacketBatch(4, 300);
    const limit = batch.maxPacketBytes;
    const sink = collect(b, undefined, batch);
    const errors: (NodeJS.ErrnoException | undefined)[] = [];
    b.onClose = (error) => errors.push(error);
    for (const length of [limit, limit + 1, 10]) a.send(fill(length), b.local);
    await until(lab, () => errors.length === 1);
    expect(sink.packets.map((packet) => packet.length)).toEqual([limit]);
    expect(errors[0]).toMatchObject({ code: 'EBADMSG' });
    expect(errors[0]!.message).toMatch(
      new RegExp(
        `^WARNING: Bad encapsulated packet length from peer \\(${limit + 1}\\), which must be > 0 and <= ${limit} -- `,
      ),
    );
  });
}

function udpFactory(factory: SocketFactory, reportsRefused: boolean): void {
  it('binds UDP to the port asked, and tells which one the kernel chose', async () => {
    const first = await factory.openUdp({ family: 4, localAddress: LOOPBACK[4] });
    expect(first.local).toMatchObject({ family: 4, address: LOOPBACK[4] });
    expect(first.local.port).toBeGreaterThan(0);
    const port = first.local.port;
    const bind = { family: 4, localAddress: LOOPBACK[4], localPort: port } as const;
    const error = await failure(factory.openUdp(bind));
    expect(error.message).toContain(`bind failed on local address [AF_INET]127.0.0.1:${port}`);
    expect(error.cause).toMatchObject({ code: 'EADDRINUSE' });
    first.close();
  });

  it('carries IPv4 peers over a dual-stack IPv6 socket as mapped addresses', async () => {
    const server = await factory.openUdp({ family: 6 });
    const client = await factory.openUdp({ family: 4, localAddress: LOOPBACK[4] });
    const sink = collect(server);
    client.send(fill(30), { family: 4, address: LOOPBACK[4], port: server.local.port });
    await until({ tick }, () => sink.packets.length === 1);
    expect(sink.from[0]).toEqual({ family: 6, address: '::ffff:127.0.0.1', port: client.local.port });
    server.close();
    client.close();
  });

  it('takes buffer sizes', async () => {
    const link = await factory.openUdp({
      family: 4,
      localAddress: LOOPBACK[4],
      sndbuf: 65536,
      rcvbuf: 65536,
    });
    link.close();
  });

  it('does not break on a send to a port where nobody listens', async () => {
    const gone = await factory.openUdp({ family: 4, localAddress: LOOPBACK[4] });
    const link = await factory.openUdp({ family: 4, localAddress: LOOPBACK[4] });
    const sink = collect(link);
    const errors: string[] = [];
    link.onError = (error) => errors.push(error.code ?? '');
    gone.close();
    await tick();
    link.send(fill(20), gone.local);
    if (reportsRefused) await until({ tick }, () => errors.length > 0);
    expect(errors).toEqual(reportsRefused ? ['ECONNREFUSED'] : []);
    link.send(fill(21), link.local);
    await until({ tick }, () => sink.packets.length === 1);
    link.close();
  });
}

function tcpFactory(factory: SocketFactory): void {
  it('rejects with ECONNREFUSED where nobody listens, in 2.x words', async () => {
    const remote = await unusedTcpPort(factory);
    const error = await failure(factory.connectTcp({ remote, timeoutMs: 5000 }));
    expect(error.message).toBe(
      `TCP: connect to [AF_INET]127.0.0.1:${remote.port} failed: Connection refused`,
    );
    expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('can be aborted before and while connecting', async () => {
    const listener = await factory.listenTcp({ family: 4, localAddress: LOOPBACK[4], localPort: 0 });
    const options = { remote: listener.local, timeoutMs: 5000 };
    const before = await failure(factory.connectTcp(options, AbortSignal.abort()));
    expect(before.cause).toMatchObject({ code: 'ABORT_ERR' });
    const controller = new AbortController();
    const attempt = failure(factory.connectTcp(options, controller.signal));
    controller.abort();
    expect((await attempt).cause).toMatchObject({ code: 'ABORT_ERR', cause: controller.signal.reason });
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    listener.close();
  });

  it('opens and resolves nothing for a signal that is aborted, and leaves no listener on one', async () => {
    const reason = new Error('enough');
    const aborted = AbortSignal.abort(reason);
    const bind = { family: 4, localAddress: LOOPBACK[4] } as const;
    for (const work of [factory.openUdp(bind, aborted), factory.resolve('localhost', 4, aborted)]) {
      expect((await failure(work)).cause).toMatchObject({ code: 'ABORT_ERR', cause: reason });
    }
    const { signal } = new AbortController();
    (await factory.openUdp(bind, signal)).close();
    await factory.resolve('localhost', 4, signal);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('ends a look-up with its signal', async () => {
    const controller = new AbortController();
    const looking = failure(factory.resolve('no-such-host.invalid', 0, controller.signal));
    controller.abort('enough');
    expect((await looking).cause).toMatchObject({ code: 'ABORT_ERR', cause: 'enough' });
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  it('gives up after timeoutMs', async () => {
    const listener = await factory.listenTcp({ family: 4, localAddress: LOOPBACK[4], localPort: 0 });
    await tick();
    const attempt = failure(factory.connectTcp({ remote: listener.local, timeoutMs: 1 }));
    // The timer is due before the event loop can look at the socket.
    for (const start = performance.now(); performance.now() - start < 10; );
    expect((await attempt).message).toMatch(/^TCP: connect to .* failed: Connection timed out$/);
    listener.close();
  });

  it('binds the local end of a connection', async () => {
    const listener = await factory.listenTcp({ family: 4, localAddress: LOOPBACK[4], localPort: 0 });
    const links: Link[] = [];
    listener.onConnection = (link) => links.push(link);
    const options = { localAddress: '127.0.0.2', remote: listener.local, timeoutMs: 5000, tcpNoDelay: true };
    const client = await factory.connectTcp(options);
    await until({ tick }, () => links.length === 1);
    expect(client.local.address).toBe('127.0.0.2');
    expect(links[0]!.remote).toEqual(client.local);
    for (const end of [client, links[0]!, listener]) end.close();
  });

  it('fails to listen on a port in use', async () => {
    const listener = await factory.listenTcp({ family: 4, localAddress: LOOPBACK[4], localPort: 0 });
    const { port } = listener.local;
    const error = await failure(factory.listenTcp({ family: 4, localAddress: LOOPBACK[4], localPort: port }));
    expect(error.message).toMatch(
      /^TCP\/UDP: Socket bind failed on local address \[AF_INET\]127\.0\.0\.1:\d+: Address already in use \(errno=98\)$/,
    );
    listener.close();
  });
}

function resolver(factory: SocketFactory): void {
  it('resolves literals to themselves and localhost to loopback', async () => {
    expect(await factory.resolve('192.0.2.7', 0)).toEqual([{ family: 4, address: '192.0.2.7' }]);
    expect(await factory.resolve('2001:DB8:0::1', 6)).toEqual([{ family: 6, address: '2001:db8::1' }]);
    expect(await factory.resolve('192.0.2.7', 6)).toEqual([]);
    expect(await factory.resolve('localhost', 4)).toContainEqual({ family: 4, address: '127.0.0.1' });
  });

  it('rejects a name that cannot exist', async () => {
    const error = await failure(factory.resolve('no such host', 0));
    expect(error.message).toMatch(/^RESOLVE: Cannot resolve host address: no such host/);
  });
}

/** A lab over a factory's UDP sockets on loopback. */
function udpLab(factory: SocketFactory): LinkLab {
  return {
    transport: 'udp',
    framed: false,
    tick,
    openPair: async (family) => {
      const bind = { family, localAddress: LOOPBACK[family] };
      return [await factory.openUdp(bind), await factory.openUdp(bind)];
    },
  };
}

/** A lab over a factory's TCP connections on loopback. */
function tcpLab(factory: SocketFactory): LinkLab {
  return {
    transport: 'tcp',
    framed: true,
    tick,
    openPair: async (family) => {
      const listener = await factory.listenTcp({ family, localAddress: LOOPBACK[family], localPort: 0 });
      const accepted = new Promise<Link>((resolve) => {
        listener.onConnection = resolve;
      });
      const client = await factory.connectTcp({ remote: listener.local, timeoutMs: PATIENCE_MS });
      const server = await accepted;
      listener.close();
      return [client, server];
    },
  };
}

/** Lets the event loop turn once. */
export function tick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function until(lab: { tick(): Promise<void> }, done: () => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!done()) {
    if (Date.now() > deadline) throw new Error(`still waiting after ${PATIENCE_MS} ms for ${done}`);
    await lab.tick();
  }
}

interface Sink {
  readonly packets: Buffer[];
  readonly from: ReturnType<typeof addressFromWords>[];
}

/** Drains the link into memory at every onReadable. */
function collect(
  link: Link,
  onCall?: () => void,
  batch = new PacketBatch(16),
  onPacket?: (packet: Buffer) => void,
): Sink {
  const sink: Sink = { packets: [], from: [] };
  link.onReadable = () => {
    onCall?.();
    while (link.recvBatch(batch) > 0) {
      for (let slot = 0; slot < batch.count; slot++) {
        if (onPacket) onPacket(batch.packet(slot));
        else {
          sink.packets.push(Buffer.from(batch.packet(slot)));
          sink.from.push(addressFromWords(batch.addresses, slot));
        }
      }
    }
  };
  return sink;
}

function pushTo(batch: PacketBatch, packet: Uint8Array, to: Link): void {
  const slot = batch.push(packet);
  const { family, address, port } = to.local;
  const key = `${family}/${address}/${port}`;
  let words = wordsOf.get(key);
  if (words === undefined) {
    words = new Int32Array(ADDRESS_WORDS);
    addressToWords(to.local, words, 0);
    wordsOf.set(key, words);
  }
  batch.addresses.set(words, slot * ADDRESS_WORDS);
}

const wordsOf = new Map<string, Int32Array>();

async function failure(promise: Promise<unknown>): Promise<LinkError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LinkError);
  return error as LinkError;
}

async function unusedTcpPort(factory: SocketFactory) {
  const listener = await factory.listenTcp({ family: 4, localAddress: LOOPBACK[4], localPort: 0 });
  const { local } = listener;
  listener.close();
  await tick();
  return local;
}

/** `length` bytes that differ by position. */
function fill(length: number): Buffer {
  const out = Buffer.alloc(length);
  for (let i = 0; i < length; i++) out[i] = (i * 31 + length) & 0xff;
  return out;
}

function numbered(n: number): Buffer {
  const out = Buffer.alloc(1400);
  out.writeUInt32BE(n, 0);
  return out;
}

/**
 * Servers and proxies that mean no good, over loopback: each costs a client no more than its time-outs, and no
 * memory to speak of.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TestPki } from '../../test-kit/tls-pki.ts';
import {
  createClient,
  createProviders,
  createTunPair,
  MemoryLogger,
  OpenVpnError,
  parseConfig,
  type StateInfo,
  type TunnelOptions,
} from '../index.ts';

const MIB = 1 << 20;
/** First byte of data, key id 0. */
const P_DATA_V2_BYTE = 9 << 3;
/** What a client may take for a flood; chunks that wait for the garbage collector count along. */
const MOST_BYTES = 128 * MIB;

let credentials: string;
beforeAll(() => {
  const pki = new TestPki();
  const { cert, key } = pki.issue({ subject: '/CN=alice', extensions: ['extendedKeyUsage=clientAuth'] });
  credentials = `<ca>\n${pki.ca.cert}</ca>\n<cert>\n${cert}</cert>\n<key>\n${key}</key>\n`;
  pki.close();
});

const servers: { server: Server; sockets: Set<Socket> }[] = [];
const stop = (): void => {
  for (const { server, sockets } of servers.splice(0)) {
    server.close();
    for (const socket of sockets) socket.destroy();
  }
};
afterEach(stop);
afterAll(stop);

describe('a TCP server', () => {
  it('that accepts and says nothing costs --connect-timeout', async () => {
    const port = await serve(() => undefined);
    const { error, log, states } = await fail(port, 'connect-timeout 1');
    expect(log.lines).toContain('Server poll timeout, restarting');
    expect(log.lines).toContain('SIGUSR1[soft,server_poll] received, process restarting');
    expect(error).toMatchObject({ code: 'ERR_OVPN_RETRY_MAX', cause: { code: 'ERR_OVPN_TIMEOUT' } });
    expect(states).toContain('server_poll');
  });

  it('that resets at the first packet is left with a pause', async () => {
    const port = await serve((socket) => void socket.once('data', () => socket.resetAndDestroy()));
    const { error, log } = await fail(port, '');
    expect(log.lines.filter((line) => line === 'Connection reset, restarting [0]')).toHaveLength(1);
    expect(log.lines).toContain('Restart pause, 1 second(s)');
    expect(error).toMatchObject({ cause: { code: 'ERR_OVPN_LINK' } });
  });

  it('that sends lengths no packet has is cut off, with what follows unread', async () => {
    const flood = Buffer.alloc(MIB, 0xff);
    let sent = 0;
    const port = await serve((socket) => {
      sent = floodWith(socket, flood);
    });
    const { log, grown } = await fail(port, '');
    expect(
      log.lines.some((line) => line.startsWith('WARNING: Bad encapsulated packet length from peer (65535)')),
    ).toBe(true);
    expect(log.lines).toContain('SIGUSR1[soft,connection-reset] received, process restarting');
    expect(grown).toBeLessThan(MOST_BYTES);
    expect(sent).toBeGreaterThan(0);
  });

  it('that floods with packets of no meaning is read and forgotten, until --connect-timeout', async () => {
    const packet = Buffer.alloc(1002, P_DATA_V2_BYTE);
    packet.writeUInt16BE(1000);
    const flood = Buffer.concat(Array.from({ length: 1000 }, () => packet));
    const port = await serve((socket) => void floodWith(socket, flood));
    const { log, grown } = await fail(port, 'connect-timeout 2');
    expect(log.lines).toContain('SIGUSR1[soft,server_poll] received, process restarting');
    expect(grown).toBeLessThan(MOST_BYTES);
  });

  it('that begins a packet and never ends it costs --connect-timeout', async () => {
    const port = await serve((socket) => void socket.write(Buffer.of(0x04, 0x00, 0x40)));
    const { log } = await fail(port, 'connect-timeout 1');
    expect(log.lines).toContain('SIGUSR1[soft,server_poll] received, process restarting');
  });
});

describe('a name server that never answers', () => {
  it('holds up neither stop() nor an aborted start', async () => {
    const { socket } = createProviders({ log: new MemoryLogger() });
    const parts = silentNames(socket);
    const first = client('remote vpn.example 1194', parts);
    const started = first.tunnel.start();
    const result = expect(started).rejects.toMatchObject({ code: 'ERR_OVPN_ENDED' });
    await parts.asked;
    await first.tunnel.stop();
    await result;
    const abort = new AbortController();
    const second = silentNames(socket);
    const aborted = expect(
      client('remote vpn.example 1194', second).tunnel.start({ signal: abort.signal }),
    ).rejects.toBe('enough');
    await second.asked;
    abort.abort('enough');
    await aborted;
  });
});

describe('a proxy', () => {
  it.each([
    ['http-proxy', 'that accepts and says nothing', '', 'recv_line: TCP port read timeout expired'],
    ['http-proxy', 'that begins an answer', 'HTTP/1.0 200', 'recv_line: TCP port read timeout expired'],
    ['socks-proxy', 'that accepts and says nothing', '', 'socks_handshake: TCP port read timeout expired'],
    [
      'socks-proxy',
      'that agrees and then says nothing',
      '\x05\0',
      'recv_socks_reply: TCP port read timeout expired',
    ],
  ])('%s %s costs --connect-timeout', async (option, _what, text, line) => {
    const port = await serve((socket) => void socket.write(text, 'latin1'));
    const { error, log, states } = await fail(9, `connect-timeout 1\n${option} 127.0.0.1 ${port}`);
    expect(log.lines).toContain(line);
    expect(states).toContain(option === 'http-proxy' ? 'HTTP proxy error' : 'socks-error');
    expect(error).toMatchObject({ cause: { code: 'ERR_OVPN_TIMEOUT', message: line } });
  });

  it.each(['http-proxy', 'socks-proxy'])(
    '%s that grants the connection and then says nothing, too',
    async (option) => {
      const answers =
        option === 'http-proxy' ? ['HTTP/1.0 200 OK\r\n\r\n'] : ['\x05\0', '\x05\0\0\x01\0\0\0\0\0\0'];
      const port = await serve((socket) => {
        const left = [...answers];
        socket.on('data', () => void socket.write(left.shift() ?? '', 'latin1'));
      });
      const { error, log } = await fail(9, `connect-timeout 1\n${option} 127.0.0.1 ${port}`);
      expect(log.lines).toContain('SIGUSR1[soft,server_poll] received, process restarting');
      expect(error).toMatchObject({ cause: { code: 'ERR_OVPN_TIMEOUT' } });
    },
  );

  it('that never ends its answer is left after 64 KiB', async () => {
    const flood = Buffer.alloc(MIB, 0x61);
    const port = await serve((socket) => void floodWith(socket, flood));
    const { log, grown } = await fail(9, `connect-timeout 20\nhttp-proxy 127.0.0.1 ${port}`);
    expect(log.lines).toContain('too long a header');
    expect(grown).toBeLessThan(MOST_BYTES);
  });
});

/** A TCP server of the machine's choice of port. */
async function serve(handle: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.resume();
    handle(socket);
  });
  servers.push({ server, sockets });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}

/** Writes the bytes over and over as long as somebody takes them; returns those of the first write. */
function floodWith(socket: Socket, bytes: Buffer): number {
  const go = (): void => {
    while (!socket.destroyed && socket.write(bytes));
  };
  socket.on('drain', go);
  go();
  return bytes.length;
}

function client(extra: string, parts: TunnelOptions) {
  const log = new MemoryLogger(3);
  const config = `client\ndev tun\nproto tcp-client\nnobind\nifconfig-noexec\nroute-noexec\n${extra}\n${credentials}`;
  const tunnel = createClient(parseConfig(config), {
    log,
    tun: { name: 'memory', open: () => createTunPair().device },
    ...parts,
  });
  return { tunnel, log };
}

/** Runs a client that tries once and must fail. `grown`: the most memory that it took beyond what was there. */
async function fail(port: number, extra: string) {
  const { tunnel, log } = client(`remote 127.0.0.1 ${port}\nconnect-retry-max 1\n${extra}`, {});
  const states: StateInfo['reason'][] = [];
  tunnel.on('state', (_state, { reason }) => states.push(reason));
  const before = memory();
  let most = before;
  const look = setInterval(() => {
    most = Math.max(most, memory());
  }, 20);
  const error = await tunnel.start().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  clearInterval(look);
  expect(error).toBeInstanceOf(OpenVpnError);
  return { error, log, states, grown: most - before };
}

/** Bytes outside of JavaScript's heap, where what comes from sockets lies. */
function memory(): number {
  const { arrayBuffers, external } = process.memoryUsage();
  return arrayBuffers + external;
}

/** Sockets whose look-ups never end, and a promise of the first of them. */
function silentNames(socket: TunnelOptions['socket'] & object) {
  let tell: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => {
    tell = resolve;
  });
  return {
    asked,
    socket: {
      ...socket,
      resolve: () => {
        tell();
        return new Promise<never>(() => undefined);
      },
    },
  };
}

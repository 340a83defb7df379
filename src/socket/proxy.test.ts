/** HTTP and SOCKS proxies that are scripted, slow, mad or gone, over loopback. */
import { createSocket } from 'node:dgram';
import { getEventListeners } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type LinkAddress, MemoryLogger, PacketBatch } from '../base/base.ts';
import type { Link } from './socket.ts';
import { type HttpProxyAuth, ProxyError, withHttpProxy, withSocksProxy } from './socket.ts';
import { createNodeSockets } from './socket-factory-node.ts';

const base = createNodeSockets();
const opened: { close(): void }[] = [];
const OK = 'HTTP/1.0 200 OK\r\n\r\n';
const ASK_BASIC = 'HTTP/1.0 407 No\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n';
const ASK_DIGEST = 'HTTP/1.0 407 No\r\nProxy-Authenticate: Digest realm="x", nonce="n"\r\n\r\n';
const STALE = ASK_DIGEST.replace('nonce="n"', 'nonce="m", stale=true');

afterEach(() => {
  for (const thing of opened.splice(0)) thing.close();
});

describe('HTTP proxy', () => {
  it('hands over the connection, with packets that came right behind the answer', async () => {
    const { proxy, requests } = await scripted([[`${OK}\0\x03abc`]]);
    const link = await throughHttp(proxy, 'none');
    expect(requests[0]).toBe('CONNECT vpn.example:1194 HTTP/1.0\r\nHost: vpn.example\r\n\r\n');
    const batch = new PacketBatch(4);
    await until(() => link.recvBatch(batch) > 0);
    expect(batch.packet(0).toString()).toBe('abc');
  });

  it('logs in on a new connection when it was asked to', async () => {
    const { proxy, requests } = await scripted([[ASK_BASIC], [OK]]);
    await throughHttp(proxy, 'auto');
    expect(requests[0]).not.toContain('Proxy-Authorization');
    expect(requests[1]).toContain('Proxy-Authorization: Basic dXNlcjpwYXNz\r\n');
  });

  it('answers a digest, once more when its nonce is stale, and then no more', async () => {
    const good = await scripted([[ASK_DIGEST], [STALE], [OK]]);
    await throughHttp(good.proxy, 'auto-nct');
    expect(good.requests[1]).toContain('nonce="n"');
    expect(good.requests[2]).toContain('nonce="m"');
    const bad = await scripted([[ASK_DIGEST], [ASK_DIGEST], [OK]]);
    await expect(throughHttp(bad.proxy, 'auto')).rejects.toThrow('HTTP proxy returned bad status');
    const endless = await scripted([[ASK_DIGEST], [STALE], [STALE], [OK]]);
    await expect(throughHttp(endless.proxy, 'auto')).rejects.toThrow('HTTP proxy returned bad status');
    expect(endless.requests).toHaveLength(3);
  });

  it('sends no clear text where that is forbidden, and no login unasked', async () => {
    const forbidden = await scripted([[ASK_BASIC], [OK]]);
    await expect(throughHttp(forbidden.proxy, 'auto-nct')).rejects.toThrow(/cleartext/);
    const unasked = await scripted([[ASK_BASIC], [OK]]);
    await expect(throughHttp(unasked.proxy, 'none')).rejects.toThrow(/no support for proxy authentication/);
    expect([...forbidden.requests, ...unasked.requests].join('')).not.toContain('Authorization');
  });

  it('passes over the body of the NTLM challenge, sized or in chunks', async () => {
    const type2 = Buffer.alloc(48);
    type2.write('NTLMSSP\0\x02', 'latin1');
    const head = `HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM ${type2.toString('base64')}\r\n`;
    for (const body of [
      'Content-Length: 4\r\n\r\nbody',
      'Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n',
    ]) {
      const { proxy, requests } = await scripted([[head + body, OK]]);
      await throughHttp(proxy, 'ntlm2');
      expect(requests.join('')).toMatch(/NTLM TlRMTVNTUAABAAAA[\s\S]*NTLM TlRMTVNTUAADAAAA/);
    }
  });

  it.each([
    ['an error', 'HTTP/1.0 503 No\r\n\r\n'],
    ['no status', 'hello\r\n\r\n'],
    ['an empty line', '\r\n\r\n'],
    ['something without end', 'x'.repeat(100_000)],
    ['another protocol', '\x16\x03\x01\0\x05\0\0\0\0\0\n\n'],
  ])('fails on %s', async (_what, answer) => {
    const { proxy } = await scripted([[answer]]);
    await expect(throughHttp(proxy, 'auto')).rejects.toBeInstanceOf(ProxyError);
  });

  it('fails when the proxy hangs up or keeps silent', async () => {
    const gone = await scripted([['']]);
    await expect(throughHttp(gone.proxy, 'none')).rejects.toThrow(
      'recv_line: TCP port read failed on recv()',
    );
    const silent = await scripted([]);
    await expect(throughHttp(silent.proxy, 'none', 80)).rejects.toThrow(
      'recv_line: TCP port read timeout expired',
    );
  });

  it('can be broken off', async () => {
    const { proxy } = await scripted([]);
    const abort = new AbortController();
    const link = throughHttp(proxy, 'none', 60_000, abort.signal);
    setTimeout(() => abort.abort('enough'), 20);
    await expect(link).rejects.toMatchObject({
      message: 'recv_line: TCP port read interrupted',
      cause: { code: 'ABORT_ERR', cause: 'enough' },
    });
    expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
  });

  it('connects nowhere for a signal that is aborted', async () => {
    const { proxy, sockets } = await scripted([]);
    await expect(throughHttp(proxy, 'none', 60_000, AbortSignal.abort('enough'))).rejects.toMatchObject({
      cause: { code: 'ABORT_ERR', cause: 'enough' },
    });
    expect(sockets).toEqual([]);
  });

  it('waits for a login no longer than for the proxy, or than its signal says', async () => {
    const abort = new AbortController();
    for (const [timeoutMs, signal, why] of [
      [80, undefined, /timeout expired/],
      [60_000, abort.signal, /interrupted/],
    ] as const) {
      const { proxy } = await scripted([]);
      const link = throughHttp(proxy, 'basic', timeoutMs, signal, () => {
        if (signal) abort.abort();
        return new Promise(() => undefined);
      });
      await expect(link).rejects.toThrow(why);
    }
    expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
  });
});

describe('SOCKS proxy', () => {
  const reply = '\x05\0\0\x01\0\0\0\0\0\0';

  it('connects by name, with a login when there is one', async () => {
    const plain = await scripted([['\x05\0', `${reply}\0\x03abc`]]);
    const link = await throughSocks(plain.proxy, false);
    const batch = new PacketBatch(4);
    await until(() => link.recvBatch(batch) > 0);
    expect(batch.packet(0).toString()).toBe('abc');
    expect(plain.requests.join('')).toBe('\x05\x01\0\x05\x01\0\x03\x0bvpn.example\x04\xaa');
    for (const version of ['\x01', '\x05']) {
      const login = await scripted([['\x05\x02', `${version}\0`, reply]]);
      await throughSocks(login.proxy, true);
      expect(login.requests[1]).toBe('\x01\x04user\x04pass');
    }
  });

  it.each([
    ['another version', ['\x04\0']],
    ['a method that was not offered', ['\x05\x02']],
    ['a refusal', ['\x05\0', '\x05\x05\0\x01\0\0\0\0\0\0']],
    ['an unknown address type', ['\x05\0', '\x05\0\0\x09\0\0\0\0\0\0']],
    ['half an answer', ['\x05\0', '\x05\0\0', '']],
    ['nothing', ['']],
  ])('fails on %s', async (_what, answers) => {
    const { proxy } = await scripted([answers]);
    await expect(throughSocks(proxy, false, 300)).rejects.toMatchObject({ reason: 'socks-error' });
  });

  it('relays UDP, and ends with its TCP connection', async () => {
    const relay = createSocket('udp4');
    opened.push(relay);
    await new Promise<void>((resolve) => relay.bind(0, '127.0.0.1', resolve));
    const { port } = relay.address();
    const bound = Buffer.of(5, 0, 0, 1, 127, 0, 0, 1, port >> 8, port & 0xff).toString('latin1');
    const { proxy, sockets } = await scripted([['\x05\0', bound]]);
    const link = await withSocksProxy(base, socksConfig(proxy, false, 5000)).openUdp({ family: 4 });
    opened.push(link);
    let ended = false;
    link.onClose = () => {
      ended = true;
    };
    const server = { family: 4, address: '192.0.2.1', port: 1194 } as const;
    const echoed = new Promise<string>((resolve) => {
      relay.on('message', (packet, from) => {
        relay.send(packet, from.port, from.address);
        resolve(packet.toString('hex'));
      });
    });
    link.send(Buffer.from('ping'), server);
    expect(await echoed).toBe('00000001c000020104aa70696e67');
    const batch = new PacketBatch(4);
    await until(() => link.recvBatch(batch) > 0);
    expect([batch.packet(0).toString(), batch.addresses[0], batch.addresses[1]]).toEqual(['ping', 4, 1194]);
    for (const socket of sockets) socket.destroy();
    await until(() => ended);
  });

  it('takes no relay without an address', async () => {
    const { proxy } = await scripted([['\x05\0', reply]]);
    const link = withSocksProxy(base, socksConfig(proxy, false, 1000)).openUdp({ family: 4 });
    await expect(link).rejects.toMatchObject({ reason: 'socks-error' });
  });
});

async function throughHttp(
  proxy: LinkAddress,
  auth: HttpProxyAuth,
  timeoutMs = 5000,
  signal?: AbortSignal,
  credentials: () => Promise<{ username: string; password: string }> = async () => ({
    username: 'user',
    password: 'pass',
  }),
): Promise<Link> {
  const sockets = withHttpProxy(base, {
    host: 'vpn.example',
    port: '1194',
    version: '1.0',
    agent: undefined,
    customHeaders: [],
    auth,
    credentials,
    log: new MemoryLogger(),
  });
  const link = await sockets.connectTcp({ remote: proxy, timeoutMs }, signal);
  opened.push(link);
  return link;
}

async function throughSocks(proxy: LinkAddress, login: boolean, timeoutMs = 5000): Promise<Link> {
  const sockets = withSocksProxy(base, socksConfig(proxy, login, timeoutMs));
  const link = await sockets.connectTcp({ remote: proxy, timeoutMs });
  opened.push(link);
  return link;
}

function socksConfig(proxy: LinkAddress, login: boolean, timeoutMs: number) {
  return {
    proxy,
    host: 'vpn.example',
    port: 1194,
    credentials: login ? async () => ({ username: 'user', password: 'pass' }) : undefined,
    timeoutMs,
    log: new MemoryLogger(),
  };
}

/**
 * A proxy that answers the n-th message of the n-th connection with the n-th text of its script; an empty
 * text hangs up, and after the last one it is silent.
 */
async function scripted(script: readonly (readonly string[])[]) {
  const requests: string[] = [];
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    const answers = [...(script[sockets.length] ?? [])];
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      requests.push(data.toString('latin1'));
      const answer = answers.shift();
      if (answer === '') socket.end();
      else if (answer !== undefined) socket.write(Buffer.from(answer, 'latin1'));
      if (answers[0] === '') socket.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push({
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  });
  const { port } = server.address() as { port: number };
  const proxy: LinkAddress = { family: 4, address: '127.0.0.1', port };
  return { proxy, requests, sockets };
}

async function until(done: () => boolean): Promise<void> {
  const endMs = performance.now() + 5000;
  while (!done()) {
    if (performance.now() > endMs) throw new Error('waited too long');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

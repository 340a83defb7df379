/** Point-to-point peers as a whole: static keys, no keys, TLS in both roles, restarts, addresses that move. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SERVER_ADDRESS, type Station, TunnelWorld, type WorldName } from '../../test-kit/tunnel-world.ts';
import { writeStaticKey } from '../crypto/crypto.ts';

const LEFT = '10.4.0.1';
const RIGHT = '10.4.0.2';
const RIGHT_ADDRESS = '198.51.100.50';
const KEY = writeStaticKey(Uint8Array.from({ length: 256 }, (_, n) => (n * 73) & 0xff));
const OTHER_KEY = writeStaticKey(Uint8Array.from({ length: 256 }, (_, n) => (n * 71) & 0xff));
const SECRET = `cipher AES-256-CBC\n<secret>\n${KEY}</secret>`;
const PINGS = 'ping 2\nping-restart 20\nconnect-retry 1';

let world: TunnelWorld;
beforeEach(() => {
  world = new TunnelWorld();
});
afterEach(() => world.close());

describe('static keys', () => {
  it('open the device at once and are up with the first packet of the peer', async () => {
    const left = leftPeer(`key-direction 0\n${SECRET}`);
    await world.run(3_000);
    expect(left.hosts).toHaveLength(1);
    expect(left.network.addresses.join()).toContain(LEFT);
    expect(left.ups).toBe(0);
    const right = rightPeer(`key-direction 1\n${SECRET}`);
    await bothUp(left, right);
    expect(await world.ping(right, LEFT)).toBe(true);
    expect(await world.ping(left, RIGHT)).toBe(true);
    expect(left.count(`Peer Connection Initiated with [AF_INET]${RIGHT_ADDRESS}:1194`)).toBe(1);
    expect(left.lines('Data Channel: ')).toEqual(["Data Channel: cipher 'AES-256-CBC', auth 'SHA1'"]);
    expect(left.states).toEqual(['WAIT', 'CONNECTED']);
  });

  it('do not open what another key sealed', async () => {
    const left = leftPeer(SECRET);
    const right = rightPeer(SECRET.replace(KEY, OTHER_KEY));
    await world.run(8_000);
    expect([left.ups, right.ups]).toEqual([0, 0]);
    expect(left.count('packet HMAC authentication failed')).toBeGreaterThan(2);
  });

  it('have new packet ids after a restart, which a peer that stayed accepts', async () => {
    const left = leftPeer(SECRET);
    const right = rightPeer(`${SECRET}\npersist-key`);
    await bothUp(left, right);
    right.tunnel.restart();
    await world.until(() => right.ups === 2);
    expect(right.count('Re-using pre-shared static key')).toBe(1);
    expect(await world.ping(right, LEFT)).toBe(true);
    expect(left.count('bad packet ID')).toBe(0);
    expect(left.ups).toBe(1);
  });

  it('follow a peer to another address where no remote was given', async () => {
    const left = leftPeer(SECRET);
    const right = rightPeer(SECRET);
    await bothUp(left, right);
    right.sockets.links.at(-1)!.moveTo({ family: 4, address: '198.51.100.77', port: 4000 });
    expect(await world.ping(right, LEFT)).toBe(true);
    expect(left.count('Peer Connection Initiated with [AF_INET]198.51.100.77:4000')).toBe(1);
  });

  it('stay with the remote that was given', async () => {
    const left = leftPeer(`${SECRET}\nremote ${RIGHT_ADDRESS} 1194`);
    const right = rightPeer(SECRET);
    await bothUp(left, right);
    right.sockets.links.at(-1)!.moveTo({ family: 4, address: '198.51.100.77', port: 4000 });
    expect(await world.ping(right, LEFT)).toBe(false);
    expect(left.count('Incoming packet rejected from [AF_INET]198.51.100.77:4000')).toBeGreaterThan(0);
  });

  it('work over TCP, one listening, and listen again when the connection is gone', async () => {
    const left = leftPeer(`${SECRET}\nproto tcp-server`);
    let right = rightPeer(`${SECRET}\nproto tcp-client`);
    await bothUp(left, right);
    expect(await world.ping(right, LEFT)).toBe(true);
    await world.stop(right);
    await world.until(() => left.count('Connection reset, restarting [0]') === 1);
    right = rightPeer(`${SECRET}\nproto tcp-client`);
    await world.until(() => right.ups === 1 && left.ups === 2);
    expect(await world.ping(right, LEFT)).toBe(true);
    expect(left.count('Restart pause, 1 second(s)')).toBe(1);
  });

  it('refuse ciphers that need TLS', async () => {
    const left = leftPeer(SECRET.replace('AES-256-CBC', 'AES-256-GCM'));
    await world.until(() => left.ended !== undefined);
    expect(left.ended?.error?.message).toBe("Cipher 'AES-256-GCM' mode not supported");
    expect(left.hosts).toHaveLength(0);
  });
});

describe('no keys', () => {
  it('carry packets in clear and say so', async () => {
    const left = leftPeer('');
    const right = rightPeer('');
    await bothUp(left, right);
    expect(await world.ping(right, LEFT)).toBe(true);
    for (const text of [
      "'--cipher none' was",
      "'--auth none' was",
      'All encryption and authentication features',
    ])
      expect(left.count(text)).toBe(1);
  });
});

describe('TLS', () => {
  it('agrees on cipher, peer id and key export, and renegotiates', async () => {
    const left = leftPeer(
      'tls-server\ndh none\nreneg-sec 20\ndata-ciphers AES-128-GCM:AES-256-GCM',
      'server',
    );
    const right = rightPeer('tls-client\ndata-ciphers AES-256-GCM:AES-128-GCM', 'alice');
    await bothUp(left, right);
    const result = left.lines('P2P mode NCP negotiation result')[0]!;
    expect(result).toMatch(/: TLS_export=1, DATA_v2=1, peer-id \d+, cipher=AES-128-GCM$/);
    expect(right.lines('P2P mode NCP negotiation result')).toEqual([result]);
    expect(await world.ping(right, LEFT)).toBe(true);
    await world.run(50_000);
    expect(left.count('Control Channel: TLSv1.3')).toBeGreaterThanOrEqual(3);
    expect(await world.ping(left, RIGHT)).toBe(true);
    expect([left.ups, right.ups]).toEqual([1, 1]);
  });

  it('starts from both ends when both know the other', async () => {
    const left = leftPeer(`tls-server\ndh none\nremote ${RIGHT_ADDRESS} 1194`, 'server');
    const right = rightPeer('tls-client', 'alice');
    await bothUp(left, right);
    expect(await world.ping(left, RIGHT)).toBe(true);
  });

  it.each([
    ['', 1396],
    ['\ncompat-mode 2.6.14', 1400],
  ])('uses epochs when both allow them: with %j in one profile mss_fix is %i', async (mode, mss) => {
    const left = leftPeer('tls-server\ndh none', 'server');
    const right = rightPeer(`tls-client${mode}`, 'alice');
    await bothUp(left, right);
    expect(await world.ping(right, LEFT)).toBe(true);
    for (const peer of [left, right]) expect(peer.count(`mss_fix:${mss}`)).toBe(1);
  });

  it('fails without a common cipher, unless --cipher names one', async () => {
    const left = leftPeer('tls-server\ndh none\ndata-ciphers AES-128-GCM', 'server');
    const right = rightPeer('tls-client\ndata-ciphers AES-256-GCM', 'alice');
    await world.until(() => right.count('SIGUSR1[soft,connection initialisation failed]') > 0);
    expect(right.count('ERROR: failed to negotiate cipher with peer')).toBeGreaterThan(0);
    expect([left.ups, right.ups]).toEqual([0, 0]);
  });

  it('meets a restarted peer again without a restart of its own', async () => {
    const left = leftPeer('tls-server\ndh none', 'server');
    const right = rightPeer('tls-client', 'alice');
    await bothUp(left, right);
    right.tunnel.restart();
    await world.until(() => right.ups === 2 && left.ups === 2);
    expect(await world.ping(right, LEFT)).toBe(true);
    expect(left.count('SIGUSR1')).toBe(0);
  });

  it('tells the other by exit notification', async () => {
    const left = leftPeer('tls-server\ndh none', 'server');
    const right = rightPeer('tls-client\nexplicit-exit-notify 1', 'alice');
    await bothUp(left, right);
    await world.stop(right);
    await world.until(() => left.count('SIGUSR1[soft,remote-exit] received, process restarting') === 1);
  });
});

describe('float', () => {
  const TLS = ['tls-server\ndh none', 'tls-client'] as const;

  it.each([
    ['a static key', SECRET, SECRET, false],
    ['a static key, no remote given', SECRET, SECRET, true],
    ['TLS', TLS[0], TLS[1], false],
    ['TLS, no remote given', TLS[0], TLS[1], true],
  ])(
    'with %s follows a packet that authenticates, never a forged or repeated one',
    async (_name, l, r, free) => {
      const [leftName, rightName] = l === SECRET ? [] : (['server', 'alice'] as const);
      const left = leftPeer(free ? l : `${l}\nremote ${RIGHT_ADDRESS} 1194\nfloat`, leftName);
      const right = rightPeer(r, rightName);
      await bothUp(left, right);
      const link = right.sockets.links.at(-1)!;
      const sent: Buffer[] = [];
      const send = link.sendBatch.bind(link);
      link.sendBatch = (batch, first, end) => {
        for (let slot = first; slot < end; slot++) sent.push(Buffer.from(batch.packet(slot)));
        return send(batch, first, end);
      };
      expect(await world.ping(right, LEFT)).toBe(true);
      link.sendBatch = send;
      const told = left.count('Peer Connection Initiated with');
      link.moveTo({ family: 4, address: '203.0.113.66', port: 666 });
      const to = { family: 4, address: SERVER_ADDRESS, port: 1194 } as const;
      for (const packet of sent) {
        link.send(packet, to);
        const forged = Buffer.from(packet);
        forged[forged.length - 1]! ^= 1;
        link.send(forged, to);
      }
      link.moveTo({ family: 4, address: RIGHT_ADDRESS, port: 1194 });
      expect(left.count('Peer Connection Initiated with')).toBe(told);
      expect(await world.ping(left, RIGHT)).toBe(true);
      expect(left.count('203.0.113.66')).toBe(0);
      if (free && l !== SECRET) return;
      link.moveTo({ family: 4, address: '198.51.100.77', port: 4000 });
      expect(await world.ping(right, LEFT)).toBe(true);
      expect(left.count('Peer Connection Initiated with [AF_INET]198.51.100.77:4000')).toBe(1);
    },
  );
});

describe('timing', () => {
  it('up-delay waits for the peer with the device, route-delay with the routes', async () => {
    const delays = 'up-delay\nroute-delay 5\nroute 10.77.0.0 255.255.0.0';
    const left = leftPeer(`${SECRET}\n${delays}`);
    await world.run(5_000);
    expect(left.hosts).toHaveLength(0);
    const right = rightPeer(SECRET);
    await world.until(() => right.ups === 1);
    await world.until(() => left.hosts.length === 1);
    expect(left.network.routes).toHaveLength(0);
    await world.until(() => left.ups === 1);
    expect(left.network.routes.map((route) => route.network)).toEqual(['10.77.0.0']);
  });

  it('ping-exit ends a peer that hears nothing', async () => {
    const left = leftPeer(`${SECRET}\nping-exit 6`);
    const right = rightPeer(SECRET);
    await bothUp(left, right);
    await world.stop(right);
    await world.until(() => left.ended !== undefined, 30_000);
    expect(left.count('Inactivity timeout (--ping-exit), exiting')).toBe(1);
  });

  it('a second signal while taking down counts when it counts more', async () => {
    const left = leftPeer(SECRET);
    const right = rightPeer(SECRET);
    await bothUp(left, right);
    left.tunnel.restart();
    void left.tunnel.stop();
    await world.until(() => left.ended !== undefined);
    expect(left.count('SIGTERM[hard,] received, process exiting')).toBe(1);
  });
});

function leftPeer(config: string, name?: WorldName | 'server'): Station {
  const common = `dev tun\nifconfig ${LEFT} ${RIGHT}\nport 1194\n${PINGS}\nverb 4`;
  return world.peer(`${common}\n${config}`, name);
}

function rightPeer(config: string, name?: WorldName): Station {
  const common = `dev tun\nifconfig ${RIGHT} ${LEFT}\nport 1194\nremote ${SERVER_ADDRESS} 1194\n${PINGS}\nverb 4`;
  const parts = { address: RIGHT_ADDRESS, address6: '2001:db8:1::50' };
  return world.peer(`${common}\n${config}`, name, parts);
}

async function bothUp(left: Station, right: Station): Promise<void> {
  await world.until(() => left.ups > 0 && right.ups > 0, 40_000);
}

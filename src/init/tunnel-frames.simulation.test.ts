/** Compression frames, fragments and sizes between a server and clients of the library, in memory. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Station, TunnelWorld } from '../../test-kit/tunnel-world.ts';
import { installedCompression } from '../comp/comp-node.ts';

/** Longer than a piece, and made of a pattern that gives way to compression. */
const LONG = 'all work and no play '.repeat(65);
const FRAMES = ['compress', 'compress stub-v2', 'comp-lzo no', 'fragment 300', 'comp-lzo no\nfragment 300'];
const COMPRESSED = installedCompression().flatMap((name) =>
  ['', '\nfragment 300'].map((more) => `compress ${name}\nallow-compression yes${more}`),
);

let world: TunnelWorld;
beforeEach(() => {
  world = new TunnelWorld();
});
afterEach(() => world.close());

describe('frames', () => {
  for (const lines of [...FRAMES, ...COMPRESSED]) {
    it(`carry short and long packets both ways: ${lines.replaceAll('\n', ', ')}`, async () => {
      const server = await world.serving(lines);
      const alice = await world.connected('alice', lines);
      expect(await world.ping(alice, '10.8.0.1')).toBe(true);
      await expectArrival(alice, server, LONG);
      await expectArrival(server, alice, LONG);
    });
  }

  it('are chosen for each client by the server', async () => {
    const server = await world.serving('push "compress stub-v2"\ncompress stub-v2');
    const alice = await world.connected('alice');
    expect(alice.lines("compression: 'stubv2'")).toHaveLength(1);
    await expectArrival(alice, server, LONG);
  });

  it('that the other side does not have are dropped, and nothing else happens', async () => {
    const server = await world.serving('comp-lzo no', { verb: 4 });
    const alice = await world.connected('alice', 'compress stub-v2');
    expect(await world.ping(alice, '10.8.0.1')).toBe(false);
    expect(server.count('Bad compression stub decompression header byte: 69')).toBeGreaterThan(0);
    const bob = await world.connected('bob', 'comp-lzo no');
    expect(await world.ping(bob, '10.8.0.1')).toBe(true);
  });
});

describe('sizes', () => {
  it('of the tunnel are pushed, as far as the client allows', async () => {
    await world.serving('tun-mtu 1550');
    const alice = await world.connected('alice');
    expect(alice.network.lines.join()).toContain('mtu 1550');
  });

  it('follow the cipher, which the log shows when keys are made', async () => {
    const server = await world.serving('mssfix 1300 fixed');
    const alice = await world.connected('alice', 'mssfix 1300 mtu');
    expect(server.lines('Data Channel MTU parms').at(-1)).toContain('mss_fix:1260 max_frag:0 tun_mtu:1500 ');
    expect(alice.lines('Data Channel MTU parms').at(-1)).toMatch(/mss_fix:120[48] max_frag:0 tun_mtu:1500 /);
  });
});

async function expectArrival(from: Station, to: Station, text: string): Promise<void> {
  const before = to.host.received.length;
  from.host.send(from.address, to.address, text);
  await world.until(() => to.host.received.length > before);
  expect(to.host.received.slice(before).map((packet) => packet.text)).toEqual([text]);
}

/** Whole tunnels whose private keys live elsewhere, as a library's caller gives them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HeldKey } from '../../test-kit/held-key.ts';
import { TunnelWorld } from '../../test-kit/tunnel-world.ts';
import { createClient, createProviders, nullLogger, OptionsError, parseConfig } from '../index.ts';

let world: TunnelWorld;
let keys: HeldKey[];
const holdKey = (pem: string): HeldKey => {
  const key = new HeldKey(pem);
  keys.push(key);
  return key;
};
beforeEach(() => {
  world = new TunnelWorld();
  keys = [];
});
afterEach(() => world.close());

describe('a tunnel with an external key', () => {
  it('comes up and renegotiates, with keys of both ends elsewhere, over TLS 1.2 and 1.3', async () => {
    await world.serving('reneg-sec 20 20', { holdKey });
    const alice = await world.connected('alice', 'reneg-sec 0', { holdKey });
    const bob = await world.connected('bob', 'reneg-sec 0\ntls-version-max 1.2', { holdKey });
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    expect(await world.ping(bob, '10.8.0.1')).toBe(true);
    expect(keys.map(({ requests }) => requests.length)).toEqual([2, 1, 1]);
    await world.run(25_000);
    expect(keys.map(({ requests }) => requests.length)).toEqual([4, 2, 2]);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    expect(await world.ping(bob, '10.8.0.1')).toBe(true);
  });

  it('tells why there is no signature, and tries again', async () => {
    await world.serving('hand-window 10');
    const alice = world.client('alice', 'hand-window 10\nconnect-retry 5', { holdKey });
    let asked = 0;
    keys[0]!.answer = (signature) => {
      if (asked++ > 0) return signature;
      throw new OptionsError('the token is gone');
    };
    const bob = await world.connected('bob');
    await world.until(() => alice.ups > 0, 60_000);
    expect(
      alice.count('no signature by the private key that lives elsewhere: the token is gone'),
    ).toBeGreaterThan(0);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    expect(await world.ping(bob, '10.8.0.1')).toBe(true);
  });

  it('gives up after the hand-window on a key that never answers, on either end', async () => {
    const server = await world.serving('hand-window 10', { holdKey });
    const alice = world.client('alice', 'hand-window 10\nconnect-retry 5', { holdKey });
    for (const key of keys) {
      const sign = key.answer;
      key.answer = (signature) => (key.requests.length > 1 ? sign(signature) : new Promise(() => undefined));
    }
    await world.until(() => alice.ups > 0, 120_000);
    expect(alice.count('TLS key negotiation failed to occur within 10 seconds')).toBeGreaterThan(0);
    expect(server.count('TLS key negotiation failed to occur within 10 seconds')).toBeGreaterThan(0);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
  });

  it('still needs a certificate, and says so where node:tls is the engine', async () => {
    const config = 'client\ndev tun\nremote 192.0.2.1\nca x';
    expect(() => parseConfig(config, { externalKey: true })).toThrow('you must use them both');
    expect(() => parseConfig(`${config}\ncert x`)).toThrow('you must use them both');
    const { ssl } = createProviders({ log: nullLogger, ssl: 'node' });
    const files = config.replace('ca x', '<ca>\n</ca>\n<cert>\n</cert>');
    const externalKey = { sign: () => Promise.reject(new OptionsError('never asked')) };
    const parts = { ssl, externalKey, socket: world.internet.host('198.51.100.9', '2001:db8:1::9') };
    const client = createClient(parseConfig(files, { externalKey: true }), parts);
    await expect(client.start()).rejects.toThrow('node:tls takes no private key that lives elsewhere');
  });
});

import { describe, expect, it } from 'vitest';
import { ipv4FromNumber, ipv4ToNumber, netmaskOfPrefix, prefixOfNetmask, sameNetwork } from './base.ts';

describe('netmasks', () => {
  it('and prefix lengths stand for each other', () => {
    for (let prefix = 0; prefix <= 32; prefix++)
      expect(prefixOfNetmask(netmaskOfPrefix(prefix))).toBe(prefix);
    expect(ipv4FromNumber(netmaskOfPrefix(22))).toBe('255.255.252.0');
  });

  it('have no prefix length with a hole in them', () => {
    for (const text of ['255.0.255.0', '0.0.0.1', '127.255.255.255', '255.255.255.253', 'x'])
      expect(prefixOfNetmask(ipv4ToNumber(text)), text).toBeUndefined();
  });

  it('say which addresses share a network', () => {
    const [a, b] = [ipv4ToNumber('10.8.0.1')!, ipv4ToNumber('10.8.0.130')!];
    expect([0, 24, 25, 32].map((prefix) => sameNetwork(a, b, prefix))).toEqual([true, true, false, false]);
    expect(sameNetwork(a, a, 32)).toBe(true);
  });
});

/**
 * What every NetworkConfig has to do; run against each backend. The caller gives a network with one
 * device `dev` (down, without addresses) and no routes but those of the device itself.
 */
import { describe, expect, it } from 'vitest';
import { TunError } from '../base/base.ts';
import type { NetworkConfig } from './route.ts';

export function networkingConformance(
  name: string,
  dev: string,
  create: () => NetworkConfig | Promise<NetworkConfig>,
): void {
  describe(`network configuration: ${name}`, () => {
    it('brings a device up, gives it addresses and takes them away', async () => {
      const net = await create();
      await net.linkUp(dev, 1400);
      await net.addAddress(dev, '10.98.0.1', 24);
      await net.addAddress(dev, 'fd98::1', 64);
      await net.deleteAddress(dev, '10.98.0.1', 24);
      await net.deleteAddress(dev, 'fd98::1', 64);
      await net.addPeerAddress(dev, '10.98.0.1', '10.98.0.2');
      await net.deletePeerAddress(dev, '10.98.0.1', '10.98.0.2');
      await expect(net.deleteAddress(dev, '10.98.0.1', 24)).rejects.toBeInstanceOf(TunError);
      await net.linkDown(dev);
    });

    it('adds and deletes routes, and says when one was there', async () => {
      const net = await create();
      await net.linkUp(dev, 1500);
      await net.addAddress(dev, '10.98.0.1', 24);
      const route = { family: 4, network: '10.99.0.0', prefix: 24, gateway: '10.98.0.2' } as const;
      expect(await net.addRoute(route)).toBe(true);
      expect(await net.addRoute(route)).toBe(false);
      const metric = { ...route, metric: 5 };
      expect(await net.addRoute(metric)).toBe(true);
      await net.deleteRoute(metric);
      await net.deleteRoute(route);
      await expect(net.deleteRoute(route)).rejects.toBeInstanceOf(TunError);
      await net.deleteAddress(dev, '10.98.0.1', 24);
    });

    it('takes IPv6 routes by device', async () => {
      const net = await create();
      await net.linkUp(dev, 1500);
      const route = { family: 6, network: 'fd99::', prefix: 64, dev } as const;
      expect(await net.addRoute(route)).toBe(true);
      expect(await net.addRoute(route)).toBe(false);
      await net.deleteRoute(route);
      await net.linkDown(dev);
    });

    it('carries calls out in the order they were made', async () => {
      const net = await create();
      const done: string[] = [];
      await Promise.all([
        net.linkUp(dev, 1500).then(() => done.push('up')),
        net.addAddress(dev, '10.98.0.1', 24).then(() => done.push('add')),
        net.deleteAddress(dev, '10.98.0.1', 24).then(() => done.push('delete')),
        net.linkDown(dev).then(() => done.push('down')),
      ]);
      expect(done).toEqual(['up', 'add', 'delete', 'down']);
    });
  });
}

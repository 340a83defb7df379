/**
 * What every NetworkConfig has to do; run against each backend. The caller gives a network with one
 * device `dev` (a tun, down, without addresses) and no routes but those of the device itself.
 */
import { describe, expect, it } from 'vitest';
import { TunError } from '../base/base.ts';
import type { NetworkConfig, RouteEntry } from './route.ts';

/** No device of any backend has this name. */
const NO_DEVICE = 'ovpn-none0';

export function networkingConformance(
  name: string,
  dev: string,
  create: () => NetworkConfig | Promise<NetworkConfig>,
): void {
  /** A network whose device is up and has 10.98.0.1/24. */
  async function createUp(): Promise<NetworkConfig> {
    const net = await create();
    await net.setMtu(dev, 1500);
    await net.setUp(dev, true);
    await net.addAddress(dev, '10.98.0.1', 24);
    return net;
  }

  async function takeDown(net: NetworkConfig): Promise<void> {
    await net.deleteAddress(dev, '10.98.0.1', 24);
    await net.setUp(dev, false);
  }

  describe(`network configuration: ${name}`, () => {
    it('brings a device up, gives it addresses and takes them away', async () => {
      const net = await createUp();
      await net.addAddress(dev, 'fd98::1', 64, true);
      await net.deleteAddress(dev, '10.98.0.1', 24);
      await net.deleteAddress(dev, 'fd98::1', 64);
      await net.addPeerAddress(dev, '10.98.0.1', '10.98.0.2');
      await net.deletePeerAddress(dev, '10.98.0.1', '10.98.0.2');
      await expect(net.deleteAddress(dev, '10.98.0.1', 24)).rejects.toBeInstanceOf(TunError);
      await expect(net.deleteAddress(dev, 'fd98::1', 64)).rejects.toBeInstanceOf(TunError);
      await net.setUp(dev, false);
    });

    it('takes an address that is there already, as a kept device has it', async () => {
      const net = await createUp();
      await net.addAddress(dev, '10.98.0.1', 24);
      await net.addAddress(dev, 'fd98::1', 64);
      await net.addAddress(dev, 'fd98::1', 64);
      await net.deleteAddress(dev, 'fd98::1', 64);
      await takeDown(net);
    });

    it('adds and deletes routes, and says when one was there', async () => {
      const net = await createUp();
      const route = { family: 4, network: '10.99.0.0', prefix: 24, gateway: '10.98.0.2' } as const;
      expect(await net.addRoute(route)).toBe(true);
      expect(await net.addRoute(route)).toBe(false);
      const metric = { ...route, metric: 5 };
      expect(await net.addRoute(metric)).toBe(true);
      await net.deleteRoute(metric);
      await net.deleteRoute(route);
      await expect(net.deleteRoute(route)).rejects.toBeInstanceOf(TunError);
      await takeDown(net);
    });

    it('takes host routes, halves of the Internet and routes in other tables', async () => {
      const net = await createUp();
      const way = { family: 4, gateway: '10.98.0.2' } as const;
      const routes: RouteEntry[] = [
        { ...way, network: '10.99.0.7', prefix: 32 },
        { ...way, network: '0.0.0.0', prefix: 1 },
        { ...way, network: '128.0.0.0', prefix: 1 },
        { ...way, network: '10.99.0.0', prefix: 16, table: 77 },
        { ...way, network: '10.99.0.0', prefix: 16, table: 7777, metric: 9 },
        { family: 4, network: '10.97.0.0', prefix: 16, gateway: '0.0.0.0', dev },
      ];
      for (const route of routes) expect(await net.addRoute(route)).toBe(true);
      for (const route of routes) await net.deleteRoute(route);
      for (const route of routes) await expect(net.deleteRoute(route)).rejects.toBeInstanceOf(TunError);
      await takeDown(net);
    });

    it('takes IPv6 routes by device and by gateway', async () => {
      const net = await createUp();
      await net.addAddress(dev, 'fd98::1', 64, true);
      const byDevice = { family: 6, network: 'fd99::', prefix: 64, dev } as const;
      const byGateway = { ...byDevice, network: 'fd9a::', gateway: 'fd98::2', metric: 3 };
      for (const route of [byDevice, byGateway]) {
        expect(await net.addRoute(route)).toBe(true);
        expect(await net.addRoute(route)).toBe(false);
        await net.deleteRoute(route);
        await expect(net.deleteRoute(route)).rejects.toBeInstanceOf(TunError);
      }
      await net.deleteAddress(dev, 'fd98::1', 64);
      await takeDown(net);
    });

    it('refuses devices that are not there', async () => {
      const net = await create();
      const calls = [
        net.setMtu(NO_DEVICE, 1500),
        net.setUp(NO_DEVICE, true),
        net.setLinkAddress(NO_DEVICE, '02:00:00:00:00:07'),
        net.addAddress(NO_DEVICE, '10.98.0.1', 24),
        net.addPeerAddress(NO_DEVICE, '10.98.0.1', '10.98.0.2'),
        net.deleteAddress(NO_DEVICE, '10.98.0.1', 24),
        net.deletePeerAddress(NO_DEVICE, '10.98.0.1', '10.98.0.2'),
        net.addRoute({ family: 6, network: 'fd99::', prefix: 64, dev: NO_DEVICE }),
        net.deleteRoute({ family: 6, network: 'fd99::', prefix: 64, dev: NO_DEVICE }),
      ];
      for (const result of await Promise.allSettled(calls)) {
        expect(result).toMatchObject({ status: 'rejected', reason: expect.any(TunError) as TunError });
      }
    });

    it('carries calls out in the order they were made', async () => {
      const net = await create();
      const done: string[] = [];
      await Promise.all([
        net.setUp(dev, true).then(() => done.push('up')),
        net.addAddress(dev, '10.98.0.1', 24).then(() => done.push('add')),
        net.deleteAddress(dev, '10.98.0.1', 24).then(() => done.push('delete')),
        net.setUp(dev, false).then(() => done.push('down')),
      ]);
      expect(done).toEqual(['up', 'add', 'delete', 'down']);
    });

    it('keeps that order over hundreds of calls', async () => {
      const net = await createUp();
      const done: number[] = [];
      const routes = Array.from({ length: 300 }, (_, at): RouteEntry => {
        return {
          family: 4,
          network: `10.${100 + (at >> 8)}.${at & 255}.0`,
          prefix: 24,
          gateway: '10.98.0.2',
        };
      });
      await Promise.all(routes.map((route, at) => net.addRoute(route).then(() => done.push(at))));
      expect(done).toEqual(routes.map((_, at) => at));
      for (const route of routes) await net.deleteRoute(route);
      await takeDown(net);
    });
  });
}

import { describe, expect, it } from 'vitest';
import { batchOf, RoutingBed, settle } from '../../test-kit/routing-bed.ts';
import { addressWords } from './mroute.ts';
import { DROPPED, TO_ALL, TO_DEVICE } from './router.ts';
import { TunRouter } from './router-tun.ts';

describe('TunRouter', () => {
  it('takes packets of a client from its own addresses only', () => {
    const { bed, router, a } = setUp();
    expect(router.fromClient(a, ip('10.8.0.2', '10.8.0.1'), 0)).toBe(TO_DEVICE);
    expect(router.fromClient(a, ip('10.8.0.3', '10.8.0.1'), 0)).toBe(DROPPED);
    expect(bed.drops.badSource).toBe(1);
    expect(bed.log.lines).toContain('MULTI: bad source address from client [10.8.0.3], packet dropped');
  });

  it('routes the device by destination, multicast to all', () => {
    const { bed, router, a } = setUp();
    expect(router.fromDevice(ip('10.8.0.1', '10.8.0.2'), 0)).toBe(a);
    expect(router.fromDevice(ip('10.8.0.1', '224.0.0.5'), 0)).toBe(TO_ALL);
    expect(router.fromDevice(ip('10.8.0.1', '10.8.0.9'), 0)).toBe(DROPPED);
    expect(bed.drops.unknownDestination).toBe(1);
  });

  it('remembers hosts of an iroute as cached, until they rest for a minute', () => {
    const { bed, router, a } = setUp();
    expect(router.fromDevice(ip('10.8.0.1', '192.168.7.9'), 0)).toBe(a);
    expect(cached(bed)).toEqual(['192.168.7.9']);
    bed.learner.handleTick(bed.nowMs + 59_000);
    expect(cached(bed)).toEqual(['192.168.7.9']);
    bed.learner.handleTick(bed.nowMs + 61_000);
    expect(cached(bed)).toEqual([]);
    expect(router.fromDevice(ip('10.8.0.1', '192.168.7.9'), 0)).toBe(a);
    expect(cached(bed)).toEqual(['192.168.7.9']);
  });

  it('tells learn-address of cached hosts without making packets wait', async () => {
    const { bed, router, a } = setUp({ script: true });
    for (let copy = 0; copy < 3; copy++) {
      expect(router.fromDevice(ip('10.8.0.1', '192.168.7.9'), 0)).toBe(a);
    }
    await settle();
    expect(bed.calls.map((call) => call.args)).toEqual([['add', '192.168.7.9', 'a']]);
    await bed.calls[0]!.answer(true);
    expect(cached(bed)).toEqual(['192.168.7.9']);
  });

  it("keeps the server's own address out of an iroute", () => {
    const { bed, router, a } = setUp();
    bed.routes.learn({ family: 4, words: words('10.8.0.0'), prefix: 24 }, a);
    expect(router.fromDevice(ip('10.9.0.1', '10.8.0.1'), 0)).toBe(DROPPED);
    expect(router.fromDevice(ip('10.9.0.1', '10.8.0.7'), 0)).toBe(a);
  });

  it('passes packets between clients with client-to-client', () => {
    const { bed, router, a } = setUp({ clientToClient: true });
    const b = bed.client('b');
    bed.routes.learn({ family: 4, words: words('10.8.0.3'), prefix: 32 }, b);
    expect(router.fromClient(a, ip('10.8.0.2', '10.8.0.3'), 0)).toBe(b);
    expect(router.fromClient(a, ip('10.8.0.2', '224.0.0.5'), 0)).toBe(TO_ALL);
    expect(router.fromClient(a, ip('10.8.0.2', '10.8.0.1'), 0)).toBe(TO_DEVICE);
  });
});

/** A client with 10.8.0.2 and an iroute 192.168.7.0/24; the server is 10.8.0.1. */
function setUp({ clientToClient = false, script = false } = {}) {
  const bed = new RoutingBed({ script });
  const { routes, learner, drops } = bed;
  const router = new TunRouter({ routes, learner, clientToClient, local4: words('10.8.0.1')[0], drops });
  router.begin(bed.nowMs);
  const a = bed.client('a');
  routes.learn({ family: 4, words: words('10.8.0.2'), prefix: 32 }, a);
  routes.learn({ family: 4, words: words('192.168.7.0'), prefix: 24 }, a);
  return { bed, router, a };
}

function cached(bed: RoutingBed): string[] {
  return [...bed.routes.routes()]
    .filter((route) => route.cached && route.deadMs === undefined)
    .map((route) => [24, 16, 8, 0].map((shift) => (route.words[0] >>> shift) & 255).join('.'));
}

function words(text: string): [number, number, number, number] {
  return addressWords(Uint8Array.from(text.split('.').map(Number)));
}

function ip(from: string, to: string) {
  const packet = new Uint8Array(20);
  packet[0] = 0x45;
  packet.set(from.split('.').map(Number), 12);
  packet.set(to.split('.').map(Number), 16);
  return batchOf(packet);
}

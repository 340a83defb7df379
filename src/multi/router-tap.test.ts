import { describe, expect, it } from 'vitest';
import { batchOf, frame, RoutingBed, settle } from '../../test-kit/routing-bed.ts';
import { DROPPED, TO_ALL, TO_DEVICE } from './router.ts';
import { TapRouter, type VlanConfig } from './router-tap.ts';

describe('TapRouter', () => {
  it('learns source addresses and sends frames of the device to their owner', () => {
    const { bed, router } = setUp();
    const a = bed.client('a');
    expect(router.fromDevice(batchOf(frame(1, 9)), 0)).toBe(DROPPED);
    expect(bed.drops.unknownDestination).toBe(1);
    expect(router.fromClient(a, batchOf(frame(9, 1)), 0)).toBe(TO_DEVICE);
    expect(router.fromDevice(batchOf(frame(1, 9)), 0)).toBe(a);
    expect(bed.log.lines).toContain('MULTI: Learn: 02:00:00:00:00:01@0 -> a/192.0.2.1:1');
  });

  it('lets an address move to another client', () => {
    const { bed, router } = setUp();
    const [a, b] = [bed.client('a'), bed.client('b')];
    router.fromClient(a, batchOf(frame(9, 1)), 0);
    router.fromClient(b, batchOf(frame(9, 1)), 0);
    expect(router.fromDevice(batchOf(frame(1, 9)), 0)).toBe(b);
    expect(bed.routes.countOf(a)).toBe(0);
  });

  it('sends group frames of the device to all', () => {
    const { router } = setUp();
    expect(router.fromDevice(batchOf(frame(255, 9)), 0)).toBe(TO_ALL);
  });

  it('passes frames between clients with client-to-client only', () => {
    for (const clientToClient of [false, true]) {
      const { bed, router } = setUp({ clientToClient });
      const [a, b] = [bed.client('a'), bed.client('b')];
      router.fromClient(b, batchOf(frame(9, 2)), 0);
      expect(router.fromClient(a, batchOf(frame(2, 1)), 0)).toBe(clientToClient ? b : TO_DEVICE);
      expect(router.fromClient(a, batchOf(frame(255, 1)), 0)).toBe(clientToClient ? TO_ALL : TO_DEVICE);
      expect(router.fromClient(a, batchOf(frame(7, 1)), 0)).toBe(TO_DEVICE);
    }
  });

  it('drops frames from group addresses and frames without a whole header', () => {
    const { bed, router } = setUp();
    expect(router.fromClient(bed.client('a'), batchOf(frame(9, 255)), 0)).toBe(DROPPED);
    expect(router.fromClient(bed.client('a'), batchOf(frame(9, 1).subarray(0, 13)), 0)).toBe(DROPPED);
    expect(router.fromDevice(batchOf(frame(1, 9).subarray(0, 13)), 0)).toBe(DROPPED);
    expect(bed.drops).toMatchObject({ badSource: 1, badFrame: 2 });
  });

  it('keeps a client to its max-routes-per-client', () => {
    const { bed, router } = setUp();
    const a = bed.client('a', { maxRoutesPerClient: 2 });
    const answers = [1, 2, 3].map((from) => router.fromClient(a, batchOf(frame(9, from)), 0));
    expect(answers).toEqual([TO_DEVICE, TO_DEVICE, DROPPED]);
    expect(bed.log.lines).toContain(
      'MULTI ROUTE: route quota (2) exceeded for a/192.0.2.1:1 (see --max-routes-per-client option)',
    );
    expect(bed.log.lines).toContain(
      'MULTI: bad source address from client [02:00:00:00:00:03@0], packet dropped',
    );
  });

  it('lets frames wait for learn-address and drops them when it refuses', async () => {
    const { bed, router } = setUp({ script: true });
    const a = bed.client('a');
    const released: string[] = [];
    bed.learner.onReleased = (client, bytes) => released.push(`${client.commonName} ${bytes.length}`);
    for (let copy = 0; copy < 20; copy++) {
      expect(router.fromClient(a, batchOf(frame(9, 1)), 0)).toBe(DROPPED);
    }
    await settle();
    expect(bed.calls.map((call) => call.args)).toEqual([['add', '02:00:00:00:00:01@0', 'a']]);
    await bed.calls[0]!.answer(true);
    expect(released).toEqual(Array(8).fill('a 18'));
    expect(router.fromClient(a, batchOf(frame(9, 1)), 0)).toBe(TO_DEVICE);
    router.fromClient(a, batchOf(frame(9, 2)), 0);
    await settle();
    await bed.calls[1]!.answer(false);
    expect(released.length).toBe(8);
    expect(bed.drops.badSource).toBe(0);
    router.fromClient(a, batchOf(frame(9, 2)), 0);
    expect(bed.drops.badSource).toBe(1);
    expect(bed.log.lines).toContain('MULTI: Learn FAILED: 02:00:00:00:00:02@0 -> a/192.0.2.1:1');
  });
});

describe('TapRouter with VLANs', () => {
  it.each([
    // accept, tag of the frame, VLAN it belongs to (-1 dropped), length afterwards
    ['all', undefined, 1, 18],
    ['all', 7, 7, 18],
    ['all', 0xe000, 1, 22],
    ['tagged', undefined, -1, 0],
    ['tagged', 7, 7, 18],
    ['tagged', 0xe000, 1, 22],
    ['untagged', undefined, 1, 18],
    ['untagged', 7, -1, 0],
    ['untagged', 0xe000, 1, 22],
  ] as const)('vlan-accept %s takes tag %s of the device as VLAN %d', (accept, tag, vid, length) => {
    const { bed, router } = setUp({ vlan: { accept, pvid: 1 } });
    const batch = batchOf(frame(255, 9, tag));
    expect(router.fromDevice(batch, 0)).toBe(vid < 0 ? DROPPED : TO_ALL);
    if (vid < 0) return;
    expect(batch.lengths[0]).toBe(length);
    expect(router.reaches(bed.client('in', { vlanPvid: vid }))).toBe(true);
    expect(router.reaches(bed.client('out', { vlanPvid: vid + 1 }))).toBe(false);
  });

  it.each([
    // accept, vlan-pvid of the client, frame at the device
    ['all', 1, frame(9, 1)],
    ['all', 7, frame(9, 1, 7)],
    ['tagged', 1, frame(9, 1, 1)],
    ['tagged', 7, frame(9, 1, 7)],
    ['untagged', 1, frame(9, 1)],
    ['untagged', 7, undefined],
  ] as const)('vlan-accept %s gives the device frames of VLAN %d', (accept, vlanPvid, wanted) => {
    const { bed, router } = setUp({ vlan: { accept, pvid: 1 } });
    const client = bed.client('a', { vlanPvid });
    const batch = batchOf(frame(9, 1));
    expect(router.fromClient(client, batch, 0)).toBe(TO_DEVICE);
    expect(router.toDevice(client, batch, 0)).toBe(wanted !== undefined);
    if (wanted) expect([...batch.packet(0)]).toEqual([...wanted]);
  });

  it('drops tagged frames of clients but not those with a priority only', () => {
    const { bed, router } = setUp({ vlan: { accept: 'all', pvid: 1 } });
    const a = bed.client('a');
    expect(router.fromClient(a, batchOf(frame(9, 1, 7)), 0)).toBe(DROPPED);
    expect(router.fromClient(a, batchOf(frame(9, 1, 0xe000)), 0)).toBe(TO_DEVICE);
  });

  it('has an address once in each VLAN', () => {
    const { bed, router } = setUp({ vlan: { accept: 'all', pvid: 1 }, clientToClient: true });
    const seven = bed.client('seven', { vlanPvid: 7 });
    const eight = bed.client('eight', { vlanPvid: 8 });
    router.fromClient(seven, batchOf(frame(9, 1)), 0);
    router.fromClient(eight, batchOf(frame(9, 1)), 0);
    expect(router.fromDevice(batchOf(frame(1, 9, 7)), 0)).toBe(seven);
    expect(router.fromDevice(batchOf(frame(1, 9, 8)), 0)).toBe(eight);
    expect(router.fromClient(eight, batchOf(frame(1, 2)), 0)).toBe(eight);
  });
});

function setUp(parts: { vlan?: VlanConfig; clientToClient?: boolean; script?: boolean } = {}) {
  const { vlan, clientToClient = false, script = false } = parts;
  const bed = new RoutingBed({ script });
  const { routes, learner, drops } = bed;
  const router = new TapRouter({ routes, learner, clientToClient, vlan, drops });
  router.begin(bed.nowMs);
  return { bed, router };
}

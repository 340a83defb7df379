import { describe, expect, it } from 'vitest';
import { RoutingBed, settle } from '../../test-kit/routing-bed.ts';
import { addressWords, type RouteKey } from './mroute.ts';

describe('AddressLearner', () => {
  it('asks the script before a client gets its address', async () => {
    const bed = new RoutingBed({ script: true });
    const a = bed.client('a');
    const learned = bed.learner.learn(a, host(2));
    await settle();
    expect(bed.routes.ownerOf(host(2))).toBeUndefined();
    await bed.calls[0]!.answer(true);
    expect(await learned).toBe(true);
    expect(bed.routes.ownerOf(host(2))).toBe(a);
  });

  it('says update, and no delete, when the next client takes over in time', async () => {
    const bed = new RoutingBed({ script: true });
    const [old, next] = [bed.client('a'), bed.client('a')];
    void bed.learner.learn(old, host(2));
    await settle();
    await bed.calls[0]!.answer(true);
    old.open = false;
    bed.learner.handleClosed(old);
    expect(bed.routes.find4(host(2).words[0]!)).toBeUndefined();
    bed.learner.handleTick(bed.nowMs + 2_000);
    void bed.learner.learn(next, host(2));
    await settle();
    await bed.calls[1]!.answer(true);
    bed.learner.handleTick(bed.nowMs + 60_000);
    await settle();
    expect(operations(bed)).toEqual(['add 10.8.0.2 a', 'update 10.8.0.2 a']);
  });

  it('says delete some seconds after the client went', async () => {
    const bed = new RoutingBed({ script: true });
    const a = bed.client('a');
    void bed.learner.learn(a, host(2));
    await settle();
    await bed.calls[0]!.answer(true);
    bed.learner.handleClosed(a);
    bed.learner.handleTick(bed.nowMs + 7_000);
    await settle();
    expect(operations(bed)).toHaveLength(1);
    bed.learner.handleTick(bed.nowMs + 8_000);
    await settle();
    expect(operations(bed)[1]).toBe('delete 10.8.0.2');
    expect([...bed.routes.routes()]).toEqual([]);
  });

  it('says delete for everything at the end', async () => {
    const bed = new RoutingBed({ script: true });
    const a = bed.client('a');
    for (const n of [2, 3]) {
      void bed.learner.learn(a, host(n));
      await settle();
      await bed.calls.at(-1)!.answer(true);
    }
    const closed = bed.learner.close();
    await settle();
    expect(operations(bed)).toHaveLength(3);
    await bed.calls[2]!.answer(true);
    await bed.calls[3]!.answer(true);
    await closed;
    expect(operations(bed).slice(2).sort()).toEqual(['delete 10.8.0.2', 'delete 10.8.0.3']);
  });

  it('runs one script a client at a time', async () => {
    const bed = new RoutingBed({ script: true });
    const [a, b] = [bed.client('a'), bed.client('b')];
    expect(bed.learner.learnSource(a, ether(1))).toBe('asking');
    expect(bed.learner.learnSource(a, ether(2))).toBe('asking');
    expect(bed.learner.learnSource(b, ether(3))).toBe('asking');
    expect(bed.learner.learnSource(b, ether(1))).toBe('refused');
    await settle();
    expect(operations(bed)).toEqual(['add 02:00:00:00:00:01@0 a', 'add 02:00:00:00:00:03@0 b']);
    await bed.calls[0]!.answer(true);
    expect(operations(bed)[2]).toBe('add 02:00:00:00:00:02@0 a');
  });

  it('counts addresses in question as the client has them', () => {
    const bed = new RoutingBed({ script: true });
    const a = bed.client('a', { maxRoutesPerClient: 1 });
    expect(bed.learner.learnSource(a, ether(1))).toBe('asking');
    expect(bed.learner.learnSource(a, ether(2))).toBe('refused');
  });

  it('asks again about a refused address after a second', async () => {
    const bed = new RoutingBed({ script: true });
    const a = bed.client('a');
    bed.learner.learnSource(a, ether(1));
    await settle();
    await bed.calls[0]!.answer(false);
    expect(bed.learner.learnSource(a, ether(1))).toBe('refused');
    bed.nowMs += 1_000;
    bed.learner.handleTick(bed.nowMs);
    expect(bed.learner.learnSource(a, ether(1))).toBe('asking');
  });

  it('forgets questions of a client that went', async () => {
    const bed = new RoutingBed({ script: true });
    const [a, b] = [bed.client('a'), bed.client('b')];
    bed.learner.learnSource(a, ether(1));
    bed.learner.hold(a, ether(1), Uint8Array.from([1]));
    await settle();
    a.open = false;
    bed.learner.handleClosed(a);
    await bed.calls[0]!.answer(true);
    expect(bed.routes.ownerOf(ether(1))).toBeUndefined();
    expect(bed.learner.learnSource(b, ether(1))).toBe('asking');
  });

  it('removes what traffic made and nobody uses: stale-routes-check', async () => {
    const bed = new RoutingBed({ staleRoutesCheck: { ageSec: 10, intervalSec: 2 } });
    const a = bed.client('a');
    await bed.learner.learn(a, host(2));
    bed.learner.learnSource(a, ether(1));
    bed.learner.learnSource(a, ether(2));
    bed.routes.nowMs = bed.nowMs + 5_000;
    bed.routes.findEther(ether(2).words[0]!, ether(2).words[1]!);
    bed.learner.handleTick(bed.nowMs + 11_000);
    expect([ether(1), ether(2), host(2)].map((key) => bed.routes.ownerOf(key))).toEqual([undefined, a, a]);
  });

  it('never learns the address of the server', async () => {
    const bed = new RoutingBed({ local: host(1) });
    expect(await bed.learner.learn(bed.client('a'), host(1))).toBe(false);
    expect([...bed.routes.routes()]).toEqual([]);
  });

  it('takes an address away at once', async () => {
    const bed = new RoutingBed();
    const a = bed.client('a');
    await bed.learner.learn(a, host(2));
    await bed.learner.unlearn(a, host(2));
    expect(bed.routes.has(host(2))).toBe(false);
    expect(bed.log.lines).toContain('MULTI: Unlearn: 10.8.0.2 -> a/192.0.2.1:1');
  });
});

function host(n: number): RouteKey {
  return { family: 4, words: addressWords(Uint8Array.from([10, 8, 0, n])), prefix: 32 };
}

function ether(n: number): RouteKey {
  return { family: 'ether', words: [0x02000000, n << 16, 0, 0], prefix: 64 };
}

function operations(bed: RoutingBed): string[] {
  return bed.calls.map((call) => call.args.join(' '));
}

import { describe, expect, it } from 'vitest';
import { IfconfigPool } from './pool.ts';

const ip = (text: string): number => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
const ipv6Base = Uint8Array.from([0xfd, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0]);
const ipv6 = { base: ipv6Base, netbits: 64 };

function subnetPool(start = '10.8.0.2', end = '10.8.0.4'): IfconfigPool {
  return new IfconfigPool({
    ipv4: { type: 'individual', start: ip(start), end: ip(end) },
    ipv6,
    duplicateCn: false,
  });
}

describe('IfconfigPool', () => {
  it('hands out addresses in order, with IPv6 at the same index', () => {
    const pool = subnetPool();
    const first = pool.acquire('a');
    const second = pool.acquire('b');
    expect(first?.remote4).toBe(ip('10.8.0.2'));
    expect(Buffer.from(first!.remote6!).toString('hex')).toBe('fd000008000000000000000000001000');
    expect(second?.remote4).toBe(ip('10.8.0.3'));
    expect(Buffer.from(second!.remote6!).toString('hex')).toBe('fd000008000000000000000000001001');
  });

  it('gives a returning name its old address and others the one free longest', () => {
    const pool = subnetPool();
    const a = pool.acquire('a')!;
    const b = pool.acquire('b')!;
    pool.release(b.handle);
    pool.release(a.handle);
    expect(pool.acquire('c')?.remote4).toBe(ip('10.8.0.4'));
    expect(pool.acquire('a')?.handle).toBe(a.handle);
    expect(pool.acquire('d')?.handle).toBe(b.handle);
    expect(pool.acquire('e')).toBeUndefined();
  });

  it('splits net30 into four-address blocks with server and client ends', () => {
    const pool = new IfconfigPool({
      ipv4: { type: 'net30', start: ip('10.8.0.4'), end: ip('10.8.0.251') },
      duplicateCn: true,
    });
    expect(pool.size).toBe(62);
    const first = pool.acquire(undefined)!;
    expect([first.local4, first.remote4]).toEqual([ip('10.8.0.5'), ip('10.8.0.6')]);
    const second = pool.acquire(undefined)!;
    expect([second.local4, second.remote4]).toEqual([ip('10.8.0.9'), ip('10.8.0.10')]);
  });

  it('restores persisted names and keeps fixed ones for their owner', () => {
    const pool = subnetPool();
    pool.restore(pool.handleOf4(ip('10.8.0.2')), 'a', true);
    pool.restore(pool.handleOf4(ip('10.9.0.2')), 'x', true);
    expect(pool.acquire('b')?.remote4).toBe(ip('10.8.0.3'));
    expect(pool.acquire('c')?.remote4).toBe(ip('10.8.0.4'));
    expect(pool.acquire('d')).toBeUndefined();
    expect(pool.acquire('a')?.remote4).toBe(ip('10.8.0.2'));
    expect([...pool.remembered()].map((entry) => entry.commonName)).toEqual(['a', 'b', 'c']);
  });

  it('with duplicate-cn gives away the lowest one that is free', () => {
    const pool = new IfconfigPool({ ipv6, duplicateCn: true });
    const handles = Array.from({ length: 4 }, () => pool.acquire('same')!.handle);
    expect(handles).toEqual([0, 1, 2, 3]);
    for (const handle of [2, 0]) pool.release(handle);
    expect([1, 2, 3].map(() => pool.acquire('same')?.handle)).toEqual([0, 2, 4]);
    expect([...pool.remembered()]).toEqual([]);
  });

  it('forgets a name when its address goes to somebody else', () => {
    const pool = subnetPool('10.8.0.2', '10.8.0.3');
    const a = pool.acquire('a')!;
    pool.acquire('b');
    pool.release(a.handle);
    expect(pool.acquire(undefined)?.handle).toBe(a.handle);
    expect([...pool.remembered()].map(({ commonName }) => commonName)).toEqual(['b']);
    pool.release(a.handle);
    expect(pool.acquire('c')?.handle).toBe(a.handle);
    expect(pool.acquire('a')).toBeUndefined();
  });

  it('gives names of a file away before those released since, the lowest address first', () => {
    const pool = subnetPool();
    for (const [handle, name] of [
      [2, 'z'],
      [1, 'y'],
      [0, 'x'],
    ] as const)
      pool.restore(handle, name, false);
    const y = pool.acquire('y')!;
    pool.release(y.handle);
    expect(['p', 'q', 'r'].map((name) => pool.acquire(name)?.handle)).toEqual([0, 2, 1]);
  });

  it('serves an IPv6-only pool', () => {
    const pool = new IfconfigPool({ ipv6, duplicateCn: false });
    pool.acquire('a');
    const lease = pool.acquire('b')!;
    expect(lease.remote4).toBeUndefined();
    expect(lease.remote6![15]).toBe(1);
    const again = new IfconfigPool({ ipv6, duplicateCn: false });
    again.restore(again.handleOf6(lease.remote6!), 'b', false);
    expect(again.acquire('b')?.handle).toBe(1);
  });

  it.each([
    ['10.8.0.4', '10.8.0.7', 'IPv4 pool size is too small (1), must be at least 2'],
    ['10.8.0.4', '10.8.0.11', undefined],
  ])('needs two addresses at least (%s to %s)', (start, end, problem) => {
    const make = () =>
      new IfconfigPool({ ipv4: { type: 'net30', start: ip(start), end: ip(end) }, duplicateCn: false });
    if (problem === undefined) expect(make().size).toBe(2);
    else expect(make).toThrow(problem);
  });

  it('ends where the IPv6 network ends, and leaves out its first address', () => {
    const base = Uint8Array.from([...ipv6Base.subarray(0, 14), 0x10, 0xfc]);
    const small = { ipv4: { type: 'individual', start: ip('10.8.0.2'), end: ip('10.8.0.99') } } as const;
    const pool = new IfconfigPool({ ...small, ipv6: { base, netbits: 120 }, duplicateCn: false });
    expect([pool.size4, pool.size6, pool.size]).toEqual([98, 4, 4]);
    const first = Uint8Array.from([...ipv6Base.subarray(0, 14), 0, 0]);
    expect(new IfconfigPool({ ipv6: { base: first, netbits: 124 }, duplicateCn: false })).toMatchObject({
      size6: 15,
      base6: Uint8Array.from([...first.subarray(0, 15), 1]),
    });
  });
});

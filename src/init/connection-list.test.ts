import { describe, expect, it } from 'vitest';
import { type ConnectionEntry, defaultOptions, type Options } from '../options/options.ts';
import { ConnectionList } from './connection-list.ts';

function optionsFor(remotes: readonly string[], changes: Partial<Options> = {}): Options {
  const options = defaultOptions();
  options.tlsClient = true;
  options.connectionList = remotes.map((remote): ConnectionEntry => ({ ...options.ce, remote }));
  return Object.assign(options, changes);
}

const never = (): number => 0;
const v4 = (address: string) => ({ family: 4 as const, address });

describe('ConnectionList', () => {
  it('tries every address of a profile, then the next profile', () => {
    const list = new ConnectionList(optionsFor(['a', 'b']), never);
    expect(list.next()).toMatchObject({ entry: { remote: 'a' }, address: undefined });
    list.useAddresses([v4('192.0.2.1'), v4('192.0.2.2')]);
    expect(list.next()).toMatchObject({ entry: { remote: 'a' }, address: { address: '192.0.2.2' } });
    expect(list.next()).toMatchObject({ entry: { remote: 'b' }, address: undefined });
    list.useAddresses([v4('192.0.2.3')]);
    expect(list.next()).toMatchObject({ entry: { remote: 'a' } });
  });

  it('starts over with the same address after a success', () => {
    const list = new ConnectionList(optionsFor(['a', 'b']), never);
    list.next();
    list.useAddresses([v4('192.0.2.1'), v4('192.0.2.2')]);
    list.next();
    list.succeeded();
    expect(list.next()).toMatchObject({ entry: { remote: 'a' }, address: { address: '192.0.2.2' } });
  });

  it('leaves a profile with addresses left when the server says so', () => {
    const list = new ConnectionList(optionsFor(['a', 'b']), never);
    list.next();
    list.useAddresses([v4('192.0.2.1'), v4('192.0.2.2')]);
    list.advance();
    expect(list.next()?.entry.remote).toBe('b');
  });

  it('doubles the pause after some rounds, up to its limit, and forgets on success', () => {
    const options = optionsFor(['a', 'b']);
    const list = new ConnectionList(options, never);
    const pauses: number[] = [];
    for (let attempt = 1; attempt <= 26; attempt++) {
      const { entry } = list.next()!;
      list.useAddresses([v4('192.0.2.1')]);
      pauses.push(list.pauseSec(entry, options));
    }
    expect(pauses.slice(0, 9).every((seconds) => seconds === 1)).toBe(true);
    expect(pauses.slice(9, 13)).toEqual([2, 2, 4, 4]);
    expect(pauses.at(-1)).toBe(300);
    list.succeeded();
    const { entry } = list.next()!;
    expect(list.pauseSec(entry, options)).toBe(1);
  });

  it('waits as long as a temporary failure asks, once', () => {
    const options = optionsFor(['a']);
    const list = new ConnectionList(options, never);
    const { entry } = list.next()!;
    list.serverBackoffSec = 42;
    expect(list.pauseSec(entry, options)).toBe(42);
    expect(list.pauseSec(entry, options)).toBe(1);
  });

  it('gives up after connect-retry-max rounds, profiles that are switched off included', () => {
    const options = optionsFor(['a', 'b'], { connectRetryMax: 2 });
    options.connectionList[1]!.disabled = true;
    const list = new ConnectionList(options, never);
    const tries = Array.from({ length: 3 }, () => [list.next()?.entry.remote, list.exhausted]);
    expect(tries).toEqual([
      ['a', false],
      ['a', false],
      ['a', true],
    ]);
    expect(new ConnectionList(optionsFor([]), never).next()).toBeUndefined();
    options.connectionList[0]!.disabled = true;
    expect(new ConnectionList(options, never).next()).toBeUndefined();
  });

  it('counts profiles, not their addresses, as attempts', () => {
    const list = new ConnectionList(optionsFor(['a'], { connectRetryMax: 1 }), never);
    list.next();
    list.useAddresses([v4('192.0.2.1'), v4('192.0.2.2')]);
    expect([list.next()?.address?.address, list.exhausted]).toEqual(['192.0.2.2', false]);
    list.next();
    expect(list.exhausted).toBe(true);
  });

  it('goes on at once after a server that kept silent', () => {
    const options = optionsFor(['a']);
    const list = new ConnectionList(options, never);
    const { entry } = list.next()!;
    expect([
      list.pauseSec(entry, options, 'server_poll'),
      list.pauseSec(entry, options, 'ping-restart'),
    ]).toEqual([0, 1]);
  });

  it('resolves the profile in use again when told to', () => {
    const list = new ConnectionList(optionsFor(['a', 'b']), never);
    list.next();
    list.useAddresses([v4('192.0.2.1')]);
    list.succeeded();
    list.forgetAddresses();
    expect(list.next()).toMatchObject({ entry: { remote: 'a' }, address: undefined });
  });

  it('shuffles its profiles once', () => {
    const options = optionsFor(['a', 'b', 'c'], { remoteRandom: true });
    const list = new ConnectionList(options, () => 0);
    const round = () => Array.from({ length: 3 }, () => list.next()!.entry.remote);
    const first = round();
    expect([...first].sort()).toEqual(['a', 'b', 'c']);
    expect(first).not.toEqual(['a', 'b', 'c']);
    expect(round()).toEqual(first);
    expect(options.connectionList.map(({ remote }) => remote)).toEqual(['a', 'b', 'c']);
  });
});

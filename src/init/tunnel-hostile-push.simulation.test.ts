/**
 * A server that pushes nonsense: whatever option with whatever value, its client says what 2.x says and goes on,
 * or starts over. It neither ends, nor hangs, nor runs in circles.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TunnelWorld } from '../../test-kit/tunnel-world.ts';
import { timerOptions } from '../forward/forward.ts';
import { findOption, OPTION_ROWS } from '../options/option-table.ts';
import {
  applyPulledOptions,
  finishPull,
  type Options,
  parseConfig,
  useConnection,
} from '../options/options.ts';
import { EnvSet } from '../script/script.ts';
import { setPulledVariables } from './script-setup.ts';

const VALUES = [
  '0',
  '1',
  '-1',
  '20',
  '2147483647',
  '2147483648',
  '4294967296',
  '99999999999',
  '1e9',
  '0x7fffffff',
  '""',
  'nonsense',
  'x'.repeat(240),
  '%s%n',
  '::',
  '0.0.0.0',
  '255.255.255.255',
];

const PUSHABLE = OPTION_ROWS.filter(({ contexts }) => /[PRN]/.test(contexts)).map(({ name }) => name);

describe('every option that can be pushed', () => {
  it('is one of those that 2.x takes', () => {
    expect(PUSHABLE.length).toBeGreaterThan(60);
    for (const name of ['peer-id', 'tun-mtu', 'route-delay', 'ping', 'ifconfig', 'setenv-safe', 'auth-token'])
      expect(PUSHABLE).toContain(name);
  });

  for (const name of PUSHABLE) {
    it(`is taken, refused or ignored, whatever its value: ${name}`, () => {
      for (const words of lines(name)) {
        const options = client();
        const { messages, imports, restart } = applyPulledOptions(options, [words]);
        expect(restart).toBeUndefined();
        const finished = finishPull(options, imports);
        for (const { text } of [...messages, ...finished.messages])
          expect(text).not.toMatch(/NaN|undefined|Error:/);
        expectUsable(options, words);
        setPulledVariables(new EnvSet(), options);
      }
    });
  }
});

/** As many values as the option takes, and one more. */
function lines(name: string): string[] {
  const { min, max } = findOption(name)!;
  const counts = new Set([0, min, Math.min(max, 4), Math.min(max, 4) + 1]);
  return [...counts].flatMap((count) =>
    (count === 0 ? [''] : VALUES).map((value) => [name, ...Array(count).fill(value)].join(' ')),
  );
}

function client(): Options {
  const { options } = parseConfig('client\ndev tun\nremote vpn.example\nca f\ncert f\nkey f\n');
  useConnection(options, options.connectionList[0]!);
  return options;
}

/** What sizes, packets and timers are made of is a number that they have room for. */
function expectUsable(options: Options, words: string): void {
  const { ce } = options;
  expect(ce.tunMtu, words).toBeGreaterThanOrEqual(100);
  expect(ce.tunMtu, words).toBeLessThanOrEqual(65536);
  if (options.peerId !== undefined) expect(options.peerId >>> 24, words).toBe(0);
  const counts = [
    options.sndbuf,
    options.rcvbuf,
    options.routeMetric,
    options.routeDelay,
    options.verb,
    options.mute,
    ce.explicitExitNotify,
    ...Object.values(timerOptions(options)),
  ];
  for (const value of counts) {
    if (typeof value !== 'number') continue;
    expect(Number.isSafeInteger(value) || value === Number.POSITIVE_INFINITY, words).toBe(true);
  }
}

describe('a client', () => {
  let world: TunnelWorld;
  beforeEach(() => {
    world = new TunnelWorld();
  });
  afterEach(() => world.close());

  const harmless = [
    'peer-id 99999999',
    'peer-id -1',
    'tun-mtu 20',
    'tun-mtu 0',
    'tun-mtu 99999999',
    'route-metric 99999999999',
    'sndbuf 99999999999',
    'rcvbuf 2147483647',
    'socket-flags NONSENSE',
    'verb 99999999',
    'mute 99999999999',
    'setenv-safe ===$(id) x',
    'echo x;id',
    'topology zzz',
    'protocol-flags nonsense',
    'key-derivation nonsense',
    'redirect-gateway nonsense',
    'inactive 99999999999 99999999999',
    'session-timeout 99999999999',
    'ping 99999999999',
    'ping-restart 99999999999',
    'shaper 99999999999',
    `auth-token ${'x'.repeat(200)}`,
  ];
  for (const pushed of harmless) {
    it(`is connected in spite of "${pushed}"`, async () => {
      await world.serving(`push "${pushed}"`);
      const alice = await world.connected('alice', 'reneg-sec 0');
      // An id that the server doesn't know finds the client by its address all the same, but not in a data packet.
      if (!pushed.startsWith('peer-id')) expect(await world.ping(alice, '10.8.0.1')).toBe(true);
      await world.run(10_000);
      expect(alice.ended).toBeUndefined();
    });
  }

  it('waits with its routes as long as it is told, and ends at once when asked', async () => {
    await world.serving('push "route-delay 99999999"\npush "route 10.40.0.0 255.255.0.0"\nkeepalive 10 60');
    const alice = world.client('alice');
    await world.until(() => alice.states.includes('ASSIGN_IP'));
    await world.run(30_000);
    expect(alice.ups).toBe(0);
    expect(alice.network.routes).toEqual([]);
    await world.stop(alice);
    expect(alice.ended).toEqual({ error: undefined });
  });

  it('says goodbye as long as it is told, and ends at once when asked again', async () => {
    await world.serving('push "explicit-exit-notify 99999999"');
    const alice = await world.connected('alice');
    void alice.tunnel.stop();
    await world.run(30_000);
    expect(alice.ended).toBeUndefined();
    await world.stop(alice);
  });

  it('starts over when no reply to its request makes sense', async () => {
    await world.serving('push "push-continuation 7"');
    const alice = world.client('alice');
    await world.until(() => alice.count('[soft,no-push-reply] received, process restarting') === 1, 200_000);
    expect(alice.count('WARNING: Received bad push/pull message')).toBeGreaterThan(0);
    expect(alice.ended).toBeUndefined();
  });
});

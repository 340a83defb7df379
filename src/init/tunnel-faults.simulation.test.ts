/** An exception at any entry ends the client that it happened with, is told with its stack and counted; all else goes on. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RecordedScripts } from '../../test-kit/recorded-scripts.ts';
import { type Station, TunnelWorld } from '../../test-kit/tunnel-world.ts';
import type { FaultEntry } from '../base/base.ts';
import { type MultiInstance, MultiServer } from '../multi/multi.ts';
import type { TlsMulti } from '../ssl/ssl.ts';

/** The control channel of each peer, by what says where the peer is. */
const controls = new Map<unknown, TlsMulti>();
vi.mock(import('../ssl/tls-multi.ts'), async (original) => {
  const { createTlsMulti } = await original();
  return {
    createTlsMulti: (config) => {
      const control = createTlsMulti(config);
      controls.set(config.address, control);
      return control;
    },
  };
});

let world: TunnelWorld;
let created: { readonly mock: { readonly contexts: readonly unknown[] } };
beforeEach(() => {
  world = new TunnelWorld();
  created = vi.spyOn(MultiServer.prototype, 'createInstance');
});
afterEach(async () => {
  vi.restoreAllMocks();
  controls.clear();
  await world.close();
});

/** Two clients that are up, and the server's side of the first. */
interface Bed {
  readonly server: Station;
  readonly alice: Station;
  readonly bob: Station;
  readonly multi: MultiServer;
  readonly instance: MultiInstance;
}

async function bed(extra = ''): Promise<Bed> {
  const server = await world.serving(`keepalive 5 20\n${extra}`, { scripts: new RecordedScripts() });
  const tcp = /proto tcp-server/.test(extra) ? 'proto tcp-client\n' : '';
  const alice = await world.connected('alice', `${tcp}connect-retry 1\nreneg-sec 10`);
  const bob = await world.connected('bob', tcp);
  const multi = created.mock.contexts[0] as MultiServer;
  const instance = [...multi.instances()].find(({ commonName }) => commonName === 'alice')!;
  return { server, alice, bob, multi, instance };
}

/** Throws once, then does what it did before. */
function breakOnce<T extends object>(target: T, method: keyof T & string): void {
  const whole = target[method] as (...args: unknown[]) => unknown;
  vi.spyOn(target as Record<string, (...args: unknown[]) => unknown>, method).mockImplementationOnce(() => {
    throw new Error(`broken ${method}`);
  });
  expect(whole).toBeTypeOf('function');
}

function controlOf({ peer }: MultiInstance): TlsMulti {
  return controls.get(peer.address)!;
}

async function expectAlive({ server, bob, multi }: Bed, entry: FaultEntry): Promise<void> {
  await world.until(() => multi.faults.total > 0, 60_000);
  expect(multi.faults.counts).toEqual(new Map([[entry, 1]]));
  expect(server.count(`Internal error (${entry}, 1 so far): Error: broken`)).toBe(1);
  expect(server.count(/\bat .*tunnel-faults/)).toBeGreaterThan(0);
  expect(await world.ping(bob, '10.8.0.1')).toBe(true);
  expect(bob.ups).toBe(1);
  expect(server.ended).toBeUndefined();
}

describe('an exception ends one client only', () => {
  const cases: readonly [FaultEntry, string, (bed: Bed) => void, ((bed: Bed) => void)?][] = [
    ['control packet', 'a control packet', ({ instance }) => breakOnce(controlOf(instance), 'handlePacket')],
    ['control packet', 'an event of TLS', ({ instance }) => breakOnce(controlOf(instance), 'pollEvent')],
    [
      'control packet',
      'what is to be sent',
      ({ instance }) => breakOnce(controlOf(instance), 'pollTransmit'),
    ],
    ['TLS output', 'output of TLS', ({ instance }) => breakOnce(controlOf(instance), 'handleTlsOutput')],
    ['timer', 'a timer', ({ instance }) => breakOnce(controlOf(instance), 'handleTimeout')],
    [
      'data',
      'packets from the client',
      ({ instance }) => breakOnce(instance.data, 'open'),
      ({ alice }) => alice.host.send(alice.address, '10.8.0.1', 'hello'),
    ],
    [
      'data',
      'packets to the client',
      ({ instance }) => breakOnce(instance.data, 'seal'),
      ({ server, alice }) => server.host.send('10.8.0.1', alice.address, 'hello'),
    ],
  ];
  for (const proto of ['udp', 'tcp-server']) {
    for (const [entry, name, breakIt, trigger] of cases) {
      it(`${name} (${proto})`, async () => {
        const all = await bed(`proto ${proto}`);
        breakIt(all);
        trigger?.(all);
        await expectAlive(all, entry);
        expect(all.instance.state).toBe('closed');
        await world.until(() => all.alice.ups === 2, 120_000);
        expect(await world.ping(all.alice, '10.8.0.1')).toBe(true);
      });
    }
  }

  it('the end of a client', async () => {
    const all = await bed();
    breakOnce(controlOf(all.instance), 'close');
    world.kill(all.alice);
    await expectAlive(all, 'end');
    expect(all.server.tunnel.status()?.clients).toHaveLength(1);
  });
});

describe('an exception of nobody ends no client', () => {
  it('reading the device', async () => {
    const all = await bed();
    breakOnce(all.multi.config.tun, 'readBatch');
    all.server.host.send('10.8.0.1', all.alice.address, 'lost');
    await expectAlive(all, 'device');
    expect(await world.ping(all.alice, '10.8.0.1')).toBe(true);
  });

  it('receiving packets', async () => {
    const all = await bed();
    breakOnce(all.instance.bound.link, 'recvBatch');
    all.alice.host.send(all.alice.address, '10.8.0.1', 'late');
    await expectAlive(all, 'link');
    expect(await world.ping(all.alice, '10.8.0.1')).toBe(true);
  });

  it('sending packets', async () => {
    const all = await bed();
    breakOnce(all.instance.bound.link, 'sendBatch');
    all.server.host.send('10.8.0.1', all.alice.address, 'lost');
    await expectAlive(all, 'device');
    expect(await world.ping(all.alice, '10.8.0.1')).toBe(true);
  });

  it('what the learner does every second', async () => {
    const all = await bed();
    breakOnce(all.multi.learner, 'handleTick');
    await expectAlive(all, 'timer');
  });

  for (const [proto, entry] of [
    ['udp', 'stranger'],
    ['tcp-server', 'link'],
  ] as const) {
    it(`a newcomer (${proto})`, async () => {
      const all = await bed(`proto ${proto}`);
      breakOnce(all.multi, 'createInstance');
      const carol = world.client('carol', proto === 'udp' ? '' : 'proto tcp-client\nconnect-retry 1');
      await expectAlive(all, entry);
      await world.until(() => carol.ups === 1, 60_000);
    });
  }
});

describe('an exception of a hook or of what its answer leads to', () => {
  type Hook = 'tlsVerify' | 'clientConnect' | 'clientDisconnect' | 'learnAddress';
  const hooks: readonly [string, Hook, FaultEntry, string][] = [
    ['tls-verify', 'tlsVerify', 'answer', 'tls-verify /bin/hook'],
    ['client-connect', 'clientConnect', 'answer', 'client-connect /bin/hook'],
    ['client-disconnect', 'clientDisconnect', 'hook', 'client-connect /bin/ok\nclient-disconnect /bin/hook'],
    ['learn-address', 'learnAddress', 'hook', 'learn-address /bin/hook'],
  ];
  for (const [name, hook, entry, extra] of hooks) {
    it(name, async () => {
      const all = await bed(extra);
      // Not the runner: one that throws is a script that failed.
      vi.spyOn(all.multi.config.hooks, hook).mockRejectedValueOnce(new Error(`broken ${name}`));
      if (name === 'client-disconnect') world.kill(all.alice);
      else world.client('carol', 'connect-retry 1');
      await expectAlive(all, entry);
    });
  }

  it('the verdict on a login', async () => {
    const all = await bed();
    breakOnce(controlOf(all.instance), 'handleVerifyResult');
    vi.spyOn(controlOf(all.instance), 'pollEvent').mockReturnValueOnce({
      type: 'verify',
      session: all.instance.session.id,
      id: 1,
      certificate: all.instance.identity!.chain[0]!,
    });
    all.instance.peer.drive(world.nowMs);
    await expectAlive(all, 'answer');
    expect(all.instance.state).toBe('closed');
  });
});

describe('a client', () => {
  for (const method of ['recvBatch', 'send'] as const) {
    it(`connects again when its link throws in ${method}()`, async () => {
      await world.serving('keepalive 5 20');
      const alice = await world.connected('alice', 'connect-retry 1');
      const link = alice.sockets.links.find((one) => !one.closed)!;
      breakOnce(link, method);
      if (method === 'send') await world.run(1);
      await world.until(() => alice.count('Internal error') === 1, 4_000_000);
      expect(alice.count('SIGUSR1[soft,internal-error] received, process restarting')).toBe(1);
      await world.until(() => alice.ups === 2, 60_000);
      expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    });
  }
});

/** Snapshots of a server's clients and routes. */
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../base/base.ts';
import { newLinkCounters } from '../forward/forward.ts';
import { addressWords, VirtualTable } from './mroute.ts';
import type { MultiInstance } from './multi-instance.ts';
import type { MultiServer } from './multi-server.ts';
import { serverStatus } from './server-status.ts';

describe('server status', () => {
  it('shows clients in order, with words for what is not known yet', () => {
    const alice = client({ commonName: 'alice', clientId: 4, addresses: { local4: '10.8.0.2' } });
    alice.counters.linkReadBytes = 100;
    const unknown = client({ clientId: 5, remote: { family: 6, address: '2001:db8::9', port: 9 } });
    expect(serverStatus(server([alice, unknown]))).toEqual({
      clients: [
        {
          commonName: 'alice',
          realAddress: '192.0.2.7:4000',
          virtualAddress: '10.8.0.2',
          virtualIpv6Address: '',
          bytesReceived: 100,
          bytesSent: 0,
          connectedSinceMs: 1000,
          username: 'UNDEF',
          clientId: 4,
          peerId: 0,
          cipher: 'AES-256-GCM',
        },
        expect.objectContaining({
          commonName: 'UNDEF',
          realAddress: '2001:db8::9',
          virtualAddress: '',
          cipher: 'AES-256-GCM',
        }),
      ],
      routes: [],
      maxBcastQueue: 0,
    });
  });

  it('shows hosts plainly and networks with their length, by their owners', () => {
    const alice = client({ commonName: 'alice' });
    const state = server([alice]);
    const learn = (family: 4 | 6, bytes: number[], prefix: number): void => {
      state.routes.learn({ family, words: addressWords(Uint8Array.from(bytes)), prefix }, alice);
    };
    learn(4, [10, 8, 0, 2], 32);
    learn(4, [192, 168, 7, 0], 24);
    learn(6, [0xfd, 0, 0, 8, ...new Array<number>(12).fill(0)], 64);
    const { routes } = serverStatus(state);
    expect(routes.map(({ virtualAddress }) => virtualAddress).sort()).toEqual([
      '10.8.0.2',
      '192.168.7.0/24',
      'fd00:8::/64',
    ]);
    expect(routes[0]).toMatchObject({ commonName: 'alice', realAddress: '192.0.2.7:4000', cached: false });
    expect(routes[0]?.lastRefMs).toBe(1_700_000_000_000);
  });
});

function server(instances: MultiInstance[]): MultiServer {
  const fake = {
    instances: () => instances,
    routes: new VirtualTable<MultiInstance>(),
    config: { clock: new ManualClock(0, 1_700_000_000_000) },
  };
  return fake as unknown as MultiServer;
}

function client(changes: Partial<MultiInstance>): MultiInstance {
  const fake = {
    commonName: '',
    peerId: 0,
    clientId: 0,
    remote: { family: 4, address: '192.0.2.7', port: 4000 },
    addresses: {},
    counters: newLinkCounters(),
    identity: undefined,
    peer: { params: undefined },
    options: { cipher: 'AES-256-GCM' },
    connectedWallMs: 1000,
    ...changes,
  };
  return fake as unknown as MultiInstance;
}

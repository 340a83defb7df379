/** Links that wait for their peer: lines of 2.x, connections from elsewhere, signals. */
import { describe, expect, it } from 'vitest';
import { MemoryInternet } from '../../test-kit/memory-sockets.ts';
import { type LinkAddress, MemoryLogger } from '../base/base.ts';
import { parseConfig } from '../options/options.ts';
import type { LinkParts } from './client-link.ts';
import { openLink } from './peer-link.ts';
import { ProxyLogins } from './proxy-setup.ts';
import { SignalState } from './sig.ts';

const OWN: LinkAddress = { family: 4, address: '192.0.2.1', port: 1194 };

describe('openLink', () => {
  it('waits on UDP without remote', async () => {
    const { parts, log } = createParts('proto udp');
    const opened = await openLink(parts, undefined);
    expect(opened).toMatchObject({ family: 4, remote: undefined });
    expect(log.lines).toEqual([
      'Could not determine IPv4/IPv6 protocol. Using AF_INET',
      'UDPv4 link local (bound): [AF_INET][undef]:1194',
      'UDPv4 link remote: [AF_UNSPEC]',
    ]);
  });

  it('goes to an address as a client does', async () => {
    const { parts, log } = createParts('proto udp4\nremote 198.51.100.7');
    const opened = await openLink(parts, { family: 4, address: '198.51.100.7' });
    expect(opened?.remote).toEqual({ family: 4, address: '198.51.100.7', port: 1194 });
    expect(log.lines.at(-1)).toBe('UDPv4 link remote: [AF_INET]198.51.100.7:1194');
  });

  it('takes the first TCP connection and no further one', async () => {
    const { parts, log, internet } = createParts('proto tcp4-server');
    const opening = openLink(parts, undefined);
    await settle();
    const caller = internet.host('198.51.100.7', '2001:db8::7');
    await caller.connectTcp({ remote: OWN, timeoutMs: 1000 });
    const opened = await opening;
    expect(opened?.remote?.address).toBe('198.51.100.7');
    expect(log.lines[0]).toBe('Listening for incoming TCP connection on [AF_INET][undef]:1194');
    expect(log.lines[1]).toMatch(/^TCP connection established with \[AF_INET\]198\.51\.100\.7:\d+$/);
    expect(log.lines.slice(2)).toEqual([
      'TCPv4_SERVER link local (bound): [AF_INET][undef]:1194',
      expect.stringMatching(/^TCPv4_SERVER link remote: \[AF_INET\]198\.51\.100\.7:\d+$/),
    ]);
    await expect(caller.connectTcp({ remote: OWN, timeoutMs: 1000 })).rejects.toThrow();
  });

  it('lets nobody in but the remote that was given, unless --float', async () => {
    const expected = { family: 4, address: '198.51.100.7' } as const;
    const { parts, log, internet } = createParts('proto tcp4-server\nremote 198.51.100.7');
    const opening = openLink(parts, expected);
    await settle();
    await internet.host('198.51.100.8', '2001:db8::8').connectTcp({ remote: OWN, timeoutMs: 1000 });
    await settle();
    expect(log.lines.at(-1)).toMatch(
      /^TCP NOTE: Rejected connection attempt from \[AF_INET\]198\.51\.100\.8:\d+ due to --remote setting$/,
    );
    await internet.host('198.51.100.7', '2001:db8::7').connectTcp({ remote: OWN, timeoutMs: 1000 });
    expect((await opening)?.remote?.address).toBe('198.51.100.7');

    const floating = createParts('proto tcp4-server\nremote 198.51.100.7\nfloat');
    const second = openLink(floating.parts, expected);
    await settle();
    await floating.internet.host('198.51.100.8', '2001:db8::8').connectTcp({ remote: OWN, timeoutMs: 1000 });
    expect((await second)?.remote?.address).toBe('198.51.100.8');
  });

  it('stops listening at a signal', async () => {
    const { parts, internet } = createParts('proto tcp4-server');
    const opening = openLink(parts, undefined);
    await settle();
    parts.signals.raise('SIGTERM', 'hard');
    expect(await opening).toBeUndefined();
    const caller = internet.host('198.51.100.7', '2001:db8::7');
    await expect(caller.connectTcp({ remote: OWN, timeoutMs: 1000 })).rejects.toThrow();
  });
});

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

function createParts(config: string): { parts: LinkParts; internet: MemoryInternet; log: MemoryLogger } {
  const { options } = parseConfig(`dev tun\nport 1194\n${config}`);
  const internet = new MemoryInternet();
  const log = new MemoryLogger();
  const parts: LinkParts = {
    options,
    ce: options.connectionList[0]!,
    socket: internet.host(OWN.address, '2001:db8::1'),
    logins: new ProxyLogins(options, () => Promise.reject(new Error('nobody is asked'))),
    signals: new SignalState(),
    log,
    names: new Map(),
    randomBytes: (length) => new Uint8Array(length),
  };
  return { parts, internet, log };
}

/** Quickstart without root: hosts on in-memory devices, alone and through a whole tunnel on loopback. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freeUdpPort } from '../../test-kit/free-port.ts';
import { createTunPair } from '../index.ts';
import { MemoryHost } from './memory-host.ts';
import { openQuickstart } from './quickstart-files.ts';
import { startMemoryPair } from './quickstart-memory.ts';

describe('memory hosts', () => {
  it('ping each other and move a stream whole', async () => {
    const { device, system } = createTunPair();
    const a = new MemoryHost(device, '10.0.0.1');
    const b = new MemoryHost(system, '10.0.0.2');
    expect(await a.ping(b.address, 7, 1000)).toBeTypeOf('number');
    const receiver = b.listen();
    const sent = await a.stream(b.address, 500_000, 10_000);
    expect(receiver.digest()).toEqual(sent);
  });

  it('tell when nobody answers', async () => {
    const a = new MemoryHost(createTunPair().device, '10.0.0.1');
    expect(await a.ping('10.0.0.2', 1, 20)).toBeUndefined();
    expect(await a.stream('10.0.0.2', 10, 20)).toBeUndefined();
  });
});

describe('the tunnel in one process', () => {
  it('carries ping and stream both ways', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ovpn-mem-'));
    try {
      const files = await openQuickstart(join(directory, 'quickstart'), [], await freeUdpPort());
      const pair = await startMemoryPair(files, new AbortController().signal);
      const { good, lines } = await pair.prove(200_000);
      await pair.close();
      expect(lines.join('\n')).toMatch(/4 packets transmitted, 4 received.*\n.*SHA-256 equal at both ends/);
      expect(good).toBe(true);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

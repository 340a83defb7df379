/** Parts of quickstart that need neither root nor a tunnel. */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createProgram, main } from './commands.ts';
import { openQuickstart, writeLocalProfile } from './quickstart-files.ts';
import { runCommand, VpnProcess } from './quickstart-process.ts';
import { statusLine } from './quickstart-status.ts';
import { overlapsAny, parseRoutes } from './quickstart-subnet.ts';
import { runTransfer, startTransferServer } from './quickstart-transfer.ts';

const ROUTES = `default via 192.0.2.1 dev eth0
10.8.0.0/24 dev tun0 proto kernel scope link src 10.8.0.1
192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.2
172.16.0.0/12 via 192.0.2.9 dev eth0
unreachable 10.99.0.0/16 metric 10
198.51.100.7 via 192.0.2.1 dev eth0
0.0.0.0/1 via 10.8.0.1 dev tun0
`;

describe('subnets', () => {
  it('are free when no route shares an address with them', () => {
    const taken = parseRoutes(ROUTES);
    expect(taken).toHaveLength(6);
    for (const [network, used] of [
      ['10.8.0.0', true],
      ['10.18.0.0', false],
      ['172.27.8.0', true],
      ['10.99.3.0', true],
      ['198.51.100.0', true],
    ] as const) {
      expect([network, overlapsAny(network, 24, taken)]).toEqual([network, used]);
    }
  });
});

describe('the folder', () => {
  it('is made once, avoids networks in use, and is found again', async () => {
    const directory = join(mkdtempSync(join(tmpdir(), 'ovpn-quick-')), 'quickstart');
    try {
      const first = await openQuickstart(directory, parseRoutes(ROUTES));
      expect(first.fresh).toBe(true);
      expect(first.network).toBe('10.18.0.0');
      const again = await openQuickstart(directory, []);
      expect({ ...again, fresh: true }).toEqual(first);
      expect(readFileSync(first.serverConf, 'utf8')).toContain('server 10.18.0.0 255.255.255.0\n');
      expect(statSync(first.clientOvpn).mode & 0o777).toBe(0o600);
      const local = readFileSync(writeLocalProfile(first, '198.18.0.1'), 'utf8');
      expect(local.match(/^remote .*$/gm)).toEqual([`remote 198.18.0.1 ${first.port}`]);
      await expect(openQuickstart(directory, parseRoutes('10.18.0.0/16 dev eth0\n'))).rejects.toThrow(
        /is in use/,
      );
    } finally {
      rmSync(join(directory, '..'), { recursive: true });
    }
  });
});

describe('the transfer', () => {
  it('proves both directions by hash', async () => {
    const server = await startTransferServer('127.0.0.1');
    try {
      const report = await runTransfer('127.0.0.1', server.port, 300_001);
      expect(report).toMatchObject({ bytes: 300_001, intact: true });
      expect(report.upMbps).toBeGreaterThan(0);
    } finally {
      server.close();
    }
  });

  it('fails when the connection breaks, and survives a rude peer', async () => {
    const server = await startTransferServer('127.0.0.1');
    const rude = connect(server.port, '127.0.0.1');
    rude.end('xx');
    await new Promise((resolve) => rude.on('close', resolve).resume());
    expect((await runTransfer('127.0.0.1', server.port, 10)).intact).toBe(true);
    server.close();
    await expect(runTransfer('127.0.0.1', server.port, 10)).rejects.toThrow(/the transfer broke/);
  });
});

describe('processes', () => {
  it('are followed by their lines and stopped', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ovpn-proc-'));
    try {
      const file = join(directory, 'x.log');
      const loop = new VpnProcess('x', 'sh', ['-c', 'echo starting; echo Ready now; exec sleep 60'], file);
      await loop.waitForLine('Ready', 10_000);
      await loop.stop();
      const failing = new VpnProcess('y', 'sh', ['-c', 'echo reason; exit 1'], file);
      await expect(failing.waitForLine('Ready', 10_000)).rejects.toThrow(/y ended.*\n {2}reason/);
      await failing.stop();
      expect((await runCommand('/nonexistent', [])).status).toBe(127);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe('the status line', () => {
  it('sums up the clients', () => {
    const row = (name: string) =>
      `CLIENT_LIST,${name},198.51.100.2:1,10.8.0.2,,1048576,2097152,x,1000,UNDEF,0,0,AES-256-GCM`;
    const text = `TITLE,x\nTIME,x,4725\n${row('a')}\n${row('b')}\nEND\n`;
    expect(statusLine(text)).toBe('clients: a, b  in 2.0 MiB  out 4.0 MiB  connected 01:02:05');
    expect(statusLine('TIME,x,5\nEND\n')).toBe('clients: none yet');
  });
});

describe('the program', () => {
  it('has its commands', () => {
    const names = createProgram(() => undefined).commands.map((command) => command.name());
    expect(names).toEqual(['quickstart', 'quickstart-peer', 'pki', 'profile', 'version']);
  });

  it('makes a PKI and a profile', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ovpn-cli-'));
    try {
      const dir = join(directory, 'pki');
      const output = join(directory, 'alice.ovpn');
      expect(await main(['pki', 'init', '--dir', dir])).toBe(0);
      expect(await main(['pki', 'client', 'alice', '--dir', dir])).toBe(0);
      expect(await main(['pki', 'client', 'alice', '--dir', dir])).toBe(1);
      const words = ['profile', 'alice', '--dir', dir, '--remote', 'vpn.example', '--output', output];
      expect(await main([...words, '--proto', 'tcp', '--port', '443'])).toBe(0);
      expect(readFileSync(output, 'utf8')).toContain('proto tcp-client\nremote vpn.example 443\n');
      expect(await main([...words, '--proto', 'sctp'])).toBe(1);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

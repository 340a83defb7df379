/** Parts of quickstart that need neither root nor a tunnel. */
import { X509Certificate } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { createProgram, main } from './commands.ts';
import { adviceText, ownCommand } from './quickstart-advice.ts';
import { openQuickstart, writeLocalProfile } from './quickstart-files.ts';
import { runCommand, tellWhile, VpnProcess } from './quickstart-process.ts';
import { fitLine, statusLine } from './quickstart-status.ts';
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
      const elsewhere = readFileSync(first.clientOvpn, 'utf8');
      expect([nameOf(local), nameOf(elsewhere)]).toEqual(['CN=client-here', 'CN=client1']);
      for (const block of ['key', 'ca', 'tls-crypt'])
        expect(blockOf(local, block) === blockOf(elsewhere, block)).toBe(block !== 'key');
      const moved = await openQuickstart(directory, [], 4433);
      expect(moved.port).toBe(4433);
      expect(readFileSync(first.serverConf, 'utf8')).toMatch(/^port 4433$/m);
      expect(readFileSync(first.clientOvpn, 'utf8')).toMatch(/^remote \S+ 4433$/m);
      expect(statSync(first.serverConf).mode & 0o777).toBe(0o600);
      await expect(openQuickstart(directory, parseRoutes('10.18.0.0/16 dev eth0\n'))).rejects.toThrow(
        /is in use/,
      );
    } finally {
      rmSync(join(directory, '..'), { recursive: true });
    }
  });
});

describe('the advice', () => {
  it('names the program as the shell finds it: in PATH, below node_modules, or by its path', () => {
    const directory = mkdtempSync(join(tmpdir(), 'ovpn-path-'));
    try {
      const program = join(directory, 'clone', 'bin', 'openvpn-ts');
      mkdirSync(join(directory, 'clone', 'bin'), { recursive: true });
      writeFileSync(program, '');
      const command = (cwd: string, path = '') => ownCommand(program, join(directory, cwd), path);
      expect(command('clone')).toBe('bin/openvpn-ts');
      expect(command('clone/bin')).toBe('./openvpn-ts');
      expect(command('elsewhere')).toBe(program);
      mkdirSync(join(directory, 'user', 'node_modules', '.bin'), { recursive: true });
      symlinkSync(program, join(directory, 'user', 'node_modules', '.bin', 'openvpn-ts'));
      const scripts = join(directory, 'user', 'node_modules', '.bin');
      expect(command('user', scripts)).toBe('npx openvpn-ts');
      mkdirSync(join(directory, 'usr'));
      symlinkSync(program, join(directory, 'usr', 'openvpn-ts'));
      expect(command('elsewhere', join(directory, 'usr'))).toBe('openvpn-ts');
      const other = join(directory, 'other');
      mkdirSync(other);
      writeFileSync(join(other, 'openvpn-ts'), '');
      expect(command('elsewhere', other)).toBe(program);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('gives commands with the folder of this quickstart', () => {
    const directory = mkdtempSync(join(tmpdir(), "ovpn it's-"));
    try {
      const clientOvpn = join(directory, 'client.ovpn');
      writeFileSync(clientOvpn, 'client\n');
      const files = { directory, clientOvpn, network: '10.8.0.0', remote: '192.0.2.1', port: 4433 };
      const text = adviceText(files as never, 'bin/openvpn-ts');
      const pki = `'${join(directory, 'pki').replace("'", "'\\''")}'`;
      expect(text).toContain(`     bin/openvpn-ts pki client NAME --dir ${pki}\n`);
      expect(text).toContain(
        `     bin/openvpn-ts profile NAME --dir ${pki} --remote 192.0.2.1 --port 4433\n`,
      );
    } finally {
      rmSync(directory, { recursive: true });
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

  it('stays on one row of the terminal', () => {
    expect(fitLine('clients: a', 80)).toBe('clients: a');
    expect(fitLine('clients: abcdef', 10)).toBe('clients:…');
    expect(fitLine('clients: a', 10)).toBe('clients:…');
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

  it('refuses what would be a wrong or dangerous profile, in a sentence', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ovpn-cli-'));
    const { said, restore } = listen();
    try {
      const dir = join(directory, 'pki');
      const output = join(directory, 'out.ovpn');
      await main(['pki', 'init', '--dir', dir]);
      await main(['pki', 'server', 'gate', '--dir', dir]);
      await main(['pki', 'client', 'alice', '--dir', dir]);
      const profile = async (name: string, ...more: string[]) => {
        said.length = 0;
        const status = await main(['profile', name, '--dir', dir, '--output', output, ...more]);
        return [status, said.join('')];
      };
      expect(await profile('gate', '--remote', 'vpn.example')).toEqual([
        1,
        "openvpn-ts: 'gate' is the certificate of a server, whose key must not leave it: make one for the client (pki client NAME)\n",
      ]);
      for (const remote of ['', ' ', 'a b', 'a\nup /bin/sh', 'a#b', '-x', "a'b"]) {
        const [status, text] = await profile('alice', '--remote', remote);
        expect(status).toBe(1);
        expect(text).toBe(`openvpn-ts: ${JSON.stringify(remote)} is neither a host name nor an address\n`);
      }
      for (const port of ['', ' 80', '0', '65536', '1e3', '0x50', '80x']) {
        const [status, text] = await profile('alice', '--remote', 'a', '--port', port);
        expect(status).toBe(1);
        expect(text).toContain('not a port number');
      }
      expect(existsSync(output)).toBe(false);
      for (const remote of ['vpn.example', '192.0.2.1', '2001:db8::1', '::1', 'fe80::1%eth0', 'tür.example'])
        expect(await profile('alice', '--remote', remote)).toEqual([0, '']);
    } finally {
      restore();
      rmSync(directory, { recursive: true });
    }
  });

  it('says in a sentence what the system refused', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ovpn-cli-'));
    const { said, restore } = listen();
    try {
      writeFileSync(join(directory, 'file'), '');
      expect(await main(['pki', 'init', '--dir', join(directory, 'file', 'pki')])).toBe(1);
      expect(await main(['profile', 'bob', '--dir', join(directory, 'none'), '--remote', 'a'])).toBe(1);
      expect(said).toEqual([
        `openvpn-ts: cannot make the folder ${join(directory, 'file', 'pki')}: Not a directory (errno=20)\n`,
        `openvpn-ts: cannot read ${join(directory, 'none', 'ca.crt')}: No such file or directory (errno=2)\n`,
      ]);
    } finally {
      restore();
      rmSync(directory, { recursive: true });
    }
  });

  it('tells its version', async () => {
    const written: string[] = [];
    const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(`${text}`) > 0);
    expect(await main(['--version'])).toBe(0);
    spy.mockRestore();
    expect(written.join('')).toMatch(/^openvpn-ts \d+\.\d+\.\d+\n$/);
  });
});

describe('waiting', () => {
  it('is told when it takes longer than two seconds', async () => {
    vi.useFakeTimers();
    const written: string[] = [];
    const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(`${text}`) > 0);
    try {
      const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
      const told = tellWhile('making keys', wait(9_000));
      await vi.advanceTimersByTimeAsync(9_000);
      await told;
      expect(written).toEqual([2, 4, 8].map((seconds) => `  still making keys (${seconds} s)\n`));
      await Promise.all([tellWhile('thinking', wait(1_500)), vi.advanceTimersByTimeAsync(1_500)]);
      expect(written).toHaveLength(3);
    } finally {
      spy.mockRestore();
      vi.useRealTimers();
    }
  });
});

/** Collects what goes to standard error. */
function listen(): { said: string[]; restore: () => void } {
  const said: string[] = [];
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(`${text}`) > 0);
  return { said, restore: () => spy.mockRestore() };
}

function blockOf(text: string, name: string): string | undefined {
  return new RegExp(`^<${name}>\n([\\s\\S]*?)^</${name}>$`, 'm').exec(text)?.[1];
}

function nameOf(profile: string): string {
  return new X509Certificate(blockOf(profile, 'cert')!).subject;
}

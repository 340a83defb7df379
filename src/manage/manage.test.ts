/** Status texts and files, byte for byte against captures of 2.6.14 (times shown in UTC there). */
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryLogger, timeText } from '../base/base.ts';
import {
  clientStatusLines,
  formatPoolPersist,
  openPoolPersist,
  openStatusFile,
  parsePoolPersist,
  type ServerStatus,
  serverStatusLines,
} from './manage.ts';

const NOW_MS = 1795373782_000;
const SINCE_MS = 1795373698_000;
const [NOW, SINCE] = [timeText(NOW_MS), timeText(SINCE_MS)];
const TITLE =
  'OpenVPN 2.6.14 x86_64-pc-linux-gnu [SSL (OpenSSL)] [LZO] [LZ4] [EPOLL] [PKCS11] [MH/PKTINFO] [AEAD] [DCO]';

const SERVER: ServerStatus = {
  clients: [
    {
      commonName: 'client1',
      realAddress: '198.51.100.2:42981',
      virtualAddress: '10.8.0.2',
      virtualIpv6Address: 'fd00:8::1000',
      bytesReceived: 4573,
      bytesSent: 4361,
      connectedSinceMs: SINCE_MS,
      username: 'bob',
      clientId: 0,
      peerId: 0,
      cipher: 'AES-256-GCM',
    },
  ],
  routes: [
    {
      virtualAddress: '10.8.0.2',
      cached: false,
      commonName: 'client1',
      realAddress: '198.51.100.2:42981',
      lastRefMs: SINCE_MS,
    },
    {
      virtualAddress: '10.8.0.7',
      cached: true,
      commonName: 'client1',
      realAddress: '198.51.100.2:42981',
      lastRefMs: SINCE_MS,
    },
  ],
  maxBcastQueue: 1,
};

describe('server status', () => {
  it('has the sections of version 1', () => {
    expect(serverStatusLines(SERVER, 1, TITLE, NOW_MS)).toEqual([
      'OpenVPN CLIENT LIST',
      `Updated,${NOW}`,
      'Common Name,Real Address,Bytes Received,Bytes Sent,Connected Since',
      `client1,198.51.100.2:42981,4573,4361,${SINCE}`,
      'ROUTING TABLE',
      'Virtual Address,Common Name,Real Address,Last Ref',
      `10.8.0.2,client1,198.51.100.2:42981,${SINCE}`,
      `10.8.0.7C,client1,198.51.100.2:42981,${SINCE}`,
      'GLOBAL STATS',
      'Max bcast/mcast queue length,1',
      'END',
    ]);
  });

  const VERSION_2 = [
    `TITLE,${TITLE}`,
    `TIME,${NOW},1795373782`,
    'HEADER,CLIENT_LIST,Common Name,Real Address,Virtual Address,Virtual IPv6 Address,Bytes Received,Bytes Sent,Connected Since,Connected Since (time_t),Username,Client ID,Peer ID,Data Channel Cipher',
    `CLIENT_LIST,client1,198.51.100.2:42981,10.8.0.2,fd00:8::1000,4573,4361,${SINCE},1795373698,bob,0,0,AES-256-GCM`,
    'HEADER,ROUTING_TABLE,Virtual Address,Common Name,Real Address,Last Ref,Last Ref (time_t)',
    `ROUTING_TABLE,10.8.0.2,client1,198.51.100.2:42981,${SINCE},1795373698`,
    `ROUTING_TABLE,10.8.0.7C,client1,198.51.100.2:42981,${SINCE},1795373698`,
    'GLOBAL_STATS,Max bcast/mcast queue length,1',
    'GLOBAL_STATS,dco_enabled,0',
    'END',
  ];

  it('has the rows and headers of version 2', () => {
    expect(serverStatusLines(SERVER, 2, TITLE, NOW_MS)).toEqual(VERSION_2);
  });

  it('is the same with tabs in version 3', () => {
    expect(serverStatusLines(SERVER, 3, TITLE, NOW_MS)).toEqual(
      VERSION_2.map((line) => line.replaceAll(',', '\t')),
    );
  });
});

describe('client statistics', () => {
  const totals = {
    tunReadBytes: 96,
    tunWriteBytes: 48,
    linkReadBytes: 2657,
    linkWriteBytes: 3158,
    authReadBytes: 64,
  };

  it('are the seven lines of 2.x', () => {
    expect(clientStatusLines(totals, NOW_MS).join('\n')).toBe(
      `OpenVPN STATISTICS\nUpdated,${NOW}\nTUN/TAP read bytes,96\nTUN/TAP write bytes,48\nTCP/UDP read bytes,2657\nTCP/UDP write bytes,3158\nAuth read bytes,64\nEND`,
    );
  });

  it('carry compression totals before END', () => {
    const compression = {
      preCompressBytes: 1,
      postCompressBytes: 2,
      preDecompressBytes: 3,
      postDecompressBytes: 4,
    };
    expect(clientStatusLines({ ...totals, compression }, NOW_MS).slice(-5)).toEqual([
      'pre-compress bytes,1',
      'post-compress bytes,2',
      'pre-decompress bytes,3',
      'post-decompress bytes,4',
      'END',
    ]);
  });
});

describe('the status file', () => {
  it('is rewritten in place, cut to length, readable by the owner only', () => {
    const directory = mkdtempSync(join(tmpdir(), 'ovpn-status-'));
    try {
      const path = join(directory, 'status');
      const file = openStatusFile(path, new MemoryLogger());
      const inode = statSync(path).ino;
      expect(file.write(['a long first line', 'END'])).toBe(true);
      expect(file.write(['short', 'END'])).toBe(true);
      file.close();
      expect(readFileSync(path, 'utf8')).toBe('short\nEND\n');
      expect(statSync(path).ino).toBe(inode);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(file.write(['late'])).toBe(false);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('only warns when it can’t be opened', () => {
    const log = new MemoryLogger();
    expect(openStatusFile('/nonexistent/status', log).write(['x'])).toBe(false);
    expect(log.lines).toEqual(['Note: cannot open /nonexistent/status for WRITE']);
  });
});

describe('ifconfig-pool-persist', () => {
  const line = (
    text: string,
    commonName: string,
    ipv4: string | undefined,
    ipv6: string | undefined,
    ...warnings: string[]
  ) => ({ text, entry: { commonName, ipv4, ipv6 }, warnings });

  it('reads all three line forms and passes over the rest', () => {
    const text =
      '# comment\n;x,10.8.0.9\n\nclient1,10.8.0.4,fd00:8::1000\nclient2,10.8.0.8\nclient3,,fd00:8::1001\nnoaddress\n';
    expect(parsePoolPersist(text)).toEqual([
      line('client1,10.8.0.4,fd00:8::1000', 'client1', '10.8.0.4', 'fd00:8::1000'),
      line('client2,10.8.0.8', 'client2', '10.8.0.8', undefined),
      line('client3,,fd00:8::1001', 'client3', undefined, 'fd00:8::1001'),
      { text: 'noaddress', entry: undefined, warnings: [] },
    ]);
  });

  it('complains about bad addresses and keeps the good half', () => {
    expect(parsePoolPersist('c,10.8.0.999,fd00::1\nd,10.8.0.1,zz\n')).toEqual([
      line('c,10.8.0.999,fd00::1', 'c', undefined, 'fd00::1', 'pool: invalid IPv4 (10.8.0.999) for CN=c'),
      line('d,10.8.0.1,zz', 'd', '10.8.0.1', undefined, 'pool: invalid IPv6 (zz) for CN=d'),
    ]);
  });

  it('is opened once and rewritten in place', () => {
    const directory = mkdtempSync(join(tmpdir(), 'ovpn-pool-'));
    try {
      const path = join(directory, 'pool');
      const log = new MemoryLogger();
      const file = openPoolPersist(path, true, log);
      expect(file.read()).toEqual([]);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      const [first, second] = ['c', 'd'].map((commonName) => ({
        commonName,
        ipv4: '10.8.0.2',
        ipv6: undefined,
      }));
      file.write([first!, second!]);
      const moved = join(directory, 'moved');
      renameSync(path, moved);
      file.write([second!]);
      expect(readFileSync(moved, 'utf8')).toBe('d,10.8.0.2,\n');
      expect(file.read().map(({ entry }) => entry)).toEqual([second]);
      file.close();
      file.write([first!]);
      const readOnly = openPoolPersist(moved, false, log);
      readOnly.write([first!]);
      expect(readOnly.read().map(({ entry }) => entry)).toEqual([second]);
      readOnly.close();
      expect(log.lines).toEqual([]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('is empty where it can’t be opened', () => {
    const log = new MemoryLogger();
    expect(openPoolPersist('/nonexistent/pool', true, log).read()).toEqual([]);
    expect(openPoolPersist('/nonexistent/pool', false, log).read()).toEqual([]);
    expect(log.lines).toEqual([
      'Note: cannot open /nonexistent/pool for READ/WRITE',
      'Note: cannot open /nonexistent/pool for READ',
    ]);
  });

  it('gives back what it wrote, and takes any text without throwing', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9_.@-]{0,40}$/);
    const entry = fc.record({
      commonName: name,
      ipv4: fc.ipV4(),
      ipv6: fc.constantFrom(undefined, 'fd00::1'),
    });
    fc.assert(
      fc.property(fc.array(entry), (entries) => {
        expect(parsePoolPersist(formatPoolPersist(entries)).map((one) => one.entry)).toEqual(entries);
      }),
    );
    fc.assert(
      fc.property(fc.string(), (text) =>
        parsePoolPersist(text).every(({ entry }) => entry?.commonName !== ''),
      ),
    );
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { toLogLine, toOpenvpn3 } from './openvpn3.ts';

describe('a start of ovpncli', () => {
  it('keeps what it knows and drops what it refuses', () => {
    const lines = ['client', 'remote 192.0.2.1 1194', 'tls-version-max 1.2', 'explicit-exit-notify 1'];
    expect(toOpenvpn3(lines)).toEqual({
      extension: 'ovpn',
      args: [],
      lines: ['client', 'remote 192.0.2.1 1194'],
    });
  });

  it('takes ciphers, compression and methods of login as arguments', () => {
    const lines = ['data-ciphers AES-256-CBC', 'allow-compression asym', 'setenv IV_SSO webauth'];
    const args = ['--non-preferred-algorithms', '--compress', 'asym', '--sso-methods', 'webauth'];
    expect(toOpenvpn3(lines)).toEqual({ extension: 'ovpn', args, lines: [] });
    expect(toOpenvpn3(['data-ciphers AES-256-GCM']).args).toEqual([]);
  });

  it('names the device, which would be called tun', () => {
    expect(toOpenvpn3(['dev tun']).lines).toEqual(['dev tun0']);
  });

  it('takes the login of a file as arguments and keeps the bare option', () => {
    const dir = mkdtempSync(join(tmpdir(), 'ovpn3-'));
    try {
      const file = join(dir, 'login');
      writeFileSync(file, 'alice\nsecret\n');
      const { args, lines } = toOpenvpn3([`auth-user-pass ${file}`]);
      expect(args).toEqual(['--username', 'alice', '--password', 'secret']);
      expect(lines).toEqual(['auth-user-pass']);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe('a log line of ovpncli', () => {
  it("gets 2.x's words behind it where an event means the same", () => {
    const line = 'Mon Nov 23 09:06:14.497 2026 EVENT: CONNECTED 10.99.0.1:1194 via /UDPv4 on tun';
    expect(toLogLine(line)).toBe(`${line} (Initialization Sequence Completed)`);
  });

  it('tells version and cipher of a handshake as 2.x does', () => {
    const line =
      ' SSL Handshake: peer certificate: CN=server, cipher: TLS_AES_256_GCM_SHA384         TLSv1.3 Kx=any';
    expect(toLogLine(line)).toContain('(Control Channel: TLSv1.3, cipher TLSv1.3 TLS_AES_256_GCM_SHA384)');
  });

  it('stays as it is otherwise', () => {
    expect(toLogLine('Received event CONNECTED ')).toBe('Received event CONNECTED ');
  });
});

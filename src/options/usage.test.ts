/** Texts that programs read from standard output. */
import { describe, expect, it } from 'vitest';
import { OptionsError } from '../base/base.ts';
import { ConfigError } from './config-error.ts';
import { formatHelp, formatOptionsError, formatVersion } from './usage.ts';

const INFO = {
  target: 'x86_64-pc-linux-gnu',
  appVersion: '0.1.0',
  sslLibrary: 'OpenSSL 3.0.15 3 Sep 2024',
  features: ['SSL (OpenSSL)', 'LZO', 'EPOLL', 'AEAD'],
};

describe('formatOptionsError', () => {
  it('adds prefix and hint to usage errors', () => {
    const expected = { lines: ['Options error: x', 'Use --help for more information.'], timestamp: false };
    expect(formatOptionsError(new ConfigError('x'))).toEqual(expected);
    expect(formatOptionsError(new OptionsError('x'))).toEqual(expected);
  });

  it('leaves texts with their own prefix alone', () => {
    expect(formatOptionsError(new ConfigError('Options warning: x', 'raw')).lines[0]).toBe(
      'Options warning: x',
    );
  });

  it('ends run-time errors as 2.x does', () => {
    expect(formatOptionsError(new ConfigError('x', 'fatal'))).toEqual({
      lines: ['x', 'Exiting due to fatal error'],
      timestamp: true,
    });
  });
});

describe('formatVersion', () => {
  it('starts like 2.6.14 with our own name behind', () => {
    expect(formatVersion(INFO).split('\n').slice(0, 2)).toEqual([
      'OpenVPN 2.6.14 x86_64-pc-linux-gnu [openvpn-ts 0.1.0] [SSL (OpenSSL)] [LZO] [EPOLL] [AEAD]',
      'library versions: OpenSSL 3.0.15 3 Sep 2024',
    ]);
  });
});

describe('formatHelp', () => {
  it('lists what works, in lines of a terminal', () => {
    const help = formatHelp(INFO);
    expect(help).toMatch(/^--remote HOST \[PORT\] \[PROTO\]\n? +Peer host/m);
    expect(help).not.toContain('--win-sys');
    expect(help).not.toContain('--plugin ');
    for (const line of help.split('\n').slice(1)) expect(line.length).toBeLessThanOrEqual(80);
  });
});

/** Options strings against those that real binaries logged (test-kit/vectors.json). */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { optionsString, optionsStringValue, optionsWarnings } from './options-string.ts';
import { parseArgv } from './parse.ts';

interface Vector {
  readonly name: string;
  readonly version: string;
  readonly args_text?: string;
  readonly local_text?: string;
  readonly expected_remote_text?: string;
  readonly server_text?: string;
}

const VECTORS = (
  JSON.parse(readFileSync(new URL('../../test-kit/vectors.json', import.meta.url), 'utf8')) as {
    options_strings: Vector[];
  }
).options_strings;

const OWN = VECTORS.filter(
  ({ version, args_text, local_text }) => version.startsWith('2.6') && args_text && local_text,
);
/** Strings that live 2.6.14 servers sent, and what their configurations had beyond the usual. */
const SERVER_ARGS: Readonly<Record<string, string>> = {
  'GCM V2 prf': '--tls-auth f 0',
  'GCM V2 ekm': '',
  'tcp GCM': '--proto tcp-server',
  'CBC V2 sha256': '--auth SHA256',
  'CBC auth none': '--auth none',
  '--fragment 500': '--fragment 500',
};
const SERVERS = VECTORS.flatMap(({ name, version, args_text, server_text }) => {
  if (version !== '2.6.14' || server_text === undefined) return [];
  const more = args_text?.replace(/--push .*/, '') ?? SERVER_ARGS[name.replace('server on the wire: ', '')];
  return [{ name, more, server_text }];
});

function optionsOf(argsText: string) {
  const words = argsText.split(' ').filter((word) => word !== '');
  return parseArgv(words, { allowUnsupported: true }).options;
}

describe('optionsString', () => {
  it('has vectors to check', () => {
    expect(OWN.length).toBeGreaterThanOrEqual(20);
  });

  it.each(OWN)('writes both strings of "$name"', ({ args_text = '', local_text, expected_remote_text }) => {
    const options = optionsOf(args_text);
    const ce = options.connectionList[0]!;
    expect(optionsString({ options, ce })).toBe(local_text);
    expect(optionsString({ options, ce, remote: true })).toBe(expected_remote_text);
  });

  it.each(SERVERS)('writes the string of "$name"', ({ more, server_text }) => {
    const options = optionsOf(
      `--server 10.8.0.0 255.255.255.0 --dev tun --ca f --cert f --key f --dh none ${more}`,
    );
    expect(optionsString({ options, ce: options.connectionList[0]! })).toBe(server_text);
  });

  it('finds no difference between its own two roles', () => {
    const client = optionsOf('--client --ca f --cert f --key f --remote h --dev tun');
    const server = optionsOf('--server 10.8.0.0 255.255.255.0 --ca f --cert f --key f --dh none --dev tun');
    const expected = optionsString({ options: client, ce: client.connectionList[0]!, remote: true });
    const actual = optionsString({ options: server, ce: server.connectionList[0]! });
    expect(actual).toBe(expected);
    expect(optionsWarnings(expected, actual)).toEqual([]);
  });
});

describe('optionsStringValue', () => {
  it('needs a value', () => {
    expect(optionsStringValue('V4,cipher ,auth SHA1', 'cipher')).toBeUndefined();
  });
});

describe('optionsWarnings', () => {
  const texts = (expected: string, actual: string) =>
    optionsWarnings(expected, actual).map((line) => line.text);

  it('reports another value and things that one side lacks', () => {
    expect(texts('V4,link-mtu 1541,comp-lzo', 'V4,link-mtu 1542,mtu-dynamic')).toEqual([
      "WARNING: 'link-mtu' is used inconsistently, local='link-mtu 1541', remote='link-mtu 1542'",
      "WARNING: 'comp-lzo' is present in local config but missing in remote config, local='comp-lzo'",
      "WARNING: 'mtu-dynamic' is present in remote config but missing in local config, remote='mtu-dynamic'",
    ]);
  });

  it('keeps quiet about what is negotiated or differs by role', () => {
    expect(texts('V4,proto UDPv4,keydir 1,cipher A,tls-auth', 'V4,proto TCPv4_CLIENT,keydir 0')).toEqual([]);
  });

  it('prints no control characters of a peer', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (actual) => {
        for (const text of texts('V4,tun-mtu 1500', actual)) expect(text).toMatch(/^[ -~]*$/);
      }),
    );
  });
});

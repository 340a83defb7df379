/** What a server may put into the environment of scripts as names and addresses of DNS. */
import { describe, expect, it } from 'vitest';
import { isDomain } from './dns-options.ts';
import { parseConfig } from './parse.ts';
import { useConnection } from './postprocess.ts';
import { applyPulledOptions } from './pull.ts';
import { applyPushUpdate } from './update.ts';

const CLIENT = 'client\ndev tun\nremote vpn.example\nca f\ncert f\nkey f\n';

function client(more = '') {
  const { options } = parseConfig(CLIENT + more);
  useConnection(options, options.connectionList[0]!);
  return options;
}

/** Characters that mean something to a shell or that end a line of a file it sources. */
const HOSTILE = [
  'x;id',
  'x$(id)',
  'x`id`',
  "x'",
  'x|id',
  'x&',
  'x>y',
  'a/b',
  'a=b',
  'x\\',
  'a*',
  'a~',
  'a\tb',
  'a b',
  'a\u007f',
];

describe('CVE-2025-10680: DNS names that a server pushes', () => {
  const lines: readonly [string, (domain: string) => string][] = [
    ['--dns search-domains contain invalid characters', (x) => `dns search-domains good.example ${x}`],
    [
      '--dns server 1: resolve-domains contain invalid characters',
      (x) => `dns server 1 resolve-domains ${x}`,
    ],
    ['--dns server 1: sni contains invalid characters', (x) => `dns server 1 sni ${x}`],
    ['--dhcp-option DOMAIN contains invalid characters', (x) => `dhcp-option DOMAIN ${x}`],
    ['--dhcp-option DOMAIN-SEARCH contains invalid characters', (x) => `dhcp-option DOMAIN-SEARCH ${x}`],
    [
      '--dhcp-option ADAPTER_DOMAIN_SUFFIX contains invalid characters',
      (x) => `dhcp-option ADAPTER_DOMAIN_SUFFIX ${x}`,
    ],
  ];
  for (const [problem, line] of lines) {
    it(`are refused when a shell could read more into them: ${line('...')}`, () => {
      for (const domain of HOSTILE) {
        const options = client();
        const pushed = line(`"${domain.replace(/[\\"]/g, '\\$&')}"`);
        const { messages } = applyPulledOptions(options, [pushed]);
        expect(messages.map(({ text }) => text)).toEqual([`Options error: ${problem}`]);
        expect(options.dhcpOptions).toEqual([]);
        expect(JSON.stringify(options.dns)).not.toContain('x');
        expect(options.dns.searchDomains).toEqual([]);
      }
    });

    it(`are refused in a PUSH_UPDATE and in our own configuration: ${line('...')}`, () => {
      const options = client();
      applyPushUpdate(options, [line('x;id')]);
      expect([...options.dhcpOptions, ...options.dns.searchDomains]).toEqual([]);
      expect(() => client(`${line("'x;id'")}\n`)).toThrow(problem);
    });

    it(`are taken otherwise: ${line('...')}`, () => {
      const options = client();
      const domain = 'aZ0-9_.b\u00fccher.example';
      expect(applyPulledOptions(options, [line(domain)]).messages).toEqual([]);
      expect(JSON.stringify([options.dns, options.dhcpOptions])).toContain(domain);
    });
  }

  it('takes addresses of DNS servers alone where addresses belong', () => {
    const options = client();
    const bad = ['DNS x;id', 'DNS6 fe80::1%;id', 'DNS dns.example', 'DNS6 ::1;id'];
    const { messages } = applyPulledOptions(
      options,
      [...bad, 'DNS 10.8.0.1', 'DNS6 fd00::1', 'DNS fd00::2'].map((text) => `dhcp-option ${text}`),
    );
    expect(messages.map(({ text }) => text)).toEqual(
      bad.map((text) => {
        const [type, value] = text.split(' ');
        return `Options error: dhcp-option parameter ${type} '${value}' must be an IP address`;
      }),
    );
    expect(options.dhcpOptions).toEqual(['DNS 10.8.0.1', 'DNS6 fd00::1', 'DNS fd00::2']);
    for (const address of ['10.8.0.1;id', '10.8.0.1:53;id', '[fd00::1]:53;id', 'fe80::1%$(id)']) {
      const { messages: problems } = applyPulledOptions(options, [`dns server 1 address ${address}`]);
      expect(problems.map(({ text }) => text)).toContain(
        `Options error: --dns server 1: malformed address or maximum exceeded '${address}'`,
      );
    }
    expect(options.dns.servers.flatMap((server) => server.addresses)).toEqual([]);
  });

  it('leaves names of our own configuration to 2.6', () => {
    expect(client('dhcp-option DNS dns.example\n').dhcpOptions).toEqual(['DNS dns.example']);
  });

  it('knows each character', () => {
    const taken = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)).filter(isDomain);
    expect(taken.join('')).toBe('-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz');
  });
});
